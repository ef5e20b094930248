import { assertEquals } from "@std/assert";
import { BOUNDS_SECONDS, Durations } from "../../lib/observe/durations.ts";

/** Durations that took these. */
function durationsOf(...times: number[]): Durations {
  const durations = new Durations();
  for (const ms of times) durations.record(ms);
  return durations;
}

/** The buckets that are not empty, by their upper bound in seconds. */
function filled({ buckets }: Durations): [number, number][] {
  return buckets
    .map((count, index): [number, number] => [BOUNDS_SECONDS[index] ?? Infinity, count])
    .filter(([, count]) => count > 0);
}

Deno.test("Durations counts each in the first bucket that it is not above", () => {
  const durations = durationsOf(0, 0.1, 0.11, 16, 25, 2_500, 2_501, 86_400_000);
  assertEquals(filled(durations), [[0.0001, 2], [0.00025, 1], [0.025, 2], [2.5, 1], [Infinity, 2]]);
  assertEquals(durations.count, 8);
  assertEquals(durationsOf(250, 750, 1_000).sumSeconds, 2);
});

Deno.test("Durations has bounds that go up, and one bucket more", () => {
  assertEquals([...BOUNDS_SECONDS].sort((one, other) => one - other), [...BOUNDS_SECONDS]);
  assertEquals(new Durations().buckets.length, BOUNDS_SECONDS.length + 1);
});

Deno.test("Durations ranks what came since the last look", () => {
  const durations = durationsOf(...Array.from({ length: 100 }, (_, index) => 100 - index));
  assertEquals(durations.takeRecent(), { p50: 50, p99: 99, max: 100 });
  assertEquals(durations.takeRecent(), { p50: 0, p99: 0, max: 0 });
  durations.record(7);
  assertEquals(durations.takeRecent(), { p50: 7, p99: 7, max: 7 });
  assertEquals(durations.count, 101);
});

Deno.test("Durations ranks the newest when more came than it keeps, but knows the longest of all", () => {
  const durations = durationsOf(5_000);
  for (let index = 0; index < 8_192; index++) durations.record(index < 4_096 ? 1 : 3);
  assertEquals(durations.takeRecent(), { p50: 1, p99: 3, max: 5_000 });
  assertEquals(durations.count, 8_193);
});

Deno.test("Durations takes nothing for a time that is none", () => {
  const durations = durationsOf(-3, NaN, 4);
  assertEquals([durations.count, durations.sumSeconds], [3, 0.004]);
  assertEquals(durations.takeRecent(), { p50: 0, p99: 4, max: 4 });
});
