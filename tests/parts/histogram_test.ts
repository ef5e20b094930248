import { assert, assertEquals } from "@std/assert";
import { Histogram } from "../../lib/parts/histogram.ts";

const RESOLUTION_MS = 0.02;

function histogramOf(durations: Iterable<number>): Histogram {
  const histogram = new Histogram();
  for (const ms of durations) histogram.record(ms);
  return histogram;
}

function assertNear(actual: number, expected: number): void {
  assert(Math.abs(actual - expected) <= RESOLUTION_MS, `${actual} is not about ${expected}`);
}

Deno.test("Histogram.percentile() is the duration that a share does not exceed", () => {
  const histogram = histogramOf(Array.from({ length: 100 }, (_, index) => 100 - index));
  assertEquals(histogram.count, 100);
  assertNear(histogram.percentile(0), 1);
  assertNear(histogram.percentile(0.01), 1);
  assertNear(histogram.percentile(0.5), 50);
  assertNear(histogram.percentile(0.501), 51);
  assertNear(histogram.percentile(0.99), 99);
  assertNear(histogram.percentile(1), 100);
});

Deno.test("Histogram.percentile() tells durations apart that differ by 40 µs", () => {
  const histogram = histogramOf([1, 1.04]);
  assert(histogram.percentile(0.5) < histogram.percentile(1));
});

Deno.test("Histogram.percentile() of nothing is 0", () => {
  assertEquals(new Histogram().percentile(0.5), 0);
});

Deno.test("Histogram.record() counts what is longer than 5 s as 5 s, and less than nothing as 0", () => {
  assertNear(histogramOf([60_000]).percentile(1), 5_000);
  assertNear(histogramOf([Infinity]).percentile(1), 5_000);
  assertNear(histogramOf([-3]).percentile(1), 0);
});

Deno.test("Histogram.clear() forgets all", () => {
  const histogram = histogramOf([5, 6]);
  histogram.clear();
  assertEquals(histogram.count, 0);
  assertEquals(histogram.percentile(1), 0);
  histogram.record(2);
  assertNear(histogram.percentile(1), 2);
});
