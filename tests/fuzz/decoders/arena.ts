/** What reads bytes from strangers in the arena and in named events, which echo is made of. */
import { assert } from "@std/assert";
import {
  type BulletState,
  type ClientMessage,
  decodeClientMessage,
  decodeServerMessage,
  encodeBullets,
  encodeClientMessage,
  encodeLeft,
  encodeLook,
  encodeUpdates,
  encodeWelcome,
  encodeWorldInfo,
  type Numbered,
  type PlayerState,
  type ServerMessage,
  type WireRefusal,
} from "../../../lib/protocols/arena/wire.ts";
import {
  type EventFormat,
  type FormatRefusal,
  type Incoming,
  type Outgoing,
  type Payload,
} from "../../../lib/protocols/events/format.ts";
import { jsonFormat } from "../../../lib/protocols/events/json.ts";
import { msgpackFormat } from "../../../lib/protocols/events/packed.ts";
import { arenaVectors } from "../../support/vectors.ts";
import type { Chance } from "../harness/chance.ts";
import { decoderTarget } from "../harness/decoders.ts";
import { every } from "../harness/reach.ts";
import type { Target } from "../harness/target.ts";

const recorded = arenaVectors.map(({ bytes }) => bytes);
const NUMBERS = [0, 1, -1, 127, 128, 10_000, 65_536, 2 ** 32, -(2 ** 31) - 1, 2 ** 53 - 1];
const refusals = every<WireRefusal>("refused:")("oversize syntax shape event payload");
/** A datagram of nothing but arrays that hold arrays is written shorter than it was read. */
const WRITTEN_BYTES_MAX = 8_192;

function fromClient(chance: Chance): ClientMessage {
  const axis = (): number => chance.pick([-1, 0, 1, 0.5, -0.25, 7, 1e300, NaN, -0]);
  const sequences = chance.many(chance.whole(20), () => Math.abs(chance.pick(NUMBERS)));
  return chance.pick<ClientMessage>([
    { kind: "join" },
    { kind: "heartbeat" },
    { kind: "fire" },
    { kind: "ack", sequences },
    { kind: "input", dx: axis(), dy: axis() },
  ]);
}

export function fromServer(chance: Chance): Numbered {
  const number = (): number => chance.pick(NUMBERS);
  const player = (): PlayerState => ({
    ...{
      number: number(),
      red: number(),
      green: number(),
      blue: number(),
      x: number(),
      y: number(),
    },
  });
  const bullet = (): BulletState => ({ x: number(), y: number(), rotation: number() });
  const message = chance.pick<ServerMessage>([
    { kind: "welcome", player: player() },
    { kind: "worldInfo", width: number(), height: number() },
    { kind: "updates", players: chance.many(chance.whole(9), player) },
    { kind: "left", number: number() },
    { kind: "bullets", bullets: chance.many(chance.whole(20), bullet) },
  ]);
  const needsAck = message.kind === "welcome" || message.kind === "worldInfo";
  return { ...message, sequence: chance.whole(10_001), needsAck };
}

/** What a server would not send, for its length or its numbers, it cannot write either. */
export function writeServer(message: Numbered): Uint8Array | undefined {
  const { kind, sequence, needsAck } = message;
  if (kind === "left") return encodeLeft(sequence, needsAck, message.number);
  if (needsAck !== (kind === "welcome" || kind === "worldInfo")) return undefined;
  switch (kind) {
    case "welcome":
      return encodeWelcome(sequence, message.player);
    case "worldInfo":
      return encodeWorldInfo(sequence, message.width, message.height);
    case "bullets":
      return encodeBullets(sequence, message.bullets);
    case "updates":
      return encodeUpdates(
        sequence,
        message.players.map((player) => ({ ...player, look: encodeLook(player) })),
      );
  }
}

function isShort(bytes: Uint8Array | undefined): Uint8Array | undefined {
  return bytes && bytes.length <= WRITTEN_BYTES_MAX ? bytes : undefined;
}

const PAYLOADS: readonly Payload[] = [
  ...[null, true, 0, -1, 1.5, 2 ** 53, "", "é", "\u{1f600}", [], {}, [null, { a: [true] }]],
  ...["x".repeat(1_000), { "": 1, constructor: 2 }, [[[[[[1]]]]]]],
];

export function anyEvent(chance: Chance, hasBytes: boolean): Outgoing {
  const sequence = chance.pick([undefined, 0, 10_000]);
  const payload = hasBytes && chance.is(0.2) ? chance.noise(20) : chance.pick(PAYLOADS);
  return chance.pick<Outgoing>([
    { kind: "join" },
    { kind: "heartbeat" },
    { kind: "ack", sequences: chance.many(chance.whole(9), () => chance.whole(10_001)) },
    { kind: "welcome", number: chance.whole(99), server: chance.whole(2 ** 32), sequence },
    { kind: "event", name: chance.pick(["message", "say"]), payload, sequence },
    { kind: "event", name: "message", payload, sequence },
  ]);
}

/** What is read is deeper or longer by a little than what may be written. */
function writeEvent(format: EventFormat, message: Incoming): Uint8Array | undefined {
  if (message.kind === "refused") return undefined;
  try {
    return format.encode(message);
  } catch (error) {
    assert(error instanceof RangeError, `${error}`);
    return undefined;
  }
}

function eventDecoder(name: string, format: EventFormat, hasBytes: boolean): Target {
  const kinds = every<Outgoing["kind"]>()("join heartbeat ack welcome event");
  return decoderTarget<Incoming>({
    service: "events",
    name: `events: in ${name}`,
    recorded,
    real: (chance) => format.encode(anyEvent(chance, hasBytes)),
    read: (bytes) => format.decode(bytes),
    write: (message) => writeEvent(format, message),
    reach: {
      kinds: [...kinds, ...every<FormatRefusal>("refused:")("oversize syntax shape event")],
    },
  });
}

/** Of the arena, and of named events. */
export const ARENA_DECODERS: readonly Target[] = [
  decoderTarget<ClientMessage | { kind: "refused"; reason: WireRefusal }>({
    service: "arena",
    name: "arena: from a client",
    recorded,
    real: (chance) => encodeClientMessage(fromClient(chance)),
    read: decodeClientMessage,
    write: (message) =>
      message.kind === "refused" ? undefined : isShort(encodeClientMessage(message)),
    check: (message) => {
      if (message.kind !== "input") return;
      assert(Math.abs(message.dx) <= 1 && Math.abs(message.dy) <= 1, "faster than anybody");
    },
    reach: {
      kinds: [...every<ClientMessage["kind"]>()("join heartbeat ack fire input"), ...refusals],
    },
  }),
  decoderTarget<Numbered | { kind: "refused"; reason: WireRefusal }>({
    service: "arena",
    name: "arena: from a server",
    recorded,
    real: (chance) => writeServer(fromServer(chance))!,
    read: decodeServerMessage,
    write: (message) => message.kind === "refused" ? undefined : isShort(writeServer(message)),
    reach: {
      kinds: [
        ...every<ServerMessage["kind"]>()("welcome worldInfo updates left bullets"),
        ...refusals,
      ],
    },
  }),
  eventDecoder("JSON", jsonFormat(), false),
  eventDecoder("MessagePack", msgpackFormat({ message: 4, say: 5 }), true),
];
