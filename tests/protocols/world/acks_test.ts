import { assert, assertEquals } from "@std/assert";
import { Acks } from "../../../lib/protocols/world/acks.ts";
import { seededRandom } from "../../../lib/parts/random.ts";
import { forEachSeed } from "../../support/seeds.ts";

const TIMEOUT_MS = 500;
const LATE_MS = 3_000;
const PACKETS_MAX = 2_048;

/** Acks that have heard of so many round trips of so many ms, one after the other. */
function acksAt(...roundTripsMs: number[]): { acks: Acks<string>; now: number } {
  const acks = new Acks<string>(0);
  let now = 0;
  for (const ms of roundTripsMs) {
    const sequence = acks.send("x", now);
    now += ms;
    acks.acked(sequence, now);
  }
  return { acks, now };
}

function assertNear(actual: number, expected: number): void {
  assert(Math.abs(actual - expected) < 1e-6, `${actual} instead of ${expected}`);
}

// ---- numbers

Deno.test("Acks.send() counts from the first number on, and wraps", () => {
  const acks = new Acks<string>(65_534);
  assertEquals([1, 2, 3, 4].map((now) => acks.send("x", now)), [65_534, 65_535, 0, 1]);
});

Deno.test("Acks.acked() hands back what the packet carried, and says when it was acked before", () => {
  const acks = new Acks<string>(7);
  acks.send("a", 0);
  acks.send("b", 0);
  assertEquals(acks.waiting, 2);
  assertEquals(acks.acked(8, 10), { cargo: "b", isFirst: true, isLate: false });
  assertEquals(acks.waiting, 1);
  assertEquals(acks.acked(8, 11), { cargo: "b", isFirst: false, isLate: true });
  assertEquals(acks.waiting, 1);
  assertEquals(acks.acked(7, 12), { cargo: "a", isFirst: true, isLate: false });
  assertEquals(acks.waiting, 0);
  for (const unknown of [6, 9, 0, 65_535]) assertEquals(acks.acked(unknown, 13), undefined);
  assertEquals(acks.takeLost(2_999), []);
  assert(acks.acked(8, 2_999)?.isLate, "for 3 s");
  acks.takeLost(LATE_MS);
  assertEquals(acks.acked(8, LATE_MS), undefined);
});

Deno.test("Acks.acked() learns nothing from a number that was acked before, or that it does not know", () => {
  const { acks, now } = acksAt(100);
  const { loss } = acks;
  assert(acks.acked(0, now + 1_000)?.isLate);
  assertEquals(acks.acked(1, now + 1_000), undefined);
  assertEquals([acks.roundTripMs, acks.timeoutMs, acks.waiting, acks.loss], [100, 300, 0, loss]);
});

// ---- time

Deno.test("Acks measures the way there and back, and makes the time-out of that", () => {
  const acks = new Acks<string>(0);
  assertEquals([acks.roundTripMs, acks.timeoutMs], [undefined, TIMEOUT_MS]);
  let smooth = 80;
  let deviation = 40;
  acks.acked(acks.send("x", 0), 80);
  assertEquals([acks.roundTripMs, acks.timeoutMs], [80, 80 + 4 * 40]);
  let now = 80;
  for (const ms of [120, 40, 90, 90, 300, 85]) {
    acks.acked(acks.send("x", now), now + ms);
    now += ms;
    // RFC 6298: the deviation first, from the old average.
    deviation = 3 / 4 * deviation + 1 / 4 * Math.abs(smooth - ms);
    smooth = 7 / 8 * smooth + 1 / 8 * ms;
    assertNear(acks.roundTripMs!, smooth);
    assertNear(acks.timeoutMs, smooth + 4 * deviation);
  }
});

Deno.test("Acks.timeoutMs is 50 at least and 2,000 at most", () => {
  assertEquals(acksAt(0).acks.timeoutMs, 50);
  assertEquals(acksAt(16).acks.timeoutMs, 50);
  assertEquals(acksAt(17).acks.timeoutMs, 51);
  assertEquals(acksAt(600).acks.timeoutMs, 1_800);
  assertEquals(acksAt(700).acks.timeoutMs, 2_000);
  assertEquals(acksAt(30_000).acks.timeoutMs, 2_000);
});

// ---- what is lost

Deno.test("Acks.timeoutMs leaves 30 ms however even the way is", () => {
  const { acks, now } = acksAt(...new Array(200).fill(400));
  assertNear(acks.roundTripMs!, 400);
  assertNear(acks.timeoutMs, 430);
  const sequence = acks.send("x", now);
  assertEquals(acks.takeLost(now + 429), []);
  assertEquals(acks.acked(sequence, now + 429), { cargo: "x", isFirst: true, isLate: false });
});

Deno.test("Acks need not remember what was acked, and still knows what was lost", () => {
  const acks = new Acks<string>(0);
  acks.remembersAcked = false;
  for (const cargo of ["a", "b"]) acks.send(cargo, 0);
  assertEquals(acks.acked(0, 10), { cargo: "a", isFirst: true, isLate: false });
  assertEquals(acks.acked(0, 11), undefined);
  assertEquals(acks.takeLost(1_000), ["b"]);
  assertEquals(acks.acked(1, 1_001), { cargo: "b", isFirst: true, isLate: true });
  assertEquals(acks.acked(1, 1_002), { cargo: "b", isFirst: false, isLate: true });
});

Deno.test("Acks.takeLost() takes what was not acked in time, the oldest first, each once", () => {
  const acks = new Acks<string>(0);
  acks.send("a", 0);
  acks.send("b", 10);
  acks.send("c", 20);
  assertEquals(acks.takeLost(TIMEOUT_MS - 1), []);
  assertEquals(acks.waiting, 3);
  assertEquals(acks.takeLost(TIMEOUT_MS), ["a"]);
  assertEquals(acks.waiting, 2);
  assertEquals(acks.takeLost(TIMEOUT_MS + 19), ["b"]);
  acks.acked(2, TIMEOUT_MS + 19);
  assertEquals(acks.waiting, 0);
  assertEquals(acks.takeLost(100_000), []);
});

Deno.test("Acks.takeLost() goes by the time-out of that moment", () => {
  const { acks, now } = acksAt(40);
  acks.send("a", now);
  assertEquals(acks.timeoutMs, 120);
  assertEquals(acks.takeLost(now + 119), []);
  assertEquals(acks.takeLost(now + 120), ["a"]);
});

Deno.test("Acks.acked() learns how long the way is from what was taken as lost, once, for 3 s", () => {
  const acks = new Acks<string>(0);
  acks.send("a", 0);
  acks.send("b", 0);
  acks.send("c", 1);
  assertEquals(acks.takeLost(1_000), ["a", "b", "c"]);
  assertEquals(acks.waiting, 0);
  assertEquals(acks.acked(0, 1_200), { cargo: "a", isFirst: true, isLate: true });
  assertEquals(acks.roundTripMs, 1_200);
  assertEquals(acks.acked(0, 1_300), { cargo: "a", isFirst: false, isLate: true });
  assertEquals([acks.roundTripMs, acks.waiting], [1_200, 0]);
  acks.takeLost(LATE_MS - 1);
  assert(acks.acked(1, LATE_MS - 1));
  acks.takeLost(LATE_MS);
  assertEquals(acks.acked(1, LATE_MS), undefined, "forgotten");
  assert(acks.acked(2, LATE_MS), "this one not yet");
});

Deno.test("Acks.loss is an average of about the last 50 packets, on which a late ACK has no effect", () => {
  const acks = new Acks<string>(0);
  assertEquals(acks.loss, 0);
  acks.send("a", 0);
  acks.takeLost(500);
  assertNear(acks.loss, 1 / 50);
  acks.acked(0, 600);
  assertNear(acks.loss, 1 / 50);
  acks.acked(acks.send("b", 600), 700);
  assertNear(acks.loss, 1 / 50 * 49 / 50);
  let now = 700;
  for (let times = 0; times < 500; times++) {
    const sequence = acks.send("x", now);
    if (times % 4 === 0) acks.takeLost(now += 2_000);
    else acks.acked(sequence, now += 100);
  }
  assert(Math.abs(acks.loss - 0.25) < 0.03, `${acks.loss} when a quarter is lost`);
});

// ---- limits

Deno.test("Acks.room is what 2,048 packets on their way leave", () => {
  const acks = new Acks<number>(0);
  for (let sent = 0; sent < PACKETS_MAX; sent++) {
    assertEquals(acks.room, PACKETS_MAX - sent);
    acks.send(sent, 0);
  }
  assertEquals(acks.room, 0);
  acks.acked(0, 10);
  assertEquals(acks.room, 1);
});

Deno.test("Acks forgets the oldest of more packets on their way", () => {
  const acks = new Acks<number>(64_000);
  for (let sent = 0; sent <= PACKETS_MAX; sent++) acks.send(sent, 0);
  assertEquals(acks.waiting, PACKETS_MAX);
  assertEquals(acks.acked(64_000, 10), undefined);
  assertEquals(acks.acked(64_001, 10)?.cargo, 1);
  const lost = acks.takeLost(10_000);
  assertEquals(lost.length, PACKETS_MAX - 1);
  assertEquals([lost[0], lost.at(-1)], [2, PACKETS_MAX]);
});

Deno.test("Acks remembers 2,048 packets of the past", () => {
  const acks = new Acks<number>(0);
  for (let sent = 0; sent < PACKETS_MAX + 10; sent++) acks.acked(acks.send(sent, 0), 1);
  acks.takeLost(2);
  assertEquals(acks.acked(9, 2), undefined);
  assertEquals(acks.acked(10, 2), { cargo: 10, isFirst: false, isLate: true });
});

Deno.test("Acks knows a number that is used again as the newer packet", () => {
  const acks = new Acks<number>(0);
  for (let sent = 0; sent < 65_536; sent++) acks.acked(acks.send(sent, 0), 1);
  assertEquals(acks.send(-1, 2), 0);
  assertEquals(acks.acked(0, 3), { cargo: -1, isFirst: true, isLate: false });
  assertEquals(acks.acked(0, 4), { cargo: -1, isFirst: false, isLate: true });
});

Deno.test("Acks hands back everything exactly once, as arrived or as lost", () => {
  forEachSeed(100, (seed) => {
    const random = seededRandom(seed);
    const first = Math.floor(random() * 65_536);
    const acks = new Acks<number>(first);
    const lossShare = random();
    const onTheWay: { sequence: number; arrivesAt: number }[] = [];
    const seen = new Map<number, string>();
    let now = 0;
    let sent = 0;
    const tell = (cargo: number, fate: string): void => {
      assertEquals(seen.has(cargo), false, `${cargo} was ${seen.get(cargo)}, now ${fate}`);
      seen.set(cargo, fate);
    };
    for (let step = 0; step < 400; step++) {
      now += random() * 60;
      if (random() < 0.7) {
        const sequence = acks.send(sent, now);
        assertEquals(sequence, (first + sent) % 65_536);
        if (random() >= lossShare) onTheWay.push({ sequence, arrivesAt: now + random() * 700 });
        sent++;
      }
      for (const [at, { sequence, arrivesAt }] of [...onTheWay.entries()].reverse()) {
        if (arrivesAt > now) continue;
        onTheWay.splice(at, 1);
        const acked = acks.acked(sequence, now);
        assertEquals(acked?.cargo, (sequence - first + 65_536) % 65_536);
        if (!acked!.isLate) tell(acked!.cargo, "acked");
        assertEquals(acks.acked(sequence, now)?.isLate, true);
      }
      if (random() < 0.5) { for (const cargo of acks.takeLost(now)) tell(cargo, "lost"); }
      assertEquals(acks.waiting, sent - seen.size);
      assert(acks.loss >= 0 && acks.loss <= 1);
    }
    for (const cargo of acks.takeLost(now + 10_000)) tell(cargo, "lost");
    assertEquals([seen.size, acks.waiting], [sent, 0]);
  });
});

Deno.test("Acks.acked() does not take this end's sleep for the way there and back", () => {
  // Found by fuzzing: an ACK that had waited for twenty minutes was a round trip of twenty minutes.
  const { acks, now } = acksAt(40, 40, 40);
  acks.send("x", now);
  acks.acked(3, now + 1_200_000);
  assert(acks.roundTripMs! < 40 + LATE_MS / 8, `${acks.roundTripMs}`);
});
