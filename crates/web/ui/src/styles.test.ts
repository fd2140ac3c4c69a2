import { describe, expect, it } from 'vitest';

const files = {
  ...import.meta.glob<string>('./**/*.svelte', { query: '?raw', import: 'default', eager: true }),
  ...import.meta.glob<string>('./styles/*.css', { query: '?raw', import: 'default', eager: true }),
};

/** The style sheet of a file, without comments. */
function css(path: string, text: string): string {
  const sheet = path.endsWith('.css') ? text : (/<style>([\s\S]*)<\/style>/.exec(text)?.[1] ?? '');
  return sheet.replaceAll(/\/\*[\s\S]*?\*\//g, '');
}

describe('styles', () => {
  it('know no left and right: Arabic is laid out by the same rules', () => {
    const physical =
      /(?<![-\w])(?:(?:margin|padding|border|inset)-(?:left|right|top|bottom)|left|right|top|bottom)\s*:|(?:float|clear|text-align)\s*:\s*(?:left|right)/g;
    const found = Object.entries(files).flatMap(([path, text]) =>
      (css(path, text).match(physical) ?? []).map((hit) => `${path}: ${hit}`),
    );
    expect(found).toEqual([]);
  });

  it('take every color from the tokens', () => {
    const found = Object.entries(files)
      .filter(([path]) => !path.endsWith('tokens.css'))
      .flatMap(([path, text]) =>
        (css(path, text).match(/#[0-9a-f]{3,8}\b|(?:rgb|hsl|oklch)a?\(/gi) ?? []).map((hit) => `${path}: ${hit}`),
      );
    expect(found).toEqual([]);
  });

  it('have no text smaller than 14 pixels', () => {
    const sizes = Object.entries(files).flatMap(([path, text]) =>
      [...css(path, text).matchAll(/font-size:\s*(\d+)px/g)]
        .filter((m) => Number(m[1]) < 14)
        .map((m) => `${path}: ${m[0]}`),
    );
    expect(sizes).toEqual([]);
  });

  it('are never written into markup, where the policy would block them', () => {
    const found = Object.entries(files)
      .filter(([path]) => path.endsWith('.svelte'))
      .filter(([, text]) => /<[^>]*\sstyle=/.test(text))
      .map(([path]) => path);
    expect(found).toEqual([]);
  });
});
