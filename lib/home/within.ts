/** Work that has an end: a time limit, and somebody who may call it off. */

/** The time was up. */
export class LateError extends Error {
  /** The name of the class. */
  override readonly name = "LateError";
}

/**
 * Gives work a signal that is aborted after `timeoutMs`, or when `signal` is.
 *
 * @throws Whatever the work throws; that it was late is {@link LateError} when it passes its signal on.
 */
export async function withTimeLimit<T>(
  timeoutMs: number,
  signal: AbortSignal,
  work: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  const late = new AbortController();
  const timer = setTimeout(() => {
    late.abort(new LateError(`no answer within ${timeoutMs / 1_000} s`));
  }, timeoutMs);
  try {
    return await work(AbortSignal.any([signal, late.signal]));
  } finally {
    clearTimeout(timer);
  }
}

/** Waits for so long, or until `signal` is aborted. */
export function pause(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) return resolve();
    const end = (): void => {
      clearTimeout(timer);
      signal.removeEventListener("abort", end);
      resolve();
    };
    const timer = setTimeout(end, Math.max(0, ms));
    signal.addEventListener("abort", end);
  });
}

/** Closes what may be closed already. */
export function closeQuietly(socket: { close(): void } | undefined): void {
  try {
    socket?.close();
  } catch {
    // It was.
  }
}
