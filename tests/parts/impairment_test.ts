import { assert, assertEquals, assertThrows } from "@std/assert";
import { createFate, type Impairment, LAG_MS_MAX } from "../../lib/parts/impairment.ts";
import { seededRandom } from "../../lib/parts/random.ts";

const GOOD: Impairment = { lossShare: 0, lagMs: 0, jitterMs: 0, duplicateShare: 0 };
const DATAGRAMS = 20_000;

/** The fates of many datagrams. */
function fatesOf(impairment: Partial<Impairment>, seed = 1): (readonly number[])[] {
  const fate = createFate({ ...GOOD, ...impairment }, seededRandom(seed));
  return Array.from({ length: DATAGRAMS }, fate);
}

function share(fates: (readonly number[])[], copies: number): number {
  return fates.filter(({ length }) => length === copies).length / fates.length;
}

function assertNear(actual: number, expected: number, by: number): void {
  assert(Math.abs(actual - expected) <= by, `${actual} is not near ${expected}`);
}

Deno.test("createFate() lets every datagram of a good network arrive once and at once", () => {
  assert(fatesOf({}).every((delays) => delays.length === 1 && delays[0] === 0));
});

Deno.test("createFate() loses and repeats as many as it is told", () => {
  const lossy = fatesOf({ lossShare: 0.2 });
  assertNear(share(lossy, 0), 0.2, 0.01);
  assertEquals(share(lossy, 2), 0);
  const repeating = fatesOf({ duplicateShare: 0.1 });
  assertNear(share(repeating, 2), 0.1, 0.01);
  assertEquals(share(repeating, 0), 0);
  const both = fatesOf({ lossShare: 0.5, duplicateShare: 0.5 });
  assertNear(share(both, 0), 0.5, 0.01);
  assertNear(share(both, 2), 0.25, 0.01);
  assertEquals(share(fatesOf({ lossShare: 1, duplicateShare: 1 }), 0), 1);
  assertEquals(share(fatesOf({ duplicateShare: 1 }), 2), 1);
});

Deno.test("createFate() spreads delays evenly around the lag, each copy by itself", () => {
  assert(fatesOf({ lagMs: 40 }).every(([delay]) => delay === 40));
  const fates = fatesOf({ lagMs: 40, jitterMs: 10, duplicateShare: 0.5 });
  const delays = fates.flat();
  assert(delays.every((delay) => delay >= 30 && delay < 50));
  for (const [below, part] of [[32.5, 0.125], [35, 0.25], [40, 0.5], [45, 0.75]] as const) {
    assertNear(delays.filter((delay) => delay < below).length / delays.length, part, 0.01);
  }
  assert(fates.filter((copies) => copies.length === 2).every(([one, other]) => one !== other));
});

Deno.test("createFate() never lets a datagram arrive before it was sent", () => {
  const delays = fatesOf({ lagMs: 5, jitterMs: 20 }).flat();
  assert(delays.every((delay) => delay >= 0 && delay < 25));
  assertNear(delays.filter((delay) => delay === 0).length / delays.length, 15 / 40, 0.01);
});

Deno.test("createFate() gives the same fates for the same seed, and others for another", () => {
  const bad = { lossShare: 0.1, lagMs: 40, jitterMs: 10, duplicateShare: 0.1 };
  assertEquals(fatesOf(bad, 7), fatesOf(bad, 7));
  assert(JSON.stringify(fatesOf(bad, 7)) !== JSON.stringify(fatesOf(bad, 8)));
});

Deno.test("createFate() refuses what no network does", () => {
  for (const name of ["lossShare", "duplicateShare"] as const) {
    for (const value of [-0.1, 1.1, NaN]) {
      assertThrows(() => fatesOf({ [name]: value }), RangeError, `${name} is from 0 to 1`);
    }
  }
  for (const name of ["lagMs", "jitterMs"] as const) {
    for (const value of [-1, LAG_MS_MAX + 1, NaN, Infinity]) {
      assertThrows(() => fatesOf({ [name]: value }), RangeError, `${name} is from 0 to 60000`);
    }
  }
});
