/** Waiting for something to become true, instead of for a time that is long enough on most days. */

/** How long anything on loopback may take, on a machine that does much else, before a test calls it lost. */
export const PATIENCE_MS = 30_000;

/**
 * Looks every few milliseconds until `condition` holds.
 *
 * @throws {Error} It did not hold within `timeoutMs`; the message names what was awaited.
 */
export async function until(
  what: string,
  condition: () => boolean | Promise<boolean>,
  timeoutMs: number = PATIENCE_MS,
): Promise<void> {
  const giveUpAt = performance.now() + timeoutMs;
  while (!await condition()) {
    if (performance.now() > giveUpAt) throw new Error(`still waiting for: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 2));
  }
}

/**
 * The value of a promise, if it comes in time.
 *
 * @throws {Error} It did not settle within `timeoutMs`; the message names what was awaited.
 */
export async function within<T>(
  what: string,
  promise: Promise<T>,
  timeoutMs: number = PATIENCE_MS,
): Promise<T> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`still waiting for: ${what}`)), timeoutMs);
  });
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
}
