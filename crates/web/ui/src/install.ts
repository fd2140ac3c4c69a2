/** Lets the browser keep the shell and install it: the service worker that `public/sw.js` is. */
const WORKER = '/sw.js';

interface Policies {
  createPolicy: (
    name: string,
    rules: { createScriptURL: (url: string) => string },
  ) => {
    createScriptURL: (url: string) => URL | string;
  };
}

export function install(): void {
  // A worker's address is code to the page's policy: this one, and no other, is trusted.
  const { trustedTypes } = window as unknown as { trustedTypes?: Policies };
  const policy = trustedTypes?.createPolicy('gatehouse-worker', {
    createScriptURL: (url) => {
      if (url !== WORKER) throw new TypeError(`${url} is no worker of this interface`);
      return url;
    },
  });
  const start = () => {
    const url = policy?.createScriptURL(WORKER) ?? WORKER;
    // Without it the interface only loads more often.
    navigator.serviceWorker.register(url).catch(() => undefined);
  };
  if (document.readyState === 'complete') start();
  else addEventListener('load', start, { once: true });
}
