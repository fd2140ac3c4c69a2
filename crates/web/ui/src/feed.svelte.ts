/**
 * What a page shows of the server: read at once, again when live events say so, and now and then for what no event
 * tells of. What was read last stays when the server does not answer, with the time of its reading.
 */
import { asFailure, type Failure } from './failure';
import { live, type LiveEvent } from './live.svelte';

/** While live events arrive, reading is only for what no event tells of. */
const REFRESH_LIVE_MS = 30_000;
const REFRESH_MS = 5000;
/** Events of one moment are answered by one reading. */
const GATHER_MS = 250;
/** A shorter wait than this shows nothing: a skeleton that flashes is worse than none. */
const SKELETON_MS = 200;

interface Wishes {
  /** Which live events mean that the answer changed; none for what no event tells of. */
  events?: (event: LiveEvent) => boolean;
  /** Whether to read again by the clock. */
  repeat?: boolean;
}

export class Feed<T> {
  value: T | undefined = $state.raw();
  failure: Failure | undefined = $state.raw();
  readAt: Date | undefined = $state.raw();
  /** Waiting for long enough to show the shape of what comes. */
  slow = $state(false);

  private turn = 0;
  private timer: ReturnType<typeof setTimeout> | undefined;
  private gathering: ReturnType<typeof setTimeout> | undefined;
  private running = false;

  constructor(
    private readonly read: () => Promise<T>,
    private readonly wishes: Wishes = {},
  ) {}

  /** Begins to read; the returned function ends it. For `onMount` and effects. */
  start(): () => void {
    this.running = true;
    const hurry = setTimeout(() => (this.slow = this.value === undefined), SKELETON_MS);
    const back = () => void this.again();
    addEventListener('online', back);
    // What cannot be read is said at once, and not when the clock asks next.
    addEventListener('offline', back);
    let deaf: (() => void) | undefined;
    void this.again().then(() => {
      // Who may not read may not listen either.
      if (this.running && this.wishes.events && !this.failure) deaf = live.listen(this.heard);
    });
    return () => {
      this.running = false;
      this.turn += 1;
      clearTimeout(hurry);
      clearTimeout(this.timer);
      clearTimeout(this.gathering);
      removeEventListener('online', back);
      removeEventListener('offline', back);
      deaf?.();
    };
  }

  /** Reads now. An answer that was overtaken by a later question is dropped. */
  async again(): Promise<void> {
    clearTimeout(this.timer);
    const turn = ++this.turn;
    try {
      const value = await this.read();
      if (turn !== this.turn) return;
      this.value = value;
      this.readAt = new Date();
      this.failure = undefined;
    } catch (thrown) {
      if (turn !== this.turn) return;
      this.failure = asFailure(thrown);
    }
    this.slow = false;
    if (this.running && this.wishes.repeat !== false) {
      this.timer = setTimeout(() => void this.again(), live.connected ? REFRESH_LIVE_MS : REFRESH_MS);
    }
  }

  private readonly heard = (event: LiveEvent): void => {
    if (event.type !== 'events_missed' && !this.wishes.events?.(event)) return;
    this.gathering ??= setTimeout(() => {
      this.gathering = undefined;
      void this.again();
    }, GATHER_MS);
  };
}

/** Live events that change a list of sessions. */
export function aboutSessions(event: LiveEvent): boolean {
  return event.type.startsWith('vnc_session_');
}
