/**
 * Keeps the interface's own files, so that it opens at once and without a network. It never keeps, reads or answers
 * anything of the API: what people may see is asked of the server each time.
 */
// Filled in when the interface is built; see scripts/shell.js.
const FILES = [];
const CACHE = 'shell-';

self.addEventListener('install', (event) => {
  event.waitUntil(keep());
});

async function keep() {
  const cache = await caches.open(CACHE);
  await cache.addAll(FILES);
}

// A newer one takes over when the last page of the older one is closed: no page loses files that it still loads.
self.addEventListener('activate', (event) => {
  event.waitUntil(tidy());
});

async function tidy() {
  for (const name of await caches.keys()) if (name !== CACHE) await caches.delete(name);
  await self.clients.claim();
}

self.addEventListener('fetch', (event) => {
  const { request } = event;
  const url = new URL(request.url);
  if (request.method !== 'GET' || url.origin !== location.origin) return;
  if (request.mode === 'navigate' && !url.pathname.startsWith('/api/')) event.respondWith(page(request));
  else if (url.pathname.startsWith('/assets/')) event.respondWith(file(request));
});

/** A page comes from the server; without it, from what was kept: it then says itself that it is offline. */
async function page(request) {
  try {
    return await fetch(request);
  } catch {
    return (await caches.match('/', { cacheName: CACHE })) ?? Response.error();
  }
}

/** A file whose name carries its content never changes. */
async function file(request) {
  const kept = await caches.match(request, { cacheName: CACHE });
  if (kept) return kept;
  const answer = await fetch(request);
  if (answer.ok) await (await caches.open(CACHE)).put(request, answer.clone());
  return answer;
}
