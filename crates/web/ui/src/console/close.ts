/** What the end of a WebSocket means: a code to tell, and whether trying again makes sense. */
import { detailsOf, isCode, type Failure } from '../failure';

/** Close codes of the server, 4000 to 4011, and the end reasons they stand for. */
export const END_REASONS: Readonly<Record<number, string>> = {
  1000: 'session.viewer_left',
  4000: 'session.viewer_lost',
  4001: 'session.target_closed',
  4002: 'session.target_lost',
  4003: 'session.killed',
  4004: 'session.expired',
  4005: 'session.idle',
  4006: 'session.viewer_misbehaved',
  4007: 'session.target_misbehaved',
  4008: 'session.target_refused',
  4009: 'session.draining',
  4010: 'session.node_lost',
  4011: 'session.replaced',
};

/** `again`: the page tries by itself. `ask`: the person may. `over`: this console cannot be had back. */
export type Retry = 'again' | 'ask' | 'over';

const AGAIN = new Set([
  'session.viewer_lost',
  'session.target_lost',
  'session.draining',
  'session.node_lost',
  'interface.lost',
]);

const OVER = new Set([
  'session.killed',
  'session.expired',
  'session.replaced',
  'ticket.used',
  'ticket.expired',
  'ticket.unknown',
  'ticket.session_over',
  'door.ticket_spent',
]);

/** Wrong passwords are counted by targets: trying again by itself would lock people out. */
export function retryOf({ code, kind }: Failure): Retry {
  const any = (codes: Set<string>) => codes.has(code) || (kind !== undefined && codes.has(kind));
  if (any(OVER)) return 'over';
  if (any(AGAIN)) return 'again';
  return 'ask';
}

/**
 * Reads a close frame. The reason is `{"code":…,"detail":…}`, a code, or nothing. Behind the code of a changed
 * certificate stand the pinned and the shown fingerprint in base64, since in hex they would not fit into a frame.
 */
export function readClose(closeCode: number, reason: string): Failure {
  const said = readReason(reason);
  const known = END_REASONS[closeCode];
  if (said) return known === undefined || known === said.code ? said : { ...said, kind: known };
  if (known) return { code: known };
  if (closeCode === 1011) return { code: 'server.internal' };
  if (closeCode === 1012 || closeCode === 1001) return { code: 'session.draining' };
  if (closeCode === 1013) return { code: 'door.full' };
  // 1006: the connection broke without a word. 1005: it closed without one.
  if (closeCode === 1005 || closeCode === 1006) return { code: 'interface.lost' };
  return { code: 'interface.unknown', detail: `WebSocket ${closeCode}` };
}

function readReason(reason: string): Failure | undefined {
  if (!reason.startsWith('{')) {
    const [code, ...prints] = reason.split(' ');
    if (!isCode(code)) return undefined;
    const [expected, presented] = prints.map(hexOf);
    return { code, ...detailsOf({ expected, presented }) };
  }
  try {
    const { code, detail, details } = JSON.parse(reason) as { code?: unknown; detail?: unknown; details?: unknown };
    if (!isCode(code)) return undefined;
    return { code, detail: typeof detail === 'string' ? detail : undefined, ...detailsOf(details) };
  } catch {
    return undefined;
  }
}

/** A SHA-256 in base64url [RFC 4648, 5] as lower-case hex. */
function hexOf(text: string): string | undefined {
  if (!/^[A-Za-z0-9_-]{43}$/.test(text)) return undefined;
  const bytes = atob(text.replaceAll('-', '+').replaceAll('_', '/'));
  return [...bytes].map((byte) => byte.charCodeAt(0).toString(16).padStart(2, '0')).join('');
}

/** Waits before the three tries, in milliseconds. */
export const BACK_OFF: readonly number[] = [1000, 2000, 4000];
