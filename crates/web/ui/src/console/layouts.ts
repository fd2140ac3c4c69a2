/** The on-screen keyboard's two layouts: what is on each physical key, plain and with Shift. */
import { US } from './keys';

export type LayoutName = 'en' | 'ar';
export interface Key {
  code: string;
  plain: string;
  shifted: string;
}

const ROWS: readonly (readonly string[])[] = [
  ['Backquote', ...'1234567890'.split('').map((d) => `Digit${d}`), 'Minus', 'Equal'],
  [...'QWERTYUIOP'].map((c) => `Key${c}`).concat('BracketLeft', 'BracketRight', 'Backslash'),
  [...'ASDFGHJKL'].map((c) => `Key${c}`).concat('Semicolon', 'Quote'),
  [...'ZXCVBNM'].map((c) => `Key${c}`).concat('Comma', 'Period', 'Slash'),
];

/** Arabic (101), the layout on Arabic keyboards; in the order of ROWS. */
const ARABIC: readonly (readonly (readonly [string, string])[])[] = [
  [
    ['ذ', 'ّ'],
    ['1', '!'],
    ['2', '@'],
    ['3', '#'],
    ['4', '$'],
    ['5', '%'],
    ['6', '^'],
    ['7', '&'],
    ['8', '*'],
    ['9', ')'],
    ['0', '('],
    ['-', '_'],
    ['=', '+'],
  ],
  [
    ['ض', 'َ'],
    ['ص', 'ً'],
    ['ث', 'ُ'],
    ['ق', 'ٌ'],
    ['ف', 'لإ'],
    ['غ', 'إ'],
    ['ع', '‘'],
    ['ه', '÷'],
    ['خ', '×'],
    ['ح', '؛'],
    ['ج', '<'],
    ['د', '>'],
    ['\\', '|'],
  ],
  [
    ['ش', 'ِ'],
    ['س', 'ٍ'],
    ['ي', ']'],
    ['ب', '['],
    ['ل', 'لأ'],
    ['ا', 'أ'],
    ['ت', 'ـ'],
    ['ن', '،'],
    ['م', '/'],
    ['ك', ':'],
    ['ط', '"'],
  ],
  [
    ['ئ', '~'],
    ['ء', 'ْ'],
    ['ؤ', '}'],
    ['ر', '{'],
    ['لا', 'لآ'],
    ['ى', 'آ'],
    ['ة', '’'],
    ['و', ','],
    ['ز', '.'],
    ['ظ', '؟'],
  ],
];

export const LAYOUTS: Readonly<Record<LayoutName, readonly (readonly Key[])[]>> = {
  en: ROWS.map((row) =>
    row.map((code) => {
      const [plain, shifted] = US[code] ?? ['', ''];
      return { code, plain, shifted };
    }),
  ),
  ar: ROWS.map((row, y) =>
    row.map((code, x) => {
      const [plain, shifted] = ARABIC[y]?.[x] ?? ['', ''];
      return { code, plain, shifted };
    }),
  ),
};

/** What stands on the key cap: a vowel sign needs something to sit on. */
export function cap(text: string): string {
  return /^\p{M}$/u.test(text) ? `◌${text}` : text;
}
