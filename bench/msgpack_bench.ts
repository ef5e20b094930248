/**
 * What reading and writing the arena's datagrams costs, beside two MessagePack libraries.
 *
 * All read the same bytes: the payload stands in the bin family, since the libraries would take the raw
 * one for a text. They read map keys as texts, ours as bytes unless asked.
 */
import { decode as decodeNpm, encode as encodeNpm } from "@msgpack/msgpack";
import { decode as decodeStd, encode as encodeStd } from "@std/msgpack";
import { decodeMsgpack, type MsgpackOptions, MsgpackWriter } from "../lib/parts/msgpack.ts";
import { decodePacket } from "../lib/protocols/events/packed.ts";
import {
  encodeClientMessage,
  encodeLook,
  encodeUpdates,
  type PlayerState,
} from "../lib/protocols/arena/wire.ts";
import { arenaVectors } from "../tests/support/vectors.ts";

type Decode = (bytes: Uint8Array) => unknown;
type Encode = (value: unknown) => Uint8Array;

const players: PlayerState[] = Array.from({ length: 19 }, (_, index) => ({
  number: 1 + index,
  red: 246,
  green: 13 * index,
  blue: 110,
  x: 900 * index - 9_000,
  y: 9_990 - 700 * index,
}));
const listed = players.map((player) => ({ ...player, look: encodeLook(player) }));
const updates = encodeUpdates(1_000, listed);

for (
  const [name, recorded] of [
    ["join", vector("join_unity")],
    ["input", vector("input_down")],
    ["ack", vector("ack_unity_many")],
    ["updates of 2 players", vector("updates_two")],
    ["updates of 19 players", updates],
  ] as const
) {
  const { id, sequence, needsAck, payload } = packetOf(recorded);
  const datagram = new MsgpackWriter()
    .array(4).integer(id).integer(sequence).integer(Number(needsAck)).bin(payload).take();
  const group = `decode ${name}`;
  const readers: [string, Decode][] = [
    ["decodeMsgpack()", (bytes) => decodeMsgpack(bytes)],
    ["decodeMsgpack() with texts", (bytes) => decodeMsgpack(bytes, TEXTS)],
    ["@msgpack/msgpack", decodeNpm],
    ["@std/msgpack", decodeStd],
  ];
  for (const [index, [reader, decode]] of readers.entries()) {
    Deno.bench(`${name}: ${reader}`, { group, baseline: index === 0 }, () => {
      const packet = decode(datagram) as unknown[];
      decode(packet[3] as Uint8Array);
    });
  }
}
const TEXTS: MsgpackOptions = { texts: true };

benchEncode("input", [20, 0, 0], [1, -0.5], () => {
  encodeClientMessage({ kind: "input", dx: 1, dy: -0.5 });
});
benchEncode("ack", [2, 0, 0], [0, 1, 5, 10_000], () => {
  encodeClientMessage({ kind: "ack", sequences: [0, 1, 5, 10_000] });
});
const values = players.map(({ number, red, green, blue, x, y }) => ({
  uuid: number,
  colorRed: red,
  colorGreen: green,
  colorBlue: blue,
  position: [x, y],
}));
benchEncode("updates of 2 players", [11, 1_000, 0], values.slice(0, 2), () => {
  encodeUpdates(1_000, listed.slice(0, 2));
});
benchEncode("updates of 19 players", [11, 1_000, 0], values, () => {
  encodeUpdates(1_000, listed);
});
Deno.bench(
  "updates of 19 players: MsgpackWriter, looks made anew",
  { group: "encode updates of 19 players" },
  () => {
    encodeUpdates(1_000, players.map((player) => ({ ...player, look: encodeLook(player) })));
  },
);

function benchEncode(name: string, head: number[], payload: unknown, ours: () => void): void {
  const group = `encode ${name}`;
  Deno.bench(`${name}: MsgpackWriter`, { group, baseline: true }, ours);
  const writers: [string, Encode][] = [["@msgpack/msgpack", encodeNpm], [
    "@std/msgpack",
    encodeStd,
  ]];
  for (const [writer, encode] of writers) {
    Deno.bench(`${name}: ${writer}`, { group }, () => {
      encode([...head, encode(payload)]);
    });
  }
}

function vector(name: string): Uint8Array {
  return arenaVectors.find((vector) => vector.name === name)!.bytes;
}

function packetOf(
  datagram: Uint8Array,
): { id: number; sequence: number; needsAck: boolean; payload: Uint8Array } {
  const packet = decodePacket(datagram);
  if (typeof packet === "string" || !(packet.payload instanceof Uint8Array)) {
    throw new Error("this is no packet");
  }
  return { ...packet, payload: packet.payload };
}
