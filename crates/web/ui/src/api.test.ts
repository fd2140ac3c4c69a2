import { afterEach, describe, expect, it, vi } from 'vitest';
import { address, api } from './api';
import { asFailure } from './failure';

afterEach(() => vi.unstubAllGlobals());

/** Answers every request with one thing; returns what was asked. */
function answering(status: number, body: string): Request[] {
  const asked: Request[] = [];
  vi.stubGlobal('fetch', (path: string, init: RequestInit) => {
    asked.push(new Request(`http://gateway.example${path}`, init));
    return Promise.resolve(new Response(body === '' ? null : body, { status }));
  });
  return asked;
}

describe('address', () => {
  it('fills in parameters so that none of them leaves its place', () => {
    expect(address('/api/targets/{id}/test', { id: 'a/b?c' })).toBe('/api/targets/a%2Fb%3Fc/test');
    expect(address('/api/sessions', {}, { status: 'active', cursor: undefined, limit: 5 })).toBe(
      '/api/sessions?status=active&limit=5',
    );
  });
});

describe('api', () => {
  it('asks as the document says', async () => {
    const asked = answering(200, '{"sessions":[],"total":0,"page":1}');
    expect(await api.sessions()).toEqual([]);
    expect(asked[0]?.method).toBe('GET');
    expect(asked[0]?.url).toBe('http://gateway.example/api/sessions?status=active');
  });

  it('takes an empty answer as one', async () => {
    const asked = answering(204, '');
    expect(await api.endSession('7')).toBeUndefined();
    expect(asked[0]?.method).toBe('POST');
  });

  it('keeps of a refusal its code and its fingerprints', async () => {
    const details = { expected: 'aa', presented: 'bb', more: 1 };
    answering(502, JSON.stringify({ code: 'target.tls_mismatch', detail: 'text for logs', details }));
    const failure = await api.testTarget('1').then(() => undefined, asFailure);
    expect(failure).toEqual({ code: 'target.tls_mismatch', expected: 'aa', presented: 'bb' });
  });

  it('tells what it can of a refusal without a code', async () => {
    for (const [status, code] of [
      [401, 'auth.required'],
      [404, 'interface.not_found'],
      [500, 'interface.unknown'],
    ] as const) {
      answering(status, '<html>');
      expect((await api.targets().then(() => undefined, asFailure))?.code).toBe(code);
    }
  });
});
