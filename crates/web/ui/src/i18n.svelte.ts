/**
 * Words, numbers and times in the reader's language.
 *
 * The catalogues are the same files that the server reads. Both are in the entry chunk: together they weigh less
 * than one more request would cost, and a switch of language then happens at once.
 */
import { FluentBundle, FluentResource, type FluentVariable } from '@fluent/bundle';

export type Language = 'en' | 'ar';
export type Digits = 'latn' | 'arab';
export type Words = Record<string, FluentVariable>;

export const LANGUAGES: readonly Language[] = ['en', 'ar'];

const sources = import.meta.glob<string>('@locales/*/*.ftl', { query: '?raw', import: 'default', eager: true });

/** The catalogue's text of one language, all files joined. */
export function catalogue(language: Language): string {
  return Object.entries(sources)
    .filter(([path]) => path.includes(`/${language}/`))
    .map(([, text]) => text)
    .join('\n');
}

function read(key: string): string | null {
  try {
    return localStorage.getItem(key);
  } catch {
    return null; // storage is denied: preferences last as long as the page
  }
}

function write(key: string, value: string): void {
  try {
    localStorage.setItem(key, value);
  } catch {
    // see read()
  }
}

/** What the reader's browser asks for, English when it asks for neither. */
export function preferred(languages: readonly string[]): Language {
  for (const tag of languages) {
    const language = tag.toLowerCase().split('-')[0];
    if (language === 'ar' || language === 'en') return language;
  }
  return 'en';
}

const formats = new Map<string, unknown>();

/** Formats are dear to make and cheap to use: a list that shows times every second makes each once. */
function kept<T>(key: string, make: () => T): T {
  const found = formats.get(key) as T | undefined;
  if (found !== undefined) return found;
  const made = make();
  formats.set(key, made);
  return made;
}

class Locale {
  language: Language = $state('en');
  digits: Digits = $state('latn');

  /** The tag that Intl and Fluent format by. */
  readonly tag = $derived(this.language === 'ar' ? `ar-u-nu-${this.digits}` : 'en');
  private readonly bundle = $derived(makeBundle(this.language, this.tag));

  constructor() {
    const stored = read('language');
    this.language = stored === 'en' || stored === 'ar' ? stored : preferred(navigator.languages);
    this.digits = read('digits') === 'arab' ? 'arab' : 'latn';
  }

  choose(language: Language): void {
    this.language = language;
    write('language', language);
  }

  /** The language of a person's profile counts where this browser was never told another. */
  suggest(language: string | null | undefined): void {
    if (read('language') === null && (language === 'en' || language === 'ar')) this.language = language;
  }

  chooseDigits(digits: Digits): void {
    this.digits = digits;
    write('digits', digits);
  }

  get direction(): 'ltr' | 'rtl' {
    return this.language === 'ar' ? 'rtl' : 'ltr';
  }

  /** The message, or its id where a catalogue lacks it (a test forbids that). */
  text(id: string, words?: Words): string {
    const [message, attribute] = id.split('.', 2);
    const found = this.bundle.getMessage(message ?? '');
    const pattern = attribute ? found?.attributes[attribute] : found?.value;
    return pattern ? this.bundle.formatPattern(pattern, words) : id;
  }

  has(id: string): boolean {
    return this.bundle.hasMessage(id);
  }

  number(value: number, options?: Intl.NumberFormatOptions): string {
    const make = () => new Intl.NumberFormat(this.tag, options);
    return kept(`number ${this.tag} ${JSON.stringify(options)}`, make).format(value);
  }

  /** "5 minutes ago", in the unit people say. */
  ago(then: Date, now: Date): string {
    const seconds = Math.round((then.getTime() - now.getTime()) / 1000);
    const format = kept(`ago ${this.tag}`, () => new Intl.RelativeTimeFormat(this.tag, { numeric: 'auto' }));
    const size = Math.abs(seconds);
    if (size < 60) return format.format(seconds, 'second');
    if (size < 3600) return format.format(Math.round(seconds / 60), 'minute');
    if (size < 86_400) return format.format(Math.round(seconds / 3600), 'hour');
    return format.format(Math.round(seconds / 86_400), 'day');
  }

  exact(date: Date): string {
    const make = () => new Intl.DateTimeFormat(this.tag, { dateStyle: 'medium', timeStyle: 'medium' });
    return kept(`exact ${this.tag}`, make).format(date);
  }

  /** "14 min" or "45 sec"; Arabic abbreviations of units are single letters, so there the words are whole. */
  duration(seconds: number): string {
    const [value, unit] =
      seconds < 60
        ? ([Math.max(0, Math.floor(seconds)), 'second'] as const)
        : seconds < 5400
          ? ([Math.floor(seconds / 60), 'minute'] as const)
          : ([Math.round(seconds / 3600), 'hour'] as const);
    return this.number(value, { style: 'unit', unit, unitDisplay: this.language === 'ar' ? 'long' : 'short' });
  }

  /** "3.2 MB", in the largest unit that keeps the number small. */
  bytes(count: number, each: '' | '-per-second' = ''): string {
    const units = ['byte', 'kilobyte', 'megabyte', 'gigabyte', 'terabyte'];
    const step = count < 1 ? 0 : Math.min(units.length - 1, Math.floor(Math.log10(count) / 3));
    const value = count / 1000 ** step;
    const unit = `${units[step] ?? 'byte'}${each}`;
    const digits = value < 10 && step > 0 ? 1 : 0;
    return this.number(value, { style: 'unit', unit, unitDisplay: 'short', maximumFractionDigits: digits });
  }

  /** What stands between the entries of a list that has no "and". */
  get comma(): string {
    return this.language === 'ar' ? '، ' : ', ';
  }
}

function makeBundle(language: Language, tag: string): FluentBundle {
  const bundle = new FluentBundle([tag, language]);
  bundle.addResource(new FluentResource(catalogue(language)));
  return bundle;
}

export const locale = new Locale();

/** Short for what every template needs. */
export function t(id: string, words?: Words): string {
  return locale.text(id, words);
}
