/** What keeps coming is one line per interval. */
const EVERY_MS = 10_000;

/** Says the first of what comes again and again, then one of it in ten seconds. */
export function nowAndThen<A extends unknown[]>(say: (...what: A) => void): (...what: A) => void {
  let saidAt = -Infinity;
  return (...what) => {
    if (performance.now() - saidAt < EVERY_MS) return;
    saidAt = performance.now();
    say(...what);
  };
}
