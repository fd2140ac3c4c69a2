import { describe, expect, it } from 'vitest';
import { END_REASONS, readClose, retryOf } from './close';

describe('a close frame', () => {
  it('is read by its number where it says nothing else', () => {
    for (const [code, reason] of Object.entries(END_REASONS))
      expect(readClose(Number(code), '')).toEqual({ code: reason });
  });

  it('is read by its reason first: a code, or a code with a detail', () => {
    expect(readClose(4008, 'target.wrong_password')).toEqual({
      code: 'target.wrong_password',
      kind: 'session.target_refused',
    });
    expect(readClose(4100, '{"code":"ticket.used"}')).toEqual({ code: 'ticket.used' });
    expect(readClose(4008, '{"code":"target.tls_mismatch","detail":"9b:1c"}')).toEqual({
      code: 'target.tls_mismatch',
      kind: 'session.target_refused',
      detail: '9b:1c',
    });
    expect(readClose(4003, '{"code":"session.killed"}').code).toBe('session.killed');
  });

  it('names both fingerprints of a certificate that changed', () => {
    // SHA-256 of "abc" and "abd", by `openssl dgst -sha256`.
    const reason =
      'target.tls_mismatch ungWv48Bz-pBQUDeXa4iI7ADYaOWF3qctBD_YfIAFa0 pS0VnyYrLG3bckphhAvvw26zDIiHekAwtly-himESck';
    expect(readClose(4008, reason)).toEqual({
      code: 'target.tls_mismatch',
      kind: 'session.target_refused',
      expected: 'ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad',
      presented: 'a52d159f262b2c6ddb724a61840befc36eb30c88877a4030b65cbe86298449c9',
    });
    expect(readClose(4008, 'target.tls_mismatch short <b>')).toEqual({
      code: 'target.tls_mismatch',
      kind: 'session.target_refused',
    });
  });

  it('with a broken reason falls back on its number', () => {
    for (const reason of ['{', '{}', '{"code":7}', '{"code":"No Code"}', 'free text', '<b>x</b>']) {
      expect(readClose(4005, reason)).toEqual({ code: 'session.idle' });
    }
  });

  it('that never came is a lost connection', () => {
    expect(readClose(1006, '').code).toBe('interface.lost');
    expect(readClose(1005, '').code).toBe('interface.lost');
  });

  it('of the protocol itself is told too', () => {
    expect(readClose(1011, '').code).toBe('server.internal');
    expect(readClose(1012, '').code).toBe('session.draining');
    expect(readClose(1013, '').code).toBe('door.full');
    expect(readClose(1002, '')).toEqual({ code: 'interface.unknown', detail: 'WebSocket 1002' });
  });
});

describe('trying again', () => {
  it('happens by itself only where it can help', () => {
    for (const code of [
      'interface.lost',
      'session.viewer_lost',
      'session.target_lost',
      'session.draining',
      'session.node_lost',
    ]) {
      expect(retryOf({ code })).toBe('again');
    }
  });

  it('goes by what an exact code is a case of', () => {
    expect(retryOf(readClose(4000, 'session.stalled'))).toBe('again');
    expect(retryOf(readClose(4003, 'door.full'))).toBe('over');
    expect(retryOf(readClose(4007, 'rfb.unknown_message'))).toBe('ask');
  });

  it('never repeats a wrong password by itself', () => {
    expect(retryOf({ code: 'target.wrong_password' })).toBe('ask');
    expect(retryOf({ code: 'target.too_many_failures' })).toBe('ask');
  });

  it('is not offered where the right is gone', () => {
    for (const code of [
      'session.killed',
      'session.expired',
      'session.replaced',
      'ticket.used',
      'ticket.expired',
      'ticket.unknown',
    ]) {
      expect(retryOf({ code })).toBe('over');
    }
  });
});
