import { describe, expect, it } from 'vitest';
import { base32, resumeKey, websocketUrl } from './resume';

describe('the resume key', () => {
  it('is lower-case base32 without padding [RFC 4648, 10]', () => {
    const bytes = (text: string) => new TextEncoder().encode(text);
    expect(['', 'f', 'fo', 'foo', 'foob', 'fooba', 'foobar'].map((text) => base32(bytes(text)))).toEqual([
      '',
      'my',
      'mzxq',
      'mzxw6',
      'mzxw6yq',
      'mzxw6ytb',
      'mzxw6ytboi',
    ]);
    expect(base32(new Uint8Array(32).fill(255))).toHaveLength(52);
  });

  it('stays the same for a console in a tab, and differs between consoles', () => {
    const first = resumeKey('one');
    expect(first).toMatch(/^[a-z2-7]{52}$/);
    expect(resumeKey('one')).toBe(first);
    expect(resumeKey('two')).not.toBe(first);
  });
});

describe('the address of the socket', () => {
  it('is of the page’s own origin', () => {
    const at = (href: string) => websocketUrl('abc', new URL(href) as unknown as Location);
    expect(at('http://127.0.0.1:5000/console/abc')).toBe('ws://127.0.0.1:5000/ws/console/vnc/abc');
    expect(at('https://gate.example/console/abc')).toBe('wss://gate.example/ws/console/vnc/abc');
  });
});
