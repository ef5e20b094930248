/** A bad network, as chance: what becomes of each datagram on it. */
import type { Random } from "./random.ts";
import { checkRange } from "./range.ts";

/** How bad a network is in one direction. A round trip meets all of it twice. */
export interface Impairment {
  /** How many of the datagrams never arrive, 0 to 1. */
  readonly lossShare: number;
  /** How much later they arrive. */
  readonly lagMs: number;
  /**
   * By how much that varies, up and down, each datagram by itself: so the later one may arrive first. No
   * datagram arrives before it was sent, so above `lagMs` the mean rises.
   */
  readonly jitterMs: number;
  /** How many of those that arrive do so twice, 0 to 1. */
  readonly duplicateShare: number;
}

/** What becomes of the next datagram: after how many ms each of its copies arrives; none when it is lost. */
export type Fate = () => readonly number[];

/** The longest lag, and the widest jitter. */
export const LAG_MS_MAX = 60_000;

/**
 * A network as bad as this; the same random numbers give the same fates. Copies vary in delay too.
 *
 * @throws {RangeError} A share is not from 0 to 1, or a time not from 0 to {@link LAG_MS_MAX}.
 */
export function createFate(impairment: Impairment, random: Random): Fate {
  const { lossShare, lagMs, jitterMs, duplicateShare } = impairment;
  checkRange("lossShare", lossShare, 0, 1);
  checkRange("duplicateShare", duplicateShare, 0, 1);
  checkRange("lagMs", lagMs, 0, LAG_MS_MAX);
  checkRange("jitterMs", jitterMs, 0, LAG_MS_MAX);
  const delayMs = (): number => Math.max(0, lagMs + (2 * random() - 1) * jitterMs);
  return () => {
    if (random() < lossShare) return [];
    return random() < duplicateShare ? [delayMs(), delayMs()] : [delayMs()];
  };
}
