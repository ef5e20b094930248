/** The engine of an arena client: joins, acks, plays, and knows who is where. */
import { Recent } from "../../parts/recent.ts";
import type { Engine, Outbox, Peer } from "../engine.ts";
import { Attachment } from "../events/attachment.ts";
import { SEQUENCE_MAX } from "../events/delivery.ts";
import {
  type Action,
  BULLETS_PER_LIST,
  type BulletState,
  type ClientMessage,
  decodeServerMessage,
  encodeClientMessage,
  type Numbered,
  type PlayerState,
  type WireRefusal,
} from "./wire.ts";

/** What an arena client tells its host. */
export type ArenaClientEvent =
  /** The server lets it in; again with another number when it had forgotten it. */
  | { kind: "welcomed"; player: PlayerState }
  /** Half of the world's width and height. */
  | { kind: "world"; width: number; height: number }
  /** Some players came or moved. */
  | { kind: "players"; players: readonly PlayerState[]; sequence: number }
  /** A player is gone. */
  | { kind: "left"; number: number }
  /** Everything that is in the air. */
  | { kind: "bullets"; bullets: readonly BulletState[] }
  /** A message that was acked before came again. */
  | { kind: "repeated"; sequence: number }
  /** A datagram had no effect. */
  | { kind: "refused"; peer: Peer; reason: WireRefusal | "stranger" };

/** Options of {@link createArenaClient}. */
export interface ArenaClientEngineOptions {
  /** A server that is not sent anything else hears this often that the player is there. Default 2,000. */
  heartbeatMs?: number;
}

/** A player. */
export interface ArenaClientEngine extends Engine<ArenaClientEvent> {
  /** The number the server gave; undefined before. */
  readonly number: number | undefined;
  /** Everybody the server told of, by number. */
  readonly players: ReadonlyMap<number, PlayerState>;
  /** Everything in the air, as far as is known. */
  readonly bullets: readonly BulletState[];
  /** Half of the world's width and height; undefined before it was told. */
  readonly world: { readonly width: number; readonly height: number } | undefined;
  /** When the server was heard last; `-Infinity` for never. */
  readonly heardAt: number;
  /** Begins to ask a server to let it in, at all of these addresses. */
  connect(servers: readonly Peer[], now: number, out: Outbox<ArenaClientEvent>): void;
  /** Moves or fires. It may be lost; before the welcome it is. */
  act(action: Action, now: number, out: Outbox<ArenaClientEvent>): void;
}

/** A player for the arena of udp-socket-server: netsync's own or the original. */
export function createArenaClient(options: ArenaClientEngineOptions = {}): ArenaClientEngine {
  return new ArenaClientState(options);
}

/** Longer than this no datagram is under way that could be overtaken. */
const OVERTAKEN_MS = 1_000;
/** So many who left are remembered, so that a late list does not bring them back. */
const DEPARTED_MAX = 1_024;
const ACKED_MAX = 512;

interface Known {
  sequence: number;
  at: number;
}

class ArenaClientState implements ArenaClientEngine {
  readonly #attachment: Attachment;
  readonly #players = new Map<number, PlayerState>();
  /** Which list told of a player last. */
  readonly #news = new Map<number, Known>();
  readonly #departed = new Recent(DEPARTED_MAX);
  readonly #acked = new Recent(ACKED_MAX);
  #number: number | undefined;
  #world: { width: number; height: number } | undefined;
  #bullets: readonly BulletState[] = [];
  /** Lists of bullets that go on. */
  #bulletsSoFar: readonly BulletState[] = [];

  constructor({ heartbeatMs = 2_000 }: ArenaClientEngineOptions) {
    const join = encodeClientMessage({ kind: "join" });
    const heartbeat = encodeClientMessage({ kind: "heartbeat" });
    // The original has nothing to say while nobody moves: its silence means nothing.
    this.#attachment = new Attachment({ join, heartbeat, heartbeatMs, silenceMs: Infinity });
  }

  get number(): number | undefined {
    return this.#number;
  }

  get players(): ReadonlyMap<number, PlayerState> {
    return this.#players;
  }

  get bullets(): readonly BulletState[] {
    return this.#bullets;
  }

  get world(): { width: number; height: number } | undefined {
    return this.#world;
  }

  get heardAt(): number {
    return this.#attachment.heardAt;
  }

  connect(servers: readonly Peer[], now: number, out: Outbox<ArenaClientEvent>): void {
    this.#forget();
    this.#number = undefined;
    this.#attachment.begin(servers, now, out);
  }

  act(action: Action, now: number, out: Outbox<ArenaClientEvent>): void {
    this.#say(action, now, out);
  }

  receive(datagram: Uint8Array, from: Peer, now: number, out: Outbox<ArenaClientEvent>): void {
    if (!this.#attachment.isServer(from)) {
      return out.emit({ kind: "refused", peer: from, reason: "stranger" });
    }
    const message = decodeServerMessage(datagram);
    if (message.kind === "refused") {
      return out.emit({ kind: "refused", peer: from, reason: message.reason });
    }
    this.#attachment.heard(now);
    if (message.kind === "welcome") this.#attachment.attach(from, now);
    if (!this.#attachment.server) return;
    if (message.kind === "welcome") this.#onWelcome(message.player, out);
    if (message.needsAck) this.#ack(message.sequence, now, out);
    this.#onMessage(message, now, out);
  }

  advance(now: number, out: Outbox<ArenaClientEvent>): void {
    this.#attachment.advance(now, out);
  }

  nextDeadline(): number {
    return this.#attachment.nextDeadline();
  }

  remembers(peer: Peer): boolean {
    return this.#attachment.remembers(peer);
  }

  #ack(sequence: number, now: number, out: Outbox<ArenaClientEvent>): void {
    if (!this.#acked.add(sequence)) out.emit({ kind: "repeated", sequence });
    this.#say({ kind: "ack", sequences: [sequence] }, now, out);
  }

  #onMessage(message: Numbered, now: number, out: Outbox<ArenaClientEvent>): void {
    switch (message.kind) {
      case "welcome":
        return;
      case "worldInfo": {
        const { width, height } = message;
        this.#world = { width, height };
        return out.emit({ kind: "world", width, height });
      }
      case "updates":
        return this.#onUpdates(message.players, message.sequence, now, out);
      case "left":
        if (!this.#departed.add(message.number)) return;
        this.#players.delete(message.number);
        this.#news.delete(message.number);
        return out.emit({ kind: "left", number: message.number });
      case "bullets":
        return this.#onBullets(message.bullets, out);
      default:
        message satisfies never;
    }
  }

  /** With another number it is another server, or one that forgot us: nothing of before holds. */
  #onWelcome(player: PlayerState, out: Outbox<ArenaClientEvent>): void {
    if (player.number === this.#number) return;
    this.#forget();
    this.#number = player.number;
    this.#players.set(player.number, player);
    out.emit({ kind: "welcomed", player });
  }

  #onUpdates(
    players: readonly PlayerState[],
    sequence: number,
    now: number,
    out: Outbox<ArenaClientEvent>,
  ): void {
    const fresh = players.filter(({ number }) => {
      if (this.#departed.has(number)) return false;
      const news = this.#news.get(number);
      return !news || now - news.at > OVERTAKEN_MS || isNewer(sequence, news.sequence);
    });
    for (const player of fresh) {
      this.#players.set(player.number, player);
      this.#news.set(player.number, { sequence, at: now });
    }
    if (fresh.length > 0) out.emit({ kind: "players", players: fresh, sequence });
  }

  #onBullets(bullets: readonly BulletState[], out: Outbox<ArenaClientEvent>): void {
    const all = [...this.#bulletsSoFar, ...bullets];
    // A server that never ends a list does not fill the memory either.
    const goesOn = bullets.length === BULLETS_PER_LIST && all.length < BULLETS_PER_LIST ** 2;
    this.#bulletsSoFar = goesOn ? all : [];
    if (goesOn) return;
    this.#bullets = all;
    out.emit({ kind: "bullets", bullets: all });
  }

  #forget(): void {
    this.#players.clear();
    this.#news.clear();
    this.#departed.clear();
    this.#acked.clear();
    this.#bullets = [];
    this.#bulletsSoFar = [];
  }

  #say(message: ClientMessage, now: number, out: Outbox<ArenaClientEvent>): void {
    this.#attachment.say(encodeClientMessage(message), now, out);
  }
}

/** Whether a sequence number comes after another, as long as less than half of all lie between. */
function isNewer(sequence: number, than: number): boolean {
  const count = SEQUENCE_MAX + 1;
  const ahead = (sequence - than + count) % count;
  return ahead > 0 && ahead < count / 2;
}
