/** Gives a number from 0 (inclusive) to 1 (exclusive), as `Math.random` does. */
export type Random = () => number;

/**
 * A seeded generator: the same seed gives the same numbers on every machine. For simulations and
 * load, never for secrets.
 *
 * The algorithm is Mulberry32 (Tommy Ettinger, public domain): 32 bits of state, period 2^32.
 *
 * @param seed Any number; its lowest 32 bits count.
 */
export function seededRandom(seed: number): Random {
  let state = seed | 0;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}
