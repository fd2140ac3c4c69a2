/** What the portal asks of the server, beside consoles: people, rights, targets, sessions, audit. */
import { address, ask, type Session as LiveSession, type Strength, type Target as BareTarget } from './api';

export type Role = 'user' | 'viewer' | 'analyst' | 'operator' | 'admin';
export const ROLES: readonly Role[] = ['user', 'viewer', 'analyst', 'operator', 'admin'];

export type Right =
  | 'open_console'
  | 'see_targets'
  | 'see_thumbnails'
  | 'see_sessions'
  | 'kill_session'
  | 'freeze_session'
  | 'change_policy'
  | 'manage_targets'
  | 'test_target'
  | 'see_dashboard'
  | 'see_people'
  | 'manage_people'
  | 'manage_groups'
  | 'manage_grants'
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
  has_password: boolean;
  /** Groups that they are in. */
  groups?: { id: string; name: string; operator: boolean }[];
  version: number;
}

export interface Target extends BareTarget {
  username?: string | null;
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
  /** Where viewer programs connect; none where that door is closed. */
  native?: { address: string; url: string; username: string } | null;
  /** For programs that know passwords of eight letters only, where that is switched on. */
  vnc_password?: string | null;
}

export interface User {
  id: string;
  username: string;
  display_name?: string | null;
  role: Role;
  disabled: boolean;
  has_password: boolean;
  version: number;
  created_at: string;
  last_login_at?: string | null;
}

/** A target that one person has, beside those of their groups. */
export interface OwnTarget {
  target_id: string;
  view_only: boolean;
  expires_at?: string | null;
}

export interface Group {
  id: string;
  name: string;
  description?: string | null;
  version: number;
  created_at: string;
  updated_at?: string;
  members?: { user_id: string; username: string; display_name: string; operator: boolean }[];
  targets?: { target_id: string; policy?: Policy | null }[];
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
  subject_id?: string | null;
  /** None where they were erased, and for strangers. */
  username?: string | null;
  object?: string | null;
  code?: string | null;
  detail?: unknown;
  people?: Record<string, string>;
  prev_hash: string;
  hash: string;
}

export interface AuditPage {
  entries: AuditRow[];
  total: number;
  next?: number | null;
}

export interface Verification {
  whole: boolean;
  entries?: number | null;
  heads?: number | null;
  broken_at?: number | null;
  code?: string | null;
  detail?: string | null;
}

export interface Status {
  version: string;
  uptime: number;
  active_sessions: number;
  threats_24h: number;
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
  changeMe: (change: { version: number; display_name?: string; language?: string }) =>
    send<Me>('PATCH', '/api/auth/me', {}, change),

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
  addUser: (user: { username: string; display_name?: string; role: Role; password?: string }) =>
    send<User>('POST', '/api/users', {}, user),
  changeUser: (id: string, change: { version: number; username?: string; display_name?: string; role?: Role }) =>
    send<User>('PATCH', '/api/users/{id}', { id }, change),
  removeUser: (id: string) => send('DELETE', '/api/users/{id}', { id }),
  disableUser: (id: string) => send('POST', '/api/users/{id}/disable', { id }, {}),
  enableUser: (id: string) => send('POST', '/api/users/{id}/enable', { id }, {}),
  resetPassword: (id: string, next: string) => send('POST', '/api/users/{id}/password', { id }, { password: next }),
  logOutUser: (id: string) => send('POST', '/api/users/{id}/logout', { id }, {}),
  eraseUser: (id: string) => send('POST', '/api/users/{id}/erase', { id }, {}),

  ownTargets: async (id: string) => (await get<{ targets: OwnTarget[] }>('/api/users/{id}/targets', { id })).targets,
  putOwnTarget: (id: string, target: string, view_only: boolean) =>
    send('PUT', '/api/users/{id}/targets/{target}', { id, target }, { view_only }),
  removeOwnTarget: (id: string, target: string) => send('DELETE', '/api/users/{id}/targets/{target}', { id, target }),

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
  addToken: (token: { name: string; scopes: string[]; expires_at?: string }) =>
    send<ApiToken>('POST', '/api/tokens', {}, token),
  removeToken: (id: string) => send('DELETE', '/api/tokens/{id}', { id }),

  audit: (query: Query) => get<AuditPage>('/api/audit', {}, query),
  verifyAudit: () => get<Verification>('/api/audit/verify'),

  status: () => get<Status>('/api/status'),
  openapi: () => get<unknown>('/api/openapi.json'),
};
