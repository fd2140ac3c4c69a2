// Fails when the end-to-end tests left a picture out. They name them {page}-{state}-{language}-{theme}-{width}.png.
//
// Every page is there in each of the states that it can be in, in a pairwise cover of language, theme and width; log-in,
// console and the list of targets, where everybody begins, in all twelve combinations.
import { readdir } from 'node:fs/promises';

const screens = process.env.GATEHOUSE_SCREENS ?? new URL('../../../../target/screens', import.meta.url).pathname;

const AXES = { language: ['en', 'ar'], theme: ['light', 'dark'], width: ['390', '768', '1280'] };

/** States of each page. */
const STATES = {
  login: ['', 'help', 'working', 'used', 'expired', 'unknown', 'wrong', 'throttled', 'locked', 'ended', 'offline'],
  targets: [
    ...['loading', 'empty', 'none', 'cards', 'table', 'filtered', 'partial', 'error', 'offline'],
    ...['add', 'menu', 'refused', 'own-session', 'native'],
  ],
  console: [
    ...[
      'connecting',
      'connected',
      'slow',
      'frozen',
      'reconnecting',
      'lost',
      'ended',
      'gone',
      'live',
      'touch',
      'keyboard',
    ],
    ...['keys', 'clipboard', 'clipboard-shut', 'view', 'more', 'company', 'rules', 'ruled', 'ending'],
    ...['killed', 'killed-by', 'expired', 'refused', 'failed', 'misbehaved', 'used', 'unknown', 'certificate'],
  ],
  open: ['opening', 'running', 'failed'],
  welcome: ['', 'done'],
  target: ['for-group', 'details', 'tested', 'test-failed', 'conflict', 'remove', 'gone'],
  sessions: ['', 'loading', 'empty', 'ended', 'filtered', 'partial', 'error', 'offline', 'thousand'],
  session: ['details', 'policy', 'end', 'ended', 'gone'],
  users: ['', 'loading', 'first', 'filtered', 'partial', 'error', 'offline', 'no-right'],
  user: ['details', 'new', 'password', 'erase', 'gone'],
  groups: ['', 'loading', 'empty', 'filtered', 'error', 'offline', 'no-right'],
  group: ['details', 'gone'],
  audit: ['', 'loading', 'empty', 'filtered', 'partial', 'error', 'offline', 'no-right', 'good', 'broken', 'entry'],
  'audit-entry': ['gone'],
  settings: ['profile'],
  'settings-tokens': ['', 'loading', 'empty', 'error'],
  'settings-token': ['new'],
  'settings-server': ['', 'loading', 'error', 'no-right'],
  'api-docs': ['', 'loading', 'filtered', 'error'],
  search: ['', 'nothing'],
  'person-menu': [''],
  'nav-folded': [''],
  'no-right': [''],
  'missing-page': [''],
};
/** Where everybody begins: nothing is left to a cover. */
const WHOLE = /^(login|targets|console)(-|$)/;

/** @typedef {Record<string, string>} Place where a picture stands on the axes */

const names = await readdir(screens).catch(() => /** @type {string[]} */ ([]));
/** Of each picture's name, the combinations that there are. @type {Map<string, Place[]>} */
const taken = new Map();
for (const file of names) {
  const [, name, language, theme, width] = /^(.+)-(en|ar)-(light|dark)-(390|768|1280)\.png$/.exec(file) ?? [];
  if (!name || !language || !theme || !width) continue;
  taken.set(name, [...(taken.get(name) ?? []), { language, theme, width }]);
}

/** Every combination on these axes. @param {(keyof AXES)[]} axes @returns {Place[]} */
function combinations(axes) {
  return axes.reduce(
    (some, axis) => some.flatMap((one) => AXES[axis].map((value) => ({ ...one, [axis]: value }))),
    /** @type {Place[]} */ ([{}]),
  );
}

const ALL = combinations(['language', 'theme', 'width']);
const PAIRS = [
  ...combinations(['language', 'theme']),
  ...combinations(['language', 'width']),
  ...combinations(['theme', 'width']),
];

/** What is missing of a picture's combinations. @param {string} name */
function gaps(name) {
  const there = taken.get(name) ?? [];
  return (WHOLE.test(name) ? ALL : PAIRS)
    .filter((wanted) => !there.some((one) => Object.entries(wanted).every(([axis, value]) => one[axis] === value)))
    .map((wanted) => `${name}: ${Object.values(wanted).join(' ')}`);
}

const wanted = Object.entries(STATES).flatMap(([page, states]) =>
  states.map((state) => (state === '' ? page : `${page}-${state}`)),
);
const missing = [...new Set([...wanted, ...taken.keys()])].flatMap(gaps);
for (const line of missing) console.log(`missing ${line}`);
console.log(`${names.length} pictures of ${taken.size} states; ${missing.length} combinations missing`);
process.exit(missing.length > 0 ? 1 : 0);
