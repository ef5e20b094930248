/** A player as a program sees it: what it may be told, what it asks for, and what it tells. */
import type { JsonObject } from "../../parts/json.ts";
import type { Engine, Outbox, Peer } from "../engine.ts";
import type { LossReason, Path } from "./link.ts";
import type { Dialect, Endpoint } from "./message.ts";
import type { WireRefusal } from "./wire.ts";

/** Another player who can be talked to. */
export interface RemotePlayer {
  /** It is talked to by this. */
  readonly name: string;
  /** Where it is reached. */
  readonly address: Endpoint;
  /** Whether that is its global address or one of the own network. */
  readonly path: Path;
  /** Undefined until it was measured. */
  readonly roundTripMs: number | undefined;
}

/**
 * Why a session ended:
 * - `server`: the rendezvous server never answered
 * - `refused`: it answered with an error
 * - `inquiry`: the host was found, but never answered
 * - `host-lost`: the host does not answer any more
 * - `host-left`: the host ended the game, or dropped this player
 * - `left`: ended here
 */
export type EndReason = "server" | "refused" | "inquiry" | "host-lost" | "host-left" | "left";

/** Why a datagram had no effect: the wire's reasons, from a stranger, a wrong hash, no room. */
export type PlayerRefusal = WireRefusal | "stranger" | "hash" | "full";

/** What a player's engine tells its host program. */
export type PlayerEvent =
  /** Others can join by the own name from now on. */
  | { kind: "registered"; server: Peer }
  /** The server or the host told where somebody is; inquiries are on their way. */
  | { kind: "introduced"; name: string; globalAddress: Endpoint; localAddress: Endpoint }
  /** Somebody answered: messages can be exchanged. */
  | { kind: "confirmed"; player: RemotePlayer }
  /** A newer round-trip time. */
  | { kind: "roundTrip"; player: RemotePlayer }
  | { kind: "message"; from: string; message: unknown; reliable: boolean }
  /** A reliable message arrived. */
  | { kind: "receipt"; to: string; id: number; message: unknown }
  /** A reliable message was never answered for. What is on its way to somebody lost is not told of. */
  | { kind: "undelivered"; to: string; id: number; message: unknown }
  | { kind: "lost"; name: string; reason: LossReason }
  /** The server refused something. Who was not registered and has no other players, ends. */
  | { kind: "serverError"; message: string }
  /** The server does not answer any more. Those who are here stay; it goes on being asked. */
  | { kind: "serverLost" }
  /** A valid datagram arrived: its fields. */
  | { kind: "packet"; from: Peer; fields: JsonObject }
  | { kind: "refused"; peer: Peer; reason: PlayerRefusal }
  | { kind: "ended"; reason: EndReason };

/** Options of a player. */
export interface PlayerOptions {
  /** From 1 to 64 characters. A host is joined by it. */
  name: string;
  /** The host to join. Left out: be one. */
  host?: string;
  /** The dialect of everybody in the game. Default 1. */
  dialect?: Dialect;
  /** Dialect 2: what the players of this game know. Default: none. */
  password?: string;
  /** The own address on the local network; `0.0.0.0` when it is not known. */
  local: Endpoint;
  /** How long the server keeps a registration without a refresh. Default 60. */
  validSeconds?: number;
  /** How often a host refreshes its registration. Default 15,000. */
  refreshMs?: number;
  /** How often the others are asked whether they are there; it also keeps NATs open. Default 15,000. */
  checkMs?: number;
  /** Other players at most. Default 64. */
  playersMax?: number;
  /** From 0 inclusive to 1 exclusive: for the session key of dialect 2. */
  random: () => number;
  /** The one peer of an address. */
  peerAt: (ip: string, port: number) => Peer;
}

/** A player's engine. */
export interface Player extends Engine<PlayerEvent> {
  /** Everybody who is confirmed, by name. */
  readonly players: ReadonlyMap<string, RemotePlayer>;
  /** Whether the session has ended. */
  readonly ended: boolean;
  /** Begins. `servers` are the addresses of the one server, the preferred one first. */
  connect(servers: readonly Peer[], now: number, out: Outbox<PlayerEvent>): void;
  /**
   * Sends a message that may get lost, arrive twice or late.
   *
   * @throws {RangeError} Nobody of this name is confirmed, or the message cannot be sent.
   */
  send(to: string, message: unknown, now: number, out: Outbox<PlayerEvent>): void;
  /**
   * Sends a message again until it is answered for. Its receiver sees it once.
   *
   * @returns Its number, as `receipt` and `undelivered` have it.
   * @throws {RangeError} As `send`; or 256 messages to this player are on their way.
   */
  sendReliable(to: string, message: unknown, now: number, out: Outbox<PlayerEvent>): number;
  /**
   * Drops another player; does nothing when there is none of this name. A host that goes on listing it is
   * not followed; at a host it may join again.
   */
  drop(name: string, now: number, out: Outbox<PlayerEvent>): void;
  /** Has no more to do with the server: nobody new can join. */
  leaveServer(out: Outbox<PlayerEvent>): void;
  /** Ends the session. */
  leave(now: number, out: Outbox<PlayerEvent>): void;
}
