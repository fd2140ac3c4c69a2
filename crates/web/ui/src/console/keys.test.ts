import { describe, expect, it } from 'vitest';
import { translate, translateKeys, typed, US } from './keys';
import { cap, LAYOUTS } from './layouts';

function press(
  key: string,
  code: string,
  held: Partial<Record<'ctrl' | 'alt' | 'meta' | 'shift' | 'altGraph', boolean>> = {},
) {
  return translate({
    key,
    code,
    ctrlKey: held.ctrl ?? false,
    altKey: held.alt ?? false,
    metaKey: held.meta ?? false,
    shiftKey: held.shift ?? false,
    getModifierState: (name) => name === 'AltGraph' && held.altGraph === true,
  });
}

describe('a key under an Arabic layout', () => {
  it('is a Latin one in a shortcut', () => {
    expect(press('ؤ', 'KeyC', { ctrl: true })).toEqual({ as: 'key', key: 'c' });
    expect(press('ر', 'KeyV', { ctrl: true })).toEqual({ as: 'key', key: 'v' });
    expect(press('ئ', 'KeyZ', { ctrl: true, shift: true })).toEqual({ as: 'key', key: 'Z' });
    expect(press('ب', 'KeyF', { alt: true })).toEqual({ as: 'key', key: 'f' });
    expect(press('؟', 'Slash', { ctrl: true, shift: true })).toEqual({ as: 'key', key: '?' });
    expect(press('١', 'Digit1', { ctrl: true })).toEqual({ as: 'key', key: '1' });
    expect(press('ﻻ', 'KeyB', { ctrl: true })).toEqual({ as: 'key', key: 'b' });
    expect(press('لا', 'KeyB', { ctrl: true })).toEqual({ as: 'key', key: 'b' });
  });

  it('is itself in a text', () => {
    expect(press('م', 'KeyL')).toEqual({ as: 'is' });
    expect(press('أ', 'KeyH', { shift: true })).toEqual({ as: 'is' });
  });

  it('is two letters where the layout puts two on it', () => {
    expect(press('لا', 'KeyB')).toEqual({ as: 'text', characters: ['ل', 'ا'] });
    expect(press('ﻻ', 'KeyB')).toEqual({ as: 'text', characters: ['ل', 'ا'] });
    expect(press('لآ', 'KeyB', { shift: true })).toEqual({ as: 'text', characters: ['ل', 'آ'] });
    expect(press('ﻷ', 'KeyG', { shift: true })).toEqual({ as: 'text', characters: ['ل', 'أ'] });
  });
});

describe('other keys', () => {
  it('pass as they are: named keys, Latin layouts, AltGr', () => {
    expect(press('Enter', 'Enter', { ctrl: true })).toEqual({ as: 'is' });
    expect(press('F5', 'F5', { ctrl: true })).toEqual({ as: 'is' });
    expect(press('a', 'KeyQ', { ctrl: true })).toEqual({ as: 'is' });
    expect(press('é', 'Digit2', { ctrl: true })).toEqual({ as: 'is' });
    expect(press('€', 'KeyE', { ctrl: true, alt: true, altGraph: true })).toEqual({ as: 'is' });
    expect(press('Unidentified', '', { ctrl: true })).toEqual({ as: 'is' });
    expect(press('', 'KeyA', { ctrl: true })).toEqual({ as: 'is' });
  });

  it('follow the physical key in other scripts too', () => {
    expect(press('с', 'KeyC', { ctrl: true })).toEqual({ as: 'key', key: 'c' });
    expect(press('ψ', 'KeyC', { meta: true })).toEqual({ as: 'key', key: 'c' });
  });
});

describe('in front of the viewer', () => {
  it('events that a script made are left alone, so that a translated one is not translated again', () => {
    const stage = document.createElement('div');
    const canvas = document.createElement('canvas');
    stage.append(canvas);
    document.body.append(stage);
    const stop = translateKeys(stage);
    const seen: string[] = [];
    canvas.addEventListener('keydown', (event) => seen.push(event.key));
    canvas.dispatchEvent(new KeyboardEvent('keydown', { key: 'ؤ', code: 'KeyC', ctrlKey: true, bubbles: true }));
    expect(seen).toEqual(['ؤ']);
    stop();
  });
});

describe('what a phone’s keyboard changed', () => {
  it('is what to take back and what to type', () => {
    expect(typed('___', '___a')).toEqual({ erase: 0, text: 'a' });
    expect(typed('___a', '___')).toEqual({ erase: 1, text: '' });
    expect(typed('___helo', '___hello')).toEqual({ erase: 1, text: 'lo' });
    expect(typed('___مرحا', '___مرحبا')).toEqual({ erase: 1, text: 'با' });
    expect(typed('__', '__')).toEqual({ erase: 0, text: '' });
    expect(typed('_😀', '_')).toEqual({ erase: 1, text: '' });
  });
});

describe('the on-screen layouts', () => {
  it('fill every key in both languages, each key once', () => {
    for (const layout of [LAYOUTS.en, LAYOUTS.ar]) {
      const keys = layout.flat();
      expect(keys).toHaveLength(Object.keys(US).length);
      expect(new Set(keys.map((k) => k.code)).size).toBe(keys.length);
      expect(new Set(keys.map((k) => k.plain)).size).toBe(keys.length);
      for (const key of keys) expect(key.plain !== '' && key.shifted !== '', key.code).toBe(true);
    }
  });

  it('have the letters where an Arabic keyboard has them', () => {
    const at = (code: string) => LAYOUTS.ar.flat().find((key) => key.code === code)?.plain;
    expect(['KeyL', 'KeyV', 'KeyP', 'KeyF', 'KeyH', 'KeyB', 'KeyC'].map(at)).toEqual([
      'م',
      'ر',
      'ح',
      'ب',
      'ا',
      'لا',
      'ؤ',
    ]);
  });

  it('show vowel signs on something', () => {
    expect(cap('َ')).toBe('◌َ');
    expect(cap('م')).toBe('م');
  });
});
