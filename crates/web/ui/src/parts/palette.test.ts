import { describe, expect, it } from 'vitest';
import { search, type Hit } from './palette';

const hit = (group: string, title: string, more: Partial<Hit> = {}): Hit => ({
  key: `${group}-${title}`,
  group,
  icon: 'screen',
  title,
  act: () => undefined,
  ...more,
});

describe('the search', () => {
  const hits = [
    hit('places', 'Targets'),
    hit('targets', 'Old lab', { note: '101' }),
    hit('targets', 'Lab desktop', { words: 'first floor' }),
    hit('people', 'مُحمّد', { note: 'mo' }),
  ];

  it('finds by every word, in titles, notes and tags, without regard to marks and case', () => {
    expect(search(hits, 'LAB floor').map((found) => found.title)).toEqual(['Lab desktop']);
    expect(search(hits, '101').map((found) => found.title)).toEqual(['Old lab']);
    expect(search(hits, 'محمد').map((found) => found.title)).toEqual(['مُحمّد']);
    expect(search(hits, 'nothing')).toEqual([]);
  });

  it('puts what begins with the letters first, and keeps kinds together', () => {
    expect(search(hits, 'la').map((found) => found.title)).toEqual(['Lab desktop', 'Old lab']);
    expect(search(hits, '').map((found) => found.group)).toEqual(['places', 'targets', 'targets', 'people']);
  });

  it('shows a few of each kind', () => {
    const many = Array.from({ length: 50 }, (_, n) => hit('targets', `Machine ${n}`));
    expect(search([...many, hit('people', 'Machinist')], 'machin').map((found) => found.group)).toEqual([
      ...Array<string>(6).fill('targets'),
      'people',
    ]);
  });
});
