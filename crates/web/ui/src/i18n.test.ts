import { FluentResource } from '@fluent/bundle';
import { readdirSync, readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { END_REASONS } from './console/close';
import { OWN_CODES, tellingId } from './failure';
import { catalogue, LANGUAGES, locale, preferred, type Language } from './i18n.svelte';

type Pattern = string | readonly unknown[] | null;

/** Every message and attribute of a language with the names of the variables it uses. */
function shape(language: Language): Map<string, string> {
  const found = new Map<string, string>();
  for (const message of new FluentResource(catalogue(language)).body) {
    const note = (id: string, pattern: Pattern) => found.set(id, [...variables(pattern)].sort().join(' '));
    note(message.id, message.value as Pattern);
    for (const [name, value] of Object.entries(message.attributes)) note(`${message.id}.${name}`, value as Pattern);
  }
  return found;
}

function variables(part: unknown, into = new Set<string>()): Set<string> {
  if (Array.isArray(part)) {
    for (const inner of part) variables(inner, into);
  } else if (part !== null && typeof part === 'object') {
    const node = part as Record<string, unknown>;
    if (node.type === 'var') into.add(String(node.name));
    for (const inner of Object.values(node)) variables(inner, into);
  }
  return into;
}

/** The keys of every choice by number, for each message that has one. */
function counted(language: Language): Map<string, string[][]> {
  const found = new Map<string, string[][]>();
  const walk = (id: string, part: unknown): void => {
    if (Array.isArray(part)) return part.forEach((inner) => walk(id, inner));
    if (part === null || typeof part !== 'object') return;
    const node = part as Record<string, unknown>;
    if (node.type === 'select') {
      const keys = (node.variants as { key: { type: string; value: string | number } }[]).map(({ key }) => key);
      // A number among the keys is that very number, beside the forms.
      const forms = keys.filter(({ type }) => type !== 'num').map(({ value }) => String(value));
      if (forms.includes('one')) found.set(id, [...(found.get(id) ?? []), forms.sort()]);
    }
    Object.values(node).forEach((inner) => walk(id, inner));
  };
  for (const message of new FluentResource(catalogue(language)).body) {
    walk(message.id, message.value);
    for (const [name, value] of Object.entries(message.attributes)) walk(`${message.id}.${name}`, value);
  }
  return found;
}

/** What a message says, with all its forms and without its variables. */
function texts(language: Language): Map<string, string> {
  const told = (part: unknown): string => {
    if (typeof part === 'string') return part;
    if (Array.isArray(part)) return part.map(told).join(' ');
    if (part === null || typeof part !== 'object') return '';
    const node = part as Record<string, unknown>;
    if (node.type === 'select')
      return (node.variants as { value: unknown }[]).map(({ value }) => told(value)).join(' ');
    return '';
  };
  const found = new Map<string, string>();
  for (const message of new FluentResource(catalogue(language)).body) {
    found.set(message.id, told(message.value));
    for (const [name, value] of Object.entries(message.attributes)) found.set(`${message.id}.${name}`, told(value));
  }
  return found;
}

/** Terms with their stems, since Arabic bends its words. */
const GLOSSARY: readonly [RegExp, RegExp][] = [
  [/\bsessions?\b/i, /جلس/],
  [/\bconsoles?\b/i, /تحكم/],
  [/\btargets?\b/i, /وجه/],
  [/\bmachines?\b/i, /جهاز|أجهزة/],
  [/\bdesktops?\b/i, /سطح (?:ال)?مكتب|شاشة/],
  [/\bview-only\b/i, /للمشاهدة فقط/],
  [/\btickets?\b/i, /تذكر/],
  [/\bclipboards?\b/i, /حافظ/],
  [/\bfull screen\b/i, /ملء الشاشة/],
  [/\bfreez|\bfrozen\b/i, /تجميد|مجم[ّ]?د|يجم[ّ]?د/],
  [/\bthaw/i, /إلغاء (?:ال)?تجميد/],
  [/\baudit log\b/i, /سجل التدقيق/],
  [/\bgateway\b/i, /بواب/],
  [/\bgroups?\b/i, /مجموع/],
  [/\brole\b/i, /دور/],
  [/\bsettings?\b/i, /إعداد/],
  [/\blog[- ]ins?\b|\blogs? in\b|\blogged in\b/i, /دخول|دخل|يدخل|دخلت/],
  [/\blogs? out\b|\blogged out\b/i, /خروج/],
  [/\bAPI tokens?\b/i, /رموز الوصول|رمز [و]?(?:ال)?وصول|رموز [و]?وصول/],
  [/\bfirewall\b/i, /جدار (?:ال)?حماية/],
  [/\brecordings?\b/i, /تسجيل/],
  [/\bextend(?:ed|s)?\b/i, /تمديد|تمد[ّ]?د|مُدّد/],
  [/\bviewer programs?\b/i, /برنامج العرض|برامج العرض/],
  [/\bspecial keys\b/i, /مفاتيح خاصة/],
  [/\bvirtual machines?\b/i, /جهاز افتراضي|أجهزة افتراضية/],
  [/\bdashboards?\b/i, /لوحة المعلومات|لوحات المعلومات/],
  [/\bnodes?\b/i, /عقد/],
  [/\bclusters?\b/i, /تجم[ّ]?ع/],
  [/\bthreats?\b/i, /تهديد/],
  [/\brisk scores?\b/i, /درجة المخاطر|درجات المخاطر/],
  [/\balerts?\b/i, /تنبيه/],
  [/\bunblock/i, /رفع الحظر/],
  [/\baddress(?:es)? (?:is|are) blocked\b/i, /محظور|حظر/],
  [/\bquarantine/i, /عزل/],
  [/\ballow-list/i, /قائمة السماح/],
  [/\bdry run\b/i, /محاكاة دون تنفيذ/],
  [/\bfalse alarms?\b/i, /إنذار كاذب|إنذارات كاذبة/],
  [/\bdecoys?\b/i, /مصيد|مصائد/],
  [/\bback-test/i, /اختبار على بيانات سابقة/],
  [/\bsensors?\b/i, /مستشعر/],
  [/\banomal/i, /شاذ/],
  [/\bdetections?\b/i, /رصد/],
  [/\bback-?ups?\b/i, /نسخ(?:ة)? (?:ال)?احتياطي|احتياطي/],
  [/\bview-only\b/i, /للمشاهدة فقط/],
];

/** Messages that say the same thing by other words, each for a reason of Arabic style. */
const OTHERWISE: ReadonlySet<string> = new Set([
  // "You are still logged in" is told by what did not happen.
  'log-out-failed',
  // A program does not log in there, it shows its token.
  'api-docs-note',
]);

/** Names of products, protocols, keys, commands and abbreviations that Arabic readers know in Latin letters. */
const LATIN: ReadonlySet<string> = new Set(
  'Gatehouse VNC TLS SHA-256 OpenAPI Ctrl Alt Shift B gatehouse serve demo vnc host:port Authorization Bearer'.split(
    ' ',
  ),
);

function sources(): string {
  const files = import.meta.glob<string>('./**/*.{svelte,ts}', { query: '?raw', import: 'default', eager: true });
  return Object.entries(files)
    .filter(([path]) => !path.endsWith('.test.ts'))
    .map(([, text]) => text)
    .join('\n');
}

describe('catalogues', () => {
  it('have the same messages with the same variables in both languages', () => {
    expect(Object.fromEntries(shape('ar'))).toEqual(Object.fromEntries(shape('en')));
  });

  it('define no message twice', () => {
    for (const language of LANGUAGES) {
      const ids = [...catalogue(language).matchAll(/^([a-z][\w-]*) =/gm)].map((m) => m[1]);
      expect(ids).toHaveLength(new Set(ids).size);
    }
  });

  it('have every message that the sources name, and none that nobody names', () => {
    const text = sources();
    const ids = new Set([...shape('en').keys()].filter((id) => !id.includes('.')));
    const named = new Set([...text.matchAll(/['"`]([a-z][a-z0-9]*(?:-[a-z0-9]+)*)['"`]/g)].map((m) => m[1]!));
    const built = [...text.matchAll(/`([a-z]+(?:-[a-z]+)*-)\$\{/g)].map((m) => m[1]!);
    const missing = [...text.matchAll(/\bt\('([^']+)'/g)].map((m) => m[1]!).filter((id) => !ids.has(id.split('.')[0]!));
    expect(missing).toEqual([]);
    const unused = [...ids].filter((id) => !named.has(id) && !built.some((prefix) => id.startsWith(prefix)));
    expect(unused).toEqual([]);
  });

  it('tell for every failure what happened, why and what to do', () => {
    const codes = [...OWN_CODES, ...Object.values(END_REASONS), ...serverCodes()];
    expect(codes.length).toBeGreaterThan(50);
    for (const language of LANGUAGES) {
      const messages = shape(language);
      for (const code of codes) {
        // Of its own, or of its area where that says all there is to say.
        const id = tellingId({ code }, (known) => messages.has(known));
        if (code !== 'interface.unknown') expect(id, `${language} ${code}`).not.toBe('failure-interface-unknown');
        for (const part of ['', '.why', '.next'])
          expect(messages.has(id + part), `${language} ${id}${part}`).toBe(true);
      }
      for (const id of messages.keys()) {
        if (!id.startsWith('failure-') || id === 'failure-code' || id.includes('.')) continue;
        expect(messages.has(`${id}.why`), id).toBe(true);
        expect(messages.has(`${id}.next`), id).toBe(true);
      }
    }
  });

  it('count in all six forms of Arabic, wherever English counts', () => {
    const english = counted('en');
    const arabic = counted('ar');
    expect([...arabic.keys()].sort()).toEqual([...english.keys()].sort());
    for (const [id, forms] of arabic) {
      for (const found of forms) expect(found, id).toEqual(['few', 'many', 'one', 'other', 'two', 'zero']);
    }
  });

  it('choose by every number that they count with', () => {
    // Names that stand for a number of things; a number that only stands in a sentence is written by its page.
    const counts = ['count', 'keys', 'clipboards'];
    for (const language of LANGUAGES) {
      const chosen = new Set(counted(language).keys());
      const free = [...shape(language)].filter(
        ([id, names]) => names.split(' ').some((name) => counts.includes(name)) && !chosen.has(id),
      );
      expect(free.map(([id]) => `${language} ${id}`)).toEqual([]);
    }
  });

  it('translate the terms of the glossary as it says', () => {
    const english = texts('en');
    const arabic = texts('ar');
    const wrong = [...english].flatMap(([id, text]) =>
      GLOSSARY.filter(([term, word]) => term.test(text) && !word.test(arabic.get(id) ?? '') && !OTHERWISE.has(id)).map(
        ([term]) => `${id}: ${term.source}: ${arabic.get(id)}`,
      ),
    );
    expect(wrong).toEqual([]);
  });

  it('leave no word in Latin letters but names and abbreviations', () => {
    const found = [...texts('ar')].flatMap(([id, text]) =>
      [...text.matchAll(/[A-Za-z][A-Za-z0-9]*(?:[-.:/][A-Za-z0-9]+)*/g)]
        .filter(([word]) => !LATIN.has(word))
        .map(([word]) => `${id}: ${word}`),
    );
    expect(found).toEqual([]);
  });

  it('count in the Arabic plural forms', () => {
    locale.choose('ar');
    const forms = [0, 1, 2, 3, 11, 100].map((count) => locale.text('target-sessions', { count }));
    expect(new Set(forms.map((form) => form.replace(/[\d\u2068\u2069]/g, ''))).size).toBe(5);
    locale.choose('en');
  });

  it('use the digits that the reader chose', () => {
    locale.choose('ar');
    locale.chooseDigits('arab');
    expect(locale.number(42)).toBe('٤٢');
    expect(locale.text('console-trip', { ms: 42 })).toContain('٤٢');
    locale.chooseDigits('latn');
    expect(locale.number(42)).toBe('42');
    locale.choose('en');
  });

  it('have no exclamation marks, and Arabic punctuation in Arabic', () => {
    for (const language of LANGUAGES) {
      const values = catalogue(language).replaceAll(/^#.*$/gm, '');
      expect(values).not.toMatch(/!/);
    }
    const arabic = catalogue('ar')
      .replaceAll(/^#.*$/gm, '')
      .replaceAll(/[?,;]\s*(?=[A-Za-z])/g, '');
    expect(arabic).not.toMatch(/[,;?]/);
    expect(arabic, 'a target is never هدف').not.toMatch(/هدف/);
  });
});

describe('the reader’s language', () => {
  it('is the first one that the browser asks for and this interface has', () => {
    expect(preferred(['fr-FR', 'ar-EG', 'en'])).toBe('ar');
    expect(preferred(['en-GB', 'ar'])).toBe('en');
    expect(preferred(['de'])).toBe('en');
    expect(preferred([])).toBe('en');
  });
});

/** Codes in the server's sources that people can meet in the interface. */
function serverCodes(): string[] {
  const areas =
    /"((?:ticket|session|target|door|admin|auth|api|request|people|right|login|console|password)\.[a-z_]+)"/g;
  const found = new Set<string>();
  for (const crate of ['api', 'auth', 'store', 'gateway', 'model']) {
    const folder = `../../${crate}/src`;
    for (const name of readdirSync(folder, { recursive: true, encoding: 'utf8' })) {
      // What the audit log calls an action is no failure.
      if (!name.endsWith('.rs') || name.endsWith('tests.rs') || /\baudit/.test(name)) continue;
      for (const match of readFileSync(`${folder}/${name}`, 'utf8').matchAll(areas)) found.add(match[1]!);
    }
  }
  return [...found];
}

describe('end reasons', () => {
  it('are those of the server', () => {
    const rust = readFileSync('../../model/src/session.rs', 'utf8');
    const close = new Map([...rust.matchAll(/EndReason::(\w+) => (\d{4}),/g)].map((m) => [m[1]!, Number(m[2])]));
    const codes = new Map([...rust.matchAll(/EndReason::(\w+) => "([a-z_.]+)",/g)].map((m) => [m[1]!, m[2]!]));
    expect(close.size).toBeGreaterThan(10);
    const theirs = Object.fromEntries([...close].map(([name, number]) => [number, codes.get(name)]));
    expect(END_REASONS).toEqual(theirs);
  });
});
