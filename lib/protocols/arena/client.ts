/** The engine of an arena client: joins, acks, plays, and knows who is where. */
import { Recent } from "../../parts/recent.ts";
import type { Engine, Outbox, Peer } from "../engine.ts";
import { Attachment } from "../attachment.ts";
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
import { BULLET_SECONDS } from "./world.ts";

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

/**
 * Who was welcomed and not told of the world joins again this often. The server may have told a program of
 * before at this address, whose ack it has.
 */
const JOIN_AGAIN_MS = 1_000;
/** Longer than this no datagram is under way that could be overtaken. */
const OVERTAKEN_MS = 1_000;
/** Without news for so long all bullets have ended: the empty list that says so was lost. */
const BULLETS_MS = 1_000 * BULLET_SECONDS;
/** So many who left are remembered, so that a late list does not bring them back. */
const DEPARTED_MAX = 1_024;
const ACKED_MAX = 512;
/** A server that names ever new players does not fill the memory; of more nothing is known. */
const PLAYERS_MAX = 65_536;

/** Which list told of something last, and when. */
interface News {
  sequence: number;
  at: number;
}

class ArenaClientState implements ArenaClientEngine {
  readonly #attachment: Attachment;
  readonly #players = new Map<number, PlayerState>();
  /** By player. */
  readonly #news = new Map<number, News>();
  readonly #departed = new Recent(DEPARTED_MAX);
  readonly #acked = new Recent(ACKED_MAX);
  /** As it was welcomed. */
  #me: PlayerState | undefined;
  #world: { width: number; height: number } | undefined;
  #joinsAgainAt = Infinity;
  #bullets: readonly BulletState[] = [];
  /** Lists of bullets that go on. */
  #bulletsSoFar: readonly BulletState[] = [];
  #bulletsNews: News | undefined;

  constructor({ heartbeatMs = 2_000 }: ArenaClientEngineOptions) {
    const join = encodeClientMessage({ kind: "join" });
    const heartbeat = encodeClientMessage({ kind: "heartbeat" });
    // The original has nothing to say while nobody moves: its silence means nothing.
    this.#attachment = new Attachment({ join, heartbeat, heartbeatMs, silenceMs: Infinity });
  }

  get number(): number | undefined {
    return this.#me?.number;
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
    this.#me = undefined;
    this.#world = undefined;
    this.#joinsAgainAt = Infinity;
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
    if (message.kind === "welcome") this.#onWelcome(message.player, now, out);
    if (message.needsAck) this.#ack(message.sequence, now, out);
    this.#onMessage(message, now, out);
  }

  advance(now: number, out: Outbox<ArenaClientEvent>): void {
    this.#attachment.advance(now, out);
    if (now >= this.#joinsAgainAt) {
      this.#say({ kind: "join" }, now, out);
      this.#joinsAgainAt = now + JOIN_AGAIN_MS;
    }
    if (now >= this.#bulletsEndAt) this.#seeBullets([], out);
  }

  nextDeadline(): number {
    return Math.min(this.#attachment.nextDeadline(), this.#joinsAgainAt, this.#bulletsEndAt);
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
        this.#joinsAgainAt = Infinity;
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
        return this.#onBullets(message.bullets, message.sequence, now, out);
      default:
        message satisfies never;
    }
  }

  /**
   * As another player we are at another server, or at one that forgot us: nothing of before holds. A server
   * that was started again may give the same number; hardly in the same color.
   */
  #onWelcome(player: PlayerState, now: number, out: Outbox<ArenaClientEvent>): void {
    if (this.#me && isSamePlayer(player, this.#me)) return;
    this.#forget();
    this.#me = player;
    if (!this.#world) this.#joinsAgainAt = now + JOIN_AGAIN_MS;
    this.#players.set(player.number, player);
    out.emit({ kind: "welcomed", player });
  }

  #onUpdates(
    players: readonly PlayerState[],
    sequence: number,
    now: number,
    out: Outbox<ArenaClientEvent>,
  ): void {
    const hasRoom = this.#players.size < PLAYERS_MAX;
    const fresh = players.filter(({ number }) =>
      !this.#departed.has(number) && !isOvertaken(sequence, now, this.#news.get(number)) &&
      (hasRoom || this.#players.has(number))
    );
    for (const player of fresh) {
      this.#players.set(player.number, player);
      this.#news.set(player.number, { sequence, at: now });
    }
    if (fresh.length > 0) out.emit({ kind: "players", players: fresh, sequence });
  }

  #onBullets(
    bullets: readonly BulletState[],
    sequence: number,
    now: number,
    out: Outbox<ArenaClientEvent>,
  ): void {
    if (isOvertaken(sequence, now, this.#bulletsNews)) return;
    this.#bulletsNews = { sequence, at: now };
    const all = [...this.#bulletsSoFar, ...bullets];
    // A server that never ends a list does not fill the memory either.
    const goesOn = bullets.length === BULLETS_PER_LIST && all.length < BULLETS_PER_LIST ** 2;
    if (goesOn) this.#bulletsSoFar = all;
    else this.#seeBullets(all, out);
  }

  #seeBullets(bullets: readonly BulletState[], out: Outbox<ArenaClientEvent>): void {
    this.#bulletsSoFar = [];
    this.#bullets = bullets;
    out.emit({ kind: "bullets", bullets });
  }

  get #bulletsEndAt(): number {
    const isNothing = this.#bullets.length === 0 && this.#bulletsSoFar.length === 0;
    return isNothing ? Infinity : this.#bulletsNews!.at + BULLETS_MS;
  }

  #forget(): void {
    this.#players.clear();
    this.#news.clear();
    this.#departed.clear();
    this.#acked.clear();
    this.#bullets = [];
    this.#bulletsSoFar = [];
    this.#bulletsNews = undefined;
  }

  #say(message: ClientMessage, now: number, out: Outbox<ArenaClientEvent>): void {
    this.#attachment.say(encodeClientMessage(message), now, out);
  }
}

function isSamePlayer(one: PlayerState, other: PlayerState): boolean {
  return one.number === other.number && one.red === other.red && one.green === other.green &&
    one.blue === other.blue;
}

/** Whether a list was sent before one that came already, or is that one. */
function isOvertaken(sequence: number, now: number, news: News | undefined): boolean {
  return news !== undefined && now - news.at <= OVERTAKEN_MS && !isNewer(sequence, news.sequence);
}

/** Whether a sequence number comes after another, as long as less than half of all lie between. */
function isNewer(sequence: number, than: number): boolean {
  const count = SEQUENCE_MAX + 1;
  const ahead = (sequence - than + count) % count;
  return ahead > 0 && ahead < count / 2;
}
