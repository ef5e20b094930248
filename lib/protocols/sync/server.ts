/**
 * The SimpleNetSync server: everybody's newest state, sent to everybody.
 *
 * An address is in one of four stages:
 *
 * | stage | on id request | on state or keep-alive | after silence |
 * | --- | --- | --- | --- |
 * | stranger | gets the next id: unverified | refused | - |
 * | unverified | the same id again | player | forgotten |
 * | player | the same id again | newest state stored, snapshots for all | departed |
 * | departed | player again, same id | player again, same id | forgotten |
 *
 * Clients prove nothing about their address: nothing they send could only come from somebody who
 * received something. So an unverified address gets its id and nothing else, and a player gets
 * snapshots on credit, which every datagram from its address renews.
 */
import type { Overspent } from "../../parts/budget.ts";
import type { Engine, Member, Membership, Outbox, Peer, Resumable, Saved } from "../engine.ts";
import { checkUnused, type PeerAt } from "../saved.ts";
import { Dictionary, stateOf } from "./dictionary.ts";
import { creditAfter, Rounds } from "./rounds.ts";
import { readServer, type SavedSession, writeServer } from "./saved.ts";
import { type Session, Sessions } from "./sessions.ts";
import {
  decodeClientMessage,
  encodeIdReply,
  NUMBER_MAX,
  STATE_BYTES_MAX,
  type WireRefusal,
} from "./wire.ts";

/**
 * Why a datagram had no effect. The wire's reasons, and:
 * - `stranger`: a state from an address without an id
 * - `text`: a state that is not UTF-8
 * - `state-size`: a state above `stateBytesMax`
 * - `world-full`: a state that would make the snapshot outgrow one IPv4 datagram
 * - `full`, `full-network`: no more players, no more from this IP address
 * - `rate`: too many id requests from this IP address, or its share of what all together may ask
 * - `busy`: too many id requests from everywhere
 */
export type SyncRefusal =
  | WireRefusal
  | "stranger"
  | "text"
  | "state-size"
  | "world-full"
  | "full"
  | "full-network"
  | Overspent;

/** Why a player is gone: it was silent past the time-out, or the server sent it away. */
export type SyncDeparture = "silent" | "expelled";

/** What the server tells its host. */
export type SyncEvent =
  /** An address sent its first state. */
  | { kind: "joined"; peer: Peer; id: number }
  /** A player is gone. */
  | { kind: "left"; peer: Peer; id: number; reason: SyncDeparture }
  /** A player that an earlier server knew is heard for the first time. */
  | { kind: "continued"; peer: Peer; id: number }
  /** A player that had left was heard again under its old id. */
  | { kind: "returned"; peer: Peer; id: number }
  /** A client started anew on the same address; its numbers count from the beginning. */
  | { kind: "restarted"; peer: Peer; id: number }
  /** A datagram had no effect. */
  | { kind: "refused"; peer: Peer; reason: SyncRefusal }
  /** Rounds take longer than their interval: players get snapshots less often. At most every 10 s. */
  | { kind: "lagging"; roundMs: number; intervalMs: number };

/** Options of {@link createSyncServer}. */
export interface SyncServerOptions {
  /**
   * The number of the first snapshot. Running clients ignore numbers that are not above the last one
   * they saw, so a server that is started again must begin higher: take the wall clock in
   * microseconds since 1970. From 1 to 2^53.
   */
  firstSnapshotNumber: number;
  /**
   * Snapshots a second to each player at most, 1 or more; 0 sends on every accepted state. Default 60.
   */
  rateHz?: number;
  /**
   * Small groups get snapshots more often than `rateHz`: as often as this many packets a second in
   * all allow. 0 keeps them to `rateHz`. Default 4000.
   */
  eagerPacketsPerSecond?: number;
  /** A player not heard for this long has left; an unverified address is forgotten. Default 10,000. */
  silenceMs?: number;
  /** For so long after leaving an address may come back under its id. Default 60,000. */
  returnMs?: number;
  /** Players. Default 1024. */
  clientsMax?: number;
  /**
   * Players of one IPv4 address or IPv6 /64 network, and addresses of it with an id that are not players yet,
   * each. Default 64.
   */
  clientsPerNetworkMax?: number;
  /** Addresses with an id that are not players yet. More displace the eldest. Default 4 for each of `clientsMax`. */
  unverifiedMax?: number;
  /** Bytes of one state as it arrives. Default: what fits. */
  stateBytesMax?: number;
}

/** How many addresses there are of each stage, and the size of the dictionary. */
export interface SyncCensus {
  /** Addresses that get snapshots. */
  players: number;
  /** Addresses with an id that sent no state yet. */
  unverified: number;
  /** Addresses that may come back under their id. */
  departed: number;
  /** Length of the next snapshot. */
  snapshotBytes: number;
}

/**
 * The server's engine. Its members are the players. Expelling also takes away the id of an address that is
 * no player yet or not any more.
 *
 * A server that goes on from another one has all its players at once, with their states and ids; those who
 * have left may come back for as long as they could. Nobody is sent a snapshot before it is heard. Where
 * the new one has fewer places, the first players stay; a state that it would refuse is left out. Unless what
 * was saved is final, whoever came after that is unknown and still takes its id for its own: the next
 * thousand ids are left out.
 */
export interface SyncServer
  extends Engine<SyncEvent>, Membership<Outbox<SyncEvent>>, Resumable<Outbox<SyncEvent>> {
  /** What the server holds at this moment. */
  census(): SyncCensus;
}

const UNVERIFIED_PER_PLACE = 4;
/** After so much time without an accepted state a client that counts from 0 again is believed. */
const RESTART_QUIET_MS = 1_000;
/** The first number after a restart is 0; some may be lost. */
const RESTART_NUMBER_MAX = 16n;
/**
 * So many snapshots may have left after the last time the server was saved: with the clock set back their
 * numbers are not below the first one. As many as in 100 s at most; by the clock that is a tenth of a second.
 */
const UNSAVED_SNAPSHOTS_MAX = 100_000n;
/** So many ids may have been given after the last time the server was saved. */
const UNSAVED_IDS_MAX = 1_000;

const utf8 = new TextEncoder();

/** A SimpleNetSync server. */
export function createSyncServer(options: SyncServerOptions): SyncServer {
  return new Server(options);
}

class Server implements SyncServer {
  readonly #stateBytesMax: number;
  readonly #dictionary = new Dictionary<Session>();
  readonly #sessions: Sessions;
  readonly #rounds: Rounds;

  constructor(options: SyncServerOptions) {
    const { clientsMax = 1_024 } = options;
    this.#stateBytesMax = options.stateBytesMax ?? STATE_BYTES_MAX;
    this.#sessions = new Sessions({
      silenceMs: options.silenceMs ?? 10_000,
      returnMs: options.returnMs ?? 60_000,
      clientsMax,
      clientsPerNetworkMax: options.clientsPerNetworkMax ?? 64,
      unverifiedMax: options.unverifiedMax ?? UNVERIFIED_PER_PLACE * clientsMax,
      onPlayerAdded: () => this.#rounds.onPlayerAdded(),
      onPlayerRemoved: (index) => this.#rounds.onPlayerRemoved(index),
    });
    const { players } = this.#sessions;
    this.#rounds = new Rounds(players, this.#dictionary, options.firstSnapshotNumber, {
      rateHz: options.rateHz ?? 60,
      eagerPacketsPerSecond: options.eagerPacketsPerSecond ?? 4_000,
    });
  }

  receive(datagram: Uint8Array, from: Peer, now: number, out: Outbox<SyncEvent>): void {
    const message = decodeClientMessage(datagram);
    switch (message.kind) {
      case "refused":
        return this.#refuse(from, message.reason, out);
      case "idRequest":
        this.#onIdRequest(from, now, out);
        break;
      case "state":
        this.#onState(message.number, message.state, from, now, out);
        break;
      default:
        message satisfies never;
    }
    this.#rounds.sendDue(now, out);
  }

  advance(now: number, out: Outbox<SyncEvent>): void {
    this.#sessions.sweep(now, (session) => this.#depart(session, now, out));
    this.#rounds.sendDue(now, out);
  }

  nextDeadline(): number {
    return Math.min(this.#sessions.sweepAt, this.#rounds.nextSendAt());
  }

  remembers(peer: Peer): boolean {
    return this.#sessions.get(peer) !== undefined;
  }

  census(): SyncCensus {
    return { ...this.#sessions.census, snapshotBytes: this.#dictionary.snapshotBytes };
  }

  members(): Member[] {
    return this.#sessions.players.map((session) => ({
      peer: session.peer,
      name: String(session.id),
      stateBytes: this.#dictionary.get(session)?.textBytes ?? 0,
    }));
  }

  expel(peer: Peer, now: number, out: Outbox<SyncEvent>): void {
    const session = this.#sessions.get(peer);
    if (!session) return;
    const { id, stage } = session;
    this.#dictionary.remove(session);
    this.#sessions.forget(session);
    if (stage !== "player") return;
    this.#rounds.onChange();
    out.emit({ kind: "left", peer, id, reason: "expelled" });
    this.#rounds.sendDue(now, out);
  }

  save(now: number): Saved {
    return writeServer({
      nextId: this.#sessions.nextId,
      snapshotNumber: this.#rounds.snapshotNumber,
      sessions: this.#sessions.all().map((session): SavedSession => {
        const { peer, id, stage, number } = session;
        const fragment = session.kept ?? this.#dictionary.get(session);
        return {
          ...{ address: peer, id, stage, number },
          leftMs: Math.max(0, this.#sessions.endsAt(session) - now),
          state: fragment && stateOf(fragment),
        };
      }),
    });
  }

  resume(saved: Saved, now: number, peerAt: PeerAt): void {
    checkUnused(this.#sessions.nextId === 0);
    const { nextId, snapshotNumber, sessions, isFinal } = readServer(saved);
    this.#sessions.resumeAt(isFinal ? nextId : nextId + UNSAVED_IDS_MAX);
    this.#rounds.goAbove(snapshotNumber + UNSAVED_SNAPSHOTS_MAX);
    const alone = new Dictionary<number>();
    for (const session of sessions) {
      const { ip, port } = session.address;
      this.#resume(peerAt(ip, port), session, alone, now);
    }
    this.#rounds.onChange();
  }

  // ---- what was before

  /** @param alone Empty, for the states of those who have left. */
  #resume(peer: Peer, saved: SavedSession, alone: Dictionary<number>, now: number): void {
    const session = this.#sessions.resume(peer, saved, now);
    if (!session) return;
    session.number = saved.number;
    // Since then it may have been started anew: then its first number does not count, but the second one.
    if (saved.stage === "player") session.restart = { number: -1n, numberMax: NUMBER_MAX };
    const state = saved.state === undefined ? undefined : utf8.encode(saved.state);
    if (!state || state.length > this.#stateBytesMax) return;
    if (saved.stage === "player") this.#dictionary.set(session, session.id, state);
    if (saved.stage !== "departed") return;
    alone.set(session.id, session.id, state);
    const fragment = alone.remove(session.id);
    if (fragment) this.#sessions.keep(session, fragment);
  }

  // ---- what arrives

  #onIdRequest(from: Peer, now: number, out: Outbox<SyncEvent>): void {
    let session = this.#sessions.get(from);
    if (!session || session.stage === "unverified") {
      const obstacle = session ? undefined : this.#sessions.obstacleFor(from);
      const refusal = obstacle ?? this.#sessions.overspentBy(from, now);
      if (refusal) return this.#refuse(from, refusal, out);
      session ??= this.#sessions.admit(from, now);
    } else if (session.stage === "departed") {
      if (!this.#comeBack(session, now, out)) return;
    } else if (session.stage === "player") {
      // The keep-alive of a Godot client, or a new client on the address of an old one.
      session.restart ??= { number: -1n, numberMax: RESTART_NUMBER_MAX };
    }
    this.#heard(session, now, out);
    out.send(from, encodeIdReply(BigInt(session.id)));
  }

  #onState(
    number: bigint,
    state: Uint8Array,
    from: Peer,
    now: number,
    out: Outbox<SyncEvent>,
  ): void {
    const session = this.#sessions.get(from);
    if (!session) return this.#refuse(from, "stranger", out);
    if (session.stage === "departed" && !this.#comeBack(session, now, out)) return;
    this.#heard(session, now, out);
    const isKeepAlive = number === 0n && state.length === 0;
    if (session.stage === "unverified") {
      const obstacle = this.#sessions.obstacleFor(from);
      if (obstacle) return this.#refuse(from, obstacle, out);
      // A state no snapshot can hold makes a player that is not seen; text that is none, nothing.
      if (this.#store(session, state, out) === "text") return;
      this.#sessions.becomePlayer(session, now);
      session.creditMs = creditAfter(0);
      out.emit({ kind: "joined", peer: from, id: session.id });
      if (!isKeepAlive) this.#accepted(session, number, now);
    } else if (!isKeepAlive && this.#isNews(session, number, now, out)) {
      if (this.#store(session, state, out) === undefined) this.#accepted(session, number, now);
    }
  }

  /** Whether a player's number is above the last one, or the client counts from 0 again. */
  #isNews(session: Session, number: bigint, now: number, out: Outbox<SyncEvent>): boolean {
    if (number > session.number) return true;
    const { restart } = session;
    if (!restart) return false;
    const isFirst = restart.number < 0n;
    if (isFirst ? number > restart.numberMax : number <= restart.number) return false;
    restart.number = number;
    if (isFirst || now - session.acceptedAt < RESTART_QUIET_MS) return false;
    session.number = -1n;
    session.restart = undefined;
    out.emit({ kind: "restarted", peer: session.peer, id: session.id });
    return true;
  }

  #store(session: Session, state: Uint8Array, out: Outbox<SyncEvent>): SyncRefusal | undefined {
    const refusal = state.length > this.#stateBytesMax
      ? "state-size"
      : this.#dictionary.set(session, session.id, state);
    if (refusal) this.#refuse(session.peer, refusal, out);
    else this.#rounds.onChange();
    return refusal;
  }

  #accepted(session: Session, number: bigint, now: number): void {
    session.number = number;
    session.acceptedAt = now;
    session.restart = undefined;
  }

  #heard(session: Session, now: number, out: Outbox<SyncEvent>): void {
    session.since = now;
    session.creditMs = creditAfter(now - session.playsSince);
    if (!session.isUnheard) return;
    session.isUnheard = false;
    const { peer, id, stage } = session;
    if (stage === "player") out.emit({ kind: "continued", peer, id });
  }

  #refuse(peer: Peer, reason: SyncRefusal, out: Outbox<SyncEvent>): void {
    out.emit({ kind: "refused", peer, reason });
  }

  /** A departed player becomes one again; its state too, if there is still room for it. */
  #comeBack(session: Session, now: number, out: Outbox<SyncEvent>): boolean {
    const obstacle = this.#sessions.obstacleFor(session.peer);
    if (obstacle) {
      this.#refuse(session.peer, obstacle, out);
      return false;
    }
    const state = this.#sessions.becomePlayer(session, now);
    session.number = -1n;
    session.restart = undefined;
    if (state) this.#dictionary.restore(session, state);
    this.#rounds.onChange(); // With or without a state, it has missed what happened meanwhile.
    // One who was here before this server began is told of by `#heard`.
    if (!session.isUnheard) out.emit({ kind: "returned", peer: session.peer, id: session.id });
    return true;
  }

  #depart(session: Session, now: number, out: Outbox<SyncEvent>): void {
    this.#sessions.depart(session, this.#dictionary.remove(session), now);
    this.#rounds.onChange();
    out.emit({ kind: "left", peer: session.peer, id: session.id, reason: "silent" });
  }
}
