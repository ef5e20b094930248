/** What reads bytes from strangers in world: packets, and what is said in them on both sides. */
import { assert } from "@std/assert";
import {
  type ClientMessage,
  jsonOf,
  readClientMessage,
  readServerMessage,
  type ServerMessage,
} from "../../../lib/protocols/world/messages.ts";
import {
  decodeHeader,
  decodePacket,
  encodeAck,
  encodeMessage,
  HEADER_BYTES,
  looksLikeAck,
  type Packet,
  type WireRefusal,
} from "../../../lib/protocols/world/wire.ts";
import type { JsonObject } from "../../../lib/parts/json.ts";
import { worldVectors } from "../../support/vectors.ts";
import type { Chance } from "../harness/chance.ts";
import { decoderTarget, textOf } from "../harness/decoders.ts";
import { every } from "../harness/reach.ts";
import type { Target } from "../harness/target.ts";

const service = "world";
const recorded = worldVectors.map(({ bytes }) => bytes);
const refusals = every<WireRefusal>("refused:")("short oversize length digest ack json number");

/** What a server may say, and some of what it should not. */
export function serverMessage(
  chance: Chance,
  universes: readonly unknown[] = [7],
): JsonObject {
  const strange: unknown[] = [null, -1, 0.5, "1", [], {}, 1e308, 2 ** 60, true, undefined];
  const odd = <T>(value: T): unknown => chance.is(0.03) ? chance.pick(strange) : value;
  const number = (): unknown =>
    odd(chance.is(0.1) ? 1e308 * (chance.below(1) - 0.5) : chance.whole(1_000));
  const vector = (count: number): unknown => odd(chance.many(count, number));
  const id = (): unknown => odd(chance.whole(chance.is(0.9) ? 15 : 3_000));
  const names = ["hp", "__proto__", "constructor", "x".repeat(70), "é"];
  const traits = (): unknown => odd({ [chance.pick(names)]: odd(chance.whole(9)) });
  const time = odd(chance.whole(chance.is(0.95) ? 300 : 10_000));
  const universe = odd(chance.pick(universes));
  const changes = (): unknown =>
    odd({
      position: vector(3),
      ...chance.is(0.5) && { quaternion: vector(4), mass: number() },
    });
  const kind = chance.random();
  if (kind < 0.35) {
    const snapshot = odd([vector(3), vector(3), vector(4), vector(3), number()]);
    const more = { total: odd(5), initial: odd(true), ...chance.is(0.5) && { traits: traits() } };
    return { type: "snap", id: id(), time, snapshot, universe, ...more };
  }
  if (kind < 0.65) {
    const parts = chance.many(1 + chance.whole(3), () => [
      String(id()),
      chance.is(0.7) ? changes() : traits(),
    ]);
    return { type: "diff", time, diff: odd(Object.fromEntries(parts)), universe };
  }
  if (kind < 0.75) {
    return { type: "remove", time, ids: odd(chance.many(chance.whole(4), id)), universe };
  }
  if (kind < 0.95) {
    const tickRate = odd(chance.pick([0, 100, 1e-300, undefined]));
    const synced = chance.is(0.5) ? undefined : odd(chance.whole(300));
    return { type: "heartbeat", time: odd(1.5), tick: time, tickRate, synced, universe };
  }
  return { type: chance.pick<unknown>([undefined, "full", "stop", "x", []]) };
}

/** What a client may say. */
export function clientMessage(chance: Chance): JsonObject {
  const type = chance.pick(["knock", "knock", "stop", undefined, "x"]);
  return { type, diffs: chance.pick([true, false, undefined, 1]) };
}

/** A packet with something in it. */
export function packetOf(chance: Chance, message: JsonObject): Uint8Array {
  return encodeMessage(chance.whole(65_536), jsonOf(message));
}

/** With a length and a digest that are right. */
function seal(bytes: Uint8Array): Uint8Array {
  const sequence = (bytes[0] ?? 0) << 8 | (bytes[1] ?? 0);
  const sealed = encodeMessage(sequence, bytes.subarray(HEADER_BYTES));
  // An ACK's digest is that of its flag.
  return looksLikeAck(bytes) && bytes.length < 40 ? encodeAck(sequence) : sealed;
}

function writePacket(packet: Packet | { kind: "refused" }): Uint8Array | undefined {
  if (packet.kind === "ack") return encodeAck(packet.sequence);
  return packet.kind === "message"
    ? encodeMessage(packet.sequence, jsonOf(packet.message))
    : undefined;
}

type Read = { kind: string; reason?: string };

/** What somebody says, behind a header that is always right. */
function said(
  name: string,
  kinds: string[],
  read: (message: JsonObject) => Read,
  make: (chance: Chance) => JsonObject,
): Target {
  return decoderTarget<Read>({
    service,
    name,
    recorded,
    real: (chance) => packetOf(chance, make(chance)),
    seal,
    read: (bytes) => {
      const packet = decodePacket(bytes);
      return packet.kind === "message" ? read(packet.message) : { kind: "none" };
    },
    reach: { kinds: [...kinds, "none"] },
    seeds: 20,
  });
}

/** Of world. */
export const WORLD_DECODERS: readonly Target[] = [
  decoderTarget<Packet | { kind: "refused"; reason: WireRefusal }>({
    service,
    name: "world: packets",
    recorded,
    real: (chance) => {
      if (chance.is(0.3)) return encodeAck(chance.whole(65_536));
      return packetOf(chance, chance.is(0.5) ? clientMessage(chance) : serverMessage(chance));
    },
    seal,
    read: decodePacket,
    write: writePacket,
    check: (packet, bytes) => {
      const header = decodeHeader(bytes);
      if (packet.kind === "ack") assert(textOf(header) === textOf(packet), "another header");
      if (packet.kind === "message") assert(header.kind === "header", header.kind);
    },
    seeds: 25,
    reach: { kinds: [...every<Packet["kind"]>()("ack message"), ...refusals] },
  }),
  said(
    "world: from a client",
    [...every<ClientMessage["kind"]>()("knock stop ping"), "refused:unknown"],
    readClientMessage,
    clientMessage,
  ),
  said(
    "world: from a server",
    [
      ...every<ServerMessage["kind"]>()("updates remove heartbeat full stop"),
      ...["refused:unknown", "refused:shape"],
    ],
    readServerMessage,
    serverMessage,
  ),
];
