// Keeps the whole page on the device, so that it opens without a network, and in one version: every file is checked
// against the digest that it had when the page was exported, when it comes and each time that it is used, for other
// pages of the same origin may write into our cache. Filled in by `torchfakes export --format web`.

const VERSION = "@VERSION@";
// Digests (SHA-256) of the files that the page always needs, and of those that only some devices need.
const NEEDED = {/*NEEDED*/};
const IF_ASKED = {/*IF_ASKED*/};

const SCOPE = new URL(self.registration.scope);
// Several pages may lie on one server; each has caches of its own.
const PREFIX = `torchfakes ${SCOPE.pathname} `;
const CACHE = PREFIX + VERSION;

// A page that is isolated from other origins may compute with several threads. Scripts in workers obey the policy that
// comes with them, not the page's.
const HEADERS = {
  "Cross-Origin-Opener-Policy": "same-origin",
  "Cross-Origin-Embedder-Policy": "require-corp",
  "Content-Security-Policy":
    "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; style-src 'self'; img-src 'self' blob:; " +
    "media-src 'self' blob:; connect-src 'self'; worker-src 'self'; manifest-src 'self'; " +
    "base-uri 'none'; form-action 'none'",
};

self.addEventListener("install", (event) => {
  event.waitUntil(Promise.all(Object.entries(NEEDED).map(([name, digest]) => keep(name, digest))));
});

self.addEventListener("activate", (event) => event.waitUntil(takeOver()));

async function takeOver() {
  const names = await caches.keys();
  await Promise.all(
    names.filter((name) => name.startsWith(PREFIX) && name !== CACHE).map((name) => caches.delete(name)),
  );
  await self.clients.claim();
}

// A newer version waits until its user wants it: a page must not get half of its files from either.
self.addEventListener("message", (event) => {
  if (event.data === "take over") self.skipWaiting();
});

self.addEventListener("fetch", (event) => {
  const url = new URL(event.request.url);
  if (event.request.method !== "GET" || url.origin !== SCOPE.origin || !url.pathname.startsWith(SCOPE.pathname)) return;
  const name = url.pathname.slice(SCOPE.pathname.length) || "index.html";
  const digest = NEEDED[name] ?? IF_ASKED[name];
  if (digest) event.respondWith(answer(name, digest).catch((error) => stepAside(error, event.request)));
});

async function answer(name, digest) {
  const cache = await caches.open(CACHE);
  const kept = await cache.match(name);
  const [bytes, type] = (kept && (await checked(kept, digest))) ?? (await keep(name, digest));
  const headers = { ...HEADERS, "Content-Type": type, "Content-Length": String(bytes.byteLength) };
  return new Response(bytes, { status: 200, headers });
}

/** What a response holds, [bytes, type]; null where its digest is another. */
async function checked(response, digest) {
  const bytes = await response.arrayBuffer();
  const found = new Uint8Array(await crypto.subtle.digest("SHA-256", bytes));
  const hex = Array.from(found, (byte) => byte.toString(16).padStart(2, "0")).join("");
  return hex === digest ? [bytes, response.headers.get("Content-Type") ?? "application/octet-stream"] : null;
}

/** Fetch a file, check it, keep it; what it holds, as of `checked`. */
async function keep(name, digest) {
  const response = await fetch(new Request(name, { cache: "no-cache" }));
  if (!response.ok) throw new Error(`${name} cannot be kept: the server answers ${response.status}`);
  const found = await checked(response, digest);
  if (!found) throw new ChangedError(`${name} is not the one that was exported with this page`);
  const [bytes, type] = found;
  const headers = { "Content-Type": type, "Content-Length": String(bytes.byteLength) };
  await (await caches.open(CACHE)).put(name, new Response(bytes, { headers }));
  return found;
}

class ChangedError extends Error {}

/** Where the server has another version and this one is kept in part only, there is nothing left to serve. */
async function stepAside(error, request) {
  if (!(error instanceof ChangedError)) throw error;
  await self.registration.unregister();
  return fetch(request);
}
