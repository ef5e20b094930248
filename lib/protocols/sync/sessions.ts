import { type Overspent, type SharedBudget, strangersDatagrams } from "../../parts/budget.ts";
import type { Peer } from "../engine.ts";
import type { Fragment } from "./dictionary.ts";

/** Where an address stands; see the table of the server. */
export type Stage = "unverified" | "player" | "departed";

/** An address that has an id. */
export interface Session {
  readonly peer: Peer;
  readonly id: number;
  /** Changed by {@link Sessions} only. */
  stage: Stage;
  /** When it was heard last; a departed one: when it left. */
  since: number;
  /** The highest number accepted; -1 before the first. */
  number: bigint;
  acceptedAt: number;
  /** When it became a player, or came back as one. */
  playsSince: number;
  /** For so much longer this address is sent snapshots if it is not heard again. */
  creditMs: number;
  /** The number of the last snapshot sent to it. */
  sent: bigint;
  restart: Restart | undefined;
  /** The state of a departed player, for its return. */
  kept: Fragment | undefined;
  /** An earlier server knew it, and this one has not heard it. */
  isUnheard: boolean;
}

/** Those of one network. */
interface Network {
  players: number;
  /** In the order of their coming. */
  readonly unverified: Set<Session>;
}

/** Signs that a client was started anew on its old address: an id request, then low numbers. */
interface Restart {
  /** The last of the low numbers; -1 before the first. */
  number: bigint;
  /** The first of them is not above this. */
  readonly numberMax: bigint;
}

/** What stands in the way of one more; the server's reasons. */
export type Obstacle = "full" | "full-network";

/** Options of {@link Sessions}. */
export interface SessionsOptions {
  /** A player not heard for so long has left; an unverified address is forgotten. */
  silenceMs: number;
  /** For so long a departed player may come back. */
  returnMs: number;
  /** Players. */
  clientsMax: number;
  /** Players of one network, and unverified addresses of it, each. */
  clientsPerNetworkMax: number;
  /** Unverified addresses; in a flood of requests the more there are, the more time each has to go on. */
  unverifiedMax: number;
  /** Told of every player that comes, at the end of the list, or goes, from its place in it. */
  onPlayerAdded: () => void;
  onPlayerRemoved: (index: number) => void;
}

/** States of the departed kept in all. */
const KEPT_BYTES_MAX = 262_144;
/** A host this late was asleep: players get a moment to be heard before they are found silent. */
const STALL_MS = 1_000;
/** Their keep-alives are a second apart, and a way long. */
const STALL_GRACE_MS = 2_000;

/** Everybody who has an id, and for how long. */
export class Sessions {
  /** In the order of joining. */
  readonly players: Session[] = [];
  readonly #options: SessionsOptions;
  readonly #departedMax: number;
  readonly #byPeer = new Map<Peer, Session>();
  readonly #networks = new Map<string, Network>();
  /** In the order of their coming. */
  readonly #unverified = new Set<Session>();
  readonly #strangers: SharedBudget;
  #departed = 0;
  #keptBytes = 0;
  #nextId = 0;
  #sweepAt = Infinity;

  constructor(options: SessionsOptions) {
    this.#options = options;
    this.#departedMax = options.returnMs > 0 ? options.clientsMax : 0;
    this.#strangers = strangersDatagrams({ placesPerNetwork: options.clientsPerNetworkMax });
  }

  /** How many there are at each stage. */
  get census(): { players: number; unverified: number; departed: number } {
    return {
      players: this.players.length,
      unverified: this.#unverified.size,
      departed: this.#departed,
    };
  }

  get(peer: Peer): Session | undefined {
    return this.#byPeer.get(peer);
  }

  get isFull(): boolean {
    return this.players.length >= this.#options.clientsMax;
  }

  /** What stands in the way of one more player from there. */
  obstacleFor({ network }: Peer): Obstacle | undefined {
    if (this.isFull) return "full";
    const players = this.#networks.get(network)?.players ?? 0;
    return players >= this.#options.clientsPerNetworkMax ? "full-network" : undefined;
  }

  /** What stands in the way of an answer to somebody who is no player. */
  overspentBy({ network }: Peer, now: number): Overspent | undefined {
    return this.#strangers.take(network, now);
  }

  /**
   * Gives an address the next id.
   *
   * The eldest that is unverified makes room, of its network or of all: a flood of forged addresses keeps
   * nobody out who sends a state soon.
   */
  admit(peer: Peer, now: number): Session {
    const { clientsPerNetworkMax, unverifiedMax } = this.#options;
    this.#makeRoom(this.#networks.get(peer.network)?.unverified, clientsPerNetworkMax);
    this.#makeRoom(this.#unverified, unverifiedMax);
    const session = newSession(peer, this.#nextId++, now);
    this.#byPeer.set(peer, session);
    this.#enter(session, "unverified");
    this.#expectSilence(now);
    return session;
  }

  /** Everybody: the players in the order of joining, then the others. */
  all(): Session[] {
    const others = [...this.#byPeer.values()].filter(({ stage }) => stage !== "player");
    return [...this.players, ...others];
  }

  /** The id of the next address. */
  get nextId(): number {
    return this.#nextId;
  }

  /** Ids go on from there. */
  resumeAt(nextId: number): void {
    this.#nextId = nextId;
  }

  /**
   * Takes in somebody whom an earlier server knew, if there is a place.
   *
   * @param leftMs For so long a departed one may still come back.
   */
  resume(
    peer: Peer,
    { id, stage, leftMs }: { id: number; stage: Stage; leftMs: number },
    now: number,
  ): Session | undefined {
    if (this.#byPeer.has(peer) || !this.#hasPlaceFor(peer, stage)) return undefined;
    const session = newSession(peer, id, now);
    session.isUnheard = true;
    this.#byPeer.set(peer, session);
    this.#enter(session, stage);
    const { returnMs } = this.#options;
    if (stage === "departed") session.since = now - returnMs + Math.min(leftMs, returnMs);
    this.#sweepAt = Math.min(this.#sweepAt, this.endsAt(session));
    return session;
  }

  /** An unverified or departed one becomes a player. Returns the state it had when it left. */
  becomePlayer(session: Session, now: number): Fragment | undefined {
    const { kept } = session;
    this.#leave(session);
    this.#enter(session, "player");
    session.playsSince = now;
    this.#expectSilence(now);
    return kept;
  }

  /** A player leaves; it may come back, with this state. */
  depart(session: Session, state: Fragment | undefined, now: number): void {
    this.#leave(session);
    this.#enter(session, "departed");
    session.since = now;
    if (state) this.keep(session, state);
    if (this.#departed > this.#departedMax) this.forget(this.#longestDeparted());
  }

  /** Keeps the state of a departed player, unless too much is kept already. */
  keep(session: Session, state: Fragment): void {
    if (this.#keptBytes + state.bytes.length > KEPT_BYTES_MAX) return;
    session.kept = state;
    this.#keptBytes += state.bytes.length;
  }

  /** Nothing is known of this address any more. */
  forget(session: Session): void {
    this.#leave(session);
    this.#byPeer.delete(session.peer);
  }

  /** When somebody's time may be over. */
  get sweepAt(): number {
    return this.#sweepAt;
  }

  /**
   * Ends the sessions whose time is over. Runs about once per time-out, not once per datagram.
   *
   * @param depart Lets a silent player leave, by calling `depart`.
   */
  sweep(now: number, depart: (player: Session) => void): void {
    if (now - this.#sweepAt > STALL_MS) this.#sweepAt = now + STALL_GRACE_MS;
    if (now < this.#sweepAt) return;
    this.#sweepAt = Infinity;
    for (const session of this.#byPeer.values()) {
      if (now >= this.endsAt(session)) {
        if (session.stage === "player") depart(session);
        else this.forget(session);
      }
      if (this.#byPeer.has(session.peer)) {
        this.#sweepAt = Math.min(this.#sweepAt, this.endsAt(session));
      }
    }
  }

  #expectSilence(now: number): void {
    this.#sweepAt = Math.min(this.#sweepAt, now + this.#options.silenceMs);
  }

  /** When it has left if it is not heard; a departed one: when it is forgotten. */
  endsAt({ stage, since }: Session): number {
    return since + (stage === "departed" ? this.#options.returnMs : this.#options.silenceMs);
  }

  #hasPlaceFor(peer: Peer, stage: Stage): boolean {
    const { clientsPerNetworkMax, unverifiedMax } = this.#options;
    if (stage === "departed") return this.#departed < this.#departedMax;
    if (stage === "player") return this.obstacleFor(peer) === undefined;
    const neighbours = this.#networks.get(peer.network)?.unverified.size ?? 0;
    return neighbours < clientsPerNetworkMax && this.#unverified.size < unverifiedMax;
  }

  #enter(session: Session, stage: Stage): void {
    session.stage = stage;
    if (stage === "departed") {
      this.#departed++;
      return;
    }
    const network = this.#networks.get(session.peer.network) ??
      { players: 0, unverified: new Set() };
    this.#networks.set(session.peer.network, network);
    if (stage === "unverified") {
      this.#unverified.add(session);
      network.unverified.add(session);
    } else {
      network.players++;
      this.players.push(session);
      this.#options.onPlayerAdded();
    }
  }

  #leave(session: Session): void {
    if (session.stage === "departed") {
      this.#departed--;
      this.#keptBytes -= session.kept?.bytes.length ?? 0;
      session.kept = undefined;
      return;
    }
    const network = this.#networks.get(session.peer.network)!;
    if (session.stage === "unverified") {
      this.#unverified.delete(session);
      network.unverified.delete(session);
    } else {
      network.players--;
      const index = this.players.indexOf(session);
      this.players.splice(index, 1);
      this.#options.onPlayerRemoved(index);
    }
    if (network.players + network.unverified.size === 0) {
      this.#networks.delete(session.peer.network);
    }
  }

  #makeRoom(unverified: ReadonlySet<Session> = new Set(), most: number): void {
    const [eldest] = unverified;
    if (eldest && unverified.size >= most) this.forget(eldest);
  }

  #longestDeparted(): Session {
    let longest: Session | undefined;
    for (const session of this.#byPeer.values()) {
      if (session.stage !== "departed") continue;
      if (!longest || session.since < longest.since) longest = session;
    }
    return longest!;
  }
}

function newSession(peer: Peer, id: number, now: number): Session {
  return {
    peer,
    id,
    stage: "unverified",
    since: now,
    number: -1n,
    acceptedAt: -Infinity,
    playsSince: now,
    creditMs: 0,
    sent: 0n,
    restart: undefined,
    kept: undefined,
    isUnheard: false,
  };
}
