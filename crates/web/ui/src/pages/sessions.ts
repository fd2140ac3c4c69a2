/** Figures of sessions that no single answer tells: rates, and what a filter leaves. */
import type { Session } from '../portal';
import { plain } from './targets.svelte';

/** Bytes a second of each session, from two readings of their counters. */
export class Rates {
  private last = new Map<string, { bytes: number; at: number }>();
  private rates = new Map<string, number>();

  /** Takes a reading. Those that are gone from it are forgotten. */
  take(sessions: readonly Session[], at: number): void {
    const next = new Map<string, { bytes: number; at: number }>();
    const rates = new Map<string, number>();
    for (const { id, counters } of sessions) {
      const bytes = counters.target_bytes + counters.viewer_bytes;
      const before = this.last.get(id);
      next.set(id, { bytes, at });
      if (before && at > before.at) rates.set(id, Math.max(0, ((bytes - before.bytes) * 1000) / (at - before.at)));
    }
    this.last = next;
    this.rates = rates;
  }

  /** None until there were two readings. */
  of(id: string): number | undefined {
    return this.rates.get(id);
  }
}

export function matching(sessions: readonly Session[], text: string, state: string): Session[] {
  const words = plain(text).split(/\s+/).filter(Boolean);
  return sessions.filter((session) => {
    if (state === 'frozen' && !session.frozen) return false;
    if (state === 'watching' && !session.view_only) return false;
    const all = plain([session.target_name, session.subject, session.client_ip].join(' '));
    return words.every((word) => all.includes(word));
  });
}

/** Seconds until it must end; none where no end is known. */
export function secondsLeft(session: Session, now: Date): number | undefined {
  if (!session.expires_at || session.status !== 'active') return undefined;
  return Math.max(0, (new Date(session.expires_at).getTime() - now.getTime()) / 1000);
}
