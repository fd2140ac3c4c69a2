import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { Thumbnail, waitOf } from './thumbnail.svelte';

const asked: Record<string, string>[] = [];
let answer: () => Response;

beforeEach(() => {
  vi.useFakeTimers();
  asked.length = 0;
  vi.stubGlobal('fetch', (_path: string, init: RequestInit) => {
    asked.push(init.headers as Record<string, string>);
    return Promise.resolve(answer());
  });
});
afterEach(() => {
  vi.useRealTimers();
  vi.unstubAllGlobals();
});

const picture = (tag: string, again: number) =>
  new Response(new Blob(['x'], { type: 'image/png' }), { headers: { etag: tag, age: '3', 'retry-after': `${again}` } });

test('it asks when the server says so, and with the tag of what it has', async () => {
  const thumbnail = new Thumbnail('t1');
  answer = () => new Response(null, { status: 204, headers: { 'retry-after': '2' } });
  const end = thumbnail.watch();
  await vi.advanceTimersByTimeAsync(0);
  expect([asked.length, thumbnail.url]).toEqual([1, undefined]);
  answer = () => picture('"a"', 30);
  await vi.advanceTimersByTimeAsync(2000);
  expect(asked.length).toBe(2);
  expect(thumbnail.url).toMatch(/^blob:/);
  expect(Date.now() - (thumbnail.at?.getTime() ?? 0)).toBe(3000);
  answer = () => new Response(null, { status: 304, headers: { 'retry-after': '30' } });
  await vi.advanceTimersByTimeAsync(29_000);
  expect(asked.length).toBe(2);
  await vi.advanceTimersByTimeAsync(1000);
  expect(asked[2]?.['if-none-match']).toBe('"a"');
  expect(thumbnail.url).toMatch(/^blob:/);
  end();
  await vi.advanceTimersByTimeAsync(60_000);
  expect(asked.length, 'nobody looks').toBe(3);
});

test('who looks again soon does not ask again', async () => {
  const thumbnail = new Thumbnail('t1');
  answer = () => picture('"a"', 30);
  const end = thumbnail.watch();
  await vi.advanceTimersByTimeAsync(0);
  end();
  await vi.advanceTimersByTimeAsync(10_000);
  const endAgain = thumbnail.watch();
  await vi.advanceTimersByTimeAsync(19_000);
  expect(asked.length).toBe(1);
  await vi.advanceTimersByTimeAsync(1000);
  expect(asked.length).toBe(2);
  endAgain();
});

test('what may not be seen any more is gone; what is not answered stays', async () => {
  const thumbnail = new Thumbnail('t1');
  answer = () => picture('"a"', 2);
  const end = thumbnail.watch();
  await vi.advanceTimersByTimeAsync(0);
  answer = () => new Response('', { status: 503, headers: { 'retry-after': '2' } });
  await vi.advanceTimersByTimeAsync(2000);
  expect(thumbnail.url).toMatch(/^blob:/);
  answer = () => new Response('', { status: 404 });
  await vi.advanceTimersByTimeAsync(2000);
  expect([thumbnail.url, thumbnail.at]).toEqual([undefined, undefined]);
  end();
});

test('waits are within reason', () => {
  const wait = (seconds: string) => waitOf(new Headers({ 'retry-after': seconds }));
  expect([wait('0'), wait('45'), wait('1800'), wait('soon')]).toEqual([2000, 45_000, 300_000, 30_000]);
  expect(waitOf(new Headers())).toBe(30_000);
});
