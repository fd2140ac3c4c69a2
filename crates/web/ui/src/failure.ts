/**
 * A failure as people are told of it: a stable code, and what the server added.
 *
 * Sentences live in the catalogues under `failure-AREA-WHAT` with attributes `.why` and `.next`.
 */
export interface Failure {
  code: string;
  /** What the code is a case of, for codes that no catalogue names. */
  kind?: string | undefined;
  /** Data such as a fingerprint or an address; shown as code, never as a sentence. */
  detail?: string | undefined;
  /** Of a certificate or key that changed: the fingerprint that was pinned, and the one that is shown now. */
  expected?: string | undefined;
  presented?: string | undefined;
  /** Who did it. */
  by?: string | undefined;
  /** Seconds after which it may go better. */
  retryAfter?: number | undefined;
}

/** What a refusal adds to its code for people: fingerprints, so far. */
export function detailsOf(details: unknown): Pick<Failure, 'expected' | 'presented'> {
  if (typeof details !== 'object' || details === null) return {};
  const { expected, presented } = details as Record<string, unknown>;
  return {
    ...(typeof expected === 'string' ? { expected } : {}),
    ...(typeof presented === 'string' ? { presented } : {}),
  };
}

/** Codes the interface itself finds out; all others come from the server. */
export const OWN_CODES = [
  'interface.offline',
  'interface.no_answer',
  'interface.lost',
  'interface.unreadable_picture',
  'interface.unknown',
  'interface.not_found',
  'interface.popup_blocked',
  'interface.no_right',
  'interface.wrong_password',
] as const;

/** `target.wrong_password` to `failure-target-wrong-password`. */
export function messageId(code: string): string {
  return `failure-${code.replaceAll('.', '-').replaceAll('_', '-')}`;
}

/** The message that tells a failure: of its own code, of what it is a case of, of its area, or of anything unknown. */
export function tellingId(failure: Failure, has: (id: string) => boolean): string {
  const area = failure.code.split('.')[0] ?? '';
  const ids = [failure.code, failure.kind, area].filter((code) => code !== undefined).map(messageId);
  // Where somebody did it, the sentence names who.
  if (failure.by !== undefined) ids.unshift(`${messageId(failure.code)}-by`);
  return ids.find(has) ?? messageId('interface.unknown');
}

/** Whether a text has the form of a code. */
export function isCode(text: unknown): text is string {
  return typeof text === 'string' && /^[a-z][a-z0-9_]*(\.[a-z][a-z0-9_]*)+$/.test(text);
}

export class FailureError extends Error {
  constructor(
    readonly failure: Failure,
    readonly status = 0,
    /** Of a change that came too late: the thing as it is now. */
    readonly current?: unknown,
  ) {
    super(failure.code);
  }
}

/** Any thrown thing as a failure. */
export function asFailure(thrown: unknown): Failure {
  if (thrown instanceof FailureError) return thrown.failure;
  return { code: 'interface.unknown' };
}
