/**
 * Whether somebody is there: who left an open page behind is idle, however often the page asks by itself.
 */

/** Whoever did something within this time is there. Not longer than the server waits before it notes a use. */
const PRESENCE_MS = 60_000;
const SIGNS = ['pointerdown', 'pointermove', 'keydown', 'wheel', 'touchstart'] as const;

/** To open a page is a sign, too. */
let last = Date.now();

/** Watches for signs of somebody; the returned function ends it. */
export function watchAttendance(place: EventTarget): () => void {
  const seen = () => (last = Date.now());
  for (const sign of SIGNS) place.addEventListener(sign, seen, { capture: true, passive: true });
  return () => {
    for (const sign of SIGNS) place.removeEventListener(sign, seen, { capture: true });
  };
}

export function isAttended(): boolean {
  return Date.now() - last < PRESENCE_MS;
}
