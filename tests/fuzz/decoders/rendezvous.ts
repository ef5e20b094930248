/** What reads bytes from strangers in rendezvous: both dialects, requests, replies and what players say. */
import { assertEquals } from "@std/assert";
import type {
  Dialect,
  Endpoint,
  Message,
  MessageKind,
} from "../../../lib/protocols/rendezvous/message.ts";
import {
  decode,
  type Decoded,
  encode,
  endpointOf,
  isAuthentic,
  isName,
  type WireRefusal,
} from "../../../lib/protocols/rendezvous/wire.ts";
import { rendezvousVectors } from "../../support/vectors.ts";
import type { Chance } from "../harness/chance.ts";
import { decoderTarget, textOf } from "../harness/decoders.ts";
import { every } from "../harness/reach.ts";
import type { Target } from "../harness/target.ts";

const IPS = [
  "10.0.0.1",
  "2001:db8::7",
  "0.0.0.0",
  "::",
  "::ffff:192.0.2.1",
  "224.0.0.1",
  "FE80::1",
];
const NAMES = ["one", "\u{1f600}", "x".repeat(64), "_HANDSHAKE_SERVER", "a\u0007", "", "é"];
const VALUES = [null, 7, "", "x", [1, { a: [] }], { __type: 3 }, 1e21, "\ud800"];
const PASSWORD = "key";

function endpoint(chance: Chance): Endpoint {
  return { ip: chance.pick(IPS), port: chance.pick([1, 4_000, 65_535, 0, 65_536]) };
}

/** Everything that anybody may say. */
function anyMessage(chance: Chance, dialect: Dialect): Message {
  const local = endpoint(chance);
  const name = chance.pick(NAMES);
  const id = chance.whole(5);
  const message = chance.pick(VALUES);
  const session = chance.pick([undefined, 3]);
  const globalAddress = endpoint(chance);
  const usedGlobal = chance.is(0.5);
  const both: Message[] = [
    {
      ...{ kind: "register", local, validSeconds: chance.pick([60, -1, 1e300]) },
      ...dialect === 2 && { password: PASSWORD, passwordRequired: usedGlobal },
    },
    { kind: "join", local, host: name, ...dialect === 2 && { password: PASSWORD } },
    { kind: "registered" },
    { kind: "introduction", peer: name, globalAddress, localAddress: local },
    { kind: "error", message: name },
    { kind: "inquiry", usedGlobal },
    { kind: "inquiryResponse", usedGlobal },
    { kind: "check" },
    { kind: "checkResponse" },
    { kind: "unreliable", message },
    { kind: "reliable", id, message, session },
    { kind: "reliableResponse", id, message, session },
  ];
  if (dialect === 1) return chance.pick(both);
  const info = { globalAddress, localAddress: local, usesGlobal: usedGlobal };
  const peers = new Map(chance.many(chance.whole(4), () => [chance.pick(NAMES), info]));
  return chance.pick<Message>([
    ...both,
    { kind: "refresh", validSeconds: 60 },
    { kind: "list", password: PASSWORD, padding: chance.pick([undefined, "x"]) },
    { kind: "drop", name },
    { kind: "refreshed" },
    { kind: "servers", servers: [{ name, passwordRequired: usedGlobal }] },
    { kind: "peerList", action: chance.pick(["add", "remove"]), peers, id },
    { kind: "peerListResponse", id: chance.pick([undefined, id]) },
  ]);
}

function datagramOf(chance: Chance, dialect: Dialect): Uint8Array {
  const message = anyMessage(chance, dialect);
  const isReply = ["registered", "introduction", "error", "refreshed", "servers"];
  const sender = isReply.includes(message.kind) ? null : chance.pick(NAMES);
  return encode(message, {
    ...{ dialect, sender, recipient: chance.pick([null, "two", ""]) },
    ...{ to: endpoint(chance), password: chance.pick([PASSWORD, "other"]) },
  });
}

/** What it says, without how it was said. */
function plain(decoded: Decoded): { kind: string; reason?: string; letter?: Decoded } {
  if (decoded.kind !== "letter") return decoded;
  // A hash is reckoned over all that a stranger wrote, so it is asked for each.
  if (decoded.message.kind !== "list") isAuthentic(decoded, PASSWORD);
  return { kind: decoded.message.kind, letter: { ...decoded, fields: {} } };
}

/** Again what it says: originals of dialect 1 say it in more than one way. */
function write({ letter }: { letter?: Decoded }): Uint8Array | undefined {
  if (letter?.kind !== "letter") return undefined;
  const { message, dialect, sender, recipient } = letter;
  const to = { ip: "192.0.2.1", port: 1 };
  const password = "password" in message && message.password || PASSWORD;
  const bytes = encode(message, { dialect, sender, recipient, to, password });
  const again = decode(bytes);
  assertEquals(again.kind === "letter" && isAuthentic(again, password), true, "not authentic");
  return bytes;
}

/** Nobody is led to an address that no single host has, or told a name that nobody may have. */
function check({ letter }: { letter?: Decoded }): void {
  if (letter?.kind !== "letter") return;
  assertEquals(letter.sender === null || isName(letter.sender), true, "no name");
  for (const value of Object.values(letter.message)) {
    const isAddress = typeof value === "object" && value !== null && Object.hasOwn(value, "port");
    if (!isAddress || "kind" in letter.message && letter.message.kind === "unreliable") continue;
    if ("message" in letter.message && letter.message.message === value) continue;
    const { ip, port } = value as Endpoint;
    assertEquals(textOf(endpointOf([ip, port])), textOf({ ip, port }));
  }
}

type Later =
  | "refresh"
  | "list"
  | "drop"
  | "refreshed"
  | "servers"
  | "peerList"
  | "peerListResponse";
const both = every<Exclude<MessageKind, Later> | "incomplete">()(
  "register join registered introduction error inquiry inquiryResponse check checkResponse unreliable reliable reliableResponse incomplete",
);
const later = every<Later>()(
  "refresh list drop refreshed servers peerList peerListResponse",
);
const refusals = every<WireRefusal>("refused:")("oversize json type fields name address");

/** Of rendezvous. */
export const RENDEZVOUS_DECODERS: readonly Target[] = ([1, 2] as const).map((dialect) =>
  decoderTarget({
    service: "rendezvous",
    name: `rendezvous: dialect ${dialect}`,
    recorded: rendezvousVectors.map(({ bytes }) => bytes),
    real: (chance) => datagramOf(chance, dialect),
    read: (bytes) => plain(decode(bytes)),
    write,
    check,
    seeds: 15,
    reach: { kinds: [...both, ...later, ...refusals] },
  })
);
