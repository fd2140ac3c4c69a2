/** Addresses of the interface, on the History API. Filters live in the query, so that a view can be sent to somebody. */
export type Route =
  /** A list; `id` names the entry whose panel is open, `mode` what is done to it. */
  | { page: ListPage; id?: string; mode: 'show' | 'edit' | 'new' }
  | { page: 'settings'; tab: SettingsTab }
  | { page: 'login' | 'welcome' | 'api-docs' }
  | { page: 'console'; token: string }
  /** The lasting address of a target's console: it asks for a ticket and goes there. */
  | { page: 'open'; target: string }
  | { page: 'missing'; path: string };

export type ListPage = 'targets' | 'sessions' | 'users' | 'groups' | 'audit';
export type SettingsTab = 'profile' | 'tokens' | 'server';

/** What a console page needs to know about where it was opened from; survives a reload. */
export interface Origin {
  fromList?: boolean;
  targetId?: string;
}

// Tokens are base32 or base64url; anything else is not a console's address.
const consolePath = /^\/console\/([A-Za-z0-9_-]{16,128})$/;
const openPath = /^\/open\/([A-Za-z0-9_:.-]{1,80})$/;
// Lasting addresses that other products had.
const olderPath =
  /^(?:\/(?:student|teacher|admin)\/console\/([A-Za-z0-9_:.-]{1,80})|\/api\/console\/([A-Za-z0-9_:.-]{1,80})\/view2)$/;
const listPath = /^\/(targets|sessions|users|groups|audit)(?:\/([A-Za-z0-9_-]{1,80})(\/edit)?)?$/;
const SETTINGS: Record<string, SettingsTab> = {
  '/settings': 'profile',
  '/settings/tokens': 'tokens',
  '/settings/server': 'server',
};

export function match(given: string): Route {
  const path = given.length > 1 && given.endsWith('/') ? given.slice(0, -1) : given;
  if (path === '/') return { page: 'targets', mode: 'show' };
  if (path === '/login' || path === '/auth/login') return { page: 'login' };
  if (path === '/welcome') return { page: 'welcome' };
  if (path === '/reference') return { page: 'api-docs' };
  const tab = SETTINGS[path];
  if (tab) return { page: 'settings', tab };
  const token = consolePath.exec(path)?.[1];
  if (token) return { page: 'console', token };
  const older = olderPath.exec(path);
  const target = openPath.exec(path)?.[1] ?? older?.[1] ?? older?.[2];
  if (target) return { page: 'open', target };
  const [found, page, id, edit] = listPath.exec(path) ?? [];
  if (!found) return { page: 'missing', path: given };
  if (id === undefined) return { page: page as ListPage, mode: 'show' };
  if (id === 'new') return { page: page as ListPage, mode: 'new' };
  return { page: page as ListPage, id, mode: edit ? 'edit' : 'show' };
}

class Router {
  route: Route = $state.raw(match(location.pathname));
  private search = $state(location.search);
  readonly query = $derived(new URLSearchParams(this.search));

  constructor() {
    addEventListener('popstate', () => this.read());
  }

  go(path: string, origin: Origin = {}, replace = false): void {
    history[replace ? 'replaceState' : 'pushState'](origin, '', path);
    this.read();
  }

  /** Sets or clears a filter. Typing does not fill the history. */
  filter(name: string, value: string | undefined): void {
    const query = new URLSearchParams(this.search);
    if (value) query.set(name, value);
    else query.delete(name);
    history.replaceState(history.state, '', location.pathname + (query.size > 0 ? `?${query}` : ''));
    this.read();
  }

  /** Another address with the filters that are set now: a panel opens and the list stays. */
  keep(path: string): string {
    return path + this.search;
  }

  get origin(): Origin {
    return (history.state as Origin | null) ?? {};
  }

  private read(): void {
    const next = match(location.pathname);
    if (JSON.stringify(next) !== JSON.stringify(this.route)) this.route = next;
    this.search = location.search;
  }
}

export const router = new Router();

/** For links: a plain click stays in the page, any other click is the browser's. */
export function follow(event: MouseEvent): void {
  const link = (event.currentTarget as Element).closest('a');
  if (!link || event.defaultPrevented || event.button !== 0) return;
  if (event.ctrlKey || event.metaKey || event.shiftKey || event.altKey) return;
  event.preventDefault();
  router.go(link.pathname + link.search);
}
