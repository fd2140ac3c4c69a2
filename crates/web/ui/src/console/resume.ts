/**
 * The resume key: what lets this tab, and only this tab, have its session back after a broken connection.
 *
 * It is made here, offered as a second subprotocol and never answered. It lives in the tab's own storage, so that a
 * reload resumes too.
 */

const ALPHABET = 'abcdefghijklmnopqrstuvwxyz234567';

/** Lower-case base32 without padding [RFC 4648, 6]. */
export function base32(bytes: Uint8Array): string {
  let text = '';
  let bits = 0;
  let value = 0;
  for (const byte of bytes) {
    value = (value << 8) | byte;
    bits += 8;
    while (bits >= 5) {
      bits -= 5;
      text += ALPHABET[(value >>> bits) & 31];
    }
    value &= (1 << bits) - 1;
  }
  if (bits > 0) text += ALPHABET[(value << (5 - bits)) & 31];
  return text;
}

/** The key of this tab for a console; the same one as long as the tab lives. */
export function resumeKey(token: string): string {
  const name = `resume:${token}`;
  try {
    const kept = sessionStorage.getItem(name);
    if (kept && /^[a-z2-7]{52}$/.test(kept)) return kept;
  } catch {
    // storage is denied: the key lasts as long as the page
  }
  const key = base32(crypto.getRandomValues(new Uint8Array(32)));
  try {
    sessionStorage.setItem(name, key);
  } catch {
    // see above
  }
  return key;
}

export function websocketUrl(token: string, base: Location): string {
  return `${base.protocol === 'https:' ? 'wss:' : 'ws:'}//${base.host}/ws/console/vnc/${encodeURIComponent(token)}`;
}
