/** Modifier keys that the person pressed on the page instead of on a keyboard. */
import { SPECIAL, US, type Modifier } from './keys';
import type { Screen } from './screen';
import type { Key } from './layouts';

export const MODIFIERS: readonly Modifier[] = ['control', 'alt', 'shift', 'super'];

export class Held {
  private down: Record<Modifier, boolean> = $state({ control: false, alt: false, shift: false, super: false });

  constructor(private readonly screen: () => Screen | undefined) {}

  is(modifier: Modifier): boolean {
    return this.down[modifier];
  }

  get any(): boolean {
    return MODIFIERS.some((m) => this.down[m]);
  }

  toggle(modifier: Modifier): void {
    const [keysym, code] = SPECIAL[modifier];
    this.down[modifier] = !this.down[modifier];
    this.screen()?.press(keysym, code, this.down[modifier]);
  }

  release(): void {
    for (const modifier of MODIFIERS) if (this.down[modifier]) this.toggle(modifier);
  }

  press([keysym, code]: readonly [number, string]): void {
    this.screen()?.press(keysym, code);
  }

  text(text: string): void {
    this.screen()?.type(text);
  }

  /** One key of a layout, with what is held. A shortcut is made of the Latin letter of the same key. */
  type(key: Key): void {
    const shortcut = this.down.control || this.down.alt || this.down.super;
    const us = US[key.code];
    const text = shortcut && us ? us[this.down.shift ? 1 : 0] : this.down.shift ? key.shifted : key.plain;
    if ([...text].length === 1) this.screen()?.pressCharacter(text, key.code);
    else this.screen()?.type(text);
  }
}
