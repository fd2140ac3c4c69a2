/**
 * Shortcuts by physical key.
 *
 * With an Arabic layout active Ctrl+C arrives as Ctrl and "ؤ", which no program takes for a copy. While Ctrl, Alt or
 * Meta is held and the character is not Latin, the key is passed on as what a US keyboard has at that place. Plain
 * text stays what it is.
 */

type KeyLike = Pick<KeyboardEvent, 'key' | 'code' | 'ctrlKey' | 'altKey' | 'metaKey' | 'shiftKey' | 'getModifierState'>;

/** What a US keyboard has on each printable key: plain, with Shift. */
export const US: Readonly<Record<string, readonly [string, string]>> = {
  ...Object.fromEntries(
    [...'abcdefghijklmnopqrstuvwxyz'].map((c) => [`Key${c.toUpperCase()}`, [c, c.toUpperCase()] as const]),
  ),
  Digit1: ['1', '!'],
  Digit2: ['2', '@'],
  Digit3: ['3', '#'],
  Digit4: ['4', '$'],
  Digit5: ['5', '%'],
  Digit6: ['6', '^'],
  Digit7: ['7', '&'],
  Digit8: ['8', '*'],
  Digit9: ['9', '('],
  Digit0: ['0', ')'],
  Backquote: ['`', '~'],
  Minus: ['-', '_'],
  Equal: ['=', '+'],
  BracketLeft: ['[', '{'],
  BracketRight: [']', '}'],
  Backslash: ['\\', '|'],
  Semicolon: [';', ':'],
  Quote: ["'", '"'],
  Comma: [',', '<'],
  Period: ['.', '>'],
  Slash: ['/', '?'],
};

/** A character that a shortcut can be made of as it is. */
function isLatin(character: string): boolean {
  return /^[\p{Script=Latin}\u0020-\u007e]$/u.test(character);
}

/** Keys such as "Enter" and "ArrowUp" have names of Latin letters; texts such as "لا" do not. */
function isNamed(key: string): boolean {
  return /^[A-Z][A-Za-z0-9]+$/.test(key);
}

/** Arabic letters in their joined shapes [Unicode, Arabic Presentation Forms-B]. */
const PRESENTATION = /[\ufe70-\ufefc]/;

export type Translation =
  | { as: 'is' }
  /** The same physical key, with a Latin character. */
  | { as: 'key'; key: string }
  /** One key that makes several characters, as the lam-alef key does. */
  | { as: 'text'; characters: string[] };

/** How a key press is to be passed on. */
export function translate(event: KeyLike): Translation {
  const { key, code } = event;
  if (isNamed(key) || key === '') return { as: 'is' };
  // AltGr is a way to type a character, not a shortcut; Windows reports it as Ctrl+Alt.
  const shortcut = (event.ctrlKey || event.altKey || event.metaKey) && !event.getModifierState('AltGraph');
  const us = US[code];
  if (shortcut && us && !isLatin(key)) return { as: 'key', key: us[event.shiftKey ? 1 : 0] };
  // The lam-alef key is two letters, or one presentation form of both; programs expect the letters.
  const characters = [...(PRESENTATION.test(key) ? key.normalize('NFKC') : key)];
  if (characters.length > 1) return { as: 'text', characters };
  return { as: 'is' };
}

function again(event: KeyboardEvent, key: string, code: string): KeyboardEvent {
  return new KeyboardEvent(event.type, {
    key,
    code,
    location: event.location,
    ctrlKey: event.ctrlKey,
    altKey: event.altKey,
    metaKey: event.metaKey,
    shiftKey: event.shiftKey,
    repeat: event.repeat,
    modifierCapsLock: event.getModifierState('CapsLock'),
    modifierNumLock: event.getModifierState('NumLock'),
    bubbles: false,
    cancelable: true,
  } as KeyboardEventInit);
}

/**
 * Puts the translation in front of noVNC's own keyboard handling: an event that must change is replaced by one with
 * the other character on the same key, so that all of noVNC's bookkeeping (AltGr, lock keys, releases) stays right.
 */
export function translateKeys(stage: HTMLElement): () => void {
  const handle = (event: KeyboardEvent): void => {
    if (!event.isTrusted || !(event.target instanceof HTMLCanvasElement)) return;
    const translation = translate(event);
    if (translation.as === 'is') return;
    event.preventDefault();
    event.stopImmediatePropagation();
    if (translation.as === 'key') {
      event.target.dispatchEvent(again(event, translation.key, event.code));
      return;
    }
    // Without a physical key each character is a press and a release at once.
    for (const character of translation.characters) event.target.dispatchEvent(again(event, character, ''));
  };
  stage.addEventListener('keydown', handle, { capture: true });
  return () => stage.removeEventListener('keydown', handle, { capture: true });
}

/** Keysyms of the key menu and of the on-screen keyboard's special keys. */
export const SPECIAL = {
  escape: [0xff1b, 'Escape'],
  tab: [0xff09, 'Tab'],
  backspace: [0xff08, 'Backspace'],
  enter: [0xff0d, 'Enter'],
  space: [0x20, 'Space'],
  delete: [0xffff, 'Delete'],
  insert: [0xff63, 'Insert'],
  home: [0xff50, 'Home'],
  end: [0xff57, 'End'],
  pageUp: [0xff55, 'PageUp'],
  pageDown: [0xff56, 'PageDown'],
  left: [0xff51, 'ArrowLeft'],
  up: [0xff52, 'ArrowUp'],
  right: [0xff53, 'ArrowRight'],
  down: [0xff54, 'ArrowDown'],
  printScreen: [0xff61, 'PrintScreen'],
  pause: [0xff13, 'Pause'],
  menu: [0xff67, 'ContextMenu'],
  control: [0xffe3, 'ControlLeft'],
  alt: [0xffe9, 'AltLeft'],
  super: [0xffeb, 'MetaLeft'],
  shift: [0xffe1, 'ShiftLeft'],
} as const satisfies Record<string, readonly [number, string]>;

export type SpecialKey = keyof typeof SPECIAL;
export type Modifier = 'control' | 'alt' | 'super' | 'shift';

/** F1 to F12. */
export function functionKey(number: number): readonly [number, string] {
  return [0xffbe + number - 1, `F${number}`];
}

/**
 * What changed between two contents of the field that a phone's keyboard writes to: how many characters to take back,
 * and what to type then. Word prediction replaces whole words, so a plain "last letter" would not do.
 */
export function typed(before: string, after: string): { erase: number; text: string } {
  const old = [...before];
  const now = [...after];
  let same = 0;
  while (same < old.length && same < now.length && old[same] === now[same]) same += 1;
  return { erase: old.length - same, text: now.slice(same).join('') };
}
