import { assert, assertEquals } from "@std/assert";
import { Motion, type Pose, TickClock } from "../../../lib/protocols/world/motion.ts";
import {
  DEFAULT_TRAITS,
  type Quaternion,
  type Traits,
  traitsFrom,
} from "../../../lib/protocols/world/traits.ts";
import { seededRandom } from "../../../lib/parts/random.ts";
import { forEachSeed } from "../../support/seeds.ts";

/** Ten ticks a second: often enough that nothing is taken as standing still. */
const TICK_MS = 100;

/** At so many along x, and turned so far about z. */
function poseAt(x: number, angle = 0): Traits {
  return traitsFrom(DEFAULT_TRAITS, { position: [x, 2 * x, -x], quaternion: about(angle) });
}

/** Turned by an angle about the z axis. */
function about(angle: number): Quaternion {
  return [Math.cos(angle / 2), 0, 0, Math.sin(angle / 2)];
}

function assertNear(actual: readonly number[] | undefined, expected: readonly number[]): void {
  const isNear = actual?.length === expected.length &&
    actual.every((value, at) => Math.abs(value - expected[at]!) < 1e-9);
  if (!isNear) throw new Error(`${actual} instead of ${expected}`);
}

/** Where it is along x; all of its position is checked. */
function xAt(motion: Motion, at: number): number {
  const [x, y, z] = motion.poseAt(at)!.position;
  assertNear([y, z], [2 * x, -x]);
  return Math.round(x * 1e9) / 1e9;
}

function motionOf(...samples: [at: number, traits: Traits][]): Motion {
  const motion = new Motion();
  for (const [at, traits] of samples) motion.add(traits, at, TICK_MS);
  return motion;
}

// ---- between samples

Deno.test("Motion is nowhere before it was anywhere", () => {
  assertEquals(new Motion().poseAt(0), undefined);
});

Deno.test("Motion is between two samples as far as time is, at the first before and at the last after", () => {
  const motion = motionOf([1_000, poseAt(0)], [1_100, poseAt(10)], [1_300, poseAt(0)]);
  const times = [0, 999, 1_000, 1_025, 1_100, 1_150, 1_200, 1_300, 1_301, 1e9];
  assertEquals(times.map((at) => xAt(motion, at)), [0, 0, 0, 2.5, 10, 7.5, 5, 0, 0, 0]);
});

Deno.test("Motion turns evenly, and stays of length 1", () => {
  const motion = motionOf([0, poseAt(0, 0)], [100, poseAt(0, 2)]);
  for (let at = 0; at <= 100; at += 5) assertNear(motion.poseAt(at)!.quaternion, about(at / 50));
  const little = motionOf([0, poseAt(0, 0)], [100, poseAt(0, 0.1)]);
  assertNear(little.poseAt(25)!.quaternion, about(0.025));
  forEachSeed(50, (seed) => {
    const random = seededRandom(seed);
    const any = (): Quaternion => [random() - 0.5, random() - 0.5, random() - 0.5, random() - 0.5];
    const [one, other] = [any(), any()];
    const traits = (quaternion: Quaternion): Traits => traitsFrom(DEFAULT_TRAITS, { quaternion });
    const turning = motionOf([0, traits(one)], [100, traits(other)]);
    for (const at of [0, 10, 50, 99, 100]) {
      assertNear([Math.hypot(...turning.poseAt(at)!.quaternion)], [1]);
    }
    const [start, end] = [turning.poseAt(0)!.quaternion, turning.poseAt(100)!.quaternion];
    const middle = turning.poseAt(50)!.quaternion;
    assertNear([Math.abs(dot(start, middle))], [Math.abs(dot(middle, end))]);
    assert(Math.abs(dot(start, middle)) > 0.7071, "more than half a turn");
  });
});

function dot(one: readonly number[], other: readonly number[]): number {
  return one.reduce((sum, value, at) => sum + value * other[at]!, 0);
}

Deno.test("Motion turns the shorter way, whichever sign a quaternion has", () => {
  const [w, x, y, z] = about(2);
  for (const same of [[w, x, y, z], [-w, -x, -y, -z]] as Quaternion[]) {
    const motion = motionOf([0, poseAt(0)], [
      100,
      traitsFrom(DEFAULT_TRAITS, { quaternion: same }),
    ]);
    assertNear(motion.poseAt(25)!.quaternion, about(0.5));
  }
  const back = motionOf([0, poseAt(0, 0.5)], [100, poseAt(0, -0.5)]);
  assertNear(back.poseAt(50)!.quaternion, about(0));
  assertNear(back.poseAt(75)!.quaternion, about(-0.25));
});

Deno.test("Motion turns by the smallest angles, and not at all", () => {
  for (const angle of [0, 1e-12, 1e-5, 1.9e-4, 2.1e-4]) {
    for (const sign of [1, -1]) {
      const quaternion = about(angle).map((value) => sign * value) as unknown as Quaternion;
      const motion = motionOf([0, poseAt(0)], [100, traitsFrom(DEFAULT_TRAITS, { quaternion })]);
      assertNear(motion.poseAt(50)!.quaternion, about(angle / 2));
    }
  }
});

Deno.test("Motion makes quaternions of length 1, and faces ahead where there is no telling", () => {
  const faces = (...quaternion: Quaternion): Pose["quaternion"] =>
    motionOf([0, traitsFrom(DEFAULT_TRAITS, { quaternion })]).poseAt(0)!.quaternion;
  assertNear(faces(0, 0, 3, 4), [0, 0, 0.6, 0.8]);
  assertNear(faces(-2, 0, 0, 0), [-1, 0, 0, 0]);
  assertNear(faces(0, 0, 0, 0), [1, 0, 0, 0]);
  assertNear(faces(1.7e308, 1.7e308, 0, 0), [1, 0, 0, 0]);
});

// ---- what is kept

Deno.test("Motion takes a sample that is not later in place of the last when ticks come as they like", () => {
  const motion = motionOf([0, poseAt(0)], [100, poseAt(10)]);
  motion.add(poseAt(20), 100, 0);
  assertEquals([50, 100].map((at) => xAt(motion, at)), [10, 20]);
});

Deno.test("Motion puts a sample that is not later a part of a tick after the last, not onto it", () => {
  for (const late of [100, 60]) {
    const motion = motionOf([0, poseAt(0)], [100, poseAt(10)], [late, poseAt(20)]);
    assertEquals([50, 100].map((at) => xAt(motion, at)), [5, 10]);
    const between = xAt(motion, 110);
    assert(between > 10 && between < 20, `at ${between}`);
    assertEquals(xAt(motion, 200), 20);
  }
});

Deno.test("Motion neither stops nor goes back nor jumps when its clock does, and catches up", () => {
  for (const backMs of [50, 300, 700]) {
    const motion = new Motion();
    let x = 0;
    let before: number | undefined;
    for (let now = 0; now < 4_000; now += 20) {
      motion.add(poseAt(++x), now >= 1_000 ? now : now + backMs, 20);
      for (let at = now - 120; at < now - 100; at += 5) {
        if (at < backMs) continue;
        const here = xAt(motion, at);
        const moved = here - (before ?? here);
        // 5 ms are a quarter of a tick.
        assert(moved >= 0 && moved <= 1 + 1e-9, `${moved} in 5 ms at ${at}`);
        before = here;
      }
    }
    assertEquals(xAt(motion, 3_900), x - 4, "where it is by the new clock");
  }
});

Deno.test("Motion stood still until a tick ago when it was not heard of for more than 250 ms", () => {
  const motion = new Motion();
  motion.add(poseAt(0), 0, 20);
  motion.add(poseAt(10), 250, 20);
  assertEquals(xAt(motion, 125), 5, "heard of just in time");
  motion.add(poseAt(20), 501, 20);
  assertEquals([250, 480, 481, 491, 501].map((at) => xAt(motion, at)), [10, 10, 10, 15, 20]);
  motion.add(poseAt(30), 1_000, 0);
  assertEquals([999, 1_000].map((at) => xAt(motion, at)), [20, 30], "without ticks it jumps");
});

Deno.test("Motion takes three ticks without news as a standstill where ticks are rare", () => {
  const motion = new Motion();
  motion.add(poseAt(0), 0, 500);
  motion.add(poseAt(10), 1_500, 500);
  assertEquals([750, 1_500].map((at) => xAt(motion, at)), [5, 10], "it may be so slow");
  motion.add(poseAt(20), 3_100, 500);
  assertEquals([2_000, 2_600, 2_850, 3_100].map((at) => xAt(motion, at)), [10, 10, 15, 20]);
});

Deno.test("Motion keeps 2 s, and what it takes to be drawn at their beginning", () => {
  const motion = new Motion();
  for (let at = 0; at <= 10_000; at += 70) {
    motion.add(poseAt(at), at, 20);
    if (at >= 2_000) {
      for (const past of [2_000, 1_950, 1]) assertEquals(xAt(motion, at - past), at - past);
    }
  }
  // What is a little older may be kept, or not.
  assert(xAt(motion, 0) >= 7_800, `at ${xAt(motion, 0)}`);
});

Deno.test("Motion keeps the place before a pause of any length", () => {
  const motion = motionOf([0, poseAt(0)], [60_000, poseAt(10)]);
  assertEquals([58_500, 59_900, 59_950, 60_000].map((at) => xAt(motion, at)), [0, 0, 5, 10]);
});

Deno.test("Motion keeps no more than 512 samples", () => {
  const motion = new Motion();
  for (let at = 0; at <= 1_000; at++) motion.add(poseAt(at), at, 1);
  assertEquals([1_000, 800, 489, 488, 0].map((at) => xAt(motion, at)), [1_000, 800, 489, 489, 489]);
});

Deno.test("Motion never jumps further than its samples do", () => {
  forEachSeed(40, (seed) => {
    const random = seededRandom(seed);
    const motion = new Motion();
    let at = 0;
    let x = 0;
    for (let step = 0; step < 100; step++) {
      at += random() < 0.1 ? 300 + random() * 1_000 : 20 + random() * 100;
      x += 1;
      motion.add(poseAt(x), at, 20);
      // A sample for each tick: nothing goes faster than that.
      for (let time = at - 300; time < at; time += 10) {
        const moved = xAt(motion, time + 10) - xAt(motion, time);
        assert(moved >= 0 && moved <= 0.5 + 1e-6, `${moved} in 10 ms`);
      }
    }
  });
});

// ---- the clock

Deno.test("TickClock takes news as of now while ticks come as they like", () => {
  const clock = new TickClock();
  assertEquals(clock.tickMs, 0);
  assertEquals([clock.hear(5, 1_000), clock.hear(3, 1_001)], [1_000, 1_001]);
  for (const hz of [0, -1, NaN]) {
    clock.setRate(hz);
    assertEquals([clock.tickMs, clock.hear(9, 2_000)], [0, 2_000]);
  }
});

Deno.test("TickClock takes each tick as if it had travelled as fast as the fastest", () => {
  const clock = new TickClock();
  clock.setRate(50);
  assertEquals(clock.tickMs, 20);
  assertEquals(clock.hear(100, 5_000), 5_000);
  assertWithin(clock.hear(101, 5_070), 5_020, 5_022);
  assertNear([clock.hear(102, 5_030)], [5_030]);
  assertNear([clock.hear(103, 5_050)], [5_050]);
  assertWithin(clock.hear(90, 5_060), 4_790, 4_791);
});

function assertWithin(actual: number, least: number, most: number): void {
  assert(actual >= least && actual <= most, `${actual} is not from ${least} to ${most}`);
}

/** A tick each 20 ms, heard so many times, and after the first 400 ms late. Returns when each was. */
function heardLate(ticks: number, times: number): number[] {
  const clock = new TickClock();
  clock.setRate(50);
  clock.hear(0, 0);
  return Array.from({ length: ticks }, (_, index) => {
    const tick = index + 1;
    let at = 0;
    for (let time = 0; time < times; time++) at = clock.hear(tick, tick * 20 + 400);
    return at;
  });
}

Deno.test("TickClock follows a way that has become longer, little by little", () => {
  const ats = heardLate(3_000, 1);
  // The first is heard 420 ms after the one before.
  assertWithin(ats[0]!, 20, 30);
  for (const [index, at] of ats.entries()) {
    if (index > 0) assertWithin(at - ats[index - 1]!, 20, 20.5);
  }
  assertWithin(ats[49]!, 1_000, 1_050); // After one second.
  assertNear([ats[2_999]!], [60_000 + 400]);
});

Deno.test("TickClock follows by time, however many datagrams there are to a tick", () => {
  assertNear(heardLate(500, 10), heardLate(500, 1));
});

Deno.test("TickClock is set anew when a tick is more than a second late", () => {
  const clock = new TickClock();
  clock.setRate(100);
  clock.hear(0, 0);
  assertWithin(clock.hear(1, 1_010), 10, 40);
  assertNear([clock.hear(2, 1_200)], [1_200]);
  assertNear([clock.hear(3, 1_210)], [1_210]);
});

Deno.test("TickClock.setRate() sets the clock anew, unless the rate is the same", () => {
  const clock = new TickClock();
  clock.setRate(100);
  clock.hear(0, 0);
  clock.setRate(100);
  assertWithin(clock.hear(1, 110), 10, 13);
  clock.setRate(50);
  assertNear([clock.hear(2, 500)], [500]);
  clock.setRate(0);
  assertEquals(clock.hear(3, 900), 900);
});

Deno.test("TickClock.reset() forgets when ticks were, and keeps their rate", () => {
  const clock = new TickClock();
  clock.setRate(100);
  clock.hear(0, 0);
  clock.reset();
  assertEquals(clock.tickMs, 10);
  assertNear([clock.hear(0, 700)], [700]);
});

Deno.test("TickClock draws evenly what comes unevenly, at any rate and in any number of datagrams", () => {
  for (const [hz, datagrams] of [[30, 1], [30, 3], [60, 1], [100, 3]] as const) {
    forEachSeed(10, (seed) => {
      const random = seededRandom(seed);
      const clock = new TickClock();
      clock.setRate(hz);
      const periodMs = 1_000 / hz;
      const heard: { tick: number; now: number }[] = [];
      for (let tick = 0; tick <= 10 * hz; tick++) {
        for (let count = 0; count < datagrams; count++) {
          heard.push({ tick, now: tick * periodMs + 50 + random() * 40 });
        }
      }
      heard.sort((one, other) => one.now - other.now);
      let squares = 0;
      for (const { tick, now } of heard) {
        const at = clock.hear(tick, now);
        assert(at <= now + 1e-9, "later than it came");
        // Where the fastest would be; the first second is for finding it.
        if (tick > hz) squares += (at - (tick * periodMs + 50)) ** 2;
      }
      const uneven = Math.sqrt(squares / (heard.length - datagrams * hz));
      // As they come they are 23 ms from that.
      assert(uneven < 6, `${uneven} ms uneven at ${hz} Hz`);
    });
  }
});

Deno.test("Motion keeps its samples in order when a tick is longer than what passed", () => {
  const motion = new Motion();
  const at = (x: number): Traits => traitsFrom(DEFAULT_TRAITS, { position: [x, 0, 0] });
  motion.add(at(0), 1_000, 2_000);
  motion.add(at(10), 2_000, 2_000);
  const xs = [999, 1_000, 1_500, 2_000].map((now) => motion.poseAt(now)!.position[0]);
  assertEquals(xs, [0, 0, 5, 10]);
});
