/** One console: its connection, its states, and what the server says of it while it runs. */
import { api, consoleInfoPath, type ConsoleInfo } from '../api';
import { asFailure, FailureError, type Failure } from '../failure';
import { locale, t } from '../i18n.svelte';
import { live, type LiveEvent } from '../live.svelte';
import type { IconName } from '../parts/Icon.svelte';
import { BACK_OFF, readClose, retryOf, type Retry } from './close';
import { takeLine } from './early';
import { mayCopyIn, rulesDiffer, rulesOf } from './rules';
import type { Screen } from './screen';

export type Phase = 'connecting' | 'connected' | 'reconnecting' | 'ended';
/** What the pill says. */
export type Pill = 'connecting' | 'connected' | 'slow' | 'reconnecting' | 'frozen' | 'ended';
export type Fit = 'scale' | 'original' | 'resize';

/** Above this a person feels that the screen lags behind the hand. */
const SLOW_MS = 300;
/** Where live events tell what happens, asking only measures the round trip. */
const PROBE_MS = 10_000;
const PROBE_HIDDEN_MS = 60_000;
/** A bare token may not listen to events: there asking is all there is. */
const POLL_MS = 3000;
const POLL_HIDDEN_MS = 15_000;

/** An extension that gains less is not worth a button. */
const WORTH_S = 60;
/** A notice is read in so long. */
const NOTICE_MS = 8000;

/** Something that changed around the picture, told for a moment. */
export interface Notice {
  id: string;
  icon: IconName;
  words?: Record<string, string>;
}

interface Preferences {
  fit: Fit;
  quality: number;
}

export class ConsoleSession {
  phase: Phase = $state('connecting');
  failure: Failure | undefined = $state();
  retry: Retry = $state('ask');
  attempt = $state(0);
  /** Seconds until the next try. */
  waiting = $state(false);
  offline = $state(false);
  name = $state('');
  info: ConsoleInfo | undefined = $state();
  roundTrip: number | undefined = $state();
  measuredAt: Date | undefined = $state();
  secondsLeft: number | undefined = $state();
  fit: Fit = $state('scale');
  quality = $state(6);
  viewOnlyChosen = $state(false);
  clipping = $state(false);
  dragging = $state(false);
  resizable = $state(false);
  unicodeClipboard = $state(false);
  clipboard = $state('');
  clipboardAt: Date | undefined = $state();
  painted = $state(false);
  /** Who ended the session, where the server says it. */
  private endedBy: string | undefined = $state();
  private unanswered = $state(0);
  /** More time is being asked for. */
  extending = $state(false);
  notice: Notice | undefined = $state.raw();

  readonly viewOnly = $derived(this.viewOnlyChosen || this.info?.view_only === true);
  /** Whether more time can be had, and is worth asking for. */
  readonly canExtend = $derived(
    this.phase !== 'ended' &&
      typeof this.info?.target_id === 'string' &&
      typeof this.info.extended_s === 'number' &&
      this.secondsLeft !== undefined &&
      this.info.extended_s >= this.secondsLeft + WORTH_S,
  );
  readonly rules = $derived(rulesOf(this.info?.policy));
  /** Whether text from here may go into the machine. */
  readonly mayCopyIn = $derived(!this.viewOnly && mayCopyIn(this.info?.policy));
  readonly frozen = $derived(this.info?.state === 'frozen');
  readonly slow = $derived((this.roundTrip ?? 0) > SLOW_MS || this.unanswered >= 2);
  /** Why it ended, and by whom: the two come on two connections, in either order. */
  readonly told: Failure | undefined = $derived(
    this.failure?.code === 'session.killed' ? { ...this.failure, by: this.endedBy } : this.failure,
  );
  readonly pill: Pill = $derived.by(() => {
    if (this.phase !== 'connected') return this.phase;
    if (this.frozen) return 'frozen';
    return this.slow ? 'slow' : 'connected';
  });

  screen: Screen | undefined;
  private socket: WebSocket | undefined;
  private readonly trips: number[] = [];
  private deadline: number | undefined;
  private timers = new Set<ReturnType<typeof setTimeout>>();
  private pollTimer: ReturnType<typeof setTimeout> | undefined;
  private polling: Promise<void> | undefined;
  private stopListening: (() => void) | undefined;
  private closed = false;

  constructor(
    private readonly token: string,
    private readonly stage: HTMLElement,
    private readonly past: HTMLElement,
    private readonly onclipboard: (text: string) => void,
  ) {
    const kept = loadPreferences();
    this.fit = kept.fit;
    this.quality = kept.quality;
  }

  start(): void {
    void this.connect();
    void this.poll();
    const tick = setInterval(() => this.tick(), 1000);
    this.timers.add(tick);
    addEventListener('offline', this.wentOffline);
    addEventListener('online', this.wentOnline);
    document.addEventListener('visibilitychange', this.visibility);
  }

  /** Leaves for good: the page is closed or another one is shown. */
  close(): void {
    this.closed = true;
    for (const timer of this.timers) clearTimeout(timer);
    clearTimeout(this.pollTimer);
    clearTimeout(this.noticeTimer);
    this.stopListening?.();
    removeEventListener('offline', this.wentOffline);
    removeEventListener('online', this.wentOnline);
    document.removeEventListener('visibilitychange', this.visibility);
    this.hangUp();
  }

  /** Ends the session on the person's wish; the page stays and says so. */
  leave(): void {
    this.keepPicture();
    this.hangUp();
    this.end({ code: 'session.viewer_left' }, 'ask');
  }

  /**
   * Says goodbye: 1000 tells the gateway that nobody will come back, so the session ends at once. The close code goes
   * first, since noVNC closes without one. A reload says nothing of the kind and finds its session again.
   */
  private hangUp(): void {
    const socket = this.socket;
    this.socket = undefined;
    socket?.close(1000);
    this.screen?.disconnect();
    this.screen = undefined;
  }

  tryAgain(): void {
    this.failure = undefined;
    this.attempt = 0;
    this.phase = this.painted ? 'reconnecting' : 'connecting';
    void this.connect();
    void this.poll();
  }

  setFit(fit: Fit): void {
    this.fit = fit;
    this.applyView();
    savePreferences({ fit: this.fit, quality: this.quality });
  }

  setQuality(level: number): void {
    this.quality = level;
    if (this.screen) this.screen.qualityLevel = level;
    savePreferences({ fit: this.fit, quality: this.quality });
  }

  setViewOnly(on: boolean): void {
    this.viewOnlyChosen = on;
    this.applyView();
  }

  setDragging(on: boolean): void {
    this.dragging = on;
    this.applyView();
  }

  /** Asks for more time. What is given is told by the server. */
  async extend(): Promise<void> {
    const target = this.info?.target_id;
    if (typeof target !== 'string' || this.extending) return;
    this.extending = true;
    try {
      const { time_left_s } = await api.extendConsole(target);
      this.deadline = performance.now() + time_left_s * 1000;
      this.tick();
      this.tell({ id: 'console-extended', icon: 'clock', words: { time: locale.duration(time_left_s) } });
    } catch {
      this.tell({ id: 'console-extend-failed', icon: 'alert' });
    }
    this.extending = false;
    void this.poll();
  }

  /** Reads now what the server says of this session. */
  refresh(): Promise<void> {
    return this.poll();
  }

  private noticeTimer: ReturnType<typeof setTimeout> | undefined;
  private tell(notice: Notice): void {
    this.notice = notice;
    clearTimeout(this.noticeTimer);
    this.noticeTimer = setTimeout(() => (this.notice = undefined), NOTICE_MS);
  }

  /** Says who came and who went, and that other rules hold. */
  private compare(before: ConsoleInfo | undefined, now: ConsoleInfo): void {
    if (!before || this.phase !== 'connected') return;
    const named = ({ person }: ConsoleInfo['others'][number]) => person ?? t('more-somebody');
    const there = (info: ConsoleInfo) => new Set(info.others.map(({ person, since }) => `${person ?? ''} ${since}`));
    const missing = (here: ConsoleInfo, from: Set<string>) =>
      here.others.find(({ person, since }) => !from.has(`${person ?? ''} ${since}`));
    const joined = missing(now, there(before));
    const left = missing(before, there(now));
    if (rulesDiffer(before.policy, now.policy)) this.tell({ id: 'rules-changed', icon: 'shield' });
    else if (joined) this.tell({ id: 'others-joined', icon: 'person', words: { person: named(joined) } });
    else if (left) this.tell({ id: 'others-left', icon: 'person', words: { person: named(left) } });
  }

  private applyView(): void {
    const screen = this.screen;
    if (!screen) return;
    screen.viewOnly = this.viewOnly;
    screen.scaleViewport = this.fit !== 'original';
    screen.clipViewport = this.fit === 'original';
    screen.resizeSession = this.fit === 'resize' && !this.viewOnly;
    screen.dragViewport = this.dragging && this.fit === 'original';
  }

  private async connect(): Promise<void> {
    if (this.closed) return;
    let told = false;
    let gaveUp = false;
    const line = takeLine(this.token);
    const { socket, channel } = line;
    let opened = socket.readyState === WebSocket.OPEN;
    this.socket = socket;
    const closed = (event: CloseEvent) => {
      if (told || this.socket !== socket) return;
      told = true;
      this.keepPicture();
      const said = readClose(event.code, event.reason);
      // Where the viewer gave up first and the server has no other reason, the viewer's is it.
      const silent = said.code === 'interface.lost' || said.code === 'session.viewer_left';
      void this.handleClose(gaveUp && silent ? { code: 'interface.unreadable_picture' } : said, opened);
    };
    if (line.closed) {
      closed(line.closed);
      return;
    }
    socket.addEventListener('open', () => (opened = true));
    // What the server says of the end is read before the viewer tears itself down.
    channel.onend = closed;

    let module: typeof import('./screen');
    try {
      module = await import('./screen');
    } catch {
      if (this.socket === socket) {
        told = true;
        socket.close();
        void this.handleClose({ code: 'interface.lost' }, false);
      }
      return;
    }
    if (this.closed || this.socket !== socket || socket.readyState > WebSocket.OPEN) return;

    const screen = new module.Screen(this.stage, channel, { shared: true });
    this.screen = screen;
    screen.background = 'transparent';
    screen.qualityLevel = this.quality;
    this.prepareCanvas(screen);
    screen.hideCursorFromReaders();
    screen.addEventListener('connect', () => {
      this.applyView();
      screen.focus({ preventScroll: true });
    });
    screen.addEventListener('disconnect', () => {
      if (told || this.socket !== socket) return;
      // A refusal is said by RFB first and by the close frame behind it, which says more: that one is waited for.
      gaveUp = true;
      this.keepPicture();
      socket.close();
    });
    screen.addEventListener('clippingviewport', () => (this.clipping = screen.clippingViewport));
    screen.addEventListener('clipboard', (event) => {
      this.clipboard = (event as CustomEvent<{ text: string }>).detail.text;
      this.clipboardAt = new Date();
      this.onclipboard(this.clipboard);
    });
    screen.onframe = () => this.handleFrame(screen);
    channel.flow();
  }

  private prepareCanvas(screen: Screen): void {
    const canvas = screen.canvas;
    canvas.tabIndex = 0;
    canvas.setAttribute('role', 'application');
    canvas.setAttribute('aria-labelledby', 'screen-name');
    canvas.setAttribute('aria-describedby', 'screen-help');
    canvas.addEventListener('blur', () => screen.releaseKeys());
  }

  private handleFrame(screen: Screen): void {
    this.resizable = screen.resizable;
    this.unicodeClipboard = screen.unicodeClipboard;
    if (this.phase === 'connected') return;
    if (!this.painted) performance.mark('console-first-picture');
    this.painted = true;
    this.phase = 'connected';
    this.attempt = 0;
    this.failure = undefined;
    this.past.replaceChildren();
  }

  /** The last picture stays behind the words until a new one comes. */
  private keepPicture(): void {
    const canvas = this.screen?.canvas;
    if (!canvas || !this.painted || canvas.width === 0 || this.phase !== 'connected') return;
    // A copy: the viewer's own canvas still obeys the viewer, which shrinks it to nothing when it lets go of the page.
    const copy = document.createElement('canvas');
    copy.width = canvas.width;
    copy.height = canvas.height;
    copy.getContext('2d')?.drawImage(canvas, 0, 0);
    this.past.replaceChildren(copy);
  }

  private async handleClose(failure: Failure, opened: boolean): Promise<void> {
    if (this.closed) return;
    this.screen = undefined;
    this.socket = undefined;
    let told = failure;
    // A refused upgrade has no close frame: the reason is asked for.
    if (!opened && failure.code === 'interface.lost') told = await this.askWhy(failure);
    const retry = retryOf(told);
    // Once a session ran, a target that cannot be reached may be one that starts again.
    const patient = this.painted && (told.code === 'target.unreachable' || told.code === 'target.timeout');
    if ((retry === 'again' || patient) && this.attempt < BACK_OFF.length) {
      this.failure = told;
      this.phase = this.painted ? 'reconnecting' : 'connecting';
      this.attempt += 1;
      this.waitAndConnect(BACK_OFF[this.attempt - 1] ?? 0);
      return;
    }
    this.end(told, retry === 'again' ? 'ask' : retry);
  }

  private waitAndConnect(delay: number): void {
    this.waiting = true;
    const timer = setTimeout(() => {
      this.timers.delete(timer);
      this.waiting = false;
      // Offline, a try would be wasted: it comes with the network.
      if (navigator.onLine) void this.connect();
      else this.offline = true;
    }, delay);
    this.timers.add(timer);
  }

  private async askWhy(fallback: Failure): Promise<Failure> {
    try {
      const info = await api.consoleInfo(this.token);
      if (info.state === 'ended') return { code: 'ticket.session_over' };
      return fallback;
    } catch (thrown) {
      const failure = asFailure(thrown);
      if (thrown instanceof FailureError && thrown.status === 404 && failure.code === 'interface.not_found') {
        return { code: 'ticket.unknown' };
      }
      return thrown instanceof FailureError && thrown.status > 0 ? failure : { code: 'interface.lost' };
    }
  }

  private end(failure: Failure, retry: Retry): void {
    this.failure = failure;
    this.retry = retry;
    this.phase = 'ended';
    this.waiting = false;
    this.secondsLeft = undefined;
    this.deadline = undefined;
  }

  /** Asks once, however many want to know at the same time. */
  private poll(): Promise<void> {
    this.polling ??= this.ask().finally(() => (this.polling = undefined));
    return this.polling;
  }

  private async ask(): Promise<void> {
    clearTimeout(this.pollTimer);
    if (this.closed || this.phase === 'ended') return;
    const started = performance.now();
    try {
      const info = await api.consoleInfo(this.token);
      this.unanswered = 0;
      this.noteTrip(roundTripOf(consoleInfoPath(this.token)) ?? performance.now() - started);
      this.handleInfo(info);
    } catch (thrown) {
      // What is wrong with a token is told by the socket; here only silence counts.
      if (!(thrown instanceof FailureError) || thrown.status === 0) this.unanswered += 1;
    }
    if (this.closed) return;
    const [shown, hidden] =
      live.connected && this.unanswered === 0 ? [PROBE_MS, PROBE_HIDDEN_MS] : [POLL_MS, POLL_HIDDEN_MS];
    clearTimeout(this.pollTimer);
    this.pollTimer = setTimeout(() => void this.poll(), document.hidden ? hidden : shown);
  }

  private handleInfo(info: ConsoleInfo): void {
    const wasViewOnly = this.viewOnly;
    this.compare(this.info, info);
    this.info = info;
    this.name = info.target_name;
    if (typeof info.time_left_s === 'number') this.deadline = performance.now() + info.time_left_s * 1000;
    else this.deadline = undefined;
    this.tick();
    if (this.viewOnly !== wasViewOnly) this.applyView();
    if (info.live_events && !this.stopListening && !this.closed) this.stopListening = live.listen(this.heard);
  }

  /** Something happened to a session. What it means for this one is read from the server, which knows it whole. */
  private readonly heard = (event: LiveEvent): void => {
    if (event.type === 'events_missed') {
      void this.poll();
      return;
    }
    const { session_id, changed, by } = (event.payload ?? {}) as {
      session_id?: unknown;
      changed?: unknown;
      by?: unknown;
    };
    if (session_id !== this.info?.session_id) {
      // Its own start tells this page which session is its own.
      if (event.type === 'vnc_session_started' && !this.info?.session_id) void this.poll();
      return;
    }
    if (typeof by === 'string' && isRecord(changed) && changed.ending === 'session.killed') {
      this.endedBy = by;
      return;
    }
    void this.poll();
  };

  private noteTrip(ms: number): void {
    this.trips.push(ms);
    if (this.trips.length > 3) this.trips.shift();
    this.roundTrip = [...this.trips].sort((a, b) => a - b)[Math.floor(this.trips.length / 2)];
    this.measuredAt = new Date();
  }

  private tick(): void {
    this.secondsLeft =
      this.deadline === undefined ? undefined : Math.max(0, Math.round((this.deadline - performance.now()) / 1000));
  }

  private readonly wentOffline = (): void => {
    this.offline = true;
  };

  private readonly wentOnline = (): void => {
    this.offline = false;
    if (this.phase !== 'connected' && this.phase !== 'ended' && !this.waiting && !this.socket) void this.connect();
  };

  private readonly visibility = (): void => {
    if (!document.hidden) void this.poll();
  };
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null;
}

/** Time from request to first byte, without the making of a connection: what one message takes there and back. */
function roundTripOf(path: string): number | undefined {
  const entries = performance.getEntriesByName(new URL(path, location.href).href) as PerformanceResourceTiming[];
  const last = entries.at(-1);
  performance.clearResourceTimings();
  if (!last || last.responseStart <= last.requestStart) return undefined;
  const work = last.serverTiming?.find(({ name }) => name === 'work')?.duration ?? 0;
  return Math.max(0, last.responseStart - last.requestStart - work);
}

function loadPreferences(): Preferences {
  try {
    const kept = JSON.parse(localStorage.getItem('console') ?? '{}') as Partial<Preferences>;
    return {
      fit: kept.fit === 'original' || kept.fit === 'resize' ? kept.fit : 'scale',
      quality: Number.isInteger(kept.quality) && kept.quality! >= 0 && kept.quality! <= 9 ? kept.quality! : 6,
    };
  } catch {
    return { fit: 'scale', quality: 6 };
  }
}

function savePreferences(preferences: Preferences): void {
  try {
    localStorage.setItem('console', JSON.stringify(preferences));
  } catch {
    // storage is denied: the choice lasts as long as the page
  }
}
