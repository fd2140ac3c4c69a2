import { beforeEach, describe, expect, it } from 'vitest';
import { match, router } from './router.svelte';

const TOKEN = 'abcdefghijklmnopqrstuvwxyz234567abcdefghijklmnopqrst';
const ID = '0199b8f0-1c2d-7e3f-8a4b-5c6d7e8f9a0b';

describe('addresses', () => {
  beforeEach(() => router.go('/', {}, true));

  it('name pages', () => {
    expect(match('/')).toEqual({ page: 'targets', mode: 'show' });
    expect(match('/login')).toEqual({ page: 'login' });
    expect(match('/auth/login')).toEqual({ page: 'login' });
    expect(match('/reference')).toEqual({ page: 'api-docs' });
    expect(match('/settings/tokens')).toEqual({ page: 'settings', tab: 'tokens' });
    expect(match(`/console/${TOKEN}`)).toEqual({ page: 'console', token: TOKEN });
    expect(match(`/console/${TOKEN}/`)).toEqual({ page: 'console', token: TOKEN });
    expect(match('/open/cluster:112')).toEqual({ page: 'open', target: 'cluster:112' });
  });

  it('that other products had lead to the target they name', () => {
    for (const path of ['/student/console/7', '/teacher/console/7', '/admin/console/7/', '/api/console/7/view2']) {
      expect(match(path), path).toEqual({ page: 'open', target: '7' });
    }
    expect(match('/nobody/console/7')).toEqual({ page: 'missing', path: '/nobody/console/7' });
  });

  it('name the entry of a list whose panel is open', () => {
    expect(match('/sessions')).toEqual({ page: 'sessions', mode: 'show' });
    expect(match(`/sessions/${ID}`)).toEqual({ page: 'sessions', id: ID, mode: 'show' });
    expect(match(`/targets/${ID}/edit`)).toEqual({ page: 'targets', id: ID, mode: 'edit' });
    expect(match('/users/new')).toEqual({ page: 'users', mode: 'new' });
  });

  it('that are none are told so', () => {
    for (const path of [
      '/console',
      '/console/',
      '/console/short',
      `/console/${TOKEN}/x`,
      '/console/../../etc/passwd',
      '/x',
      '/users/a/b/c',
      '/open/',
      '/settings/else',
    ]) {
      expect(match(path)).toEqual({ page: 'missing', path });
    }
  });

  it('change with the page, and remember where a console was opened from', () => {
    router.go(`/console/${TOKEN}`, { fromList: true, targetId: '7' });
    expect(router.route).toEqual({ page: 'console', token: TOKEN });
    expect(router.origin).toEqual({ fromList: true, targetId: '7' });
    router.go('/');
    expect(router.route).toEqual({ page: 'targets', mode: 'show' });
    expect(router.origin).toEqual({});
  });

  it('hold the filters, which stay when a panel opens and do not fill the history', () => {
    const before = history.length;
    router.filter('q', 'lab');
    router.filter('state', 'used');
    expect(location.search).toBe('?q=lab&state=used');
    expect(router.query.get('q')).toBe('lab');
    expect(history.length).toBe(before);
    const page = router.route;
    router.go(router.keep('/targets/7'));
    expect(location.pathname + location.search).toBe('/targets/7?q=lab&state=used');
    expect(router.route).not.toBe(page);
    router.filter('q', undefined);
    expect(location.search).toBe('?state=used');
  });
});
