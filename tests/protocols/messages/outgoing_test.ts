import { assert, assertEquals } from "@std/assert";
import { decodeFrame, LENGTH_BYTES, OFFER_BARS } from "../../../lib/protocols/messages/frame.ts";
import { NetworkMessage } from "../../../lib/protocols/messages/message.ts";
import {
  Envelope,
  Outgoing,
  type OutgoingOptions,
  SENT,
  type Sent,
} from "../../../lib/protocols/messages/outgoing.ts";
import { Framer } from "../../../lib/protocols/messages/wire.ts";
import { seededRandom } from "../../../lib/parts/random.ts";
import { peerAt } from "../../support/recorder.ts";
import { forEachSeed } from "../../support/seeds.ts";
import { StreamRecorder } from "../../support/stream_recorder.ts";

const MIB = 2 ** 20;
const utf8 = new TextDecoder();
/** What each that waits counts more than its bytes. */
const PIECE_BYTES = 64;
/** Who has not taken all for so long, is behind. */
const BEHIND_MS = 1_000;
/** A second of the clock does not begin when something is sent. */
const START = 1_234.567;

/** A queue, and the time that passes for it. */
class Line {
  readonly peer = peerAt("192.0.2.1:5000");
  readonly out = new StreamRecorder<unknown>();
  readonly outgoing: Outgoing;
  /** How late its timers are. */
  lateMs = 0;
  /** When what was given to it, was. */
  readonly givenAt: number[] = [];

  constructor(options: Partial<OutgoingOptions> = {}, offers = false) {
    const defaults = { gapMs: 20, queueBytesMax: 4 * MIB, messageBytesMax: MIB };
    this.outgoing = new Outgoing(this.peer, { ...defaults, ...options }, offers);
    this.out.now = START;
  }

  send(message: string | NetworkMessage | Envelope): Sent {
    const envelope = message instanceof Envelope ? message : new Envelope(messageOf(message));
    const sent = this.outgoing.send(envelope, this.out.now, this.out);
    if (sent.ok) this.givenAt.push(this.out.now);
    return sent;
  }

  /** Time passes, and what is due is done: late, if the timers are. */
  wait(ms: number): void {
    const until = this.out.now + ms;
    for (;;) {
      const at = Math.max(this.out.now, this.outgoing.dueAt + this.lateMs);
      if (at > until || this.outgoing.dueAt === Infinity) break;
      this.out.now = at;
      this.outgoing.advance(at, this.out);
      assert(this.outgoing.dueAt > at, `due at ${this.outgoing.dueAt} after advance(${at})`);
    }
    this.out.now = until;
  }

  /** It has not taken so much for as long as it takes to be behind. */
  fallBehind(unsentBytes: number): void {
    this.out.setUnsentBytes(this.peer, 0);
    this.wait(10_000);
    assertEquals(this.send(""), SENT);
    this.out.setUnsentBytes(this.peer, unsentBytes);
    this.wait(BEHIND_MS);
    this.out.takeSent();
  }

  /** When what left, did; counted from the start, rounded. */
  get leftAt(): number[] {
    return this.out.sent.map(({ at }) => Math.round(1_000 * (at - START)) / 1_000);
  }

  get texts(): string[] {
    return this.out.sent.map(({ bytes }) => utf8.decode(bytes));
  }

  /** How long each waited of what left. */
  get delays(): number[] {
    return this.out.sent.map(({ at }, index) => at - this.givenAt[index]!);
  }
}

function assertFull(sent: Sent): void {
  assertEquals([sent.ok, sent.failure], [false, "full"], sent.reason);
}

function messageOf(message: string | NetworkMessage): NetworkMessage {
  return typeof message === "string" ? new NetworkMessage(message) : message;
}

function bodyOf(frame: Uint8Array): string {
  const message = decodeFrame(frame.subarray(LENGTH_BYTES));
  assert(message, `${frame} is no frame`);
  return message.body;
}

/** Reads as the original does: unseen the first character, then what is between bars and colons. */
function readByOriginal(bytes: Uint8Array): { headers: string[][]; body: string } {
  const [block, body] = utf8.decode(bytes).slice(1).split("%") as [string, string];
  const pieces = block.split("|").filter((piece) => piece !== "");
  return { headers: pieces.map((piece) => piece.split(":").slice(0, 2)), body };
}

/** What a netsync with the same limit reads of all that was sent. */
function heardBy(line: Line, messageBytesMax: number): string[] {
  const framer = new Framer({ messageBytesMax, frames: true });
  const heard: string[] = [];
  const take = (): void => {
    for (let next; (next = framer.next());) {
      if (next.kind === "message") heard.push(next.message.body);
      else if (next.kind === "refused") heard.push(`refused: ${next.reason}`);
    }
  };
  for (const { bytes } of line.out.sent) {
    framer.push(bytes, 0);
    take();
  }
  framer.finish();
  take();
  return heard;
}

// ---- the gap

Deno.test("Outgoing.send() writes at once, and keeps the gap to the next ones", () => {
  const line = new Line();
  for (const text of ["a", "b", "c"]) line.send(text);
  assertEquals(line.leftAt, [0]);
  assertEquals(line.outgoing.dueAt, START + 20);
  line.wait(1_000);
  assertEquals([line.leftAt, line.texts], [[0, 20, 40], ["$%a", "$%b", "$%c"]]);
  assertEquals(line.outgoing.dueAt, Infinity);
});

Deno.test("Outgoing.send() does not make a message wait when the last one left long ago", () => {
  const line = new Line();
  for (const ms of [20, 19, 25, 1_000]) {
    line.send("x");
    line.wait(ms);
  }
  line.send("x");
  // The third was 1 ms early; the gap to the fourth counts from when it left.
  assertEquals(line.leftAt, [0, 20, 40, 64, 1_064]);
});

Deno.test("Outgoing.send() counts the gap from when the last one really left", () => {
  const line = new Line();
  line.lateMs = 7;
  for (const text of ["a", "b", "c"]) line.send(text);
  line.wait(100);
  assertEquals(line.leftAt, [0, 27, 54]);
});

Deno.test("Outgoing.send() writes what is due itself, in order, when no timer did", () => {
  const line = new Line();
  line.send("a");
  line.send("b");
  line.out.now += 30;
  line.send("c");
  assertEquals([line.leftAt, line.texts], [[0, 30], ["$%a", "$%b"]]);
  line.wait(20);
  assertEquals([line.leftAt, line.texts.at(-1)], [[0, 30, 50], "$%c"]);
});

Deno.test("Outgoing.advance() does nothing early", () => {
  const line = new Line();
  line.outgoing.advance(START, line.out);
  line.send("a");
  line.send("b");
  line.outgoing.advance(START + 19.999, line.out);
  assertEquals(line.out.sent.length, 1);
  line.outgoing.advance(START + 20, line.out);
  assertEquals(line.out.sent.length, 2);
});

Deno.test("Outgoing.send() keeps no gap when there is none", () => {
  const line = new Line({ gapMs: 0 });
  for (let count = 0; count < 100; count++) line.send(`${count}`);
  assertEquals(line.texts, Array.from({ length: 100 }, (_, count) => `$%${count}`));
  assertEquals(line.outgoing.dueAt, Infinity);
});

Deno.test("Outgoing.send() keeps no gap between frames", () => {
  const line = new Line();
  line.outgoing.switchToFrames(line.out);
  for (let count = 0; count < 100; count++) line.send(`${count}`);
  assertEquals([line.out.sent.length, line.outgoing.dueAt], [101, Infinity]);
  assertEquals(line.out.sent.slice(1).map(({ bytes }) => bodyOf(bytes))[99], "99");
});

// ---- more than fit

for (const count of [46, 100, 1_000, 5_000]) {
  Deno.test(`Outgoing.send() lets ${count} messages at once leave within a second, in order`, () => {
    const line = new Line();
    for (let number = 0; number < count; number++) line.send(`${number}`);
    line.wait(10_000);
    assertEquals(line.texts, Array.from({ length: count }, (_, number) => `$%${number}`));
    const last = line.leftAt.at(-1)!;
    assert(last > 800 && last <= 1_000, `the last one left after ${last} ms`);
    for (let at = 1; at < count; at++) {
      const gap = line.leftAt[at]! - line.leftAt[at - 1]!;
      assert(gap > 0.99 * 900 / count - 0.001, `two are ${gap} ms apart`);
    }
  });
}

Deno.test("Outgoing.send() keeps the whole gap for as many as fit", () => {
  const line = new Line();
  for (let count = 0; count < 45; count++) line.send(`${count}`);
  line.wait(2_000);
  assertEquals(line.leftAt, Array.from({ length: 45 }, (_, count) => 20 * count));
});

for (const hz of [10, 45, 60, 120, 500]) {
  for (const lateMs of [0, 1, 5]) {
    Deno.test(`Outgoing.send() keeps up with ${hz} messages a second, its timers ${lateMs} ms late`, () => {
      const line = new Line();
      line.lateMs = lateMs;
      for (let count = 0; count < 30 * hz; count++) {
        line.send(`${count}`);
        line.wait(1_000 / hz);
      }
      line.wait(1_000);
      assertEquals(line.out.sent.length, 30 * hz);
      assertEquals(line.outgoing.dueAt, Infinity);
      const slowest = Math.max(...line.delays);
      assert(slowest < 500, `a message waited ${slowest} ms`);
      // Once it knows the rate, hardly anything waits any more.
      const later = Math.max(...line.delays.slice(10 * hz));
      assert(later <= 2 * 20 + lateMs, `a message waited ${later} ms after 10 s`);
    });
  }
}

// Timers of 15.6 ms are what some systems have; any is late while its program is busy.
for (const lateMs of [2, 9, 16, 50]) {
  Deno.test(`Outgoing.advance() catches up with a burst when timers are ${lateMs} ms late`, () => {
    const line = new Line();
    line.lateMs = lateMs;
    for (let count = 0; count < 1_000; count++) line.send(`${count}`);
    line.wait(1_500);
    assertEquals(line.out.sent.length, 1_000);
  });
}

Deno.test("Outgoing.advance() keeps up with bursts of 40 every 100 ms when timers are 16 ms late", () => {
  const line = new Line();
  line.lateMs = 16;
  for (let burst = 0; burst < 100; burst++) {
    for (let count = 0; count < 40; count++) line.send(`${burst}`);
    line.wait(100);
  }
  line.wait(1_000);
  assertEquals(line.out.sent.length, 4_000);
});

Deno.test("Outgoing.send() keeps the gap again when there is less to say", () => {
  const line = new Line();
  for (let count = 0; count < 1_000; count++) line.send("x");
  line.wait(3_000);
  const before = line.out.sent.length;
  for (let count = 0; count < 3; count++) line.send("x");
  line.wait(1_000);
  assertEquals(line.leftAt.slice(before), [3_000, 3_020, 3_040]);
});

Deno.test("Outgoing.send() remembers the rate of one second into the next, and no longer", () => {
  const line = new Line();
  for (let count = 0; count < 100; count++) line.send("x");
  line.wait(1_100);
  line.send("y");
  line.send("y");
  line.wait(1_900);
  assertEquals(line.leftAt.slice(100), [1_100, 1_109]);
  line.send("z");
  line.send("z");
  line.wait(100);
  assertEquals(line.leftAt.slice(102), [3_000, 3_020]);
});

Deno.test("Outgoing keeps order and loses nothing, whatever the times", () => {
  forEachSeed(200, (seed) => {
    const random = seededRandom(seed);
    const line = new Line({ gapMs: [0, 1 / 3, 20, 300][seed % 4]! });
    line.out.now = random() * 1e9;
    line.lateMs = random() < 0.5 ? 0 : random() * 30;
    const switchAt = random() < 0.5 ? Math.floor(random() * 100) : -1;
    for (let count = 0; count < 100; count++) {
      if (count === switchAt) line.outgoing.switchToFrames(line.out);
      line.send(`${count}`);
      if (random() < 0.5) line.wait(random() * [0.01, 30, 700][Math.floor(random() * 3)]!);
    }
    line.wait(1e6);
    const bodies: string[] = [];
    for (const { bytes } of line.out.sent) {
      if (bytes[0] === 0x24) bodies.push(utf8.decode(bytes).slice(2));
      else if (bytes[0] !== 0xff) bodies.push(bodyOf(bytes));
    }
    assertEquals(bodies, Array.from({ length: 100 }, (_, count) => `${count}`));
  });
});

// ---- the bound

Deno.test("Outgoing.send() is full when more would wait for who is behind than may", () => {
  const fit = 14;
  const queueBytesMax = 1 + (fit - 1) * (10 + PIECE_BYTES) + 10;
  for (const lessBytes of [0, 1]) {
    const line = new Line({ queueBytesMax: queueBytesMax - lessBytes });
    line.fallBehind(1);
    const ten = "x".repeat(8);
    line.send(ten); // Leaves at once.
    for (let count = lessBytes; count < fit; count++) assertEquals(line.send(ten), SENT);
    assertFull(line.send(ten));
    line.wait(20);
    assertEquals(line.send(ten), SENT);
    assertFull(line.send(ten));
    line.wait(1_000);
    assertEquals(line.texts, Array(fit + 2 - lessBytes).fill(`$%${ten}`));
  }
});

Deno.test("Outgoing.send() counts something for each that waits, however short", () => {
  const line = new Line({ queueBytesMax: 10 * PIECE_BYTES });
  line.fallBehind(1);
  let count = 0;
  while (line.send("").ok) count++;
  assertEquals(count, 1 + 10); // One left at once.
});

Deno.test("Outgoing.send() takes four times as much of a burst, again and again", () => {
  const fit = 54;
  const line = new Line({ queueBytesMax: 1_000 });
  const ten = "x".repeat(8);
  for (let burst = 0; burst < 5; burst++) {
    for (let count = 0; count <= fit; count++) assertEquals(line.send(ten), SENT);
    assertFull(line.send(ten));
    line.wait(1_500);
    assertEquals(line.out.takeSent().length, 1 + fit);
  }
});

Deno.test("Outgoing.send() takes for a burst who has been behind for less than a second", () => {
  const line = new Line({ queueBytesMax: 100 });
  line.outgoing.switchToFrames(line.out);
  const length = LENGTH_BYTES + 3 + 1;
  const canWait = (bytes: number): void => {
    line.out.setUnsentBytes(line.peer, bytes - length + 1);
    assertFull(line.send("x"));
    line.out.setUnsentBytes(line.peer, bytes - length);
    assertEquals(line.send("x"), SENT);
  };
  line.send("x");
  canWait(400);
  line.wait(BEHIND_MS - 1);
  canWait(400);
  line.wait(1);
  canWait(100);
  line.wait(100_000);
  canWait(100);
  // It has taken all: what follows is a burst again.
  line.out.setUnsentBytes(line.peer, 0);
  assertEquals(line.send("x"), SENT);
  canWait(400);
});

Deno.test("Outgoing.send() counts what the system has not taken", () => {
  for (const framed of [false, true]) {
    const line = new Line({ queueBytesMax: 100 });
    if (framed) line.outgoing.switchToFrames(line.out);
    const length = framed ? LENGTH_BYTES + 3 + 1 : 3;
    line.fallBehind(100 - length);
    assertEquals(line.send("x"), SENT);
    line.out.setUnsentBytes(line.peer, 100 - length + 1);
    assertFull(line.send("x"));
    line.out.setUnsentBytes(line.peer, 0);
    assertEquals(line.send("x"), SENT);
  }
});

Deno.test("Outgoing.send() always takes a single message, however long", () => {
  for (const framed of [false, true]) {
    const line = new Line({ queueBytesMax: 10 });
    if (framed) line.outgoing.switchToFrames(line.out);
    assertEquals(line.send("x".repeat(1_000)), SENT);
    // Another has to wait until the system has taken that.
    line.out.setUnsentBytes(line.peer, 1);
    assertFull(line.send("x".repeat(1_000)));
    line.out.setUnsentBytes(line.peer, 0);
    line.wait(BEHIND_MS);
    assertEquals(line.send("x".repeat(1_000)), SENT);
  }
});

Deno.test("Outgoing.send() frees room when what waits leaves as frames", () => {
  const line = new Line({ queueBytesMax: 100 });
  while (line.send("x".repeat(8)).ok);
  assertFull(line.send("x".repeat(8)));
  line.outgoing.switchToFrames(line.out);
  assertEquals(line.send("x".repeat(1_000)), SENT);
});

Deno.test("Outgoing.send() refuses what is longer than a message may be", () => {
  const line = new Line({ messageBytesMax: 12 });
  const reason = "the message is longer than 12 bytes";
  assertEquals(line.send("é".repeat(5)), { ok: true });
  assertEquals(line.send("é".repeat(5) + "x"), { ok: false, failure: "unsendable", reason });
  // The form makes no difference: nobody knows in which one a message will leave.
  line.outgoing.switchToFrames(line.out);
  assertEquals(line.send("é".repeat(5)), { ok: true });
  assertEquals(line.send("é".repeat(5) + "x"), { ok: false, failure: "unsendable", reason });
  const bytes = line.send(new NetworkMessage(new Uint8Array(13)));
  assert(!bytes.ok && bytes.failure === "unsendable");
});

// ---- forms

Deno.test("Outgoing.switchToFrames() lets what waits leave at once, as frames, in order", () => {
  const line = new Line();
  for (const text of ["a", "b", "c", "d"]) line.send(text);
  line.wait(25);
  assertEquals([line.texts, line.outgoing.isFramed], [["$%a", "$%b"], false]);
  line.out.takeSent();
  line.outgoing.switchToFrames(line.out);
  assert(line.outgoing.isFramed);
  const [first, ...frames] = line.out.takeSent().map(({ bytes }) => bytes);
  assertEquals(first, Uint8Array.of(0xff, 1));
  assertEquals(frames.map(bodyOf), ["c", "d"]);
  line.outgoing.switchToFrames(line.out);
  line.wait(1_000);
  assertEquals([line.out.sent, line.outgoing.dueAt], [[], Infinity]);
  line.send("e");
  assertEquals(line.out.takeSent().map(({ bytes }) => bodyOf(bytes)), ["e"]);
});

Deno.test("Outgoing sends a message as it was when it was given, whatever is made of it later", () => {
  const line = new Line();
  const message = new NetworkMessage("one").addHeader("n", "1");
  for (const body of ["one", "two", "$%three"]) line.send(message.setBody(body));
  message.addHeader("later").setBody("four");
  line.outgoing.switchToFrames(line.out);
  const frames = line.out.sent.slice(2).map(({ bytes }) =>
    decodeFrame(bytes.subarray(LENGTH_BYTES))
  );
  assertEquals(frames.map((frame) => [frame?.headers.length, frame?.body]), [[1, "two"], [
    1,
    "$%three",
  ]]);
});

Deno.test("Outgoing.switchToFrames() writes no frame that is too long for its reader", () => {
  // Headers take more room in a frame than in text: the other end would end the connection.
  const line = new Line({ messageBytesMax: 40 });
  const message = new NetworkMessage("x");
  for (let count = 0; count < 10; count++) message.addHeader("a");
  line.send("a");
  assertEquals(line.send(message), { ok: true }); // 33 bytes.
  line.send("b");
  line.outgoing.switchToFrames(line.out);
  assertEquals(heardBy(line, 40), ["a", "x", "b"]);
});

Deno.test("Outgoing.switchToFrames() sends nothing for what has a text but no frame", () => {
  const line = new Line();
  const raw = new Envelope("$a$b:1|%x"); // A frame has no header with such a name.
  assert(typeof raw.text !== "string" && typeof raw.frame === "string");
  for (const text of ["a", raw, "b"]) assertEquals(line.send(text), SENT);
  line.outgoing.switchToFrames(line.out);
  assertEquals(line.out.takeSent().slice(2).map(({ bytes }) => bodyOf(bytes)), ["b"]);
});

Deno.test("Outgoing.send() sends a binary body as a frame only", () => {
  const line = new Line();
  const message = new NetworkMessage(Uint8Array.of(1, 0xff));
  const sent = line.send(message);
  assert(!sent.ok && sent.failure === "unsendable");
  assert(sent.reason.includes("binary"), sent.reason);
  assertEquals(line.out.sent, []);
  line.outgoing.switchToFrames(line.out);
  assertEquals(line.send(message), { ok: true });
  assertEquals(line.out.sent.length, 2);
});

Deno.test("Outgoing.send() leaves no trace of what has no form", () => {
  const line = new Line({ queueBytesMax: 20 }, true); // Two wait in a burst.
  const unsendable = NetworkMessage.parse("$a$b:1|%x");
  for (let count = 0; count < 1_000; count++) {
    const sent = line.send(unsendable);
    assert(!sent.ok && sent.failure === "unsendable");
    assert(sent.reason.includes("$"), sent.reason);
  }
  // It counts for no rate, takes no room, and the first that leaves still offers.
  for (const text of ["a", "b", "c"]) line.send(text);
  line.wait(100);
  assertEquals(line.leftAt, [0, 20, 40]);
  assertEquals(line.texts[0], "$|||||||%a");
});

Deno.test("Outgoing.send() offers frames in the first message alone, and not in a raw one", () => {
  assertEquals(OFFER_BARS, 7);
  const line = new Line({}, true);
  line.send(new NetworkMessage("x").addHeader("a", "1"));
  line.send("y");
  line.wait(100);
  assertEquals(line.texts, ["$|||||||a:1|%x", "$%y"]);
  const raw = new Line({}, true);
  raw.send(new Envelope("$%raw"));
  raw.send("y"); // A server looks only at what comes first.
  raw.wait(100);
  assertEquals(raw.texts, ["$%raw", "$%y"]);
  const server = new Line();
  server.send("x");
  assertEquals(server.texts, ["$%x"]);
});

Deno.test("Outgoing.send() offers in a way that an original skips", () => {
  const texts = ["$%", "$%body", "$a:1|b:|:v|%é €"];
  for (const text of texts) {
    const line = new Line({}, true);
    line.send(NetworkMessage.parse(text));
    const [offer] = line.out.takeSentTo(line.peer) as [Uint8Array];
    assertEquals(offer.length, new TextEncoder().encode(text).length + OFFER_BARS);
    assertEquals(readByOriginal(offer), readByOriginal(new TextEncoder().encode(text)));
    assertEquals(NetworkMessage.decode(offer), NetworkMessage.parse(text));
  }
});

Deno.test("Outgoing.send() makes no message too long for its reader by offering", () => {
  // An original server reads 1,024 bytes at once, and ends on what is left of a longer message.
  const line = new Line({}, true);
  line.send("x".repeat(1_022));
  assert(line.out.sent[0]!.bytes.length <= 1_024, `${line.out.sent[0]!.bytes.length} bytes`);
  // A netsync server with the same limit sends away whoever exceeds it.
  const limited = new Line({ messageBytesMax: 2_000 }, true);
  limited.send("x".repeat(1_998));
  assertEquals(heardBy(limited, 2_000), ["x".repeat(1_998)]);
});

Deno.test("Outgoing.send() sends raw text as it is, and as a body in a frame", () => {
  const line = new Line();
  for (const text of ["hello é", "$", "$a", ""]) line.send(new Envelope(text));
  line.wait(100);
  assertEquals(line.texts, ["hello é", "$", "$a", ""]);
  line.out.takeSent();
  line.outgoing.switchToFrames(line.out);
  line.send(new Envelope("hello é"));
  assertEquals(bodyOf(line.out.sent[1]!.bytes), "hello é");
});

Deno.test("Envelope of raw text means the same in either form", () => {
  const envelope = new Envelope("$a:1|%x");
  const text = NetworkMessage.decode(envelope.text as Uint8Array);
  const frame = decodeFrame((envelope.frame as Uint8Array).subarray(LENGTH_BYTES))!;
  assertEquals([frame.headers, frame.body], [text.headers, text.body]);
});

Deno.test("Envelope makes each form once", () => {
  const envelope = new Envelope(new NetworkMessage("x"));
  assert(envelope.text === envelope.text && envelope.frame === envelope.frame);
  const bad = new Envelope(NetworkMessage.parse("$a$b:1|%x"));
  assert(typeof bad.text === "string" && typeof bad.frame === "string");
});
