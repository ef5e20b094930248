import { assert, assertEquals } from "@std/assert";
import { Acks } from "../../../lib/protocols/world/acks.ts";
import { Pace, PACKET_OVERHEAD_BYTES } from "../../../lib/protocols/world/pace.ts";
import { seededRandom } from "../../../lib/parts/random.ts";
import { forEachSeed } from "../../support/seeds.ts";

const BURST_BYTES_MIN = 16_384;
const PER_SECOND_FIRST = 131_072;
const PER_SECOND_MIN = 16_384;
/** How often the rate is looked at. */
const LOOK_MS = 500;

/** Somebody who is sent bytes, as a {@link Pace} hears of it. */
class Recipient {
  readonly pace: Pace;
  now = 0;

  constructor(bytesPerSecond = 1_000_000) {
    this.pace = new Pace(bytesPerSecond, this.now);
  }

  /** Bytes a second, rounded. */
  get rate(): number {
    return Math.round(this.pace.bytesPerSecond);
  }

  /**
   * Half a second goes by in which a share of what may leave does so, in 100 datagrams.
   *
   * @param lost How many of them are lost.
   * @param bytes Sent a second; by default as many as may be.
   */
  pass({ lost = 0, roundTripMs = 20, bytes = this.pace.bytesPerSecond } = {}): this {
    const each = bytes * (LOOK_MS / 1_000) / 100 - PACKET_OVERHEAD_BYTES;
    for (let sent = 0; sent < 100; sent++) this.pace.spend(each);
    this.pace.onLost(lost, roundTripMs, this.now);
    // The last one comes when the half second is over.
    for (let arrived = lost + 1; arrived < 100; arrived++) {
      this.pace.onArrived(each, false, roundTripMs, this.now);
    }
    this.now += LOOK_MS;
    if (lost < 100) this.pace.onArrived(each, false, roundTripMs, this.now);
    else this.pace.onLost(0, roundTripMs, this.now);
    return this;
  }
}

/** Somebody whose rate was doubled up to a limit, and slowed once. */
function slowed(bytesPerSecond = 1_000_000): Recipient {
  const recipient = new Recipient(bytesPerSecond);
  for (let looks = 0; looks < 5; looks++) recipient.pass();
  return recipient.pass({ roundTripMs: 200 });
}

/** How many half seconds it takes until the rate is that high. */
function looksUntil(
  recipient: Recipient,
  rate: number,
  ways: Parameters<Recipient["pass"]>[0],
): number {
  for (let looks = 1; looks <= 1_000; looks++) {
    if (recipient.pass(ways).rate >= rate) return looks;
  }
  throw new Error(`still ${recipient.rate} bytes a second`);
}

// ---- what may leave

Deno.test("Pace lets an eighth of a second's bytes leave at once, and always 16 kB", () => {
  const fast = new Recipient(1_000_000);
  for (let looks = 0; looks < 5; looks++) fast.pass();
  assertEquals(fast.pace.left(fast.now + 1_000), 125_000);
  assertEquals(new Pace(1_000_000, 0).left(0), BURST_BYTES_MIN);
  assertEquals(new Pace(10_000, 500).left(500), BURST_BYTES_MIN);
});

Deno.test("Pace.left() grows with time up to the burst, and no further", () => {
  const pace = new Pace(100_000, 1_000);
  pace.spend(10_384 - PACKET_OVERHEAD_BYTES);
  assertEquals(pace.left(1_000), 6_000);
  assertEquals(pace.left(1_010), 7_000);
  assertEquals(pace.left(1_010), 7_000, "no time has passed");
  assertEquals(pace.left(1_200), BURST_BYTES_MIN);
  assertEquals(pace.left(100_000), BURST_BYTES_MIN);
});

Deno.test("Pace.spend() counts the headers of each datagram, and may go below zero", () => {
  assertEquals(PACKET_OVERHEAD_BYTES, 28);
  const pace = new Pace(100_000, 0);
  pace.spend(BURST_BYTES_MIN - 28);
  assertEquals(pace.left(0), 0);
  pace.spend(972);
  assertEquals(pace.left(0), -1_000);
  assertEquals(pace.left(5), -500);
  assertEquals(pace.left(20), 1_000);
});

Deno.test("Pace.allows() what is left with the headers of each datagram, to the byte", () => {
  const pace = new Pace(100_000, 0);
  assert(pace.allows(BURST_BYTES_MIN - 28, 1, 0));
  assert(!pace.allows(BURST_BYTES_MIN - 27, 1, 0));
  assert(pace.allows(BURST_BYTES_MIN - 280, 10, 0));
  assert(!pace.allows(BURST_BYTES_MIN - 279, 10, 0));
  pace.spend(BURST_BYTES_MIN - 28);
  assert(pace.allows(0, 0, 0));
  assert(!pace.allows(0, 1, 0));
  assert(!pace.allows(72, 1, 0.5));
  assert(pace.allows(72, 1, 1));
});

Deno.test("Pace keeps to its rate over any time", () => {
  forEachSeed(50, (seed) => {
    const random = seededRandom(seed);
    const perSecond = 20_000 + random() * 100_000;
    const pace = new Pace(perSecond, 0);
    let now = 0;
    let spent = 0;
    while (now < 20_000) {
      now += random() * 30;
      while (pace.allows(1_200, 1, now)) {
        pace.spend(1_200);
        spent += 1_228;
      }
    }
    const most = BURST_BYTES_MIN + perSecond * now / 1_000;
    assert(spent <= most + 1e-3, `${spent} of ${most}`);
    assert(spent > most - 1_228 - 30 * perSecond / 1_000, `only ${spent} of ${most}`);
  });
});

// ---- how fast

Deno.test("Pace begins with 131,072 bytes a second, but never more than the limit", () => {
  assertEquals(new Recipient(1_000_000).rate, PER_SECOND_FIRST);
  assertEquals(new Recipient(131_000).rate, 131_000);
  assertEquals(new Recipient(5_000).rate, 5_000);
});

Deno.test("Pace doubles each half second while all is well, up to the limit", () => {
  const recipient = new Recipient(1_000_000);
  const rates = [1, 2, 3, 4].map(() => recipient.pass().rate);
  assertEquals(rates, [262_144, 524_288, 1_000_000, 1_000_000]);
});

Deno.test("Pace grows by a quarter each half second once it has slowed", () => {
  const recipient = slowed();
  const before = recipient.rate;
  assert(before < 1_000_000);
  assertEquals(recipient.pass().rate, Math.round(1.25 * before));
});

Deno.test("Pace grows only where about as much was sent as may be", () => {
  const recipient = new Recipient();
  for (let looks = 0; looks < 20; looks++) recipient.pass({ bytes: 0.4 * PER_SECOND_FIRST });
  assertEquals(recipient.rate, PER_SECOND_FIRST, "nobody knows whether more would pass");
  recipient.pass({ bytes: 0.6 * PER_SECOND_FIRST });
  assertEquals(recipient.rate, 2 * PER_SECOND_FIRST);
});

Deno.test("Pace slows to 80 % of what was acked when there is a queue", () => {
  const recipient = new Recipient().pass();
  // Of 262,144 bytes a second 90 % came.
  recipient.pass({ lost: 10, roundTripMs: 121 });
  assertEquals(recipient.rate, Math.round(0.8 * 0.9 * 262_144));
});

Deno.test("Pace slows to 80 % of what was acked when more than half is lost", () => {
  const recipient = new Recipient();
  assertEquals(recipient.pass({ lost: 50 }).rate, Math.round(1.05 * PER_SECOND_FIRST), "half");
  const before = recipient.pace.bytesPerSecond;
  assertEquals(recipient.pass({ lost: 51 }).rate, Math.round(0.8 * 0.49 * before));
});

Deno.test("Pace never goes faster because of a queue or a loss", () => {
  const recipient = slowed();
  const before = recipient.rate;
  // More was acked than was sent meanwhile: it had waited.
  recipient.pass({ roundTripMs: 200, bytes: 3 * before });
  assertEquals(recipient.rate, before);
});

Deno.test("Pace grows by 5 % while from a tenth to half is lost", () => {
  for (const lost of [10, 30, 50]) {
    const recipient = new Recipient();
    assertEquals(recipient.pass({ lost }).rate, Math.round(1.05 * PER_SECOND_FIRST), `${lost} %`);
  }
  assertEquals(new Recipient().pass({ lost: 9 }).rate, 2 * PER_SECOND_FIRST);
});

Deno.test("Pace does not count as lost what arrived late", () => {
  const rateAfter = (late: number): number => {
    const pace = new Pace(1_000_000, 0);
    for (let sent = 0; sent < 100; sent++) pace.spend(1_200);
    pace.onLost(80, 20, 100);
    for (let arrived = 0; arrived < 19 + late; arrived++) {
      pace.onArrived(1_200, arrived < late, 20, 400);
    }
    pace.onArrived(1_200, false, 20, LOOK_MS);
    return pace.bytesPerSecond;
  };
  assert(rateAfter(0) < PER_SECOND_FIRST, "80 % lost");
  assertEquals(rateAfter(50), 1.05 * PER_SECOND_FIRST, "30 % lost");
  assertEquals(rateAfter(80), 2 * PER_SECOND_FIRST, "nothing lost");
});

Deno.test("Pace is none the worse for more that came late than was lost since it looked", () => {
  const recipient = new Recipient();
  for (let late = 0; late < 100; late++) recipient.pace.onArrived(1_200, true, 20, 0);
  recipient.pass({ lost: 60 });
  // 60 of 200 that are known of.
  assertEquals(recipient.rate, Math.round(1.05 * PER_SECOND_FIRST));
});

Deno.test("Pace takes as a queue what makes the way 100 ms longer, or half as long again up to 200 ms", () => {
  const isQueued = (shortestMs: number, roundTripMs: number): boolean => {
    const recipient = new Recipient().pass({ roundTripMs: shortestMs });
    const before = recipient.rate;
    return recipient.pass({ roundTripMs }).rate < before;
  };
  assertEquals([isQueued(20, 120), isQueued(20, 121)], [false, true]);
  assertEquals([isQueued(300, 449), isQueued(300, 451)], [false, true]);
  assertEquals([isQueued(1_000, 1_199), isQueued(1_000, 1_201)], [false, true]);
  assertEquals(isQueued(300, 20), false, "a shorter way has none");
});

Deno.test("Pace grows no more until the queue is gone, so that the shortest way is seen again", () => {
  const recipient = new Recipient().pass().pass({ roundTripMs: 200 });
  const { rate } = recipient;
  for (const roundTripMs of [119, 80, 50]) {
    assertEquals(recipient.pass({ roundTripMs }).rate, rate, `${roundTripMs - 20} ms of queue`);
  }
  assertEquals(recipient.pass({ roundTripMs: 30 }).rate, Math.round(1.25 * rate));
  const another = new Recipient().pass().pass({ roundTripMs: 80 });
  assertEquals(another.rate, 4 * PER_SECOND_FIRST, "where there was none that long");
});

Deno.test("Pace leaves everybody 16 kB a second, but never more than the limit", () => {
  const recipient = new Recipient();
  for (let looks = 0; looks < 30; looks++) recipient.pass({ lost: 100 });
  assertEquals(recipient.rate, PER_SECOND_MIN);
  const queued = new Recipient().pass();
  for (let looks = 0; looks < 30; looks++) queued.pass({ roundTripMs: 2_000 });
  assertEquals(queued.rate, PER_SECOND_MIN);
  const slow = new Recipient(5_000);
  for (let looks = 0; looks < 3; looks++) assertEquals(slow.pass({ lost: 100 }).rate, 5_000);
  assertEquals(slow.pass().rate, 5_000);
});

Deno.test("Pace looks each half second, when the fate of ten packets is known", () => {
  const pace = new Pace(1_000_000, 500);
  for (let sent = 0; sent < 100; sent++) pace.spend(1_200);
  const rateAfter = (arrived: number, now: number): number => {
    for (let count = 0; count < arrived; count++) pace.onArrived(1_200, false, 20, now);
    return pace.bytesPerSecond;
  };
  assertEquals(rateAfter(50, 999), PER_SECOND_FIRST, "too soon");
  assertEquals(rateAfter(1, 1_000), 2 * PER_SECOND_FIRST);
  for (let sent = 0; sent < 150; sent++) pace.spend(1_200);
  assertEquals(rateAfter(9, 1_600), 2 * PER_SECOND_FIRST, "too few");
  assertEquals(rateAfter(1, 1_601), 4 * PER_SECOND_FIRST);
});

Deno.test("Pace cannot look before there was any round trip", () => {
  const pace = new Pace(1_000_000, 0);
  pace.onLost(100, undefined, 5_000);
  assertEquals(pace.bytesPerSecond, PER_SECOND_FIRST);
  pace.onLost(1, 20, 5_000);
  assertEquals(pace.bytesPerSecond, PER_SECOND_MIN, "what was lost before counts");
});

// ---- and back

Deno.test("Pace comes back after bad seconds, also where a little is lost for ever", () => {
  for (const [lost, looksMax] of [[0, 30], [9, 30], [11, 120], [36, 120]] as const) {
    const recipient = new Recipient(262_144);
    for (let looks = 0; looks < 24; looks++) recipient.pass({ lost: 80 });
    assertEquals(recipient.rate, PER_SECOND_MIN);
    const looks = looksUntil(recipient, 262_144, { lost });
    assert(looks <= looksMax, `${looks / 2} s with ${lost} % lost`);
  }
});

Deno.test("Pace gets used to a way that has become longer", () => {
  const recipient = new Recipient(262_144).pass().pass({ roundTripMs: 400 });
  assert(recipient.rate < 262_144, "it could be a queue");
  const looks = looksUntil(recipient, 262_144, { roundTripMs: 400 });
  assert(looks <= 80, `${looks / 2} s`);
});

// ---- on a line

/** A line that takes so many bytes a second, with a queue before it; beyond that everything is dropped. */
class Line {
  readonly #perMs: number;
  readonly #bufferBytes: number;
  readonly #wayMs: number;
  #freeAt = 0;

  constructor(bytesPerSecond: number, bufferBytes: number, roundTripMs: number) {
    this.#perMs = bytesPerSecond / 1_000;
    this.#bufferBytes = bufferBytes;
    this.#wayMs = roundTripMs;
  }

  /** How long what is sent now waits. */
  queueMs(now: number): number {
    return Math.max(0, this.#freeAt - now);
  }

  /** When the ACK of a datagram comes; undefined when there is no place for it. */
  send(bytes: number, now: number): number | undefined {
    if (this.queueMs(now) * this.#perMs + bytes > this.#bufferBytes) return undefined;
    this.#freeAt = Math.max(this.#freeAt, now) + bytes / this.#perMs;
    return this.#freeAt + this.#wayMs;
  }
}

interface Second {
  /** The longest queue. */
  queueMs: number;
  /** Bytes that came, headers included. */
  bytes: number;
}

/** Plays somebody who would take everything, at 60 ticks a second. */
function play(line: (now: number) => Line, seconds: number, limit = 262_144): Second[] {
  const pace = new Pace(limit, 0);
  const acks = new Acks<number>(0);
  const coming: { sequence: number; at: number }[] = [];
  const played: Second[] = [];
  for (let tick = 0; tick < seconds * 60; tick++) {
    const now = tick * 1_000 / 60;
    const second = played[Math.floor(tick / 60)] ??= { queueMs: 0, bytes: 0 };
    while (coming.length > 0 && coming[0]!.at <= now) {
      const { sequence, at } = coming.shift()!;
      const acked = acks.acked(sequence, at);
      if (!acked?.isFirst) continue;
      pace.onArrived(acked.cargo, acked.isLate, acks.roundTripMs!, at);
      second.bytes += acked.cargo + PACKET_OVERHEAD_BYTES;
    }
    const lost = acks.takeLost(now);
    if (lost.length > 0) pace.onLost(lost.length, acks.roundTripMs, now);
    while (acks.room > 1 && pace.allows(1_200, 1, now)) {
      pace.spend(1_200);
      const sequence = acks.send(1_200, now);
      const at = line(now).send(1_200 + PACKET_OVERHEAD_BYTES, now);
      if (at !== undefined) coming.push({ sequence, at });
    }
    second.queueMs = Math.max(second.queueMs, line(now).queueMs(now));
  }
  return played;
}

Deno.test("Pace keeps to a line of 60 kB a second with half a second in its queue, however much that takes", () => {
  for (const roundTripMs of [5, 40, 120, 200]) {
    for (const bufferBytes of [15_000, 30_000, 60_000, 1_000_000]) {
      const line = new Line(60_000, bufferBytes, roundTripMs);
      const seconds = play(() => line, 120);
      const what = `${roundTripMs} ms, ${bufferBytes} bytes`;
      const queueMs = Math.max(...seconds.map(({ queueMs }) => queueMs));
      assert(queueMs < 1_000, `${what}: a queue of ${queueMs} ms at first`);
      const later = seconds.slice(5);
      const laterMs = Math.max(...later.map(({ queueMs }) => queueMs));
      assert(laterMs < 550, `${what}: a queue of ${laterMs} ms`);
      const least = Math.min(...later.map(({ bytes }) => bytes));
      assert(least > 0.7 * 60_000, `${what}: only ${least} bytes in a second`);
      const share = later.reduce((sum, { bytes }) => sum + bytes, 0) / (115 * 60_000);
      assert(share > 0.93, `${what}: ${share} of the line`);
    }
  }
});

Deno.test("Pace lets the queue of a line that is far away not grow for ever", () => {
  for (
    const [roundTripMs, bytesPerSecond] of [[300, 60_000], [300, 200_000], [500, 60_000]] as const
  ) {
    const line = new Line(bytesPerSecond, 1_000_000, roundTripMs);
    const later = play(() => line, 300).slice(20);
    const what = `${roundTripMs} ms, ${bytesPerSecond} bytes a second`;
    const queuesMs = later.map(({ queueMs }) => queueMs).sort((one, other) => one - other);
    assert(queuesMs.at(-1)! < 1_100, `${what}: a queue of ${queuesMs.at(-1)} ms`);
    assert(
      queuesMs[queuesMs.length >> 1]! < 600,
      `${what}: mostly ${queuesMs[queuesMs.length >> 1]}`,
    );
    const share = later.reduce((sum, { bytes }) => sum + bytes, 0) / (280 * bytesPerSecond);
    assert(share > 0.9, `${what}: ${share} of the line`);
  }
});

Deno.test("Pace uses a line that is wide enough up to the limit, with no queue", () => {
  const line = new Line(1_000_000, 1_000_000, 40);
  const later = play(() => line, 10).slice(3);
  for (const { bytes, queueMs } of later) {
    assert(bytes > 0.98 * 262_144 && bytes < 1.02 * 262_144, `${bytes} bytes in a second`);
    assert(queueMs < 50, `a queue of ${queueMs} ms`);
  }
});

Deno.test("Pace has all of a line again seconds after it was narrow, or led nowhere", () => {
  for (const meanwhile of [new Line(20_000, 100_000, 40), new Line(1, 0, 40)]) {
    const line = new Line(400_000, 100_000, 40);
    const isBad = (now: number): boolean => now >= 5_000 && now < 15_000;
    const seconds = play((now) => isBad(now) ? meanwhile : line, 40);
    const [before, after] = [seconds[4]!.bytes, seconds[30]!.bytes];
    assert(before > 250_000, `${before} bytes in a second before`);
    assert(seconds[14]!.bytes < 25_000, `${seconds[14]!.bytes} bytes when it was bad`);
    assert(after > 0.98 * before, `${after} bytes in a second after`);
  }
});
