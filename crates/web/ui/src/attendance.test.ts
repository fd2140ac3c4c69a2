import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { isAttended, watchAttendance } from './attendance';

describe('somebody is there', () => {
  beforeEach(() => void vi.useFakeTimers());
  afterEach(() => void vi.useRealTimers());

  it('for a minute after they did something, and not because the page asks', () => {
    const page = new EventTarget();
    const end = watchAttendance(page);
    page.dispatchEvent(new Event('keydown'));
    expect(isAttended()).toBe(true);
    vi.advanceTimersByTime(59_000);
    expect(isAttended()).toBe(true);
    vi.advanceTimersByTime(2_000);
    expect(isAttended()).toBe(false);
    page.dispatchEvent(new Event('pointermove'));
    expect(isAttended()).toBe(true);
    end();
    vi.advanceTimersByTime(61_000);
    page.dispatchEvent(new Event('keydown'));
    expect(isAttended()).toBe(false);
  });
});
