import { describe, expect, it } from 'vitest';
import { isCode, messageId, tellingId } from './failure';

describe('a failure is told', () => {
  const known = new Set(['failure-target-timeout', 'failure-session-target-misbehaved', 'failure-store']);
  const told = (code: string, kind?: string) => tellingId({ code, kind }, (id) => known.has(id));

  it('by its code, by what it is a case of, by its area, or as unknown', () => {
    expect(told('target.timeout', 'session.target_refused')).toBe('failure-target-timeout');
    expect(told('rfb.unknown_message', 'session.target_misbehaved')).toBe('failure-session-target-misbehaved');
    expect(told('store.disk_full')).toBe('failure-store');
    expect(tellingId({ code: 'session.killed', by: 'admin' }, () => true)).toBe('failure-session-killed-by');
    expect(told('new.thing')).toBe('failure-interface-unknown');
  });

  it('under an id made of its code', () => {
    expect(messageId('target.wrong_password')).toBe('failure-target-wrong-password');
  });

  it('only for what has the form of a code', () => {
    for (const text of ['session.killed', 'a.b', 'rfb.x_1']) expect(isCode(text)).toBe(true);
    for (const text of ['', 'killed', 'Session.killed', 'a b.c', '.a', 'a.', 7, null, undefined])
      expect(isCode(text)).toBe(false);
  });
});
