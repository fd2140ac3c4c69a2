/** The list of targets: what its filters leave, and how a console is opened from it. */
import type { Failure } from '../failure';
import { openEarly } from '../console/early';
import { asFailure } from '../failure';
import { person } from '../person.svelte';
import { popUp } from '../popup';
import { portal, type Session, type Target } from '../portal';
import { router } from '../router.svelte';

export interface Listing {
  targets: Target[];
  total: number;
  /** None where who uses them could not be read: the targets are there all the same. */
  sessions: Session[] | undefined;
}

export interface Filter {
  text: string;
  tag: string;
  state: string;
}

/** Lower-case without marks, so that "Café" is found by "cafe" and a word by its letters without vowel signs. */
export function plain(text: string): string {
  return text.normalize('NFKD').replace(/\p{M}/gu, '').toLowerCase();
}

export function filtered(targets: readonly Target[], { text, tag, state }: Filter): Target[] {
  const words = plain(text).split(/\s+/).filter(Boolean);
  return targets.filter((target) => {
    if (tag && !target.tags?.includes(tag)) return false;
    if (state === 'used' && target.active_sessions === 0) return false;
    if (state === 'free' && target.active_sessions > 0) return false;
    const all = plain(
      [String(target.number), target.name, target.address, target.description ?? '', ...(target.tags ?? [])].join(' '),
    );
    return words.every((word) => all.includes(word));
  });
}

export function tagsOf(targets: readonly Target[]): string[] {
  return [...new Set(targets.flatMap((target) => target.tags ?? []))].sort((a, b) => a.localeCompare(b));
}

/** A session of this person's own that somebody looks at: opening the console again takes its place. */
export function ownSession(target: Target, sessions: readonly Session[]): Session | undefined {
  const me = person.me;
  return sessions.find(
    (session) =>
      session.target_id === target.id &&
      isWatched(session) &&
      (session.user_id ? session.user_id === me?.id : session.subject === me?.username),
  );
}

/** One that waits for a lost viewer is what they come back to: nothing is lost by opening it again. */
function isWatched(session: Session): boolean {
  return session.status === 'active' && session.stage !== 'awaiting_resume';
}

async function isWatchedNow(target: Target, sessions: readonly Session[]): Promise<boolean> {
  const own = ownSession(target, sessions);
  return own !== undefined && (await isStillWatched(own));
}

/** Where the list of sessions could not be read, the target is asked alone. */
async function runsElsewhere(target: Target): Promise<boolean> {
  try {
    return Boolean((await portal.consoleStatus(target.id)).active_session);
  } catch {
    // Nothing is known: nothing is ended unasked.
    return true;
  }
}

/** The list may be some seconds old, and nobody is asked about a window that they just closed. */
async function isStillWatched(session: Session): Promise<boolean> {
  try {
    return isWatched(await portal.session(session.id));
  } catch {
    return true;
  }
}

/** Opens consoles, and holds what stands in the way: a refusal, or a session that would end. */
export class Opening {
  /** The target whose ticket is being asked for. */
  busy: string | undefined = $state();
  failed: { target: Target; failure: Failure } | undefined = $state.raw();
  asking: Target | undefined = $state.raw();

  /** Opens here, asking first where a session of one's own would end. */
  async open(target: Target, sessions: readonly Session[] | undefined): Promise<void> {
    const runs = sessions === undefined ? await runsElsewhere(target) : await isWatchedNow(target, sessions);
    if (runs) this.asking = target;
    else await this.go(target);
  }

  async go(target: Target): Promise<void> {
    this.busy = target.id;
    this.failed = undefined;
    try {
      const ticket = await portal.requestConsole(target.id);
      openEarly(ticket.token);
      router.go(ticket.console_path, { fromList: true, targetId: target.id });
    } catch (thrown) {
      this.failed = { target, failure: asFailure(thrown) };
    }
    this.busy = undefined;
  }

  popUp(target: Target): void {
    this.failed = undefined;
    if (!popUp(target.id)) this.failed = { target, failure: { code: 'interface.popup_blocked' } };
  }
}
