/** A time of day that fits into three decimals: in tenths of a second, anew every 1,000 s. */
const PERIOD_MS = 1_000_000;

function nowMs(): number {
  return (performance.timeOrigin + performance.now()) % PERIOD_MS;
}

/** This moment. */
export function stamp(): number {
  return nowMs() / 100;
}

/** How long ago a stamp was made, in ms. */
export function ageMs(stamp: number): number {
  return (nowMs() - 100 * stamp + PERIOD_MS) % PERIOD_MS;
}
