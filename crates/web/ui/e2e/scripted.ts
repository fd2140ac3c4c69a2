/** Answers as the server gives them, for states that a healthy server does not show or shows only for a moment. */
import type { BrowserContext, Page, Route } from '@playwright/test';

const ago = (minutes: number) => new Date(Date.now() - minutes * 60_000).toISOString();
const soon = (minutes: number) => ago(-minutes);

export const problem = (status: number, code: string, more: object = {}, headers: Record<string, string> = {}) => ({
  status,
  contentType: 'application/problem+json',
  headers,
  body: JSON.stringify({ type: 'about:blank', title: 'Refused', status, code, detail: 'see the code', ...more }),
});
export const good = (body: unknown) => ({ status: 200, contentType: 'application/json', body: JSON.stringify(body) });

export const RIGHTS = {
  user: [
    'see_targets',
    'see_thumbnails',
    'open_console',
    'extend_console',
    'end_console',
    'see_sessions',
    'kill_session',
    'manage_account',
  ],
  admin: [
    'see_targets',
    'see_thumbnails',
    'open_console',
    'see_sessions',
    'kill_session',
    'freeze_session',
    'change_policy',
    'manage_targets',
    'test_target',
    'see_dashboard',
    'see_people',
    'manage_people',
    'manage_groups',
    'manage_grants',
    'manage_account',
    'manage_logins',
    'manage_tokens',
    'read_audit',
    'export_audit',
    'manage_settings',
  ],
} as const;

export const ME = {
  id: 'u1',
  username: 'ada',
  display_name: 'Ada Lovelace',
  role: 'admin',
  rights: RIGHTS.admin,
  language: null,
  expires_at: soon(24 * 60),
  idle_seconds: 1800,
  has_password: true,
  version: 4,
};

const target = (n: number, name: string, address: string, more: object = {}) => ({
  id: `t${n}`,
  number: 100 + n,
  name,
  address,
  kind: 'tcp',
  security: { floor: 'open', identity: 'first_use', anonymous_tls: false, seen: null, pin: null },
  has_password: true,
  active_sessions: 0,
  created_at: ago(60 * 24 * 20),
  version: 1,
  tags: [],
  description: '',
  thumbnails: false,
  ...more,
});

export const TARGETS = [
  target(1, 'Lab desktop', '192.0.2.10:5901', {
    security: {
      floor: 'open',
      identity: 'pinned',
      anonymous_tls: false,
      seen: 'encrypted_verified',
      pin: '3f8a11c05e'.repeat(6) + '3f8a',
    },
    active_sessions: 2,
    tags: ['lab', 'second floor'],
    description: 'Ada’s machine for the practical course',
  }),
  target(2, 'جهاز المكتبة', '[2001:db8::7]:5900', {
    security: { floor: 'open', identity: 'first_use', anonymous_tls: false, seen: 'authenticated', pin: null },
    tags: ['المكتبة'],
  }),
  target(3, 'Build server with a rather long name in the second rack', 'build-02.example.net:5902', {
    security: { floor: 'open', identity: 'first_use', anonymous_tls: false, seen: 'open', pin: null },
    has_password: false,
    tags: ['build'],
  }),
  target(4, 'Test card', 'testcard', { kind: 'test_card', has_password: false }),
];

const COUNTERS = {
  target_bytes: 48_200_000,
  viewer_bytes: 310_000,
  target_messages: 9000,
  viewer_messages: 4000,
  rectangles: 81_000,
  keys: 412,
  pointers: 3000,
  clipboards: 3,
  files: 0,
  dropped: 0,
};
export const POLICY = {
  view_only: false,
  frozen: false,
  clipboard_to_target: { allow: { max_bytes: 1_048_576 } },
  clipboard_to_viewer: { allow: { max_bytes: 1_048_576 } },
  files: false,
  power: false,
  resize: true,
  audio: true,
  max_duration: 3600,
  max_idle: null,
  max_bytes_per_second: null,
};
export const session = (n: number, more: object = {}) => ({
  id: `s${n}`,
  target_id: 't1',
  target_name: 'Lab desktop',
  subject: 'ada',
  user_id: 'u1',
  ingress: 'websocket',
  client_ip: '198.51.100.23',
  client_port: 50_000,
  start_time: ago(12),
  end_time: null,
  status: 'active',
  stage: 'live',
  frozen: false,
  view_only: false,
  end_reason: null,
  end_code: null,
  data_transferred: 48.5,
  user_agent: 'Mozilla/5.0 (X11; Linux x86_64) Firefox/140.0',
  width: 1280,
  height: 800,
  round_trip_ms: 14,
  counters: COUNTERS,
  expires_at: soon(9),
  policy: POLICY,
  ...more,
});
export const SESSIONS = [
  session(1),
  session(2, {
    subject: 'سارة',
    user_id: 'u3',
    client_ip: '2001:db8:0:17::a2',
    frozen: true,
    view_only: true,
    start_time: ago(95),
  }),
  session(3, {
    target_id: 't2',
    target_name: 'جهاز المكتبة',
    subject: 'grace',
    user_id: 'u2',
    ingress: 'native',
    expires_at: soon(0.6),
  }),
  session(4, {
    target_id: 't3',
    target_name: 'Build server with a rather long name in the second rack',
    subject: 'alan',
    user_id: 'u4',
    stage: 'awaiting_resume',
    expires_at: null,
  }),
];
export const ENDED = [
  session(11, {
    status: 'terminated',
    stage: null,
    end_time: ago(2),
    end_reason: 'session.killed',
    expires_at: null,
  }),
  session(12, {
    status: 'terminated',
    stage: null,
    end_time: ago(7),
    end_reason: 'session.viewer_left',
    subject: 'سارة',
    expires_at: null,
  }),
  session(13, {
    status: 'terminated',
    stage: null,
    end_time: ago(1),
    end_reason: 'session.target_refused',
    end_code: 'target.wrong_password',
    target_name: 'جهاز المكتبة',
    expires_at: null,
  }),
];

const user = (n: number, username: string, display_name: string, role: string, more: object = {}) => ({
  id: `u${n}`,
  username,
  display_name,
  role,
  disabled: false,
  has_password: true,
  version: 3,
  created_at: ago(60 * 24 * 90),
  last_login_at: ago(35),
  ...more,
});
export const USERS = [
  user(1, 'ada', 'Ada Lovelace', 'admin'),
  user(2, 'grace', 'Grace Hopper', 'operator'),
  user(3, 'sara', 'سارة الخطيب', 'user'),
  user(4, 'alan', 'Alan Turing', 'viewer', { disabled: true, last_login_at: ago(60 * 24 * 40) }),
  user(5, 'new.person', '', 'user', { has_password: false, last_login_at: null }),
];
export const GROUPS = [
  {
    id: 'g1',
    name: 'Computing 101',
    description: 'Tuesday class',
    version: 2,
    created_at: ago(9000),
    updated_at: ago(200),
  },
  {
    id: 'g2',
    name: 'المكتبة',
    description: 'موظفو المكتبة المسائية',
    version: 1,
    created_at: ago(9000),
    updated_at: ago(9000),
  },
];
export const GROUP = {
  ...GROUPS[0],
  members: [
    { user_id: 'u2', username: 'grace', display_name: 'Grace Hopper', operator: true },
    { user_id: 'u3', username: 'sara', display_name: 'سارة الخطيب', operator: false },
  ],
  targets: [
    { target_id: 't1', policy: null },
    { target_id: 't2', policy: null },
  ],
};
export const OWN_TARGETS = [{ target_id: 't3', view_only: true, expires_at: soon(60 * 24 * 6) }];
export const TOKENS = [
  {
    id: 'k1',
    name: 'Grade book',
    scopes: ['read', 'console'],
    created_at: ago(60 * 24 * 3),
    expires_at: soon(60 * 24 * 27),
    last_used_at: ago(5),
  },
  {
    id: 'k2',
    name: 'لوحة المراقبة',
    scopes: ['read'],
    created_at: ago(60 * 24 * 80),
    expires_at: null,
    last_used_at: null,
  },
];
const row = (seq: number, action: string, more: object = {}) => ({
  seq,
  at: ago(300 - seq),
  action,
  subject_id: '6f0d2c1e-8a4b-4c7d-9e0f-1a2b3c4d5e6f',
  username: 'ada',
  object: 'session:0199b8f0-1c2d-7e3f-8a4b-5c6d7e8f9a0b',
  code: null,
  detail: { bytes: 48_500_000, seconds: 720 },
  people: { address: '198.51.100.23' },
  prev_hash: 'decade'.repeat(10) + 'c0de',
  hash: 'c0ffee'.repeat(10) + 'c0de',
  ...more,
});
export const AUDIT = [
  row(284, 'session.ended', { code: 'session.killed' }),
  row(283, 'console.refused', {
    code: 'right.out_of_reach',
    subject_id: '6f0d2c1e-8a4b-4c7d-9e0f-1a2b3c4d5e70',
    username: 'sara',
  }),
  row(282, 'session.started'),
  row(281, 'login.done', { object: null }),
  row(280, 'login.refused', { object: null, subject_id: null, username: null, code: 'login.wrong' }),
  row(279, 'user.added', { subject_id: '6f0d2c1e-8a4b-4c7d-9e0f-1a2b3c4d5e71', username: null }),
];

export type Answers = Record<string, (route: Route) => unknown>;

const give = (body: unknown) => (route: Route) => route.fulfill(good(body));

/** What a healthy server says to an administrator. A test replaces what it is about. */
const USUAL: Answers = {
  '/api/auth/me': give(ME),
  '/api/targets': give({ targets: TARGETS, total: TARGETS.length }),
  '/api/sessions': (route) =>
    route.fulfill(
      route.request().url().includes('status=active')
        ? good({ sessions: SESSIONS, total: SESSIONS.length, page: 1, next: null })
        : good({ sessions: ENDED, total: ENDED.length, page: 1, next: null }),
    ),
  '/api/sessions/s1': give(SESSIONS[0]),
  '/api/sessions/s11': give(ENDED[0]),
  '/api/users': give({ users: USERS, total: USERS.length }),
  '/api/users/u2': give(USERS[1]),
  '/api/users/u2/targets': give({ targets: OWN_TARGETS, total: 1 }),
  '/api/groups': give({ groups: GROUPS, total: GROUPS.length }),
  '/api/groups/g1': give(GROUP),
  '/api/tokens': give({ tokens: TOKENS, total: TOKENS.length }),
  '/api/audit': give({ entries: AUDIT, total: 284, next: 279 }),
  '/api/status': give({ version: '0.2.0', uptime: 93_000, active_sessions: 4, threats_24h: 0 }),
};

/** Scripts the server at the network's edge; addresses that no test expects are told as missing. */
export async function script(page: Page, answers: Answers = {}): Promise<void> {
  const all = { ...USUAL, ...answers };
  await page.route(
    (url) => url.pathname.startsWith('/api/'),
    async (route) => {
      const { pathname } = new URL(route.request().url());
      const key = `${route.request().method()} ${pathname}`;
      const answer = all[key] ?? all[pathname];
      if (answer) await answer(route);
      else await route.fulfill(problem(404, 'api.not_found'));
    },
  );
  await page.routeWebSocket('**/ws/events*', () => undefined);
}

/** From now on nothing is reached, neither what is scripted nor the program behind it, which would ask for a log-in. */
export async function cut(page: Page, context: BrowserContext): Promise<void> {
  await page.route('**/api/**', (route) => route.abort('internetdisconnected'));
  await context.setOffline(true);
}
