/**
 * Loaded before the server's own code: collects its garbage every few seconds, so that what it holds can be
 * told from what only waits to be collected. Needs `--v8-flags=--expose-gc`.
 */
const EVERY_MS = 2_000;

Deno.unrefTimer(setInterval(() => (globalThis as { gc?: () => void }).gc?.(), EVERY_MS));
