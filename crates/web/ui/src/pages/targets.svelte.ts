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
  sessions: Session[];
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

/** A session of this person's own: opening the console again takes its place. */
export function ownSession(target: Target, sessions: readonly Session[]): Session | undefined {
  const me = person.me;
  return sessions.find(
    (session) =>
      session.target_id === target.id &&
      session.status === 'active' &&
      (session.user_id ? session.user_id === me?.id : session.subject === me?.username),
  );
}

/** Opens consoles, and holds what stands in the way: a refusal, or a session that would end. */
export class Opening {
  /** The target whose ticket is being asked for. */
  busy: string | undefined = $state();
  failed: { target: Target; failure: Failure } | undefined = $state.raw();
  asking: Target | undefined = $state.raw();

  /** Opens here, asking first where a session of one's own would end. */
  async open(target: Target, sessions: readonly Session[]): Promise<void> {
    if (ownSession(target, sessions)) this.asking = target;
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
