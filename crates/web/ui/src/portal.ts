/** What the portal asks of the server, beside consoles: people, rights, targets, sessions, audit. */
import { address, ask, type Session as LiveSession, type Strength, type Target as BareTarget } from './api';

export type Role = 'user' | 'viewer' | 'analyst' | 'operator' | 'admin';
export const ROLES: readonly Role[] = ['user', 'viewer', 'analyst', 'operator', 'admin'];

export type Right =
  | 'open_console'
  | 'see_targets'
  | 'see_own_sessions'
  | 'see_all_sessions'
  | 'see_group_sessions'
  | 'kill_session'
  | 'freeze_session'
  | 'change_policy'
  | 'manage_targets'
  | 'test_target'
  | 'manage_users'
  | 'manage_groups'
  | 'read_audit'
  | 'export_audit'
  | 'manage_settings';

export interface Me {
  id: string;
  username: string;
  display_name?: string | null;
  role: Role;
  rights: string[];
  language?: string | null;
  expires_at?: string | null;
  idle_seconds?: number | null;
  /** Whether they can log in by name; the first administrator cannot until one is set. */
  password_set?: boolean;
}

export interface Grant {
  view_only?: boolean;
  expires_at?: string | null;
  via?: string | null;
}

export interface Target extends BareTarget {
  version?: number;
  tags?: string[];
  description?: string | null;
  username?: string | null;
  thumbnails?: boolean;
  /** When its last picture was taken, where one may be shown. */
  thumbnail_at?: string | null;
  grant?: Grant | null;
}

export interface TargetChange {
  version?: number | undefined;
  name?: string;
  url?: string;
  username?: string;
  /** Empty takes the stored one away; left out keeps it. */
  password?: string;
  floor?: Strength;
  anonymous_tls?: boolean;
  first_use?: boolean;
  tags?: string[];
  description?: string;
  thumbnails?: boolean;
}

export type Clipboard = 'deny' | { allow: { max_bytes: number } };

export interface Policy {
  view_only: boolean;
  frozen: boolean;
  clipboard_to_target: Clipboard;
  clipboard_to_viewer: Clipboard;
  files: boolean;
  power: boolean;
  resize: boolean;
  audio: boolean;
  max_duration: number | null;
  max_idle: number | null;
  max_bytes_per_second: number | null;
}

export interface Session extends LiveSession {
  user_id?: string | null;
  expires_at?: string | null;
  ended_by?: string | null;
  protocol?: string;
  policy?: Policy | null;
}

export interface SessionPage {
  sessions: Session[];
  total: number;
  page: number;
  next?: string | null;
}

export interface ConsoleStatus {
  available: boolean;
  reason?: string | null;
  active_session?: { id: string; start_time?: string; client_ip?: string } | null;
}

export interface ConsoleTicket {
  token: string;
  console_path: string;
  expires_at: string;
  /** For native viewers, by kind. */
  links?: Record<string, string> | null;
}

export interface User {
  id: string;
  username: string;
  display_name?: string | null;
  role: Role;
  disabled: boolean;
  password_set?: boolean;
  version: number;
  created_at: string;
  last_login_at?: string | null;
  groups?: { id: string; name: string }[];
}

export interface Group {
  id: string;
  name: string;
  description?: string | null;
  version: number;
  member_count?: number;
  target_count?: number;
  members?: { id: string; username: string; display_name?: string | null; operator: boolean }[];
  targets?: { id: string; name: string; policy?: Partial<Policy> | null }[];
}

export interface ApiToken {
  id: string;
  name: string;
  scopes: string[];
  created_at: string;
  expires_at?: string | null;
  last_used_at?: string | null;
  revoked_at?: string | null;
  /** Only in the answer that makes it. */
  token?: string;
}
export const SCOPES = ['read', 'console', 'operate', 'admin'] as const;

export interface AuditRow {
  seq: number;
  at: string;
  action: string;
  subject?: { id: string; name?: string | null } | null;
  object?: string | null;
  code?: string | null;
  detail?: unknown;
  hash: string;
}

export interface Verification {
  ok: boolean;
  entries?: number;
  first_seq?: number;
  last_seq?: number;
  break?: { seq: number; what: string } | null;
}

export interface Device {
  id: string;
  current: boolean;
  address?: string | null;
  user_agent?: string | null;
  created_at?: string;
  last_seen_at?: string;
}

export interface Setting {
  key: string;
  value: unknown;
  source: string;
}

/** The most that one answer may list. */
const ALL = 1000;

type Query = Record<string, string | number | undefined>;

async function get<T>(path: string, parameters: object = {}, query: Query = {}): Promise<T> {
  return (await ask('GET', address(path, parameters, query))) as T;
}

async function send<T = void>(method: string, path: string, parameters: object = {}, body?: unknown): Promise<T> {
  return (await ask(method, address(path, parameters), body)) as T;
}

export const portal = {
  me: () => get<Me>('/api/auth/me'),
  logIn: (username: string, password: string) => send<Me>('POST', '/api/auth/login', {}, { username, password }),
  logOut: () => send('POST', '/api/auth/logout', {}, {}),
  setPassword: (next: string, current?: string) =>
    send('POST', '/api/auth/password', {}, current === undefined ? { new: next } : { current, new: next }),
  changeMe: (change: { username?: string; display_name?: string; language?: string }) =>
    send<Me>('PATCH', '/api/auth/me', {}, change),
  devices: async () => (await get<{ devices: Device[] }>('/api/auth/devices')).devices,
  forgetDevice: (id: string) => send('DELETE', '/api/auth/devices/{id}', { id }),

  targets: () => get<{ targets: Target[]; total: number }>('/api/targets', {}, { limit: ALL }),
  target: (id: string) => get<Target>('/api/targets/{id}', { id }),
  addTarget: (target: TargetChange) => send<Target>('POST', '/api/targets', {}, target),
  changeTarget: (id: string, change: TargetChange) => send<Target>('PATCH', '/api/targets/{id}', { id }, change),
  removeTarget: (id: string) => send('DELETE', '/api/targets/{id}', { id }),

  requestConsole: (id: string) =>
    send<ConsoleTicket>('POST', '/api/vm/{id}/console/request', { id }, { protocol: 'auto' }),
  consoleStatus: (id: string) => get<ConsoleStatus>('/api/vm/{id}/console/status', { id }),

  sessions: (query: Query) => get<SessionPage>('/api/sessions', {}, query),
  liveSessions: () => get<SessionPage>('/api/sessions', {}, { status: 'active', limit: ALL }),
  session: (id: string) => get<Session>('/api/sessions/{id}', { id }),
  kill: (id: string) => send('POST', '/api/sessions/{id}/kill', { id }, {}),
  freeze: (id: string) => send('POST', '/api/sessions/{id}/freeze', { id }, {}),
  thaw: (id: string) => send('POST', '/api/sessions/{id}/thaw', { id }, {}),
  changePolicy: (id: string, policy: Policy) => send('POST', '/api/sessions/{id}/policy', { id }, policy),

  users: () => get<{ users: User[]; total: number }>('/api/users', {}, { limit: ALL }),
  user: (id: string) => get<User>('/api/users/{id}', { id }),
  addUser: (user: { username: string; display_name: string; role: Role; password?: string }) =>
    send<User>('POST', '/api/users', {}, user),
  changeUser: (id: string, change: { version: number; display_name?: string; role?: Role }) =>
    send<User>('PATCH', '/api/users/{id}', { id }, change),
  removeUser: (id: string) => send('DELETE', '/api/users/{id}', { id }),
  disableUser: (id: string) => send('POST', '/api/users/{id}/disable', { id }, {}),
  enableUser: (id: string) => send('POST', '/api/users/{id}/enable', { id }, {}),
  resetPassword: (id: string, next: string) => send('POST', '/api/users/{id}/password', { id }, { new: next }),
  logOutUser: (id: string) => send('POST', '/api/users/{id}/logout', { id }, {}),
  eraseUser: (id: string) => send('POST', '/api/users/{id}/erase', { id }, {}),

  groups: () => get<{ groups: Group[]; total: number }>('/api/groups', {}, { limit: ALL }),
  group: (id: string) => get<Group>('/api/groups/{id}', { id }),
  addGroup: (group: { name: string; description: string }) => send<Group>('POST', '/api/groups', {}, group),
  changeGroup: (id: string, change: { version: number; name?: string; description?: string }) =>
    send<Group>('PATCH', '/api/groups/{id}', { id }, change),
  removeGroup: (id: string) => send('DELETE', '/api/groups/{id}', { id }),
  putMember: (id: string, user: string, operator: boolean) =>
    send('PUT', '/api/groups/{id}/members/{user}', { id, user }, { operator }),
  removeMember: (id: string, user: string) => send('DELETE', '/api/groups/{id}/members/{user}', { id, user }),
  putGroupTarget: (id: string, target: string) => send('PUT', '/api/groups/{id}/targets/{target}', { id, target }, {}),
  removeGroupTarget: (id: string, target: string) =>
    send('DELETE', '/api/groups/{id}/targets/{target}', { id, target }),

  tokens: async () => (await get<{ tokens: ApiToken[] }>('/api/tokens')).tokens,
  addToken: (token: { name: string; scopes: string[]; expires_in_days?: number }) =>
    send<ApiToken>('POST', '/api/tokens', {}, token),
  removeToken: (id: string) => send('DELETE', '/api/tokens/{id}', { id }),

  audit: (query: Query) => get<{ entries: AuditRow[]; total?: number; next?: string | null }>('/api/audit', {}, query),
  verifyAudit: () => get<Verification>('/api/audit/verify'),

  settings: async () => (await get<{ settings: Setting[] }>('/api/settings')).settings,
  status: () => get<{ version: string; uptime: number; active_sessions: number }>('/api/status'),
  openapi: () => get<unknown>('/api/openapi.json'),
};
