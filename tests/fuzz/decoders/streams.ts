/**
 * What reads bytes from strangers in messages: whole messages, frames, and streams of both that are cut
 * anywhere, with time between the pieces or none. Always true of a stream:
 *
 * - a message is no longer than the limit, and what waits is no more than two of them, or than the longest
 *   frame;
 * - what was held back is delivered when it is due, also when that is seen late, and the next due time is in
 *   the future;
 * - nothing comes behind a refusal, and nothing waits any more;
 * - the bytes of all messages are those of the stream, in order, none twice;
 * - the same bytes at the same times give the same, however each moment's bytes are cut;
 * - what was read can be written again, and is read as the same, as text and as a frame.
 */
import { assert } from "@std/assert";
import {
  decodeFrame,
  encodeFrame,
  frameBytesOf,
  LENGTH_BYTES,
  OFFER_BARS,
  SWITCH,
} from "../../../lib/protocols/messages/frame.ts";
import { HEADERS_MAX, NetworkMessage } from "../../../lib/protocols/messages/message.ts";
import {
  type Framed,
  Framer,
  type FramerOptions,
  UNFINISHED_QUIET_MS,
  type WireRefusal,
} from "../../../lib/protocols/messages/wire.ts";
import { decodeUtf8 } from "../../../lib/parts/utf8.ts";
import type { Chance } from "../harness/chance.ts";
import { decoderTarget, textOf } from "../harness/decoders.ts";
import { every, nameOf } from "../harness/reach.ts";
import { joined, utf8 } from "../harness/spoil.ts";
import type { Target } from "../harness/target.ts";
import {
  frameOf,
  isWritable,
  manyHeaders,
  messageOf,
  partOf,
  type Plain,
  plainOf,
  RECORDED_SEGMENTS,
} from "./messages.ts";

const OFFER = utf8(`$${"|".repeat(OFFER_BARS)}%hi`);
/** Long streams in single bytes would take all the time. */
const STREAM_BYTES_MAX = 12_000;
const PIECES_MAX = 1_000;
const STEPS = [[1_000_000], [0, 1], [1, 19, 20, 21], [5, 299, 500, 1_999, 2_000, 9_000]];
/** How late it is seen that something is due, in ms. */
const LATE_MS = [0, 3, 6, 700];

/** One of each kind of thing in a stream, and when nothing came. */
type Said = Plain | Exclude<Framed, { kind: "message" }> | number;

interface Moment {
  readonly at: number;
  readonly bytes: Uint8Array;
}

interface Played {
  readonly said: readonly Said[];
  readonly bytes: Uint8Array;
}

function momentsOf(chance: Chance, bytes: Uint8Array): Moment[] {
  const steps = chance.pick(STEPS);
  const moments: Moment[] = [];
  let at = chance.pick([0, 1.5, 2 ** 40]);
  const longest = chance.pick([20, 300, 1_500, 30_000]);
  for (let start = 0; start < bytes.length;) {
    const length = 1 + chance.whole(longest);
    moments.push({ at: at += chance.pick(steps), bytes: bytes.subarray(start, start + length) });
    start += length;
  }
  return moments;
}

/** What the bytes of all moments come to, when each moment's arrive in pieces of up to this size. */
function play(
  options: FramerOptions,
  moments: readonly Moment[],
  chance: Chance,
  pieceBytesMax: number,
  lateMs: number,
): Said[] {
  const framer = new Framer(options);
  const said: Said[] = [];
  let isOver = false;
  let pushed = 0;
  const take = (): void => {
    for (let next: Framed | undefined; (next = framer.next());) {
      assert(!isOver, "something behind a refusal");
      if (next.kind === "refused") isOver = true;
      said.push(next.kind === "message" ? checked(next.message, options) : next);
    }
    const { pendingBytes, dueAt } = framer;
    assert(pendingBytes <= pendingBytesMax(options), `${pendingBytes} bytes wait`);
    assert(pendingBytes <= pushed, `${pendingBytes} bytes of ${pushed} wait`);
    assert(!isOver || pendingBytes === 0, "something waits behind a refusal");
    assert(pendingBytes > 0 || dueAt === Infinity, `nothing waits until ${dueAt}`);
  };
  const settle = (now: number): void => {
    framer.settle(now);
    take();
    assert(framer.dueAt > now, `due at ${framer.dueAt} after settle(${now})`);
  };
  for (const { at, bytes } of moments) {
    while (framer.dueAt <= at) settle(Math.min(at, framer.dueAt + lateMs));
    for (let start = 0; start < bytes.length;) {
      const isWhole = pieceBytesMax === Infinity;
      const length = isWhole ? bytes.length : 1 + chance.whole(pieceBytesMax);
      const piece = bytes.slice(start, start + length);
      start += length;
      pushed += piece.length;
      framer.push(piece, at);
      piece.fill(0x25);
      take();
    }
    const { dueAt } = framer;
    const isSoon = dueAt >= at && dueAt <= at + UNFINISHED_QUIET_MS;
    assert(dueAt === Infinity || isSoon, `due at ${dueAt} after bytes at ${at}`);
    if (dueAt <= at) settle(at);
    said.push(at);
  }
  framer.finish();
  take();
  if (!options.frames && !isOver) assert(framer.pendingBytes === 0, "something is left");
  return said;
}

/** In whatever form it was, it took at least what is in it; and it can be written in both. */
function checked(message: NetworkMessage, { messageBytesMax }: FramerOptions): Plain {
  const plain = plainOf(message);
  const { headers, body, binary } = message;
  if (isWritable(plain)) {
    const text = textOf(plain);
    const read = decodeFrame(encodeFrame(message).subarray(LENGTH_BYTES));
    assert(read && textOf(plainOf(read)) === text, "the frame of it is another message");
    const again = binary ? read : NetworkMessage.decode(message.encode());
    assert(textOf(plainOf(again)) === text, "the text of it is another message");
  }
  const least = headers.reduce((sum, { name, value }) => sum + bytesIn(name) + bytesIn(value), 0);
  const bytes = least + (binary?.length ?? bytesIn(body));
  assert(bytes <= messageBytesMax, `a message of ${bytes} bytes`);
  return plain;
}

/** The most that waits when everything certain was taken, with a limit of so many bytes of text. */
function pendingBytesMax({ messageBytesMax, frames }: FramerOptions): number {
  // A message, and what may be the beginning of another: behind its "$" no longer than a message either.
  const texts = 2 * messageBytesMax + 1;
  if (!frames) return texts;
  // Behind its length a frame of h headers has messageBytesMax + 1 + 6h bytes at most: the head has 3 where
  // text has "$" and "%", and two lengths of a header have 8 where text has two signs. There are 1,024 headers
  // at most, and no more than fit: 3 + 8h is at most messageBytesMax + 1 + 6h, so 6h at most 3 times it less 6.
  const lengths = Math.max(0, Math.min(3 * messageBytesMax - 6, 6 * HEADERS_MAX));
  // Behind text there may be the first byte of a switch. Of a frame something is missing.
  return Math.max(texts + 1, LENGTH_BYTES + messageBytesMax + lengths);
}

function bytesIn(text: string): number {
  return utf8(text).length;
}

/** A `$` behind which the headers of a message are whole: there the next message begins. */
const BOUNDARY = /\$(?:[^:|%$]*:[^|%]*\|)*%/g;

/** What a stream comes to whose bytes arrive all at once, found in another way; undefined when it is none. */
function expectedOf(bytes: Uint8Array, frames: boolean): Plain[] | undefined {
  const at = frames ? bytes.findIndex((byte, at) => byte === 0xff && bytes[at + 1] === 1) : -1;
  const all: Plain[] = [];
  try {
    let text = decodeUtf8(at < 0 ? bytes : bytes.subarray(0, at));
    while (text !== "") {
      BOUNDARY.lastIndex = text.startsWith("$") ? text.indexOf("%") + 1 || text.length : 0;
      const length = BOUNDARY.exec(text)?.index ?? text.length;
      all.push(plainOf(NetworkMessage.parse(text.slice(0, length))));
      text = text.slice(length);
    }
  } catch {
    return undefined;
  }
  for (let start = at + SWITCH.length; at >= 0 && start < bytes.length;) {
    const length = frameBytesOf(bytes.subarray(start), 2 ** 21);
    if (typeof length !== "number" || start + length > bytes.length) return undefined;
    const message = decodeFrame(bytes.subarray(start + LENGTH_BYTES, start += length));
    if (!message) return undefined;
    all.push(plainOf(message));
  }
  return all;
}

/** Every message comes out, as it went in, and where the next one begins. */
function checkAtOnce(bytes: Uint8Array, frames: boolean, chance: Chance): void {
  const expected = expectedOf(bytes, frames);
  if (!expected) return;
  const options = { messageBytesMax: 2 ** 21, frames };
  const said = play(options, [{ at: 0, bytes }], chance, Infinity, 0);
  const messages = said.filter((one) => typeof one !== "number" && one.kind === "message");
  assert(textOf(messages) === textOf(expected), `${textOf(messages)}, not ${textOf(expected)}`);
}

/** Nothing is lost or told twice: letters of text come out in the order in which they went in. */
function checkLetters({ said, bytes }: Played): void {
  if (said.some((entry) => typeof entry !== "number" && entry.kind !== "message")) return;
  const stream = new TextDecoder("utf-8", { ignoreBOM: true }).decode(bytes);
  const heard = (said.filter((entry) => typeof entry !== "number") as Plain[])
    .map(({ headers, body }) => headers.map(({ name, value }) => name + value).join("") + body);
  const letters = (text: string): string => text.replace(/[$%|:]/g, "");
  assert(letters(heard.join("")) === letters(stream), "what was heard is not what was said");
}

function streamDecoder(frames: boolean): Target {
  const never = frames ? undefined : {
    offered: "nobody asks this reader for frames",
    switched: "bytes that are no text are refused",
    "refused:frame": "there are none",
  };
  return decoderTarget<Played>({
    service: "messages",
    name: `messages: a stream ${frames ? "that may go on in frames" : "of text"}`,
    recorded: RECORDED_SEGMENTS,
    real: (chance) => {
      if (chance.is(0.1)) return chance.is(0.5) ? new Uint8Array(0) : manyHeaders(chance);
      const parts = chance.many(1 + chance.whole(12), () => partOf(chance));
      const texts = chance.many(chance.whole(3), () => messageOf(chance, 9).encode());
      const heads = [[], texts, [SWITCH], [OFFER], [OFFER, ...texts, SWITCH], [...texts, SWITCH]];
      parts.unshift(...chance.pick(heads) as Uint8Array[]);
      if (chance.is(0.5)) parts.splice(-8, 8, ...chance.many(3, () => frameOf(chance)));
      return joined(...parts);
    },
    read: (bytes, chance) => {
      const moments = momentsOf(chance, bytes);
      const options = {
        messageBytesMax: chance.pick([4, 20, 300, 1_500, 2 ** 20, 2 ** 20]),
        frames,
      };
      const lateMs = chance.pick(LATE_MS);
      const said = play(options, moments, chance, Infinity, lateMs);
      const pieceBytesMax = chance.pick([1, 2, 5, 100]) + Math.floor(bytes.length / PIECES_MAX);
      const inPieces = play(options, moments, chance, pieceBytesMax, lateMs);
      assert(textOf(inPieces) === textOf(said), "it comes to something else in pieces");
      return { said, bytes: bytes.slice() };
    },
    nameOf: ({ said }) => {
      const names = said.filter((entry) => typeof entry !== "number").map(nameOf);
      return names.length === 0 ? ["nothing"] : names;
    },
    check: (played, bytes, chance) => {
      if (!frames) checkLetters(played);
      checkAtOnce(bytes, frames, chance);
    },
    reach: {
      kinds: [
        ...every<Framed["kind"] | "nothing">()("message offered switched refused nothing")
          .filter((kind) => kind !== "refused"),
        ...every<WireRefusal>("refused:")("utf8 too-long headers frame"),
      ],
      never,
    },
    bytesMax: STREAM_BYTES_MAX,
    seeds: 12,
    inputs: 60,
  });
}

/** Of streams of messages. */
export const STREAM_DECODERS: readonly Target[] = [streamDecoder(false), streamDecoder(true)];
