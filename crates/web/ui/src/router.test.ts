import { beforeEach, describe, expect, it } from 'vitest';
import { match, router } from './router.svelte';

const TOKEN = 'abcdefghijklmnopqrstuvwxyz234567abcdefghijklmnopqrst';

describe('addresses', () => {
  beforeEach(() => router.go('/', {}, true));

  it('name pages', () => {
    expect(match('/')).toEqual({ page: 'targets' });
    expect(match('/login')).toEqual({ page: 'login' });
    expect(match(`/console/${TOKEN}`)).toEqual({ page: 'console', token: TOKEN });
    expect(match(`/console/${TOKEN}/`)).toEqual({ page: 'console', token: TOKEN });
  });

  it('that are none are told so', () => {
    for (const path of [
      '/console',
      '/console/',
      '/console/short',
      `/console/${TOKEN}/x`,
      '/console/../../etc/passwd',
      '/x',
    ]) {
      expect(match(path)).toEqual({ page: 'missing', path });
    }
  });

  it('change with the page, and remember where a console was opened from', () => {
    router.go(`/console/${TOKEN}`, { fromList: true, targetId: '7' });
    expect(router.route).toEqual({ page: 'console', token: TOKEN });
    expect(router.origin).toEqual({ fromList: true, targetId: '7' });
    router.go('/');
    expect(router.route).toEqual({ page: 'targets' });
    expect(router.origin).toEqual({});
  });
});
