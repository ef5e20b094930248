/**
 * Streams of every kind for the reader of messages: messages, text rich in signs, frames, noise, cut into
 * segments at random, with time between them or none. Always true:
 *
 * - nothing throws, and the segments may be written over afterwards;
 * - a message is no longer than the limit, and what waits is no more than two of them, or than the longest
 *   frame;
 * - what was held back is delivered when it is due, also when that is seen late, and the next due time is in
 *   the future;
 * - nothing comes behind a refusal, and nothing waits any more;
 * - the bytes of all messages are those of the stream, in order, none twice;
 * - the same bytes at the same times give the same, however each moment's bytes are cut;
 * - what was read can be written again, and is read as the same, as text and as a frame.
 *
 * FUZZ_SECONDS=60 plays longer, SEED=17 one seed.
 */
import { assert, assertEquals } from "@std/assert";
import { type Random, seededRandom } from "../../lib/parts/random.ts";
import {
  decodeFrame,
  encodeFrame,
  LENGTH_BYTES,
  SWITCH,
} from "../../lib/protocols/messages/frame.ts";
import { type Header, HEADERS_MAX, NetworkMessage } from "../../lib/protocols/messages/message.ts";
import { type Framed, Framer, UNFINISHED_QUIET_MS } from "../../lib/protocols/messages/wire.ts";
import { mutated, noise } from "../protocols/engine_suite.ts";
import { seeds, withSeed } from "../support/seeds.ts";
import { messageVectors } from "../support/vectors.ts";

const SECONDS = Number(Deno.env.get("FUZZ_SECONDS") ?? 1);
const STREAMS = 10;
const MOMENTS = 12;
/** How late it is seen that something is due, in ms, stream by stream. */
const LATE_MS = [0, 3, 6, 700];

Deno.test("Framer, decodeFrame() and NetworkMessage.decode() keep their promises whatever the bytes", () => {
  const end = performance.now() + SECONDS * 1_000;
  for (const seed of seeds(Infinity)) {
    withSeed(seed, () => new Fuzzer(seededRandom(seed)).run());
    if (performance.now() > end) break;
  }
});

const KINDS = ["message", "signs", "flood", "recorded", "frame", "mutated", "noise"] as const;
type Kind = (typeof KINDS)[number];
const SIGNS = ["$", "%", "|", ":", "a", "$%", "$a:", "1|", "$a:1|%", "é", "😀"];

/** A message as what can be compared: its fields are private. */
interface Plain {
  headers: readonly Header[];
  body: string | Uint8Array;
}

interface Moment {
  at: number;
  bytes: Uint8Array;
}

class Fuzzer {
  readonly #random: Random;
  readonly #kinds: readonly Kind[];
  readonly #messageBytesMax: number;
  readonly #frames: boolean;
  readonly #steps: readonly number[];
  #lateMs = 0;

  constructor(random: Random) {
    this.#random = random;
    this.#kinds = KINDS.filter((kind) => kind === "message" || random() < 0.4);
    this.#messageBytesMax = pick(random, [4, 20, 300, 1_500, 2 ** 20]);
    this.#frames = random() < 0.5;
    this.#steps = pick(random, [[1_000_000], [0, 1], [1, 19, 20, 21], [
      5,
      500,
      1_999,
      2_000,
      9_000,
    ]]);
  }

  run(): void {
    for (let count = 0; count < STREAMS; count++) {
      this.#lateMs = LATE_MS[count % LATE_MS.length]!;
      const moments = this.#moments();
      const atOnce = this.#play(moments, Infinity);
      const inPieces = this.#play(moments, pick(this.#random, [1, 2, 5, 100]));
      assertSame(inPieces, atOnce);
    }
  }

  #moments(): Moment[] {
    const random = this.#random;
    let at = pick(random, [0, 1.5, 2 ** 40]);
    const moments: Moment[] = [];
    if (this.#frames && random() < 0.3) moments.push({ at, bytes: SWITCH.slice() });
    for (let count = 1 + random() * MOMENTS; count > 1; count--) {
      at += pick(random, this.#steps);
      const parts = Array.from({ length: 1 + random() * 3 }, () => this.#part());
      moments.push({ at, bytes: joined(...parts) });
    }
    return moments;
  }

  #part(kind = pick(this.#random, this.#kinds)): Uint8Array {
    const random = this.#random;
    switch (kind) {
      case "message":
        return this.#message(random() * pick(random, [3, 20, 1_100])).encode();
      case "signs":
        return encode(this.#signs(random() * 30));
      case "flood": {
        const [unit, times] = [this.#signs(1 + random() * 3), random() * 600];
        // Some may be more headers than a message has.
        return encode(times < 550 ? unit.repeat(times) : `$${unit.repeat(2 * times)}%`);
      }
      case "recorded":
        return pick(random, messageVectors).bytes;
      case "frame": {
        const message = this.#message(random() * 20);
        if (random() < 0.3) message.setBody(noise(random, random() * 20));
        return encodeFrame(message);
      }
      case "mutated":
        return mutated(random, this.#part(pick(random, ["message", "signs", "frame", "recorded"])));
      case "noise":
        return noise(random, random() * 20);
    }
  }

  #message(length: number): NetworkMessage {
    const random = this.#random;
    const message = new NetworkMessage(
      random() < 0.5 ? this.#signs(length) : pick(random, ["y", "é", "😀"]).repeat(length / 2),
    );
    while (random() < 0.4) {
      const name = this.#signs(random() * 3).replace(/[:|%$]/g, "");
      message.addHeader(name, this.#signs(random() * 4).replace(/[|%]/g, ""));
    }
    return message;
  }

  #signs(length: number): string {
    return Array.from({ length }, () => pick(this.#random, SIGNS)).join("");
  }

  // ---- what is always true

  /** What the bytes of all moments come to, when each moment's arrive in pieces of up to this size. */
  #play(moments: readonly Moment[], pieceBytesMax: number): unknown[] {
    const framer = new Framer({ messageBytesMax: this.#messageBytesMax, frames: this.#frames });
    const said: unknown[] = [];
    let isOver = false;
    let pushed = 0;
    let pushedLast = 0;
    const take = (): void => {
      for (let next: Framed | undefined; (next = framer.next());) {
        assert(!isOver, "something behind a refusal");
        if (next.kind === "refused") isOver = true;
        said.push(next.kind === "message" ? this.#checkMessage(next.message) : next);
      }
      const { pendingBytes, dueAt } = framer;
      const most = pendingBytesMax(this.#messageBytesMax, this.#frames);
      assert(pendingBytes <= most, `${pendingBytes} bytes wait`);
      assert(pendingBytes <= pushed, `${pendingBytes} bytes of ${pushed} wait`);
      if (isOver) assertEquals(pendingBytes, 0);
      if (pendingBytes === 0) assertEquals(dueAt, Infinity);
    };
    const settle = (now: number): void => {
      framer.settle(now);
      take();
      assert(framer.dueAt > now, `due at ${framer.dueAt} after settle(${now})`);
    };
    for (const { at, bytes } of moments) {
      while (framer.dueAt <= at) settle(Math.min(at, framer.dueAt + this.#lateMs));
      let start = 0;
      while (start < bytes.length) {
        const length = pieceBytesMax === Infinity
          ? bytes.length
          : Math.ceil(this.#random() * pieceBytesMax);
        const piece = bytes.slice(start, start + length);
        start += length;
        pushed += piece.length;
        pushedLast = at;
        framer.push(piece, at);
        piece.fill(0x25);
        take();
      }
      assert(
        framer.dueAt === Infinity || framer.dueAt >= pushedLast &&
            framer.dueAt <= pushedLast + UNFINISHED_QUIET_MS,
        `due at ${framer.dueAt} after bytes at ${pushedLast}`,
      );
      if (framer.dueAt <= at) settle(at);
      said.push(at);
    }
    framer.finish();
    take();
    this.#checkBytes(moments, said, isOver, framer.pendingBytes);
    return said;
  }

  /** What is read is the same when it is written and read again. Gives it as what can be compared. */
  #checkMessage(message: NetworkMessage): Plain {
    const plain = plainOf(message);
    const { headers, body, binary } = message;
    if (headers.every(({ name }) => !name.includes("$"))) {
      const frame = encodeFrame(message);
      const read = decodeFrame(frame.subarray(LENGTH_BYTES));
      assert(read, "a frame that cannot be read");
      assertSame(plainOf(read), plain);
      if (!binary) assertSame(plainOf(NetworkMessage.decode(message.encode())), plain);
    }
    // In whatever form it was, it took at least what is in it.
    const least = headers.reduce((sum, { name, value }) => sum + bytesIn(name) + bytesIn(value), 0);
    const bytes = least + (binary?.length ?? bytesIn(body));
    assert(bytes <= this.#messageBytesMax, `a message of ${bytes} bytes`);
    return plain;
  }

  /** Nothing is lost or told twice: letters of text come out in the order in which they went in. */
  #checkBytes(
    moments: readonly Moment[],
    said: readonly unknown[],
    isOver: boolean,
    pendingBytes: number,
  ): void {
    if (this.#frames || isOver) return;
    assertEquals(pendingBytes, 0);
    const stream = new TextDecoder("utf-8", { ignoreBOM: true })
      .decode(joined(...moments.map(({ bytes }) => bytes)));
    let heard = "";
    for (const entry of said) {
      if (typeof entry === "number") continue;
      const { headers, body } = entry as Plain;
      heard += headers.map(({ name, value }) => name + value).join("") + body;
    }
    const letters = (text: string): string => text.replace(/[$%|:]/g, "");
    assert(letters(heard) === letters(stream), "what was heard is not what was said");
  }
}

/** The most that waits when everything certain was taken, with a limit of so many bytes of text. */
function pendingBytesMax(textBytes: number, frames: boolean): number {
  // A message, and what may be the beginning of another: behind its "$" no longer than a message either.
  const texts = 2 * textBytes + 1;
  if (!frames) return texts;
  // Behind its length a frame of h headers has textBytes + 1 + 6h bytes at most: the head has 3 where text has
  // "$" and "%", and two lengths of a header have 8 where text has two signs. There are 1,024 headers at most,
  // and no more than fit: 3 + 8h bytes are at most textBytes + 1 + 6h, so 6h is at most 3 * textBytes - 6.
  const lengths = Math.max(0, Math.min(3 * textBytes - 6, 6 * HEADERS_MAX));
  const frame = LENGTH_BYTES + textBytes + 1 + lengths;
  // Behind text there may be the first byte of a switch. Of a frame something is missing.
  return Math.max(texts + 1, frame - 1);
}

function plainOf({ headers, body, binary }: NetworkMessage): Plain {
  return { headers, body: binary ?? body };
}

/** As `assertEquals`, which is slow on what is large and equal. */
function assertSame(actual: unknown, expected: unknown): void {
  if (JSON.stringify(actual) !== JSON.stringify(expected)) assertEquals(actual, expected);
}

function bytesIn(text: string): number {
  return encode(text).length;
}

function encode(text: string): Uint8Array {
  return new TextEncoder().encode(text);
}

function joined(...parts: readonly Uint8Array[]): Uint8Array {
  const bytes = new Uint8Array(parts.reduce((length, part) => length + part.length, 0));
  let at = 0;
  for (const part of parts) {
    bytes.set(part, at);
    at += part.length;
  }
  return bytes;
}

function pick<T>(random: Random, choices: readonly T[]): T {
  return choices[Math.floor(random() * choices.length)]!;
}
