import { describe, expect, it } from 'vitest';
import type { Target } from '../portal';
import { addressOf, fieldsOf, readTags } from './target';
import { filtered, tagsOf } from './targets.svelte';

const target = (id: string, more: Partial<Target> = {}): Target =>
  ({
    id,
    number: Number(id),
    name: `Target ${id}`,
    address: '192.0.2.1:5900',
    tags: [],
    active_sessions: 0,
    ...more,
  }) as Target;

describe('targets', () => {
  const list = [
    target('1', { name: 'Café', tags: ['lab'], active_sessions: 2 }),
    target('2', { name: 'جهاز المكتبة', description: 'second floor', tags: ['lab', 'evening'] }),
  ];
  const ids = (filter: Partial<Parameters<typeof filtered>[1]>) =>
    filtered(list, { text: '', tag: '', state: '', ...filter }).map(({ id }) => id);

  it('are found by any of their words', () => {
    expect(ids({ text: 'cafe' })).toEqual(['1']);
    expect(ids({ text: 'FLOOR 2' })).toEqual(['2']);
    expect(ids({ text: 'المكتبة' })).toEqual(['2']);
    expect(ids({})).toEqual(['1', '2']);
  });

  it('are narrowed by tag and by use', () => {
    expect(ids({ tag: 'evening' })).toEqual(['2']);
    expect(ids({ state: 'used' })).toEqual(['1']);
    expect(ids({ state: 'free', tag: 'lab' })).toEqual(['2']);
    expect(tagsOf(list)).toEqual(['evening', 'lab']);
  });

  it('are typed as people type them', () => {
    expect(addressOf(' 192.0.2.1:5900 ')).toBe('vnc://192.0.2.1:5900');
    expect(addressOf('vnc://host:1')).toBe('vnc://host:1');
    expect(addressOf('')).toBe('');
    expect(readTags('lab, lab،  second floor ,')).toEqual(['lab', 'second floor']);
    expect(fieldsOf(undefined)).toMatchObject({ name: '', floor: 'open', tags: [] });
  });
});
