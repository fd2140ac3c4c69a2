/**
 * The last picture of a target's screen, read as often as the server says that it is worth it.
 *
 * Each question may begin a new picture at the machine, so nobody asks who does not look: the component watches only
 * while it is in sight and the page is shown.
 */
import { address } from '../api';

/** When to ask again where the server does not say, or not at all. */
const USUAL_MS = 30_000;
/** However soon or late it says. */
const SOONEST_MS = 2000;
const LATEST_MS = 300_000;
const PATIENCE_MS = 15_000;

export class Thumbnail {
  /** The picture, for `src`; none yet, or none any more. */
  url: string | undefined = $state();
  /** When it was taken. */
  at: Date | undefined = $state.raw();

  private tag: string | undefined;
  private due = 0;

  constructor(private readonly target: string) {}

  /** Asks now and again; the returned function ends that and keeps the picture. */
  watch(): () => void {
    const over = new AbortController();
    let timer: ReturnType<typeof setTimeout> | undefined;
    const turn = async () => {
      const wait = await this.ask(over.signal);
      if (over.signal.aborted) return;
      this.due = Date.now() + wait;
      timer = setTimeout(() => void turn(), wait);
    };
    // Whoever scrolls up and down does not ask each time.
    timer = setTimeout(() => void turn(), Math.max(0, this.due - Date.now()));
    return () => {
      over.abort();
      clearTimeout(timer);
    };
  }

  /** Forgets the picture. */
  close(): void {
    if (this.url) URL.revokeObjectURL(this.url);
    this.url = this.at = this.tag = undefined;
  }

  /** Asks once; answers how long to wait for the next time. */
  private async ask(over: AbortSignal): Promise<number> {
    const headers: Record<string, string> = { accept: 'image/png' };
    if (this.tag) headers['if-none-match'] = this.tag;
    const signal = AbortSignal.any([over, AbortSignal.timeout(PATIENCE_MS)]);
    try {
      const path = address('/api/targets/{id}/thumbnail', { id: this.target });
      const response = await fetch(path, { headers, signal });
      if (response.status === 200) await this.show(response, over);
      // Refused: it may not be seen any more. Without an answer the last one stays, with its time.
      else if (response.status !== 304 && response.status < 500) this.close();
      const age = response.headers.get('age');
      if (age !== null && this.url) this.at = new Date(Date.now() - Number(age) * 1000);
      return waitOf(response.headers);
    } catch {
      return USUAL_MS;
    }
  }

  private async show(response: Response, over: AbortSignal): Promise<void> {
    const picture = await response.blob();
    if (over.aborted) return;
    const before = this.url;
    this.url = URL.createObjectURL(picture);
    this.tag = response.headers.get('etag') ?? undefined;
    if (before) URL.revokeObjectURL(before);
  }
}

export function waitOf(headers: Headers): number {
  const seconds = Number(headers.get('retry-after') ?? Number.NaN);
  const wait = Number.isFinite(seconds) ? seconds * 1000 : USUAL_MS;
  return Math.min(LATEST_MS, Math.max(SOONEST_MS, wait));
}
