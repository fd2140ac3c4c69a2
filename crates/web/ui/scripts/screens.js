// Fails when the end-to-end tests left a picture out. They name them {page}-{state}-{language}-{theme}-{width}.png.
//
// Every page is there in each of the states that it can be in, in a pairwise cover of language, theme and width; log-in,
// console and the list of targets, where everybody begins, in all twelve combinations.
import { readdir } from 'node:fs/promises';

const screens = process.env.GATEHOUSE_SCREENS ?? new URL('../../../../target/screens', import.meta.url).pathname;

const AXES = { language: ['en', 'ar'], theme: ['light', 'dark'], width: ['390', '768', '1280'] };

/** States of each page, by INTERFACE's names where a page has more than one of a kind the more telling ones. */
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
  target: ['details', 'tested', 'test-failed', 'conflict', 'remove', 'gone'],
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

const names = await readdir(screens).catch(() => []);
/** Of each picture's name, the combinations that there are. */
const taken = new Map();
for (const file of names) {
  const [, name, language, theme, width] = /^(.+)-(en|ar)-(light|dark)-(390|768|1280)\.png$/.exec(file) ?? [];
  if (!name) continue;
  if (!taken.has(name)) taken.set(name, []);
  taken.get(name).push({ language, theme, width });
}

/** What is missing of a picture's combinations. */
function gaps(name) {
  const there = taken.get(name) ?? [];
  const has = (wanted) => there.some((one) => Object.entries(wanted).every(([axis, value]) => one[axis] === value));
  const axes = WHOLE.test(name)
    ? [['language', 'theme', 'width']]
    : [
        ['language', 'theme'],
        ['language', 'width'],
        ['theme', 'width'],
      ];
  return axes
    .flatMap((group) =>
      group.reduce((some, axis) => some.flatMap((one) => AXES[axis].map((v) => ({ ...one, [axis]: v }))), [{}]),
    )
    .filter((wanted) => !has(wanted))
    .map((wanted) => `${name}: ${Object.values(wanted).join(' ')}`);
}

const wanted = Object.entries(STATES).flatMap(([page, states]) =>
  states.map((state) => (state === '' ? page : `${page}-${state}`)),
);
const missing = [...new Set([...wanted, ...taken.keys()])].flatMap(gaps);
for (const line of missing) console.log(`missing ${line}`);
console.log(`${names.length} pictures of ${taken.size} states; ${missing.length} combinations missing`);
process.exit(missing.length > 0 ? 1 : 0);
