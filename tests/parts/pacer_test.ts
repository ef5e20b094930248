import { assert, assertEquals } from "@std/assert";
import { Pacer, type PacerOptions } from "../../lib/parts/pacer.ts";

/** Rounds of one player and few bytes, unless a test says more. */
const BYTES = 100;

function pacerAt(rateHz: number, options: Partial<PacerOptions> = {}): Pacer {
  return new Pacer({ rateHz, eagerPacketsPerSecond: 0, ...options });
}

/** The players in each slice of a round. */
function slicesOf(players: number, bytes: number): number[] {
  const pacer = pacerAt(10);
  pacer.startRound(0, players, bytes);
  const slices: number[] = [];
  for (let left = players; left > 0; left -= slices.at(-1)!) slices.push(pacer.takeSlice(left));
  return slices;
}

/** When rounds start if each starts as soon as it may, but `late(round)` later. */
function startsOf(pacer: Pacer, count: number, late: (round: number) => number): number[] {
  return Array.from({ length: count }, (_, round) => {
    const due = pacer.nextRoundAt(1, BYTES);
    const now = Math.max(1_000, due) + late(round);
    pacer.startRound(now, 1, BYTES);
    pacer.takeSlice(1);
    return now;
  });
}

Deno.test("Pacer lets the first round start at once", () => {
  assert(pacerAt(60).nextRoundAt(1, BYTES) <= 0);
});

Deno.test("Pacer lets a round start at once after a pause, and the next after an interval", () => {
  const pacer = pacerAt(20);
  pacer.startRound(1_000, 1, BYTES);
  assertEquals(pacer.roundStartedAt, 1_000);
  assertEquals(pacer.nextRoundAt(1, BYTES), 1_050);
  pacer.startRound(5_000, 1, BYTES);
  assertEquals(pacer.roundStartedAt, 5_000);
  assertEquals(pacer.nextRoundAt(1, BYTES), 5_050);
});

Deno.test("Pacer keeps its rate although timers are late by a few milliseconds", () => {
  for (const lateMs of [0.3, 1, 4]) {
    const starts = startsOf(pacerAt(100), 101, (round) => round === 0 ? 0 : lateMs);
    const tookMs = starts.at(-1)! - starts[0]!;
    assert(Math.abs(tookMs - 1_000) <= 5, `100 intervals took ${tookMs} ms`);
  }
});

Deno.test("Pacer starts its schedule anew after a longer delay, and catches nothing up", () => {
  const pacer = pacerAt(100);
  pacer.startRound(1_000, 1, BYTES);
  pacer.startRound(1_036, 1, BYTES);
  assertEquals(pacer.nextRoundAt(1, BYTES), 1_046);
});

Deno.test("Pacer spreads the slices of a round evenly over the interval", () => {
  const pacer = pacerAt(10);
  pacer.startRound(1_000, 400, BYTES);
  const times: number[] = [];
  for (let left = 400; left > 0; left -= pacer.takeSlice(left)) times.push(pacer.nextSliceAt());
  assertEquals(times, [1_000, 1_025, 1_050, 1_075]);
});

Deno.test("Pacer divides players evenly among slices of at most 128", () => {
  assertEquals(slicesOf(1, BYTES), [1]);
  assertEquals(slicesOf(128, BYTES), [128]);
  assertEquals(slicesOf(129, BYTES), [65, 64]);
  assertEquals(slicesOf(300, BYTES), [100, 100, 100]);
  assertEquals(slicesOf(1_024, BYTES), new Array(8).fill(128));
});

Deno.test("Pacer makes slices of large snapshots smaller", () => {
  const slices = slicesOf(128, 65_507);
  assert(slices.length > 1, `${slices}`);
  assertEquals(slices.reduce((sum, players) => sum + players), 128);
  for (const players of slices) assert(players * 65_507 <= 4_000_000, `${slices}`);
  assert(Math.max(...slices) - Math.min(...slices) <= 1, `${slices}`);
});

Deno.test("Pacer takes players that came during a round into its last slice", () => {
  const pacer = pacerAt(10);
  pacer.startRound(0, 200, BYTES);
  assertEquals(pacer.takeSlice(200), 100);
  assertEquals(pacer.takeSlice(103), 103);
  assertEquals(pacer.takeSlice(1), 1);
});

Deno.test("Pacer is sending from the hand-over of a slice until it has left", () => {
  const pacer = pacerAt(10);
  assert(!pacer.sending);
  pacer.handedOver(0);
  assert(pacer.sending);
  pacer.left(5);
  assert(!pacer.sending);
});

Deno.test("Pacer lets sending take 70 % of the time", () => {
  const pacer = pacerAt(0);
  const sentMs = 14;
  let now = 0;
  let sending = 0;
  for (let round = 0; round < 500; round++) {
    now = Math.max(now, pacer.nextRoundAt(1, BYTES));
    pacer.startRound(now, 1, BYTES);
    pacer.takeSlice(1);
    pacer.handedOver(now);
    now += sentMs;
    sending += sentMs;
    pacer.left(now);
  }
  const share = sending / Math.max(now, pacer.nextRoundAt(1, BYTES));
  assert(Math.abs(share - 0.7) < 0.005, `${share}`);
});

Deno.test("Pacer lets slices rest as rounds do", () => {
  const pacer = pacerAt(10);
  pacer.startRound(1_000, 256, BYTES);
  pacer.takeSlice(256);
  pacer.handedOver(1_000);
  pacer.left(1_070);
  const next = pacer.nextSliceAt();
  assert(next > 1_090 && next <= 1_100, `${next}`);
  assertEquals(pacer.roundMs, next - 1_000);
});

Deno.test("Pacer saves no time up: what was not sent in a pause is not sent later", () => {
  const pacer = pacerAt(0);
  pacer.startRound(0, 1, BYTES);
  pacer.startRound(10_000, 1, BYTES);
  pacer.handedOver(10_000);
  pacer.left(10_070);
  const next = pacer.nextRoundAt(1, BYTES);
  assert(next > 10_090 && next <= 10_100, `${next}`);
});

Deno.test("Pacer.left() of nothing changes nothing", () => {
  const pacer = pacerAt(10);
  pacer.startRound(1_000, 1, BYTES);
  pacer.left(9_000);
  assertEquals(pacer.nextRoundAt(1, BYTES), 1_100);
});

Deno.test("Pacer is eager while rounds cost few packets", () => {
  const pacer = pacerAt(20, { eagerPacketsPerSecond: 1_000 });
  pacer.startRound(1_000, 4, BYTES);
  assertEquals(pacer.nextRoundAt(4, 1_472), 1_004);
  assertEquals(pacer.nextRoundAt(4, 1_473), 1_008);
  assertEquals(pacer.nextRoundAt(10, 1_472), 1_010);
  assertEquals(pacer.nextRoundAt(50, 1_472), 1_050);
  assertEquals(pacer.nextRoundAt(51, 1_472), 1_050);
  assertEquals(pacer.nextRoundAt(4, 65_507), 1_050);
});

Deno.test("Pacer with rateHz 0 asks for no interval", () => {
  for (const eagerPacketsPerSecond of [0, 1_000]) {
    const pacer = pacerAt(0, { eagerPacketsPerSecond });
    assertEquals(pacer.intervalMs, 0);
    pacer.startRound(1_000, 1_000, BYTES);
    assertEquals(pacer.nextRoundAt(1_000, BYTES), 1_000);
    pacer.takeSlice(1_000);
    assertEquals(pacer.nextSliceAt(), 1_000);
  }
});

Deno.test("Pacer.intervalMs is what rateHz asks for, eager or not", () => {
  assertEquals(pacerAt(20).intervalMs, 50);
  assertEquals(pacerAt(20, { eagerPacketsPerSecond: 1_000 }).intervalMs, 50);
});
