import { describe, expect, it } from 'vitest';
import { differences, merged } from './conflict';

const before = { name: 'Lab', address: '192.0.2.1:5900', tags: ['a'] };

describe('two changes of one thing', () => {
  it('tell what the other one changed, and where both changed the same', () => {
    const theirs = { ...before, name: 'Laboratory', tags: ['a', 'b'] };
    const mine = { ...before, name: 'Lab 2' };
    expect(differences(before, theirs, mine)).toEqual([
      { field: 'name', before: 'Lab', theirs: 'Laboratory', mine: 'Lab 2', clash: true },
      { field: 'tags', before: ['a'], theirs: ['a', 'b'], mine: ['a'], clash: false },
    ]);
  });

  it('clash over nothing where both came to the same', () => {
    const theirs = { ...before, name: 'Lab 2' };
    expect(differences(before, theirs, { ...before, name: 'Lab 2' })[0]?.clash).toBe(false);
    expect(differences(before, before, { ...before, name: 'Lab 2' })).toEqual([]);
  });

  it('are joined: what I did not touch stays theirs', () => {
    const theirs = { ...before, name: 'Laboratory', tags: ['a', 'b'] };
    const mine = { ...before, name: 'Lab 2' };
    expect(merged(before, theirs, mine)).toEqual({ ...before, name: 'Lab 2', tags: ['a', 'b'] });
  });
});
