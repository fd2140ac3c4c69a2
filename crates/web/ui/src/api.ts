/** The server's HTTP interface, as far as these pages use it. */
import { FailureError, isCode } from './failure';

export type Strength = 'open' | 'authenticated' | 'encrypted_anonymous' | 'encrypted_verified';

export interface Security {
  floor?: Strength;
  seen?: Strength | null;
}

export interface Target {
  id: string;
  number: number;
  name: string;
  address: string;
  kind: string;
  security?: Security;
  active_sessions: number;
}

export interface Session {
  id: string;
  target_name?: string;
  subject?: string;
  viewer?: string;
  started_at?: string;
  view_only?: boolean;
  state?: string;
}

/** A session as the server names its fields. */
interface SessionRow {
  id: string;
  target_name: string;
  subject: string;
  client_ip: string;
  start_time: string;
  view_only: boolean;
  frozen: boolean;
  stage: string | null;
}

function shown(row: SessionRow): Session {
  return {
    id: row.id,
    target_name: row.target_name,
    subject: row.subject,
    viewer: row.client_ip,
    started_at: row.start_time,
    view_only: row.view_only,
    state: row.frozen ? 'frozen' : (row.stage ?? 'active'),
  };
}

export interface ConsoleTicket {
  token: string;
  websocket_path: string;
  console_path: string;
  expires_at: string;
}

export interface ConsoleInfo {
  target_name: string;
  view_only: boolean;
  expires_at?: string;
  language?: string;
  state?: 'waiting' | 'active' | 'frozen' | 'awaiting_resume' | 'ended';
  time_left_s?: number | null;
}

export interface TestReport {
  ok?: boolean;
  version_line?: string;
  security_type?: string;
  strength?: Strength;
  desktop_name?: string;
  width?: number;
  height?: number;
  peer_identity?: string | null;
  pinned?: boolean;
}

export interface NewTarget {
  name: string;
  url: string;
  password?: string;
}

/** How long an answer may take. Longer than any answer of a healthy server, shorter than patience. */
const PATIENCE = 15_000;

async function call<T>(method: string, path: string, body?: unknown): Promise<T> {
  let response: Response;
  try {
    const init: RequestInit = {
      method,
      signal: AbortSignal.timeout(PATIENCE),
      headers: { accept: 'application/json' },
    };
    if (body !== undefined) {
      init.body = JSON.stringify(body);
      init.headers = { accept: 'application/json', 'content-type': 'application/json' };
    }
    response = await fetch(path, init);
  } catch {
    throw new FailureError({ code: navigator.onLine ? 'interface.no_answer' : 'interface.offline' });
  }
  const text = await response.text().catch(() => '');
  const answer = parse(text);
  if (!response.ok) throw refusal(response.status, answer);
  return answer as T;
}

function parse(text: string): unknown {
  try {
    return text === '' ? undefined : JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** A refusal's code from `application/problem+json`, or one that says what its status means. */
function refusal(status: number, answer: unknown): FailureError {
  const problem = (answer ?? {}) as { code?: unknown };
  // Its `detail` is an English sentence for programs' logs; people are told by the catalogue.
  if (isCode(problem.code)) return new FailureError({ code: problem.code }, status);
  if (status === 401) return new FailureError({ code: 'auth.required' }, status);
  if (status === 404) return new FailureError({ code: 'interface.not_found' }, status);
  return new FailureError({ code: 'interface.unknown', detail: `HTTP ${status}` }, status);
}

export const api = {
  takeLink: (token: string) => call<void>('POST', '/api/auth/link', { token }),
  targets: async () => (await call<{ targets: Target[] }>('GET', '/api/targets')).targets,
  addTarget: (target: NewTarget) => call<Target>('POST', '/api/targets', target),
  testTarget: (id: string) => call<TestReport>('POST', `/api/targets/${encodeURIComponent(id)}/test`, {}),
  sessions: async () =>
    (await call<{ sessions: SessionRow[] }>('GET', '/api/sessions?status=active')).sessions.map(shown),
  endSession: (id: string) => call<void>('POST', `/api/sessions/${encodeURIComponent(id)}/kill`, {}),
  requestConsole: (id: string) =>
    call<ConsoleTicket>('POST', `/api/vm/${encodeURIComponent(id)}/console/request`, {
      protocol: 'vnc',
      expires_minutes: 15,
    }),
  consoleInfo: (token: string) => call<ConsoleInfo>('GET', consoleInfoPath(token)),
};

export function consoleInfoPath(token: string): string {
  return `/api/console/${encodeURIComponent(token)}/info`;
}
