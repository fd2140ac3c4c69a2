/**
 * What happens, as it happens: `/ws/events`, one connection for the whole page.
 *
 * It opens with the first listener and closes with the last. After a gap it names the last event that it saw and gets
 * what it missed; where the server no longer knows, `events_missed` tells listeners to read their lists again.
 */
export interface LiveEvent {
  type: string;
  timestamp: string;
  payload: Record<string, unknown> | null;
  /** Names the event after a gap. */
  id: string;
}

export type Listener = (event: LiveEvent) => void;

/** Waits between tries, in milliseconds; the last one stays. */
export const WAITS: readonly number[] = [500, 1000, 2000, 5000, 15_000, 30_000];
/** Nobody listens for so long before the connection is let go: a change of page is no reason to. */
const LINGER_MS = 2000;

export class Live {
  /** Whether events arrive now. While they do not, pages ask instead. */
  connected = $state(false);

  private readonly listeners = new Set<Listener>();
  private socket: WebSocket | undefined;
  private lastId: string | undefined;
  private failures = 0;
  private timer: ReturnType<typeof setTimeout> | undefined;

  constructor(
    private readonly url: () => string = () =>
      `${location.protocol === 'https:' ? 'wss:' : 'ws:'}//${location.host}/ws/events`,
  ) {}

  /** Listens; the returned function ends it. For those who are logged in: the server refuses all others. */
  listen(listener: Listener): () => void {
    if (this.listeners.size === 0) {
      addEventListener('online', this.hurry);
      document.addEventListener('visibilitychange', this.hurry);
    }
    this.listeners.add(listener);
    if (!this.socket) this.connect();
    return () => {
      if (!this.listeners.delete(listener) || this.listeners.size > 0) return;
      clearTimeout(this.timer);
      this.timer = setTimeout(() => this.rest(), LINGER_MS);
    };
  }

  private connect(): void {
    clearTimeout(this.timer);
    const query = this.lastId === undefined ? '' : `?last_id=${encodeURIComponent(this.lastId)}`;
    const socket = new WebSocket(this.url() + query);
    this.socket = socket;
    socket.onopen = () => {
      this.connected = true;
      this.failures = 0;
      // Nothing was seen yet that could be named: what happened before now was read otherwise or not at all.
      if (this.lastId === undefined) this.tell({ type: 'events_missed', timestamp: '', payload: null, id: '' });
    };
    socket.onmessage = (message: MessageEvent) => {
      const event = read(message.data);
      if (!event) return;
      this.lastId = event.id;
      this.tell(event);
    };
    socket.onclose = () => {
      if (this.socket !== socket) return;
      this.socket = undefined;
      this.connected = false;
      if (this.listeners.size === 0) return;
      const wait = WAITS[Math.min(this.failures, WAITS.length - 1)] ?? 0;
      this.failures += 1;
      // Spread, so that a restart is not answered by everybody in the same instant.
      this.timer = setTimeout(() => this.connect(), wait * (0.75 + Math.random() / 2));
    };
  }

  private tell(event: LiveEvent): void {
    for (const listener of [...this.listeners]) listener(event);
  }

  private rest(): void {
    if (this.listeners.size > 0) return;
    removeEventListener('online', this.hurry);
    document.removeEventListener('visibilitychange', this.hurry);
    const socket = this.socket;
    this.socket = undefined;
    this.connected = false;
    // Whoever listens next reads everything anew.
    this.lastId = undefined;
    socket?.close(1000);
  }

  /** The network is back, or the person is: no reason to wait any longer. */
  private readonly hurry = (): void => {
    if (this.socket || document.hidden || !navigator.onLine || this.listeners.size === 0) return;
    this.connect();
  };
}

function read(data: unknown): LiveEvent | undefined {
  if (typeof data !== 'string') return undefined;
  try {
    const event = JSON.parse(data) as Partial<LiveEvent> | null;
    if (typeof event?.type !== 'string' || typeof event.id !== 'string') return undefined;
    return { type: event.type, id: event.id, timestamp: event.timestamp ?? '', payload: event.payload ?? null };
  } catch {
    return undefined;
  }
}

export const live = new Live();
