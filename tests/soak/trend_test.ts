import { assert, assertEquals } from "@std/assert";
import { seededRandom } from "../../lib/parts/random.ts";
import { riseOf, type Sample, slopeSeenPerHour, trendOf, verdictOf } from "./trend.ts";

const MINUTE_MS = 60_000;

function assertNear(actual: number, expected: number): void {
  assert(Math.abs(actual - expected) < 1e-6, `${actual} is not ${expected}`);
}

/** A sample each minute, from a time that is no round number. */
function samplesOf(values: readonly number[]): Sample[] {
  return values.map((value, minute) => ({ atMs: 1_234_567_890 + minute * MINUTE_MS, value }));
}

/** Around 100, up and down by 5 at most, and by so much more each minute. */
function noisy(count: number, slope: number, seed = 1): number[] {
  const random = seededRandom(seed);
  return Array.from({ length: count }, (_, minute) => 95 + 10 * random() + slope * minute);
}

Deno.test("trendOf() finds the line that goes through all samples", () => {
  const trend = trendOf(samplesOf([10, 12, 14, 16, 18, 20, 22]))!;
  assertNear(trend.slopePerHour, 120);
  assertNear(trend.slopeErrorPerHour, 0);
  assertNear(riseOf(trend), 12);
  const { count, first, last, min, max, spanMs } = trend;
  assertEquals([count, first, last, min, max, spanMs], [7, 10, 22, 10, 22, 6 * MINUTE_MS]);
});

Deno.test("trendOf() gives the slope and its error as a textbook does", () => {
  // By hand: hours 0, 1, 2, 3 and values 1, 3, 2, 5: slope 1.1, residues add up to 2.7.
  const hours = [1, 3, 2, 5].map((value, hour) => ({ atMs: hour * 3_600_000, value }));
  const trend = trendOf(hours)!;
  assertNear(trend.slopePerHour, 1.1);
  assertNear(trend.slopeErrorPerHour, Math.sqrt(2.7 / 2 / 5));
});

Deno.test("trendOf() has no line where there is nothing to draw one through", () => {
  assertEquals(trendOf([]), undefined);
  const one = trendOf(samplesOf([7]))!;
  assertEquals([one.first, one.last, one.slopePerHour], [7, 7, 0]);
  assertEquals(one.slopeErrorPerHour, Infinity);
  const atOnce = trendOf([{ atMs: 5, value: 1 }, { atMs: 5, value: 9 }])!;
  assertEquals([atOnce.slopePerHour, atOnce.max], [0, 9]);
});

Deno.test("verdictOf() calls a leak growth, under noise too", () => {
  assertEquals(verdictOf(trendOf(samplesOf(noisy(30, 1))), 16), "grows");
  // A jump that stays, as of a pool that was filled, is growth too when it is above the bound.
  const jump = [...Array<number>(10).fill(100), ...Array<number>(10).fill(140)];
  assertEquals(verdictOf(trendOf(samplesOf(jump)), 16), "grows");
});

Deno.test("verdictOf() calls noise, falling, and a rise within the bound flat", () => {
  for (let seed = 1; seed <= 50; seed++) {
    assertEquals(verdictOf(trendOf(samplesOf(noisy(20, 0, seed))), 4), "flat", `seed ${seed}`);
  }
  assertEquals(verdictOf(trendOf(samplesOf(noisy(30, -3))), 16), "flat");
  const slow = Array.from({ length: 30 }, (_, minute) => 100 + 0.2 * minute);
  assertEquals(verdictOf(trendOf(samplesOf(slow)), 16), "flat");
  assertEquals(verdictOf(trendOf(samplesOf(slow)), 4), "grows");
  assertEquals(verdictOf(trendOf(samplesOf([5, 5, 5, 5, 5, 5])), 0), "flat");
});

Deno.test("verdictOf() says nothing of a few samples", () => {
  assertEquals(verdictOf(undefined, 1), "short");
  assertEquals(verdictOf(trendOf(samplesOf([1, 100, 1_000, 10_000])), 1), "short");
});

Deno.test("slopeSeenPerHour() tells how fast a leak must be to be seen", () => {
  const still = trendOf(samplesOf(Array(61).fill(100)))!; // An hour.
  assertNear(slopeSeenPerHour(still, 16), 16);
  const short = trendOf(samplesOf(Array(7).fill(100)))!;
  assertNear(slopeSeenPerHour(short, 16), 160);
  const wild = trendOf(samplesOf([100, 900, 100, 900, 100, 900]))!;
  assert(slopeSeenPerHour(wild, 16) > slopeSeenPerHour(short, 16));
});
