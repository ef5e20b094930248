/** Every service over UDP as strangers find it, and everything its clients may say first. */
import { seededRandom } from "../../lib/parts/random.ts";
import { type ArenaEvent, createArenaServer } from "../../lib/protocols/arena/server.ts";
import { type ClientMessage, encodeClientMessage } from "../../lib/protocols/arena/wire.ts";
import { createEchoServer, type EchoEvent } from "../../lib/protocols/echo/server.ts";
import type { Engine } from "../../lib/protocols/engine.ts";
import type { EventFormat, Outgoing } from "../../lib/protocols/events/format.ts";
import { jsonFormat } from "../../lib/protocols/events/json.ts";
import { msgpackFormat } from "../../lib/protocols/events/packed.ts";
import { createEventServer, type EventServerEvent } from "../../lib/protocols/events/server.ts";
import type { Dialect, Message } from "../../lib/protocols/rendezvous/message.ts";
import {
  createRendezvousServer,
  type RendezvousEvent,
} from "../../lib/protocols/rendezvous/server.ts";
import { encode as encodeLetter, SERVER_NAME } from "../../lib/protocols/rendezvous/wire.ts";
import { createSyncServer, type SyncEvent } from "../../lib/protocols/sync/server.ts";
import { encodeIdRequest, encodeState } from "../../lib/protocols/sync/wire.ts";
import { createWorldServer, type WorldServerEvent } from "../../lib/protocols/world/server.ts";
import { encodeAck, encodeMessage } from "../../lib/protocols/world/wire.ts";
import { World } from "../../lib/protocols/world/world.ts";

const utf8 = new TextEncoder();
/** Half past eight on the evening of a day in November 2026. */
export const UNIX_MS = 1_795_293_000_000;

/** What any of the servers tells. */
export type AnyEvent =
  | SyncEvent
  | RendezvousEvent
  | ArenaEvent
  | EchoEvent
  | EventServerEvent
  | WorldServerEvent;

/** A service, and what can be said to it. */
export interface Speaker {
  readonly name: string;
  /** A new server, with something in it that changes all the time where the protocol has that. */
  make(): Engine<AnyEvent>;
  /** What a client may say without having heard anything, by what it is. */
  readonly words: Readonly<Record<string, Uint8Array>>;
}

/** A sync message with a state of text. */
export function state(number: number, text: string): Uint8Array {
  return encodeState(BigInt(number), utf8.encode(text));
}

/** A message to a world's server, under a sequence number. */
export function packet(message: unknown, sequence = 0): Uint8Array {
  return encodeMessage(sequence, utf8.encode(JSON.stringify(message)));
}

/** A message of the echo protocol as short as it can be written. */
export function said(payload: unknown): Uint8Array {
  return utf8.encode(JSON.stringify({ t: "message", p: payload }));
}

/** A message of an arena's client. */
export function played(message: ClientMessage): Uint8Array {
  return encodeClientMessage(message);
}

const LOCAL = { ip: "192.168.1.2", port: 4001 };
const KEY = "sessionkey";

/** A message to the rendezvous server. */
export function letter(
  dialect: Dialect,
  sender: string | null,
  message: Message,
  password = KEY,
): Uint8Array {
  const recipient = dialect === 1 ? "" : SERVER_NAME;
  return encodeLetter(message, { dialect, sender, recipient, to: LOCAL, password });
}

/** Somebody registers a name. */
export function registration(dialect: Dialect, name: string): Uint8Array {
  const own = { password: KEY, passwordRequired: false };
  return letter(dialect, name, { kind: "register", local: LOCAL, validSeconds: 60, ...own });
}

/** Somebody wants to join a host. */
export function joining(dialect: Dialect, name: string, host: string, local = LOCAL): Uint8Array {
  return letter(dialect, name, { kind: "join", local, host, password: KEY });
}

/** Things on their way, with names of so many characters at least: every tick has news. */
export function movingWorld(objects: number, nameCharacters = 0): {
  world: World;
  step: (world: World, seconds: number, time: number) => void;
} {
  const world = new World();
  for (let object = 0; object < objects; object++) {
    world.spawn({ name: `thing ${object}`.padEnd(nameCharacters, "x") });
  }
  const step = (world: World, _: number, time: number): void => {
    for (const id of world.objects.keys()) world.update(id, { position: [time / 100, id, 0] });
  };
  return { world, step };
}

const sync: Speaker = {
  name: "sync",
  make: () => createSyncServer({ firstSnapshotNumber: UNIX_MS * 1_000 }),
  words: {
    "id request": encodeIdRequest(),
    "keep-alive": state(0, ""),
    "state": state(1, "here"),
    "later state": state(2, '{"x":1}'),
  },
};

function rendezvousWords(dialect: Dialect): Record<string, Uint8Array> {
  const both = {
    "register": registration(dialect, "host"),
    "join": joining(dialect, "guest", "host"),
    "join of nobody": joining(dialect, "guest", "nobody"),
  };
  if (dialect === 1) {
    return { ...both, "incomplete": utf8.encode('{"sender":"guest","a":"bcdefg"}') };
  }
  return {
    ...both,
    "refresh": letter(2, "host", { kind: "refresh", validSeconds: 60 }),
    "list": letter(2, null, { kind: "list", password: KEY, padding: "x".repeat(900) }),
    "drop": letter(2, "host", { kind: "drop", name: "host" }),
  };
}

function rendezvous(dialect: Dialect): Speaker {
  return {
    name: `rendezvous ${dialect}`,
    make: () => createRendezvousServer(),
    words: rendezvousWords(dialect),
  };
}

const arena: Speaker = {
  name: "arena",
  make: () => createArenaServer({ random: seededRandom(3) }),
  words: {
    "JOIN": played({ kind: "join" }),
    "ACK": played({ kind: "ack", sequences: Array.from({ length: 60 }, (_, number) => number) }),
    "PLAYER_INPUT": played({ kind: "input", dx: 1, dy: 0 }),
    "PLAYER_FIRE": played({ kind: "fire" }),
    "HEARTBEAT": played({ kind: "heartbeat" }),
  },
};

const echo: Speaker = {
  name: "echo",
  make: () => createEchoServer(),
  words: { "message": said("hello"), "number": said(1e20) },
};

function events(name: string, format: EventFormat): Speaker {
  const words: Outgoing[] = [
    { kind: "join" },
    { kind: "heartbeat" },
    { kind: "ack", sequences: Array.from({ length: 60 }, (_, number) => number) },
    { kind: "event", name: "message", payload: "hello" },
    { kind: "event", name: "message", payload: "hello", sequence: 7 },
  ];
  return {
    name,
    make: () => createEventServer({ format, random: seededRandom(4) }),
    words: Object.fromEntries(words.map((word, at) => [`${word.kind} ${at}`, format.encode(word)])),
  };
}

const world: Speaker = {
  name: "world",
  make: () =>
    createWorldServer({ ...movingWorld(3), random: seededRandom(5), unixMs: () => UNIX_MS }),
  words: {
    "knock": packet({ type: "knock", diffs: true }, 1),
    "knock of an original": packet({ type: "knock" }, 2),
    "{}": packet({}, 3),
    "stop": packet({ type: "stop" }, 4),
    "ACK": encodeAck(5),
  },
};

/** All of them; those of which a program makes its own server, too. */
export const SPEAKERS: readonly Speaker[] = [
  sync,
  rendezvous(1),
  rendezvous(2),
  arena,
  echo,
  events("events (JSON)", jsonFormat()),
  events("events (MessagePack)", msgpackFormat({ message: 20 })),
  world,
];
