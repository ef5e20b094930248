/** A player's engine at a table: what the server and the others say to it, what it says and tells. */
import { assert } from "@std/assert";
import type { Peer } from "../../../lib/protocols/engine.ts";
import type {
  Dialect,
  Drop,
  Endpoint,
  Message,
  PeerMessage,
  Reply,
} from "../../../lib/protocols/rendezvous/message.ts";
import { createPlayer } from "../../../lib/protocols/rendezvous/peer.ts";
import type {
  Player,
  PlayerEvent,
  PlayerOptions,
  RemotePlayer,
} from "../../../lib/protocols/rendezvous/player.ts";
import { decode, encode, type Letter } from "../../../lib/protocols/rendezvous/wire.ts";
import { peerAt, Play, type Sent } from "../../support/recorder.ts";

export const SERVER = "192.0.2.1:5160";
export const SECOND = "192.0.2.2:5160";
/** Somebody nobody knows. */
export const FOREIGN = "192.0.2.99:5160";
/** The session key of dialect 2 and the session number, as `random: () => 0.5` makes them. */
export const KEY = "ffffffffff";
export const SESSION = 2 ** 30;
/** What the games of dialect 2 are played with: the host's name. */
export const HOST = "castle";

/** Where a player is: `castle` is 1, others are told apart by their first letters. */
export function globalOf(name: string, port = 4_000): string {
  return `203.0.113.${numberOf(name)}:${port}`;
}

export function localOf(name: string, port = 4_000): string {
  return `10.0.0.${numberOf(name)}:${port}`;
}

function numberOf(name: string): number {
  return name === HOST ? 1 : name.charCodeAt(0);
}

/** Who says something, if not as usual. */
export interface Origin {
  from?: string;
  sender?: string | null;
  recipient?: string;
  dialect?: Dialect;
  password?: string;
}

/** One player and its world. */
export class Seat {
  readonly player: Player;
  readonly play: Play<PlayerEvent>;
  /** The `packet` events, which are left out of the others. */
  readonly packets: (PlayerEvent & { kind: "packet" })[] = [];
  readonly name: string;
  readonly #dialect: Dialect;
  readonly #password: string;
  readonly #peers = new Map<string, Peer>();
  readonly #events: string[] = [];

  constructor(options: Partial<PlayerOptions> = {}) {
    const name = options.name ?? HOST;
    this.name = name;
    this.#dialect = options.dialect ?? 1;
    this.#password = options.password ?? options.host ?? name;
    this.player = createPlayer({
      name,
      local: endpointOf(localOf(name)),
      random: () => 0.5,
      peerAt: (ip, port) => this.at(`${ip}:${port}`),
      ...options,
    });
    this.play = new Play(this.player);
    this.play.out.emit = (event): void => {
      if (event.kind === "packet") this.packets.push(event);
      else this.#events.push(eventInShort(event));
    };
  }

  /** The one peer of an address. */
  at(address: string): Peer {
    const peer = this.#peers.get(address) ?? peerAt(address);
    this.#peers.set(address, peer);
    return peer;
  }

  connect(...servers: string[]): void {
    const { now, out } = this.play;
    this.player.connect(servers.map((server) => this.at(server)), now, out);
  }

  /** The server says something. */
  hearServer(message: Reply | Drop, origin: Origin = {}): void {
    this.#hear(message, { from: SERVER, sender: null, password: KEY, ...origin });
  }

  /** Another player says something, from its global address. */
  hear(sender: string, message: PeerMessage | Drop, origin: Origin = {}): void {
    this.#hear(message, { from: globalOf(sender), sender, ...origin });
  }

  hearFields(fields: unknown, from: string): void {
    this.play.receive(new TextEncoder().encode(JSON.stringify(fields)), this.at(from));
  }

  #hear(message: Message, { from, ...origin }: Origin & { from: string }): void {
    const datagram = encode(message, {
      dialect: this.#dialect,
      sender: null,
      recipient: this.name,
      to: { ip: "198.51.100.1", port: 4_000 },
      password: this.#password,
      ...origin,
    });
    this.play.receive(datagram, this.at(from));
  }

  /** The server introduces somebody. */
  introduce(
    name: string,
    { from = SERVER, global = globalOf(name), local = localOf(name) } = {},
  ): void {
    const [globalAddress, localAddress] = [endpointOf(global), endpointOf(local)];
    this.hearServer({ kind: "introduction", peer: name, globalAddress, localAddress }, { from });
  }

  /** The server introduces somebody, who answers after 10 ms. Nothing of it is left to be taken. */
  meet(name: string): void {
    this.meetNow(name);
    assert(this.player.players.has(name), `${name} is not confirmed`);
    this.takeAll();
  }

  /** The same, and all that it says and tells is still to be taken. */
  meetNow(name: string): void {
    this.introduce(name);
    this.play.wait(10);
    this.hear(name, { kind: "inquiryResponse", usedGlobal: true });
  }

  send(to: string, message: unknown): void {
    this.player.send(to, message, this.play.now, this.play.out);
  }

  sendReliable(to: string, message: unknown): number {
    return this.player.sendReliable(to, message, this.play.now, this.play.out);
  }

  drop(name: string): void {
    this.player.drop(name, this.play.now, this.play.out);
  }

  leave(): void {
    this.player.leave(this.play.now, this.play.out);
  }

  leaveServer(): void {
    this.player.leaveServer(this.play.out);
  }

  /** What was said since the last call, as `time kind ... > address`. */
  takeSaid(): string[] {
    return this.takeSent().map(({ at, to, bytes }) => {
      return `${at} ${messageInShort(letterOf(bytes))} > ${to.address}`;
    });
  }

  /** The same without times. */
  takeSaidNow(): string[] {
    return this.takeSaid().map((line) => line.slice(line.indexOf(" ") + 1));
  }

  takeSent(): Sent[] {
    return this.play.out.takeSent();
  }

  takeEvents(): string[] {
    return this.#events.splice(0);
  }

  takeAll(): { said: string[]; events: string[] } {
    return { said: this.takeSaidNow(), events: this.takeEvents() };
  }
}

/** A host; `registered` when the server has answered, and nothing is left to be taken. */
export function hostOf(options: Partial<PlayerOptions> = {}, registered = true): Seat {
  const seat = new Seat(options);
  seat.connect(SERVER);
  if (registered) {
    seat.hearServer({ kind: "registered" });
    seat.takeAll();
  }
  return seat;
}

/** A joiner of the host; `met` when they are confirmed, and nothing is left to be taken. */
export function joinerOf(options: Partial<PlayerOptions> = {}, met = true): Seat {
  const seat = new Seat({ name: "ada", host: HOST, ...options });
  seat.connect(SERVER);
  if (met) seat.meet(HOST);
  return seat;
}

export function endpointOf(address: string): Endpoint {
  const at = address.lastIndexOf(":");
  return { ip: address.slice(0, at), port: Number(address.slice(at + 1)) };
}

export function textOf({ ip, port }: Endpoint): string {
  return `${ip}:${port}`;
}

export function letterOf(bytes: Uint8Array): Letter {
  const letter = decode(bytes);
  assert(letter.kind === "letter", `this is no message: ${new TextDecoder().decode(bytes)}`);
  return letter;
}

export function messageInShort({ message }: Letter): string {
  switch (message.kind) {
    case "register":
      return `register ${textOf(message.local)} ${message.validSeconds}`;
    case "refresh":
      return `refresh ${message.validSeconds}`;
    case "join":
      return `join ${message.host} ${textOf(message.local)}`;
    case "drop":
      return `drop ${message.name}`;
    case "inquiry":
    case "inquiryResponse":
      return `${message.kind} ${message.usedGlobal ? "global" : "local"}`;
    case "unreliable":
      return `unreliable ${JSON.stringify(message.message)}`;
    case "reliable":
    case "reliableResponse":
      return `${message.kind} ${message.id} ${JSON.stringify(message.message)}`;
    case "peerList":
      return `${message.action} ${message.id} ${[...message.peers.keys()]}`;
    case "peerListResponse":
      return `listResponse ${message.id}`;
    default:
      return message.kind;
  }
}

export function eventInShort(event: PlayerEvent): string {
  switch (event.kind) {
    case "registered":
      return `registered ${event.server.address}`;
    case "introduced":
      return `introduced ${event.name} ${textOf(event.globalAddress)} ${
        textOf(event.localAddress)
      }`;
    case "confirmed":
    case "roundTrip":
      return `${event.kind} ${playerInShort(event.player)}`;
    case "message":
      return `${event.reliable ? "reliable" : "unreliable"} ${event.from} ${
        JSON.stringify(event.message)
      }`;
    case "receipt":
    case "undelivered":
      return `${event.kind} ${event.to} ${event.id} ${JSON.stringify(event.message)}`;
    case "lost":
      return `lost ${event.name} ${event.reason}`;
    case "serverError":
      return `serverError ${event.message}`;
    case "refused":
      return `refused ${event.peer.address} ${event.reason}`;
    case "ended":
      return `ended ${event.reason}`;
    case "packet":
    case "serverLost":
      return event.kind;
  }
}

export function playerInShort({ name, address, path, roundTripMs }: RemotePlayer): string {
  return `${name} ${path} ${textOf(address)} ${roundTripMs ?? "?"}`;
}
