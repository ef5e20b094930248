/** What reads messages: as the original writes them, and as frames. */
import {
  decodeFrame,
  encodeFrame,
  frameBytesOf,
  LENGTH_BYTES,
} from "../../../lib/protocols/messages/frame.ts";
import {
  type Header,
  HEADERS_MAX,
  NetworkMessage,
} from "../../../lib/protocols/messages/message.ts";
import { messageVectors } from "../../support/vectors.ts";
import type { Chance } from "../harness/chance.ts";
import { decoderTarget } from "../harness/decoders.ts";
import { utf8 } from "../harness/spoil.ts";
import type { Target } from "../harness/target.ts";

const service = "messages";
/** Segments of the originals. */
export const RECORDED_SEGMENTS: readonly Uint8Array[] = messageVectors.map(({ bytes }) => bytes);
const SIGNS = ["$", "%", "|", ":", "a", "$%", "$a:", "1|", "$a:1|%", "é", "😀"];

function signs(chance: Chance, length: number): string {
  return chance.many(Math.floor(length), () => chance.pick(SIGNS)).join("");
}

/** A message of about so many characters. */
export function messageOf(chance: Chance, length: number): NetworkMessage {
  const plain = chance.pick(["y", "é", "😀"]).repeat(length / 2);
  const message = new NetworkMessage(chance.is(0.5) ? signs(chance, length) : plain);
  while (chance.is(0.4)) {
    const name = signs(chance, chance.below(3)).replace(/[:|%$]/g, "");
    message.addHeader(name, signs(chance, chance.below(4)).replace(/[|%]/g, ""));
  }
  return message;
}

/** A message as a frame. */
export function frameOf(chance: Chance): Uint8Array {
  const message = messageOf(chance, chance.below(20));
  if (chance.is(0.3)) message.setBody(chance.noise(20));
  return encodeFrame(message);
}

/** Headers that are mostly more than a message has. */
export function manyHeaders(chance: Chance): Uint8Array {
  return utf8(`$${chance.pick(["a|", "é:|", "$a:1|"]).repeat(HEADERS_MAX + chance.whole(3))}%`);
}

/** A part of a stream. */
export function partOf(chance: Chance): Uint8Array {
  switch (chance.whole(6)) {
    case 0:
    case 1:
      return messageOf(chance, chance.below(chance.pick([3, 20, 1_100]))).encode();
    case 2:
      return utf8(signs(chance, chance.below(30)));
    case 3: {
      const [unit, times] = [signs(chance, 1 + chance.below(3)), chance.below(600)];
      return times < 500 ? utf8(unit.repeat(times)) : manyHeaders(chance);
    }
    case 4:
      return chance.pick(RECORDED_SEGMENTS);
    default:
      return frameOf(chance);
  }
}

/** A message as what can be compared: its fields are private. */
export interface Plain {
  readonly kind: "message";
  readonly headers: readonly Header[];
  readonly body: string | Uint8Array;
}

/** A message as that. */
export function plainOf({ headers, body, binary }: NetworkMessage): Plain {
  return { kind: "message", headers, body: binary ?? body };
}

function messageFrom({ headers, body }: Plain): NetworkMessage {
  const message = new NetworkMessage(body);
  for (const { name, value } of headers) message.addHeader(name, value);
  return message;
}

/** The original may put a `$` into a name, which nobody writes again. */
export function isWritable(plain: Plain | { kind: string }): plain is Plain {
  return "headers" in plain && plain.headers.every(({ name }) => !name.includes("$"));
}

/** Of messages. */
export const MESSAGES_DECODERS: readonly Target[] = [
  decoderTarget<Plain | { kind: "none" }>({
    service,
    name: "messages: one frame",
    recorded: RECORDED_SEGMENTS.map((bytes) => encodeFrame(new NetworkMessage(bytes))),
    real: frameOf,
    read: (bytes) => {
      const length = frameBytesOf(bytes, 2 ** 20);
      const message = decodeFrame(bytes.subarray(LENGTH_BYTES));
      if (message && typeof length === "number" && length === bytes.length) return plainOf(message);
      return { kind: "none" };
    },
    write: (plain) => plain.kind === "message" ? encodeFrame(messageFrom(plain)) : undefined,
    isExact: true,
    reach: { kinds: ["message", "none"] },
  }),
  decoderTarget<Plain | { kind: "refused"; reason: string }>({
    service,
    name: "messages: one message",
    recorded: RECORDED_SEGMENTS,
    real: (chance) => chance.is(0.5) ? partOf(chance) : messageOf(chance, 20).encode(),
    read: (bytes) => {
      try {
        return plainOf(NetworkMessage.decode(bytes));
      } catch (error) {
        if (error instanceof TypeError) return { kind: "refused", reason: "utf8" };
        if (error instanceof RangeError) return { kind: "refused", reason: "headers" };
        throw error;
      }
    },
    write: (plain) => isWritable(plain) ? messageFrom(plain).encode() : undefined,
    reach: { kinds: ["message", "refused:utf8", "refused:headers"] },
    seeds: 15,
  }),
];
