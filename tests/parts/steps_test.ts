import { assert, assertEquals } from "@std/assert";
import { seededRandom } from "../../lib/parts/random.ts";
import { Steps } from "../../lib/parts/steps.ts";
import { forEachSeed } from "../support/seeds.ts";

Deno.test("Steps.take() takes each step once, counted from the first time", () => {
  const steps = new Steps(20);
  assertEquals(steps.nextAt(), undefined);
  const counts = [1_000, 1_019, 1_020, 1_020, 1_079, 1_080].map((now) => steps.take(now).count);
  assertEquals(counts, [0, 0, 1, 0, 2, 1]);
  assertEquals(steps.nextAt(), 1_100);
});

Deno.test("Steps.take() makes up for 250 ms, and leaves out what is older", () => {
  const steps = new Steps(10);
  steps.take(0);
  assertEquals(steps.take(250), { count: 25, stalledMs: 0 });
  assertEquals(steps.take(1_000), { count: 25, stalledMs: 500 });
  assertEquals(steps.nextAt(), 1_010);
});

Deno.test("Steps.take() tells of time that was left out at most every 10 s", () => {
  const steps = new Steps(100);
  const stalls = [0, 1_000, 2_000, 10_999, 11_000, 22_000].map((now) => steps.take(now).stalledMs);
  // What was left out at 11,000 is nothing: one step was due.
  assertEquals(stalls, [0, 700, 0, 0, 0, 10_700]);
});

Deno.test("Steps.skip() leaves steps out, and tells nobody", () => {
  const steps = new Steps(100);
  steps.skip(0);
  steps.skip(5_050);
  assertEquals(steps.nextAt(), 5_100);
  assertEquals(steps.lateness.count, 0);
  assertEquals(steps.take(5_100), { count: 1, stalledMs: 0 });
});

Deno.test("Steps.lateness has how late each step was that was taken", () => {
  const steps = new Steps(100);
  steps.take(0);
  steps.take(250);
  assertEquals(steps.lateness.count, 2);
  assertEquals([0.5, 1].map((share) => Math.round(steps.lateness.percentile(share))), [50, 150]);
  steps.take(10_000);
  assertEquals(steps.lateness.count, 5);
});

Deno.test("Steps are as many as there is time, whenever they are taken", () => {
  forEachSeed(100, (seed) => {
    const random = seededRandom(seed);
    const periodMs = [1_000 / 60, 1, 0.7 + 100 * random()][seed % 3]!;
    const startedAt = 1e6 * random();
    const steps = new Steps(periodMs);
    let count = 0;
    for (let now = startedAt; now < startedAt + 5_000; now += 240 * random() ** 3) {
      count += steps.take(now).count;
      const nextAt = steps.nextAt()!;
      assert(nextAt > now, `seed ${seed}`);
      assertEquals(count, Math.round((nextAt - startedAt) / periodMs) - 1, `seed ${seed}`);
    }
  });
});
