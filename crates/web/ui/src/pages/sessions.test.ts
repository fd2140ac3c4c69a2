import { describe, expect, it } from 'vitest';
import type { Session } from '../portal';
import { matching, Rates, secondsLeft } from './sessions';

const session = (id: string, bytes: number, more: Partial<Session> = {}): Session =>
  ({
    id,
    target_name: `Target ${id}`,
    subject: 'ada',
    client_ip: '192.0.2.9',
    status: 'active',
    frozen: false,
    view_only: false,
    counters: { target_bytes: bytes, viewer_bytes: 0 },
    ...more,
  }) as Session;

describe('rates', () => {
  it('are the bytes between two readings, by the time between them', () => {
    const rates = new Rates();
    rates.take([session('a', 1000)], 0);
    expect(rates.of('a')).toBeUndefined();
    rates.take([session('a', 5000), session('b', 9)], 2000);
    expect(rates.of('a')).toBe(2000);
    expect(rates.of('b')).toBeUndefined();
    rates.take([session('b', 9)], 4000);
    expect(rates.of('a')).toBeUndefined();
    expect(rates.of('b')).toBe(0);
  });
});

describe('sessions', () => {
  it('are found by their target, person and address, without regard to marks and case', () => {
    const list = [session('1', 0, { subject: 'مُحَمَّد' }), session('2', 0, { target_name: 'Café' })];
    expect(matching(list, 'محمد', '').map((s) => s.id)).toEqual(['1']);
    expect(matching(list, 'CAFE 192', '').map((s) => s.id)).toEqual(['2']);
    expect(matching(list, '', 'frozen')).toEqual([]);
  });

  it('know how long they have', () => {
    const now = new Date('2026-01-01T00:00:00Z');
    expect(secondsLeft(session('1', 0, { expires_at: '2026-01-01T00:01:30Z' }), now)).toBe(90);
    expect(secondsLeft(session('1', 0, { expires_at: '2025-01-01T00:00:00Z' }), now)).toBe(0);
    expect(secondsLeft(session('1', 0), now)).toBeUndefined();
  });
});
