/** What the portal asks of the server, beside consoles: people, rights, targets, sessions, audit. */
import { address, ask, type Session as LiveSession, type Strength, type Target as BareTarget } from './api';
import type { components } from './openapi';

type Schemas = components['schemas'];

export type Role = 'user' | 'viewer' | 'analyst' | 'operator' | 'admin';
export const ROLES: readonly Role[] = ['user', 'viewer', 'analyst', 'operator', 'admin'];

export type Right =
  | 'open_console'
  | 'see_targets'
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

export type Me = Omit<Schemas['Me'], 'role'> & { role: Role };
export type Target = BareTarget;

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

/** As lists have it; `policy` only where one session is read alone. */
export type Session = LiveSession & { policy?: Policy };

export interface SessionPage {
  sessions: Session[];
  total: number;
  page: number;
  next?: string | null;
}

export type ConsoleStatus = Schemas['ConsoleStatus'];
export type ConsoleTicket = Schemas['ConsoleTicket'];
export type User = Omit<Schemas['User'], 'role'> & { role: Role };
/** A target that one person has, beside those of their groups. */
export type OwnTarget = Schemas['UserTarget'];
/** As lists have it; who and what is in it only where one group is read alone. */
export type Group = Schemas['Group'] & Partial<Pick<Schemas['GroupDetail'], 'members' | 'targets'>>;

/** `token` is only in the answer that makes it. */
export type ApiToken = Schemas['ApiToken'] & { token?: string };
export const SCOPES = ['read', 'console', 'operate', 'admin'] as const;

export type AuditRow = Schemas['Entry'];
export type AuditPage = Schemas['Entries'];
export type Verification = Schemas['Verified'];
export type Status = Schemas['Status'];

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
  addUser: (user: { username: string; display_name: string; role: Role; password?: string }) =>
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
