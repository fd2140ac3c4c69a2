import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { Live, WAITS, type LiveEvent } from './live.svelte';

/** The other end of every WebSocket that is made. */
class Line {
  static made: Line[] = [];
  onopen?: () => void;
  onmessage?: (event: { data: string }) => void;
  onclose?: () => void;
  closed: number | undefined;
  constructor(readonly url: string) {
    Line.made.push(this);
  }
  close(code: number) {
    this.closed = code;
    this.onclose?.();
  }
  say(id: string, type = 'vnc_session_started') {
    this.onmessage?.({ data: JSON.stringify({ id, type, timestamp: '', payload: {} }) });
  }
}

beforeEach(() => {
  vi.useFakeTimers();
  vi.stubGlobal('WebSocket', Line);
  Line.made = [];
});
afterEach(() => {
  vi.unstubAllGlobals();
  vi.useRealTimers();
});

const last = () => Line.made.at(-1)!;

describe('live events', () => {
  it('come to all listeners over one connection, after a first hint to read everything', () => {
    const live = new Live(() => 'ws://here/ws/events');
    const heard: string[] = [];
    const note = () => (event: LiveEvent) => heard.push(event.type);
    const stops = [live.listen(note()), live.listen(note())];
    expect(Line.made).toHaveLength(1);
    last().onopen?.();
    expect(live.connected).toBe(true);
    last().say('b-1');
    expect(heard).toEqual(['events_missed', 'events_missed', 'vnc_session_started', 'vnc_session_started']);
    last().onmessage?.({ data: 'not JSON' });
    last().onmessage?.({ data: '{"type":7}' });
    expect(heard).toHaveLength(4);
    for (const stop of stops) stop();
    vi.runAllTimers();
    expect(last().closed).toBe(1000);
    expect(live.connected).toBe(false);
  });

  it('go on after a gap from the last one that was seen', () => {
    const live = new Live(() => 'ws://here/ws/events');
    const heard: string[] = [];
    live.listen((event) => heard.push(event.id));
    last().onopen?.();
    last().say('b-41');
    last().onclose?.();
    expect(live.connected).toBe(false);
    vi.advanceTimersByTime(WAITS[0]! * 1.25);
    expect(last().url).toBe('ws://here/ws/events?last_id=b-41');
    last().onopen?.();
    // What was missed is sent by the server; there is nothing to read again.
    expect(heard).toEqual(['', 'b-41']);
  });

  it('are tried again ever more rarely, and at once when the network comes back', () => {
    const live = new Live(() => 'ws://here/ws/events');
    const stop = live.listen(() => undefined);
    for (const wait of [...WAITS, WAITS.at(-1)!]) {
      const before = Line.made.length;
      last().onclose?.();
      vi.advanceTimersByTime(wait * 0.74);
      expect(Line.made).toHaveLength(before);
      vi.advanceTimersByTime(wait * 0.52);
      expect(Line.made).toHaveLength(before + 1);
    }
    last().onclose?.();
    const before = Line.made.length;
    dispatchEvent(new Event('online'));
    expect(Line.made).toHaveLength(before + 1);
    stop();
    vi.runAllTimers();
    dispatchEvent(new Event('online'));
    expect(Line.made).toHaveLength(before + 1);
  });

  it('survive a change of page on the same connection', () => {
    const live = new Live(() => 'ws://here/ws/events');
    live.listen(() => undefined)();
    last().onopen?.();
    const stop = live.listen(() => undefined);
    vi.runAllTimers();
    expect(Line.made).toHaveLength(1);
    expect(last().closed).toBeUndefined();
    stop();
  });
});
