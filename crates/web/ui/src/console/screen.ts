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

export class Screen extends RFB {
  /** Called after each whole framebuffer update. */
  onframe: () => void = () => {};

  protected override _framebufferUpdate(): boolean {
    const whole = super._framebufferUpdate();
    if (whole) this.onframe();
    return whole;
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

  /** Types a text as key presses, for targets without a shared clipboard. */
  type(text: string): void {
    for (const character of text.replaceAll('\r\n', '\n')) this.sendCharacter(character, null);
  }

  /** Presses and releases the key of one character; `code` names the physical key, for targets that go by it. */
  sendCharacter(character: string, code: string | null): void {
    this.sendKey(keysymOf(character), code);
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
