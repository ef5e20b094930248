/** One bot in an arena: the cheapest client there can be. */
import { Recent } from "../parts/recent.ts";
import {
  type Action,
  type ClientMessage,
  decodeServerMessage,
  encodeClientMessage,
  type PlayerState,
} from "../protocols/arena/wire.ts";
import type { Engine, Outbox, Peer } from "../protocols/engine.ts";
import { Attachment } from "../protocols/attachment.ts";

/** What a bot tells while it plays. */
export interface ArenaBotListeners {
  /** It is in the game. */
  onIn: () => void;
  /** So long after an input it saw itself move that way. */
  onLatency: (ms: number) => void;
  /** A list of players arrived. */
  onList: (sequence: number, now: number) => void;
}

const HEARTBEAT_MS = 2_000;
/** So many reliable messages are remembered, to notice those that come again. */
const ACKED_MAX = 256;
/** The first bytes of what is looked at without being read. */
const HEAD = { array4: 0x94, updates: 11, bullets: 35, uint16: 0xcd } as const;

/** A player that reads no more than it must: lists that it is not in are only counted. */
export class ArenaBot implements Engine<never> {
  readonly isProbe: boolean;
  readonly #listeners: ArenaBotListeners;
  readonly #attachment: Attachment;
  readonly #acked = new Recent(ACKED_MAX);
  #own: PlayerState | undefined;
  #ownKey: Uint8Array = new Uint8Array(0);
  #direction: 1 | -1 = 1;
  #turnedAt: number | undefined;
  welcomes = 0;
  inputsUnseen = 0;
  datagrams = 0;
  bytes = 0;
  bytesMax = 0;
  lists = 0;
  ownUpdates = 0;
  resends = 0;

  constructor(isProbe: boolean, listeners: ArenaBotListeners) {
    this.isProbe = isProbe;
    this.#listeners = listeners;
    this.#attachment = new Attachment({
      join: encodeClientMessage({ kind: "join" }),
      heartbeat: encodeClientMessage({ kind: "heartbeat" }),
      heartbeatMs: HEARTBEAT_MS,
      silenceMs: Infinity,
    });
  }

  connect(server: Peer, now: number, out: Outbox<never>): void {
    this.#attachment.begin([server], now, out);
  }

  clear(): void {
    this.inputsUnseen =
      this.datagrams =
      this.bytes =
      this.bytesMax =
        0;
    this.lists = this.ownUpdates = this.resends = 0;
  }

  turn(dy: number, now: number, out: Outbox<never>): void {
    if (this.#turnedAt !== undefined) this.inputsUnseen++;
    this.#direction = this.#direction === 1 ? -1 : 1;
    this.#turnedAt = this.isProbe ? now : undefined;
    this.say({ kind: "input", dx: this.#direction, dy }, now, out);
  }

  say(message: Action | ClientMessage, now: number, out: Outbox<never>): void {
    this.#attachment.say(encodeClientMessage(message), now, out);
  }

  receive(datagram: Uint8Array, from: Peer, now: number, out: Outbox<never>): void {
    if (!this.#attachment.isServer(from)) return;
    this.datagrams++;
    this.bytes += datagram.length;
    this.bytesMax = Math.max(this.bytesMax, datagram.length);
    this.#attachment.heard(now);
    if (datagram[0] === HEAD.array4 && datagram[1] === HEAD.updates) {
      return this.#onList(datagram, now);
    }
    if (datagram[1] === HEAD.bullets) return;
    const message = decodeServerMessage(datagram);
    if (message.kind === "refused") return;
    if (message.kind === "welcome") this.#onWelcome(message.player, from, now);
    // Welcomed is who asks; a full server tells nobody more about the world.
    if (message.kind === "worldInfo") this.#listeners.onIn();
    if (!message.needsAck) return;
    if (!this.#acked.add(message.sequence)) this.resends++;
    this.say({ kind: "ack", sequences: [message.sequence] }, now, out);
  }

  advance(now: number, out: Outbox<never>): void {
    this.#attachment.advance(now, out);
  }

  nextDeadline(): number {
    return this.#attachment.nextDeadline();
  }

  remembers(peer: Peer): boolean {
    return this.#attachment.remembers(peer);
  }

  #onWelcome(player: PlayerState, from: Peer, now: number): void {
    this.#attachment.attach(from, now);
    if (player.number === this.#own?.number) return;
    this.#own = player;
    this.#ownKey = keyOf(player.number);
    this.welcomes++;
  }

  #onList(datagram: Uint8Array, now: number): void {
    this.lists++;
    this.#listeners.onList(sequenceIn(datagram), now);
    if (!this.isProbe || !this.#own || !contains(datagram, this.#ownKey)) return;
    const list = decodeServerMessage(datagram);
    if (list.kind !== "updates") return;
    const own = list.players.find(({ number }) => number === this.#own!.number);
    if (own) this.#onOwn(own, now);
  }

  #onOwn(own: PlayerState, now: number): void {
    const moved = own.x - this.#own!.x;
    this.#own = own;
    this.ownUpdates++;
    if (this.#turnedAt === undefined || Math.sign(moved) !== this.#direction) return;
    this.#listeners.onLatency(now - this.#turnedAt);
    this.#turnedAt = undefined;
  }
}

/** The number behind `[id, ...` as the server writes it. */
function sequenceIn(datagram: Uint8Array): number {
  const head = datagram[2]!;
  if (head < 0x80) return head;
  return head === HEAD.uint16 ? 256 * datagram[3]! + datagram[4]! : datagram[3]!;
}

/** How a player's number stands in a list: `uuid` and the number, from a datagram that has it. */
function keyOf(number: number): Uint8Array {
  const ack = encodeClientMessage({ kind: "ack", sequences: [number] });
  // [2, 0, 0, raw [number]]: six bytes stand before the number.
  return Uint8Array.of(0xa4, 0x75, 0x75, 0x69, 0x64, ...ack.subarray(6));
}

function contains(bytes: Uint8Array, part: Uint8Array): boolean {
  const last = bytes.length - part.length;
  for (
    let at = bytes.indexOf(part[0]!);
    at >= 0 && at <= last;
    at = bytes.indexOf(part[0]!, at + 1)
  ) {
    let same = 1;
    while (same < part.length && bytes[at + same] === part[same]) same++;
    if (same === part.length) return true;
  }
  return false;
}
