/** What the search finds: places, targets, sessions, people, actions. */
import { plain } from '../pages/targets.svelte';
import type { IconName } from './Icon.svelte';

export interface Hit {
  key: string;
  /** The heading that it stands under. */
  group: string;
  icon: IconName;
  title: string;
  note?: string;
  /** Found by these too. */
  words?: string;
  act: () => void;
}

/** At most so many of a kind: what is wanted is one more letter away. */
const OF_A_KIND = 6;

/** Those that have all words, the ones whose title begins with what was typed first. */
export function search(hits: readonly Hit[], text: string): Hit[] {
  const wanted = plain(text.trim());
  const words = wanted.split(/\s+/).filter(Boolean);
  const found = hits
    .map((hit) => ({
      hit,
      title: plain(hit.title),
      all: plain([hit.title, hit.note ?? '', hit.words ?? ''].join(' ')),
    }))
    .filter(({ all }) => words.every((word) => all.includes(word)));
  found.sort((a, b) => Number(b.title.startsWith(wanted)) - Number(a.title.startsWith(wanted)));
  const counts = new Map<string, number>();
  const kept = found.filter(({ hit }) => {
    const count = (counts.get(hit.group) ?? 0) + 1;
    counts.set(hit.group, count);
    return count <= OF_A_KIND;
  });
  // Groups stand together, in the order of their best entry.
  const order = [...new Set(kept.map(({ hit }) => hit.group))];
  return order.flatMap((group) => kept.filter(({ hit }) => hit.group === group).map(({ hit }) => hit));
}
