/** What players and floods say to each service, for `bench/flood.ts`. */
import { MsgpackWriter } from "../lib/parts/msgpack.ts";
import * as arena from "../lib/protocols/arena/wire.ts";
import * as sync from "../lib/protocols/sync/wire.ts";
import { KNOCK } from "../lib/protocols/world/messages.ts";
import * as world from "../lib/protocols/world/wire.ts";

/** One player's side of a protocol. */
export interface Talk {
  /** What is said first. */
  hello: () => Uint8Array;
  /** What is said in a turn, from 1. */
  play: (turn: number) => Uint8Array;
  /** What is to be said to what came, and the turns that were heard of. */
  hear: (bytes: Uint8Array) => Heard;
  isIn: () => boolean;
  /** Of several turns only the newest is ever heard of. */
  isNewestOnly?: boolean;
}

/** What came of what was heard. */
export interface Heard {
  replies: readonly Uint8Array[];
  heard: readonly number[];
  /** Whose turns they are, if not its own. */
  speaker?: number;
}

const NOTHING: Heard = { replies: [], heard: [] };
const utf8 = new TextEncoder();
const latin1 = new TextDecoder("latin1");

/** A state of 50 bytes. */
function stateOf(turn: number): Uint8Array {
  return utf8.encode(`t${turn};`.padEnd(50, "x"));
}

function syncTalk(): Talk {
  let key: string | undefined;
  return {
    hello: sync.encodeIdRequest,
    play: (turn) => sync.encodeState(BigInt(turn), stateOf(turn)),
    hear(bytes): Heard {
      const message = sync.decodeServerMessage(bytes);
      if (message.kind === "idReply") key = `"${message.id}":"t`;
      if (message.kind !== "snapshot" || key === undefined) return NOTHING;
      const text = latin1.decode(message.json);
      const at = text.indexOf(key);
      return at < 0 ? NOTHING : { replies: [], heard: [parseInt(text.slice(at + key.length))] };
    },
    isIn: () => key !== undefined,
    isNewestOnly: true,
  };
}

/** To the left, to the right, and so on: a turn is heard of when the next step goes its way. */
function arenaTalk(): Talk {
  let [number, x, turn, heardTurn] = [-1, NaN, 0, 0];
  const directionOf = (turn: number): number => turn % 2 === 0 ? -1 : 1;
  const follow = (moved: number): readonly number[] => {
    if (heardTurn === turn || Math.sign(moved) !== directionOf(turn)) return [];
    heardTurn = turn;
    return [turn];
  };
  return {
    hello: () => arena.encodeClientMessage({ kind: "join" }),
    play(next): Uint8Array {
      turn = next;
      return arena.encodeClientMessage({ kind: "input", dx: directionOf(turn), dy: 0 });
    },
    hear(bytes): Heard {
      const message = arena.decodeServerMessage(bytes);
      if (message.kind === "refused") return NOTHING;
      const { needsAck, sequence } = message;
      const replies = needsAck
        ? [arena.encodeClientMessage({ kind: "ack", sequences: [sequence] })]
        : [];
      if (message.kind === "welcome") number = message.player.number;
      if (message.kind !== "updates") return { replies, heard: [] };
      const own = message.players.find((player) => player.number === number);
      if (!own) return { replies, heard: [] };
      const moved = own.x - x;
      x = own.x;
      return { replies, heard: follow(moved) };
    },
    isIn: () => number >= 0,
    isNewestOnly: true,
  };
}

function echoTalk(index: number): Talk {
  let isIn = false;
  const say = (turn: number): Uint8Array =>
    utf8.encode(`{"t": "message", "p": [${1_000 + index}, ${turn}]}\n`);
  const own = new RegExp(`\\[${1_000 + index}, (\\d+)\\]`);
  return {
    hello: () => say(0),
    play: say,
    hear(bytes): Heard {
      isIn = true;
      const [, turn] = own.exec(latin1.decode(bytes)) ?? [];
      return turn === undefined ? NOTHING : { replies: [], heard: [Number(turn)] };
    },
    isIn: () => isIn,
  };
}

/** Each answer is for the eldest question: they are all alike. */
function rendezvousTalk(index: number): Talk {
  let [isIn, asked, heard] = [false, 0, 0];
  const register = utf8.encode(JSON.stringify({
    "type": "registering-server",
    "sender": `host ${index}`,
    "local-address": ["192.168.1.5", 4_001],
    "seconds-before-expiry": 60,
  }));
  return {
    hello: () => register,
    play(turn): Uint8Array {
      asked = turn;
      return register;
    },
    hear(): Heard {
      isIn = true;
      // The newest, when it was not: what is heard late is late.
      if (heard === asked) return NOTHING;
      heard = asked;
      return { replies: [], heard: [asked] };
    },
    isIn: () => isIn,
    isNewestOnly: true,
  };
}

function worldTalk(): Talk {
  let [isIn, isAcked] = [false, false];
  const PING = utf8.encode("{}");
  return {
    hello: () => world.encodeMessage(0, KNOCK),
    play: (turn) => world.encodeMessage(turn & 0xffff, PING),
    hear(bytes): Heard {
      const packet = world.decodePacket(bytes);
      if (packet.kind === "refused") return NOTHING;
      if (packet.kind === "message") {
        isIn = isAcked;
        return { replies: [world.encodeAck(packet.sequence)], heard: [] };
      }
      isAcked = true;
      return { replies: [], heard: [packet.sequence] };
    },
    isIn: () => isIn,
  };
}

/** The bodies of messages. Nobody is sent its own: it counts when the next player hears it. */
function messagesTalk(index: number, count: number): Talk {
  const before = (index + count - 1) % count;
  return {
    hello: () => utf8.encode("hello"),
    play: (turn) => utf8.encode(`${index} says ${turn};`.padEnd(50, "x")),
    hear(bytes): Heard {
      const [, speaker, turn] = /^(\d+) says (\d+);/.exec(latin1.decode(bytes)) ?? [];
      if (Number(speaker) !== before) return NOTHING;
      return { replies: [], heard: [Number(turn)], speaker: before };
    },
    isIn: () => true,
  };
}

/** The side of player number `index` of so many, by service. */
export const TALKS: Record<string, (index: number, count: number) => Talk> = {
  sync: syncTalk,
  arena: arenaTalk,
  echo: echoTalk,
  rendezvous: rendezvousTalk,
  world: worldTalk,
  messages: messagesTalk,
};

// ---- floods

/** A kind of flood: what is sent by whom. */
export interface Flood {
  /** Addresses, each with one port unless told. */
  addresses: number;
  /** Each address sends all of it before the next one does. */
  inTurn?: boolean;
  /** The first 8 bytes are a number that grows. */
  counts?: boolean;
  /** Connections are held, 20 for each address. */
  holds?: boolean;
  shapes: readonly Uint8Array[];
}

const MANY = 4_000;
const HUGE_BYTES = 65_507;
const DEEP_LEVELS = 10_000;

function bytes(text: string): Uint8Array {
  return utf8.encode(text);
}

/** Always the same, of all lengths up to 256 bytes. */
function rubbish(): Uint8Array[] {
  let state = 1;
  const next = (): number => (state = Math.imul(state, 1_103_515_245) + 12_345 >>> 0) >>> 16;
  return Array.from(
    { length: 64 },
    (_, shape) => Uint8Array.from({ length: 4 * shape + 1 }, () => next() & 255),
  );
}

/** As deep as 10,000 levels, and as long as is read at all. */
function deepJson(head: string): Uint8Array[] {
  return [DEEP_LEVELS, 8_000].flatMap((levels) => [
    bytes(head + "[".repeat(levels)),
    bytes(head + '{"a":'.repeat(levels / 5)),
    bytes(head + "[".repeat(levels / 2) + "]".repeat(levels / 2 - head.length) + "}"),
  ]);
}

function deepMsgpack(): Uint8Array[] {
  return [DEEP_LEVELS, 8_000].flatMap((levels) => [
    new Uint8Array(levels).fill(0x91),
    Uint8Array.of(0x94, 11, 0, 0, ...new Uint8Array(levels).fill(0x91)),
    // A payload that is deep, and one of many small values.
    Uint8Array.of(0x94, 20, 0, 0, 0xc5, levels >> 8, levels, ...new Uint8Array(levels).fill(0x91)),
    Uint8Array.of(0xdc, levels >> 8, levels, ...new Uint8Array(levels).fill(1)),
  ]);
}

function huge(...shapes: Uint8Array[]): Uint8Array[] {
  return shapes.map((shape) => {
    const long = new Uint8Array(HUGE_BYTES).fill(0x78);
    long.set(shape.subarray(0, HUGE_BYTES));
    return long;
  });
}

function framed(json: Uint8Array): Uint8Array {
  return world.encodeMessage(7, json);
}

const RAW_DEEP = new MsgpackWriter().array(4).take();

/** Kinds of flood by service and name, in the order in which they come. */
export const FLOODS: Record<string, Record<string, Flood>> = {
  sync: {
    rubbish: { addresses: MANY, shapes: rubbish() },
    connects: { addresses: MANY, shapes: [sync.encodeIdRequest()] },
    "states of strangers": { addresses: MANY, shapes: [sync.encodeState(7n, stateOf(7))] },
    deep: { addresses: MANY, shapes: deepJson('{"a":') },
    huge: {
      addresses: MANY,
      shapes: huge(sync.encodeIdRequest(), sync.encodeState(7n, stateOf(7))),
    },
    "one player": {
      addresses: 1,
      inTurn: true,
      counts: true,
      shapes: [sync.encodeIdRequest(), ...Array(63).fill(sync.encodeState(7n, stateOf(7)))],
    },
    players: {
      addresses: MANY,
      inTurn: true,
      shapes: [sync.encodeIdRequest(), sync.encodeState(7n, stateOf(7))],
    },
  },
  arena: {
    rubbish: { addresses: MANY, shapes: rubbish() },
    connects: { addresses: MANY, shapes: [arena.encodeClientMessage({ kind: "join" })] },
    "acks of strangers": {
      addresses: MANY,
      shapes: [arena.encodeClientMessage({ kind: "ack", sequences: [1, 2, 3] })],
    },
    deep: { addresses: MANY, shapes: [RAW_DEEP, ...deepMsgpack()] },
    huge: { addresses: MANY, shapes: huge(arena.encodeClientMessage({ kind: "join" }), RAW_DEEP) },
    "one player": {
      addresses: 1,
      inTurn: true,
      shapes: [1, -1].map((dx) => arena.encodeClientMessage({ kind: "input", dx, dy: 0 })),
    },
    players: {
      addresses: MANY,
      inTurn: true,
      shapes: [
        arena.encodeClientMessage({ kind: "join" }),
        arena.encodeClientMessage({ kind: "input", dx: 1, dy: 0 }),
      ],
    },
  },
  echo: {
    rubbish: { addresses: MANY, shapes: rubbish() },
    deep: { addresses: MANY, shapes: deepJson('{"t": "message", "p": ') },
    huge: { addresses: MANY, shapes: huge(bytes('{"t": "message", "p": "')) },
    "one player": { addresses: 1, inTurn: true, shapes: [bytes('{"t": "message", "p": 1}\n')] },
    players: { addresses: MANY, shapes: [bytes('{"t": "message", "p": 1}\n')] },
  },
  rendezvous: {
    rubbish: { addresses: MANY, shapes: rubbish() },
    joins: {
      addresses: MANY,
      shapes: [bytes(JSON.stringify({
        "type": "requesting-to-join-server",
        "sender": "somebody",
        "local-address": ["192.168.1.5", 4_001],
        "server-name": "host 1",
      }))],
    },
    refreshes: {
      addresses: MANY,
      shapes: [bytes(JSON.stringify({
        "__type": "refreshing-server-registration",
        "__sender-name": "host 1",
        "__destination-name": null,
        "__destination-address": ["192.168.1.5", 4_001],
        "seconds-before-expiry": 60,
        "__hash-string": "0".repeat(64),
      }))],
    },
    deep: { addresses: MANY, shapes: deepJson('{"type":') },
    huge: { addresses: MANY, shapes: huge(bytes('{"type":"')) },
    "one host": { addresses: 1, inTurn: true, shapes: [rendezvousTalk(99).hello()] },
    hosts: {
      addresses: MANY,
      shapes: Array.from({ length: 256 }, (_, host) => rendezvousTalk(1_000 + host).hello()),
    },
  },
  world: {
    rubbish: { addresses: MANY, shapes: [...rubbish(), ...rubbish().map(framed)] },
    connects: { addresses: MANY, shapes: [world.encodeMessage(0, KNOCK)] },
    "acks of strangers": { addresses: MANY, shapes: [world.encodeAck(7)] },
    deep: {
      addresses: MANY,
      shapes: [
        ...deepJson('{"type":'),
        ...deepJson('{"type":').map((deep) => framed(deep.subarray(0, 480))),
      ],
    },
    huge: { addresses: MANY, shapes: huge(framed(KNOCK), framed(new Uint8Array(HUGE_BYTES - 21))) },
    "one address": {
      addresses: 1,
      inTurn: true,
      shapes: [
        world.encodeMessage(0, KNOCK),
        ...Array(63).fill(world.encodeMessage(1, bytes("{}"))),
      ],
    },
  },
  // Over TCP, where addresses cannot be forged: what each connection writes; see flood_tcp.c.
  messages: {
    rubbish: { addresses: 4, shapes: rubbish() },
    connects: { addresses: 1_000, shapes: [] },
    deep: { addresses: 4, shapes: [bytes("$" + "a:b|".repeat(DEEP_LEVELS) + "%")] },
    huge: { addresses: 4, shapes: [bytes("$t:x|%" + "x".repeat(HUGE_BYTES))] },
    "one client": { addresses: 1, shapes: [bytes("$t:x|%nothing".padEnd(100, "x"))] },
    "100 idle": { addresses: 5, holds: true, shapes: [] },
    "all places idle": { addresses: 60, holds: true, shapes: [] },
  },
};
