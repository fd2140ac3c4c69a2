/**
 * The server's HTTP interface, as far as these pages use it.
 *
 * Shapes come from `openapi.d.ts`, which `npm run types` makes from the server's own document.
 */
import { isAttended } from './attendance';
import { detailsOf, FailureError, isCode } from './failure';
import type { components, paths } from './openapi';

type Schemas = components['schemas'];
export type Strength = Schemas['Strength'];
export type Target = Schemas['Target'];
export type NewTarget = Schemas['AddTarget'];
export type TestReport = Schemas['Tested'];
export type Session = Schemas['Session'];
export type ConsoleTicket = Schemas['ConsoleTicket'];
export type ConsoleInfo = Schemas['ConsoleInfo'];

/** Of an address and a method: what is sent, and what comes back. */
type Path = keyof paths;
type Method = 'get' | 'post' | 'put' | 'patch' | 'delete';
type MethodOf<P extends Path> = { [M in Method]: paths[P][M] extends object ? M : never }[Method];
type Json<T> = T extends { content: { 'application/json': infer B } } ? B : never;
type Parameters<O> = O extends { parameters: infer P } ? P : never;
type Answers<O> = O extends { responses: infer R } ? R : never;
type Answer<P extends Path, M extends MethodOf<P>> =
  Answers<paths[P][M]> extends { 200: infer R }
    ? Json<R>
    : Answers<paths[P][M]> extends { 201: infer R }
      ? Json<R>
      : void;
type Body<O> = O extends { requestBody: { content: { 'application/json': infer B } } }
  ? { body: B }
  : O extends { requestBody?: infer R }
    ? Exclude<R, undefined> extends never
      ? { body?: never }
      : { body?: Json<Exclude<R, undefined>> }
    : { body?: never };
type InPath<O> = Parameters<O> extends { path: infer V } ? { path: V } : { path?: never };
type InQuery<O> =
  Parameters<O> extends { query: infer V }
    ? { query: V }
    : { query?: Exclude<(Parameters<O> & { query?: unknown })['query'], undefined> };
export type Wish<P extends Path, M extends MethodOf<P>> = Body<paths[P][M]> &
  InPath<paths[P][M]> &
  InQuery<paths[P][M]>;

/** How long an answer may take. Longer than any answer of a healthy server, shorter than patience. */
const PATIENCE = 15_000;

/** Asks the server. An answer that is a refusal is thrown as a `FailureError`. */
export async function call<P extends Path, M extends MethodOf<P>>(
  method: M,
  path: P,
  wish: Wish<P, M>,
): Promise<Answer<P, M>> {
  const filled = address(path, wish.path ?? {}, wish.query ?? {});
  return (await ask(method.toUpperCase(), filled, wish.body)) as Answer<P, M>;
}

/** Told when the server no longer knows who asks. */
let loggedOut: () => void = () => undefined;
export function whenLoggedOut(tell: () => void): void {
  loggedOut = tell;
}

/** Asks at an address that is filled in already. */
export async function ask(method: string, path: string, body?: unknown): Promise<unknown> {
  const headers: Record<string, string> = { accept: 'application/json' };
  // Pages read by the clock too: only what is read while somebody is there keeps them logged in.
  if (isAttended()) headers['gatehouse-attended'] = 'yes';
  const init: RequestInit = { method, signal: AbortSignal.timeout(PATIENCE), headers };
  if (body !== undefined) {
    init.body = JSON.stringify(body);
    headers['content-type'] = 'application/json';
  }
  let response: Response;
  try {
    response = await fetch(path, init);
  } catch {
    throw new FailureError({ code: navigator.onLine ? 'interface.no_answer' : 'interface.offline' });
  }
  const text = await response.text().catch(() => '');
  const answer = parse(text);
  if (response.ok) return answer;
  const refused = refusal(response, answer);
  if (LOGGED_OUT.has(refused.failure.code)) loggedOut();
  throw refused;
}

const LOGGED_OUT: ReadonlySet<string> = new Set(['auth.required']);

/** `/api/targets/{id}` with its parameters filled in. */
export function address(path: string, parameters: object, query: object = {}): string {
  let filled = path;
  for (const [name, value] of Object.entries(parameters)) {
    filled = filled.replace(`{${name}}`, encodeURIComponent(String(value)));
  }
  const search = new URLSearchParams();
  for (const [name, value] of Object.entries(query)) {
    if (value !== undefined && value !== null) search.set(name, String(value));
  }
  return search.size > 0 ? `${filled}?${search}` : filled;
}

function parse(text: string): unknown {
  try {
    return text === '' ? undefined : JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** A refusal's code from `application/problem+json`, or one that says what its status means. */
function refusal({ status, headers }: Response, answer: unknown): FailureError {
  const problem = (answer ?? {}) as { code?: unknown; details?: unknown; current?: unknown };
  const seconds = Number(headers.get('retry-after') ?? Number.NaN);
  const wait = Number.isFinite(seconds) && seconds > 0 ? { retryAfter: seconds } : {};
  // Its `detail` is an English sentence for programs' logs; people are told by the catalogue.
  if (isCode(problem.code)) {
    const failure = { code: problem.code, ...detailsOf(problem.details), ...wait };
    return new FailureError(failure, status, problem.current);
  }
  if (status === 401) return new FailureError({ code: 'auth.required' }, status);
  if (status === 404) return new FailureError({ code: 'interface.not_found' }, status);
  return new FailureError({ code: 'interface.unknown', detail: `HTTP ${status}`, ...wait }, status);
}

export const api = {
  takeLink: (token: string) => call('post', '/api/auth/link', { body: { token } }),
  targets: async () => (await call('get', '/api/targets', {})).targets,
  addTarget: (target: NewTarget) => call('post', '/api/targets', { body: target }),
  testTarget: (id: string) => call('post', '/api/targets/{id}/test', { path: { id } }),
  sessions: async () => (await call('get', '/api/sessions', { query: { status: 'active' } })).sessions,
  endSession: (id: string) => call('post', '/api/sessions/{id}/kill', { path: { id } }),
  requestConsole: (id: string) =>
    call('post', '/api/vm/{id}/console/request', {
      path: { id },
      body: { protocol: 'vnc', expires_minutes: 15 },
    }),
  extendConsole: (id: string) => call('post', '/api/vm/{id}/console/extend', { path: { id } }),
  consoleInfo: (token: string) => call('get', CONSOLE_INFO, { path: { token } }),
};

const CONSOLE_INFO = '/api/console/{token}/info';

export function consoleInfoPath(token: string): string {
  return address(CONSOLE_INFO, { token });
}
