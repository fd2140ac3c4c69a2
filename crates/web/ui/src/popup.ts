/** Consoles in windows of their own: 1280 by 800, centered, one for each target. */

export const SIZE = { width: 1280, height: 800 } as const;

/** How the names of such windows begin. */
export const POPUP = 'gatehouse-console-';

export function popupName(target: string): string {
  return POPUP + target;
}

interface Place {
  screenX: number;
  screenY: number;
  outerWidth: number;
  outerHeight: number;
}

/** Centered on the window it is opened from, on whichever screen that is. */
export function features(from: Place): string {
  const inline = Math.round(from.screenX + (from.outerWidth - SIZE.width) / 2);
  const block = Math.round(from.screenY + (from.outerHeight - SIZE.height) / 2);
  return `popup,width=${SIZE.width},height=${SIZE.height},left=${Math.max(0, inline)},top=${Math.max(0, block)}`;
}

/** Opens a target's console in its window, or brings that window to the front. Tells whether the browser allowed it. */
export function popUp(target: string): boolean {
  // Without an address an open window keeps what it shows.
  const opened = window.open('', popupName(target), features(window));
  if (!opened) return false;
  let fresh: boolean;
  try {
    fresh = opened.location.href === 'about:blank';
  } catch {
    // It shows something that is not ours any more.
    fresh = true;
  }
  if (fresh) opened.location.assign(`/open/${encodeURIComponent(target)}`);
  opened.focus();
  return true;
}
