import { assert, assertEquals } from "@std/assert";
import {
  Delivery,
  type Reliable,
  Sequence,
  SEQUENCE_MAX,
} from "../../../lib/protocols/events/delivery.ts";

const MANY = 64;

/** A delivery, and what became of its messages. */
class Desk {
  readonly delivery: Delivery;
  /** `name: true` for each that was acked, `name: false` for each that was given up. */
  readonly settled: string[] = [];

  constructor(sequence = new Sequence()) {
    this.delivery = new Delivery(sequence);
  }

  /** A message whose bytes are its sequence number. */
  message(name: string): Reliable {
    return {
      write: (sequence) => Uint8Array.of(sequence >> 8, sequence & 255),
      settled: (arrived) => void this.settled.push(`${name}: ${arrived}`),
    };
  }

  add(...names: string[]): void {
    for (const name of names) this.delivery.add(this.message(name));
  }

  begin(now: number, onTheWayMax = MANY): number[] {
    return this.delivery.takeFirstSends(now, onTheWayMax).map(sequenceIn);
  }

  resend(now: number): number[] {
    return this.delivery.takeResends(now).map(sequenceIn);
  }

  /** When something is sent again, up to a time, to a client that is heard all the time. */
  resentAt(end: number): number[] {
    const times: number[] = [];
    for (let now = this.delivery.nextAt(MANY); now <= end; now = this.delivery.nextAt(MANY)) {
      this.delivery.heard();
      if (this.resend(now).length > 0) times.push(now);
    }
    return times;
  }

  takeSettled(): string[] {
    return this.settled.splice(0);
  }
}

function sequenceIn(bytes: Uint8Array): number {
  return 256 * bytes[0]! + bytes[1]!;
}

function upTo(count: number, first = 0): number[] {
  return Array.from({ length: count }, (_, index) => first + index);
}

// ---- numbers

Deno.test("Sequence goes from where it begins to 10,000, and on from 0", () => {
  assertEquals(SEQUENCE_MAX, 10_000);
  const sequence = new Sequence(9_998);
  assertEquals(upTo(5).map(() => sequence.take()), [9_998, 9_999, 10_000, 0, 1]);
  assertEquals(new Sequence().take(), 0);
});

Deno.test("Delivery gives numbers in the order in which messages were added", () => {
  const desk = new Desk(new Sequence(7));
  desk.add("a", "b", "c");
  assertEquals(desk.begin(0), [7, 8, 9]);
});

Deno.test("Delivery skips the numbers of what is still on its way", () => {
  const sequence = new Sequence(9_999);
  const desk = new Desk(sequence);
  desk.add("a", "b", "c");
  assertEquals(desk.begin(0), [9_999, 10_000, 0]);
  desk.delivery.ack(10_000);
  for (let taken = 1; taken < 9_999; taken++) sequence.take();
  desk.add("d", "e");
  assertEquals(desk.begin(0), [10_000, 1], "9,999 and 0 are taken");
});

Deno.test("Delivery of each client takes from the row that they share, but keeps its own", () => {
  const sequence = new Sequence();
  const [one, other] = [new Desk(sequence), new Desk(sequence)];
  one.add("a");
  other.add("b");
  assertEquals([one.begin(0), other.begin(0)], [[0], [1]]);
  assert(!one.delivery.ack(1), "nobody acks for anybody else");
  assert(!other.delivery.ack(0));
  assertEquals([one.settled, other.settled], [[], []]);
  assert(one.delivery.ack(0));
  assert(other.delivery.ack(1));
});

// ---- acks

Deno.test("Delivery.ack() settles a message once", () => {
  const desk = new Desk();
  desk.add("a", "b");
  desk.begin(0);
  assertEquals(desk.delivery.size, 2);
  assert(desk.delivery.ack(1));
  assertEquals([desk.takeSettled(), desk.delivery.size], [["b: true"], 1]);
  for (const unknown of [1, 2, 10_000, -1, NaN]) assert(!desk.delivery.ack(unknown));
  desk.delivery.close();
  desk.delivery.close();
  assertEquals(desk.takeSettled(), ["a: false"]);
});

Deno.test("Delivery.ack() does nothing for what was not sent yet", () => {
  const desk = new Desk();
  desk.add("a");
  assert(!desk.delivery.ack(0));
  assertEquals([desk.begin(0), desk.settled], [[0], []]);
});

Deno.test("Delivery.ack() ends the resends", () => {
  const desk = new Desk();
  desk.add("a");
  desk.begin(0);
  desk.delivery.ack(0);
  assertEquals([desk.delivery.nextAt(MANY), desk.resend(1e6)], [Infinity, []]);
});

// ---- resends

Deno.test("Delivery sends again after 500 ms, then 1 s, then every 2 s, ten times in all", () => {
  const desk = new Desk();
  desk.add("a");
  desk.begin(100);
  assertEquals(desk.delivery.nextAt(MANY), 600);
  assertEquals(desk.resend(599), []);
  const times = desk.resentAt(1e6);
  assertEquals(times, [600, 1_600, ...upTo(7).map((count) => 3_600 + 2_000 * count)]);
  assertEquals([desk.takeSettled(), desk.delivery.size], [["a: false"], 0]);
  assertEquals(desk.delivery.nextAt(MANY), Infinity);
});

Deno.test("Delivery gives up when the time of an eleventh send has come", () => {
  const desk = new Desk();
  desk.add("a");
  desk.begin(0);
  assertEquals(desk.resentAt(17_499).at(-1), 15_500);
  assertEquals(desk.takeSettled(), []);
  desk.resentAt(17_500);
  assertEquals(desk.takeSettled(), ["a: false"]);
  assert(!desk.delivery.ack(0), "too late");
});

Deno.test("Delivery sends again the same bytes, made once", () => {
  let writes = 0;
  const delivery = new Delivery(new Sequence(3));
  delivery.add({ write: (sequence) => Uint8Array.of(sequence, ++writes) });
  const [first] = delivery.takeFirstSends(0, MANY);
  assertEquals(delivery.takeResends(500), [first!]);
  assertEquals(writes, 1);
});

Deno.test("Delivery sends three times to a client that is not heard, and goes on when it is", () => {
  const desk = new Desk();
  desk.add("a");
  desk.begin(0);
  assertEquals([desk.resend(500), desk.resend(1_500)], [[0], [0]]);
  assertEquals([desk.delivery.nextAt(MANY), desk.resend(1e6)], [Infinity, []]);
  assertEquals(desk.settled, [], "it is not given up");
  desk.delivery.heard();
  assertEquals([desk.delivery.nextAt(MANY), desk.resend(1e6)], [3_500, [0]]);
  assertEquals([desk.resend(1_002_000), desk.resend(1_004_000)], [[0], [0]]);
  assertEquals(desk.delivery.nextAt(MANY), Infinity);
});

Deno.test("Delivery goes on with others while it spares one that was sent three times unheard", () => {
  const desk = new Desk();
  desk.add("a");
  desk.begin(0);
  desk.resend(500);
  desk.resend(1_500);
  desk.add("b");
  assertEquals(desk.begin(2_000), [1]);
  assertEquals(desk.delivery.nextAt(MANY), 2_500);
  assertEquals(desk.resend(10_000), [1]);
});

Deno.test("Delivery sends again the oldest first", () => {
  const desk = new Desk();
  desk.add(...upTo(20).map(String));
  desk.begin(0);
  assertEquals(desk.resend(500), upTo(20));
});

Deno.test("Delivery.takeFirstSends() begins no more than may be on their way", () => {
  const desk = new Desk();
  desk.add(...upTo(5).map(String));
  assertEquals(desk.begin(0, 2), [0, 1]);
  assertEquals([desk.begin(0, 2), desk.delivery.nextAt(2)], [[], 500]);
  assertEquals(desk.delivery.nextAt(3), -Infinity, "a turn has come");
  desk.delivery.ack(0);
  assertEquals([desk.delivery.nextAt(2), desk.begin(10, 2)], [-Infinity, [2]]);
  assertEquals(desk.begin(10, 64), [3, 4]);
  assertEquals(desk.delivery.nextAt(64), 500);
});

Deno.test("Delivery begins nothing after a message that goes ahead, until it is settled", () => {
  const desk = new Desk();
  desk.add("a");
  desk.delivery.add({ ...desk.message("first"), isAhead: true });
  desk.add("b", "c");
  assertEquals([desk.begin(0), desk.delivery.nextAt(MANY)], [[0], 500]);
  assertEquals([desk.begin(10), desk.resend(500), desk.begin(500)], [[], [0], []]);
  desk.delivery.ack(0);
  assertEquals(desk.takeSettled(), ["first: true"]);
  assertEquals([desk.delivery.nextAt(MANY), desk.begin(510)], [-Infinity, [1, 2, 3]]);
  desk.delivery.add({ ...desk.message("again"), isAhead: true });
  assertEquals(desk.begin(520, 3), [4], "also when as many are on their way as may be");
  const other = new Desk();
  other.delivery.add({ ...other.message("first"), isAhead: true });
  other.add("a");
  other.begin(0);
  assertEquals([other.resentAt(17_499).length, other.begin(17_499)], [9, []]);
  other.resend(17_500);
  assertEquals([other.takeSettled(), other.begin(17_500)], [["first: false"], [1]]);
});

Deno.test("Delivery.add() gives up what finds 1,024 others waiting", () => {
  const desk = new Desk();
  desk.add(...upTo(1_025).map(String));
  assertEquals([desk.takeSettled(), desk.delivery.size], [["1024: false"], 1_024]);
  desk.begin(0, 1);
  desk.add("late", "too late");
  assertEquals([desk.takeSettled(), desk.delivery.size], [["too late: false"], 1_025]);
});

Deno.test("Delivery.close() gives everything up, what waits too", () => {
  const desk = new Desk();
  desk.add("a", "b");
  desk.begin(0, 1);
  desk.delivery.close();
  assertEquals([desk.takeSettled(), desk.delivery.size], [["a: false", "b: false"], 0]);
  assertEquals([desk.delivery.nextAt(MANY), desk.begin(0), desk.resend(1e6)], [Infinity, [], []]);
});

Deno.test("Delivery needs nobody who is told", () => {
  const delivery = new Delivery(new Sequence());
  for (let count = 0; count < 1_030; count++) delivery.add({ write: () => new Uint8Array(1) });
  delivery.takeFirstSends(0, 1);
  assert(delivery.ack(0));
  delivery.close();
});

Deno.test("Delivery takes what is added, acked or closed while it tells of something", () => {
  const desk = new Desk();
  const { delivery } = desk;
  const { write } = desk.message("");
  delivery.add({ write, settled: () => desk.add("after") });
  desk.begin(0);
  delivery.ack(0);
  assertEquals(desk.begin(0), [1]);
  delivery.add({ write, settled: () => delivery.ack(1) });
  desk.begin(0);
  delivery.ack(2);
  assertEquals(desk.takeSettled(), ["after: true"]);
  delivery.add({ write, settled: () => delivery.close() });
  desk.add("one", "two");
  desk.begin(0);
  assertEquals(desk.resentAt(1e6).length, 9);
  assertEquals([desk.takeSettled(), delivery.size], [["one: false", "two: false"], 0]);
});
