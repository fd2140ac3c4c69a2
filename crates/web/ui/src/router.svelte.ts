/** Addresses of the interface, on the History API. */
export type Route =
  { page: 'targets' } | { page: 'login' } | { page: 'console'; token: string } | { page: 'missing'; path: string };

/** What a console page needs to know about where it was opened from; survives a reload. */
export interface Origin {
  fromList?: boolean;
  targetId?: string;
}

// Tokens are base32 or base64url; anything else is not a console's address.
const consolePath = /^\/console\/([A-Za-z0-9_-]{16,128})\/?$/;

export function match(path: string): Route {
  if (path === '/') return { page: 'targets' };
  if (path === '/login' || path === '/login/') return { page: 'login' };
  const token = consolePath.exec(path)?.[1];
  if (token) return { page: 'console', token };
  return { page: 'missing', path };
}

class Router {
  route: Route = $state(match(location.pathname));

  constructor() {
    addEventListener('popstate', () => {
      this.route = match(location.pathname);
    });
  }

  go(path: string, origin: Origin = {}, replace = false): void {
    history[replace ? 'replaceState' : 'pushState'](origin, '', path);
    this.route = match(location.pathname);
  }

  get origin(): Origin {
    return (history.state as Origin | null) ?? {};
  }
}

export const router = new Router();

/** For links: a plain click stays in the page, any other click is the browser's. */
export function follow(event: MouseEvent): void {
  const link = (event.currentTarget as Element).closest('a');
  if (!link || event.defaultPrevented || event.button !== 0) return;
  if (event.ctrlKey || event.metaKey || event.shiftKey || event.altKey) return;
  event.preventDefault();
  router.go(link.pathname);
}
