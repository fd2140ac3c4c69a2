/**
 * Who is logged in, and what they may do.
 *
 * The server decides every request anew; what is known here only spares people doors that would not open.
 */
import { whenLoggedOut } from './api';
import { asFailure, FailureError, type Failure } from './failure';
import { locale } from './i18n.svelte';
import { portal, type Me, type Right } from './portal';

/** Somebody who works here is told to the server so often at most, so that the log-in does not run out under them. */
const TOUCH_MS = 60_000;

class Person {
  me: Me | undefined = $state.raw();
  /** `unknown` until the server answered once. */
  door: 'unknown' | 'in' | 'out' = $state('unknown');
  failure: Failure | undefined = $state.raw();
  /** The log-in ended while the page was open. */
  expired = $state(false);

  private readonly rights = $derived(new Set<string>(this.me?.rights ?? []));
  private touched = 0;

  constructor() {
    whenLoggedOut(() => this.lost());
    for (const kind of ['pointerdown', 'keydown'] as const) {
      addEventListener(kind, () => this.touch(), { passive: true, capture: true });
    }
  }

  may(right: Right): boolean {
    return this.rights.has(right);
  }

  mayAny(...rights: Right[]): boolean {
    return rights.some((right) => this.rights.has(right));
  }

  /** What to call them. */
  get name(): string {
    return this.me?.display_name || this.me?.username || '';
  }

  async load(): Promise<void> {
    this.failure = undefined;
    try {
      this.welcome(await portal.me());
    } catch (thrown) {
      if (thrown instanceof FailureError && thrown.status === 401) this.door = 'out';
      else this.failure = asFailure(thrown);
    }
  }

  welcome(me: Me): void {
    this.me = me;
    this.door = 'in';
    this.expired = false;
    this.failure = undefined;
    this.touched = Date.now();
    locale.suggest(me.language);
  }

  async logOut(): Promise<void> {
    await portal.logOut();
    this.me = undefined;
    this.door = 'out';
    this.expired = false;
  }

  private lost(): void {
    this.expired = this.door === 'in';
    this.me = undefined;
    this.door = 'out';
  }

  /** Renews the log-in while somebody works. */
  private touch(): void {
    if (this.door !== 'in' || Date.now() - this.touched < TOUCH_MS) return;
    this.touched = Date.now();
    void this.load();
  }
}

export const person = new Person();
