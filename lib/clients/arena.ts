import type { HostPort } from "../hosts/address.ts";
import type { UdpHost } from "../hosts/udp.ts";
import {
  type ArenaClientEngine,
  type ArenaClientEvent,
  createArenaClient,
} from "../protocols/arena/client.ts";
import type { BulletState, PlayerState } from "../protocols/arena/wire.ts";
import { Listeners } from "./listeners.ts";
import { reach, type SocketOptions, targetOf } from "./reach.ts";

/** The port of udp-socket-server. */
export const ARENA_PORT = 9_999;

/** Options of {@link ArenaClient.connect}. */
export interface ArenaClientOptions extends SocketOptions {
  /** How long to wait until the server lets us in. Default 10,000. */
  timeoutMs?: number;
}

/** The events of an {@link ArenaClient} and what their listeners get. */
export interface ArenaClientEvents {
  /** The server had forgotten this player, and let it in as another one. */
  welcomed: PlayerState;
  /** Some players came or moved. */
  players: readonly PlayerState[];
  /** A player is gone. */
  left: { number: number };
  /** Everything that is in the air, whenever the server tells of it. */
  bullets: readonly BulletState[];
}

/**
 * A player in the arena of udp-socket-server: netsync's own or the original.
 *
 * ```ts
 * import { ArenaClient } from "@netsync/netsync";
 *
 * const client = await ArenaClient.connect("localhost:9999");
 * client.on("players", (moved) => console.log(moved));
 * client.steer(1, 0);
 * ```
 */
export class ArenaClient implements AsyncDisposable {
  readonly #engine: ArenaClientEngine = createArenaClient();
  /** Set once the server has let it in. */
  #host!: UdpHost<ArenaClientEvent>;
  readonly #listeners = new Listeners<ArenaClientEvents>();
  readonly #isLetIn = Promise.withResolvers<void>();

  /**
   * Joins a server.
   *
   * @param address `HOST`, `HOST:PORT`, `[IPv6]:PORT` or both parts apart; the port is 9999 if left out.
   * @throws {TypeError} `address` is none.
   * @throws {Error} The host name is unknown.
   * @throws {ConnectTimeoutError} Nobody answered within `timeoutMs`, or every place is taken.
   */
  static async connect(
    address: string | HostPort,
    { timeoutMs = 10_000, through }: ArenaClientOptions = {},
  ): Promise<ArenaClient> {
    const client = new ArenaClient();
    client.#host = await reach(client.#engine, targetOf(address, ARENA_PORT), {
      onEvent: (event) => client.#onEvent(event),
      answered: client.#isLetIn.promise,
      timeoutMs,
      through,
    });
    return client;
  }

  private constructor() {}

  /** The number the server gave. */
  get number(): number {
    return this.#engine.number!;
  }

  /** Everybody the server told of, by number, itself included. Positions are in thousandths. */
  get players(): ReadonlyMap<number, PlayerState> {
    return this.#engine.players;
  }

  /** Everything in the air, as of the last time the server told. */
  get bullets(): readonly BulletState[] {
    return this.#engine.bullets;
  }

  /** Half of the world's width and height: it spans from -width to width. */
  get world(): { readonly width: number; readonly height: number } {
    return this.#engine.world!;
  }

  /** For how long the server was not heard, in ms. The original says nothing while nobody moves. */
  get silentMs(): number {
    return performance.now() - this.#engine.heardAt;
  }

  /** Moves, until the next call: each from -1 to 1, `dy` upwards. It may be lost. */
  steer(dx: number, dy: number): void {
    this.#host.act((now, out) => this.#engine.act({ kind: "input", dx, dy }, now, out));
  }

  /** Fires in the direction of the last movement. It may be lost. */
  fire(): void {
    this.#host.act((now, out) => this.#engine.act({ kind: "fire" }, now, out));
  }

  /**
   * Calls `listener` for every event of a kind. What it throws goes to `reportError`.
   *
   * @returns A function that ends it.
   */
  on<E extends keyof ArenaClientEvents>(
    kind: E,
    listener: (event: ArenaClientEvents[E]) => void,
  ): () => void {
    return this.#listeners.on(kind, listener);
  }

  /** Leaves. The protocol has no word for it: the server notices by the silence. */
  close(): Promise<void> {
    return this.#host.close();
  }

  /** The same as `close`, for `await using`. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  #onEvent(event: ArenaClientEvent): void {
    switch (event.kind) {
      case "welcomed":
        return this.#listeners.tell("welcomed", event.player);
      case "players":
        return this.#listeners.tell("players", event.players);
      case "left":
        return this.#listeners.tell("left", { number: event.number });
      case "bullets":
        return this.#listeners.tell("bullets", event.bullets);
      case "world":
        // Only who is in the game is told. Whoever asks is welcomed, even if every place is taken.
        return this.#isLetIn.resolve();
      case "repeated":
      case "refused":
        return;
      default:
        event satisfies never;
    }
  }
}
