import type { Quaternion, Traits, Vector } from "./traits.ts";

/** Where an object is drawn. */
export interface Pose {
  /** Between two places that were told. */
  readonly position: Vector;
  /** Which way it faces, of length 1. */
  readonly quaternion: Quaternion;
}

interface Sample extends Pose {
  readonly at: number;
}

/** So much of the past is kept: nothing is drawn later. */
export const HISTORY_MS = 2_000;
const SAMPLES_MAX = 512;
/** Of an object not heard of for so long it is assumed that it stood still until a moment ago. */
const STILL_MS = 250;
const STILL_TICKS = 3;
/** How much of a tick passes when the clock is ahead. */
const SLOW_SHARE = 0.25;

/** Where one object was lately: to be drawn between the places of which there was news. */
export class Motion {
  /** The oldest first. */
  readonly #samples: Sample[] = [];

  /**
   * It is there then.
   *
   * @param at In ms on the client's clock, see {@link TickClock}.
   * @param tickMs How long before it may have begun to move, at the least.
   */
  add({ position, quaternion }: Traits, at: number, tickMs: number): void {
    const samples = this.#samples;
    const last = samples.at(-1);
    const pose = { position, quaternion: normalized(quaternion) };
    if (last && at <= last.at) {
      // The clock went back to where it should be: time goes slower until it is there.
      if (tickMs > 0) at = last.at + tickMs * SLOW_SHARE;
      else samples.pop();
    }
    if (last && at - last.at > Math.max(STILL_MS, STILL_TICKS * tickMs)) {
      samples.push({ ...last, at: Math.max(last.at, at - tickMs) });
    }
    samples.push({ ...pose, at });
    const old = samples.findIndex((sample) => sample.at >= at - HISTORY_MS);
    const excess = Math.max(old - 1, samples.length - SAMPLES_MAX);
    if (excess > 0) samples.splice(0, excess);
  }

  /** Where it is at a moment: between two samples, or at the first or the last. */
  poseAt(at: number): Pose | undefined {
    const samples = this.#samples;
    let after = samples.length;
    while (after > 0 && samples[after - 1]!.at > at) after--;
    const [one, other] = [samples[after - 1], samples[after]];
    if (!one || !other) return one ?? other;
    const share = (at - one.at) / (other.at - one.at);
    return {
      position: mix(one.position, other.position, share) as unknown as Vector,
      quaternion: turned(one.quaternion, other.quaternion, share),
    };
  }
}

/** How far a tick may be from where it was expected before the clock is set anew. */
const JUMP_MS = 1_000;
/** How much later it gets in a millisecond, when everything comes later: no jitter lasts so long. */
const DRIFT = 0.01;

/**
 * When ticks happened, on the client's clock: as if each had travelled as fast as the fastest lately. So
 * what comes unevenly is drawn evenly.
 */
export class TickClock {
  #tickMs: number | undefined;
  /** When tick 0 was. */
  #zeroAt: number | undefined;
  #heardAt = -Infinity;

  /** Between two ticks; 0 when they come as they like. */
  get tickMs(): number {
    return this.#tickMs ?? 0;
  }

  /** Ticks a second as the server says; 0 when they come as they like. */
  setRate(hz: number): void {
    const tickMs = hz > 0 ? 1_000 / hz : undefined;
    if (tickMs === this.#tickMs) return;
    this.#tickMs = tickMs;
    this.#zeroAt = undefined;
  }

  /** Something of a tick has come now. Returns when that tick was. */
  hear(tick: number, now: number): number {
    if (this.#tickMs === undefined) return now;
    const zeroAt = now - tick * this.#tickMs;
    const aheadMs = zeroAt - (this.#zeroAt ?? Infinity);
    if (aheadMs < 0 || aheadMs > JUMP_MS) this.#zeroAt = zeroAt;
    else this.#zeroAt! += Math.min(aheadMs, DRIFT * (now - this.#heardAt));
    this.#heardAt = now;
    return this.#zeroAt! + tick * this.#tickMs;
  }

  /** Another world begins. */
  reset(): void {
    this.#zeroAt = undefined;
  }
}

function mix(one: readonly number[], other: readonly number[], share: number): number[] {
  return one.map((value, index) => value + (other[index]! - value) * share);
}

/** The shorter way from one orientation to another: spherical interpolation. */
function turned(one: Quaternion, other: Quaternion, share: number): Quaternion {
  const dot = one.reduce((sum, value, index) => sum + value * other[index]!, 0);
  // q and -q are the same orientation: the nearer of the two is taken.
  const near = dot < 0 ? other.map((value) => -value) : other;
  const angle = Math.acos(Math.min(1, Math.abs(dot)));
  if (angle < 1e-4) return normalized(mix(one, near, share) as unknown as Quaternion);
  const [from, to] = [Math.sin((1 - share) * angle), Math.sin(share * angle)];
  const sum = one.map((value, index) => (value * from + near[index]! * to) / Math.sin(angle));
  return sum as unknown as Quaternion;
}

function normalized(quaternion: Quaternion): Quaternion {
  const length = Math.hypot(...quaternion);
  if (!(length > 0 && Number.isFinite(length))) return [1, 0, 0, 0];
  return quaternion.map((value) => value / length) as unknown as Quaternion;
}
