/** What reads bytes from strangers in sync. */
import { assert, assertEquals } from "@std/assert";
import { escapeText } from "../../../lib/protocols/sync/escape.ts";
import {
  type ClientMessage,
  decodeClientMessage,
  decodeServerMessage,
  encodeIdReply,
  encodeIdRequest,
  encodeState,
  parseStates,
  type ServerMessage,
  type WireRefusal,
  writeNumber,
} from "../../../lib/protocols/sync/wire.ts";
import { vectors } from "../../support/vectors.ts";
import type { Chance } from "../harness/chance.ts";
import { decoderTarget } from "../harness/decoders.ts";
import { every } from "../harness/reach.ts";
import { joined, utf8 } from "../harness/spoil.ts";
import type { Target } from "../harness/target.ts";

const service = "sync";
const NUMBERS = [0n, 1n, -1n, -2n, 2n ** 53n, 2n ** 63n - 1n, -(2n ** 63n)];
const TEXTS = ["x", '"', "\\", "\u0000", "\u007f", "/", "é", "€", "😀", "\ufeff", "\n", "\ud800"];
const recorded = (direction: string): Uint8Array[] =>
  vectors.filter((vector) => vector.direction === direction).map(({ bytes }) => bytes);

function textOf(chance: Chance): Uint8Array {
  return utf8(chance.many(chance.whole(12), () => chance.pick(TEXTS)).join(""));
}

function statesOf(chance: Chance): Uint8Array {
  const states = chance.many(
    chance.whole(5),
    (id) => [id, chance.pick(TEXTS).repeat(chance.whole(9))],
  );
  return utf8(JSON.stringify(Object.fromEntries(states)));
}

/** A number, and a text behind it. */
function numbered(number: bigint, rest: Uint8Array): Uint8Array {
  const bytes = joined(new Uint8Array(8), rest);
  writeNumber(bytes, 0, number);
  return bytes;
}

function writeClient(message: ClientMessage | { kind: "refused" }): Uint8Array | undefined {
  if (message.kind === "idRequest") return encodeIdRequest();
  return message.kind === "state" ? encodeState(message.number, message.state) : undefined;
}

function writeServer(message: ServerMessage | { kind: "refused" }): Uint8Array | undefined {
  if (message.kind === "idReply") return encodeIdReply(message.id);
  return message.kind === "snapshot" ? numbered(message.number, message.json) : undefined;
}

const refusals = every<WireRefusal>("refused:")("short number oversize");

/** Of sync. */
export const SYNC_DECODERS: readonly Target[] = [
  decoderTarget({
    service,
    name: "sync: from a client",
    recorded: recorded("client->server"),
    real: (chance) => numbered(chance.pick(NUMBERS), textOf(chance)),
    read: decodeClientMessage,
    write: writeClient,
    hasViews: true,
    seeds: 20,
    reach: { kinds: [...every<ClientMessage["kind"]>()("idRequest state"), ...refusals] },
  }),
  decoderTarget({
    service,
    name: "sync: from a server",
    recorded: recorded("server->client"),
    real: (chance) => {
      const id = numbered(chance.pick(NUMBERS), new Uint8Array(0));
      return numbered(chance.pick(NUMBERS), chance.is(0.5) ? statesOf(chance) : id);
    },
    read: decodeServerMessage,
    write: writeServer,
    isExact: true,
    hasViews: true,
    reach: { kinds: [...every<ServerMessage["kind"]>()("idReply snapshot"), ...refusals] },
  }),
  decoderTarget({
    service,
    name: "sync: states of a snapshot",
    real: statesOf,
    read: (json) => ({ kind: "states", states: parseStates(json) }),
    nameOf: ({ states }) => states ? "states" : "none",
    write: ({ states }) => states && utf8(JSON.stringify(Object.fromEntries(states))),
    reach: { kinds: ["states", "none"] },
  }),
  decoderTarget({
    service,
    name: "sync: a state as JSON text",
    real: textOf,
    read: (text, chance) => {
      const room = chance.is(0.8) ? 6 * text.length : chance.whole(6 * text.length + 1);
      const target = new Uint8Array(6 * text.length + 1);
      const length = escapeText(text, target, room);
      if (typeof length === "number") assert(length <= room, `${length} bytes in ${room}`);
      return { length, escaped: typeof length === "number" ? target.slice(0, length) : undefined };
    },
    nameOf: ({ length }) => typeof length === "number" ? "text" : `refused:${length}`,
    check: ({ length, escaped }, text) => {
      if (length === "room") return;
      const decoded = decodeOrNone(text);
      assertEquals(length === "text", decoded === undefined);
      if (!escaped) return;
      assert(escaped.every((byte) => byte >= 0x20 && byte < 0x7f), "it is not ASCII");
      assertEquals(JSON.parse(`"${decodeOrNone(escaped)}"`), decoded);
    },
    reach: { kinds: ["text", "refused:text", "refused:room"] },
  }),
];

const strict = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

function decodeOrNone(text: Uint8Array): string | undefined {
  try {
    return strict.decode(text);
  } catch {
    return undefined;
  }
}
