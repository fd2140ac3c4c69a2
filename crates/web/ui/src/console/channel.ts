/**
 * The WebSocket as noVNC is shown it.
 *
 * noVNC accepts a channel only if its members sit on the object or its very prototype, which fails where an extension
 * of the browser wraps WebSocket. And the socket is opened before noVNC is loaded, so what arrives early is kept.
 */
export class Channel {
  binaryType: BinaryType = 'arraybuffer';
  onopen: ((event: Event) => void) | null = null;
  onmessage: ((event: MessageEvent) => void) | null = null;
  onclose: ((event: CloseEvent) => void) | null = null;
  onerror: ((event: Event) => void) | null = null;
  /** Told of the end before `onclose`, which is noVNC's. */
  onend: ((event: CloseEvent) => void) | undefined;
  private early: MessageEvent[] | undefined = [];

  constructor(readonly socket: WebSocket) {
    socket.binaryType = 'arraybuffer';
    socket.addEventListener('open', (event) => this.onopen?.(event));
    socket.addEventListener('close', (event) => {
      this.onend?.(event);
      this.onclose?.(event);
    });
    socket.addEventListener('error', (event) => this.onerror?.(event));
    socket.addEventListener('message', (event: MessageEvent) => {
      if (this.early) this.early.push(event);
      else this.onmessage?.(event);
    });
  }

  get readyState(): number {
    return this.socket.readyState;
  }

  get protocol(): string {
    return this.socket.protocol;
  }

  send(data: ArrayBufferView<ArrayBuffer>): void {
    this.socket.send(data);
  }

  close(code?: number, reason?: string): void {
    this.socket.close(code, reason);
  }

  /** From now on messages go on as they come, after those that waited. */
  flow(): void {
    const waiting = this.early ?? [];
    this.early = undefined;
    for (const event of waiting) this.onmessage?.(event);
  }
}
