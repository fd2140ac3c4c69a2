/**
 * A failure as people are told of it: a stable code, and what the server added.
 *
 * Sentences live in the catalogues under `failure-AREA-WHAT` with attributes `.why` and `.next`.
 */
export interface Failure {
  code: string;
  /** Data such as a fingerprint or an address; shown as code, never as a sentence. */
  detail?: string | undefined;
}

/** Codes the interface itself finds out; all others come from the server. */
export const OWN_CODES = [
  'interface.offline',
  'interface.no_answer',
  'interface.lost',
  'interface.unreadable_picture',
  'interface.unknown',
  'interface.not_found',
  'interface.no_link',
] as const;

/** `target.wrong_password` to `failure-target-wrong-password`. */
export function messageId(code: string): string {
  return `failure-${code.replaceAll('.', '-').replaceAll('_', '-')}`;
}

/** Whether a text has the form of a code. */
export function isCode(text: unknown): text is string {
  return typeof text === 'string' && /^[a-z][a-z0-9_]*(\.[a-z][a-z0-9_]*)+$/.test(text);
}

export class FailureError extends Error {
  constructor(
    readonly failure: Failure,
    readonly status = 0,
  ) {
    super(failure.code);
  }
}

/** Any thrown thing as a failure. */
export function asFailure(thrown: unknown): Failure {
  if (thrown instanceof FailureError) return thrown.failure;
  return { code: 'interface.unknown' };
}
