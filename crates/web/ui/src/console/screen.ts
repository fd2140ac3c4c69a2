/**
 * The remote screen: noVNC with the few things added that it does not tell.
 *
 * This is the only module that touches noVNC's own (underscored) names; its version is pinned exactly.
 */
import RFB from '@novnc/novnc';
import keysyms from '@novnc/core/input/keysymdef.js';
import { initLogging } from '@novnc/core/util/logging.js';

// Every failure is told to the person in words; the console of the browser stays quiet.
initLogging('none');

const TEXT_FORMAT = 1;

/** Faster than any hand, slow enough for a machine's firmware. */
const PACE_MS = 10;

export class Screen extends RFB {
  /** Called after each whole framebuffer update. */
  onframe: () => void = () => {};

  protected override _framebufferUpdate(): boolean {
    const whole = super._framebufferUpdate();
    if (whole) this.onframe();
    return whole;
  }

  /** Keeps the drawn pointer from those who read the page instead of seeing it. */
  hideCursorFromReaders(): void {
    this._cursor._canvas.setAttribute('aria-hidden', 'true');
  }

  get canvas(): HTMLCanvasElement {
    return this._canvas;
  }

  get size(): { width: number; height: number } {
    return { width: this._fbWidth, height: this._fbHeight };
  }

  /** Whether the target can take a new size from here. */
  get resizable(): boolean {
    return this._supportsSetDesktopSize;
  }

  /** Whether the target's clipboard takes more than Western European letters. */
  get unicodeClipboard(): boolean {
    return this._clipboardServerCapabilitiesFormats[TEXT_FORMAT] === true;
  }

  /** Releases what is held down; noVNC does it when the window loses the focus, not when only the canvas does. */
  releaseKeys(): void {
    this._keyboard._allKeysUp();
  }

  /**
   * A key from the page, not from a keyboard: pressed and released, or one of the two. They go out in their order, one
   * at a time: firmware, installers and servers that must first make room for a letter in their key map drop what
   * comes in one burst.
   */
  press(keysym: number, code: string | null, down?: boolean): void {
    this.waiting.push([keysym, code, down]);
    if (this.pace === undefined) this.pressNext();
  }

  /** One character; `code` names its physical key, for targets that go by it. */
  pressCharacter(character: string, code: string | null): void {
    this.press(keysymOf(character), code);
  }

  /** Types a text as key presses, for targets without a shared clipboard. */
  type(text: string): void {
    for (const character of text.replaceAll('\r\n', '\n')) this.pressCharacter(character, null);
  }

  private readonly waiting: [number, string | null, boolean | undefined][] = [];
  private pace: ReturnType<typeof setTimeout> | undefined;

  private pressNext(): void {
    const next = this.waiting.shift();
    this.pace = undefined;
    if (next === undefined) return;
    this.sendKey(...next);
    this.pace = setTimeout(() => this.pressNext(), PACE_MS);
  }
}

const RETURN = 0xff0d;
const TAB = 0xff09;

/** The X11 keysym of one character. */
export function keysymOf(character: string): number {
  if (character === '\n') return RETURN;
  if (character === '\t') return TAB;
  return keysyms.lookup(character.codePointAt(0) ?? 0);
}
