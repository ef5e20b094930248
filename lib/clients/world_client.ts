import type { HostPort } from "../hosts/address.ts";
import type { UdpHost } from "../hosts/udp.ts";
import {
  createWorldClient,
  type WorldClientEngine,
  type WorldClientEngineOptions,
  type WorldClientEvent,
} from "../protocols/world/client.ts";
import type { Pose } from "../protocols/world/motion.ts";
import type { TraitChanges, Traits } from "../protocols/world/traits.ts";
import { Listeners } from "./listeners.ts";
import { reach, type SocketOptions, targetOf } from "./reach.ts";
import { WORLD_PORT } from "./world_server.ts";

/** Options of {@link WorldClient.connect}. */
export interface WorldClientOptions
  extends SocketOptions, Omit<WorldClientEngineOptions, "random"> {
  /** How long to wait until the server tells of its world. Default 10,000. */
  timeoutMs?: number;
}

/** The events of a {@link WorldClient} and what their listeners get. */
export interface WorldClientEvents {
  /** An object is there. */
  spawned: { id: number; traits: Traits };
  /** Traits of an object have changed: all of them as they are now, and those that are new. */
  changed: { id: number; traits: Traits; changes: TraitChanges };
  /** An object is gone. */
  removed: { id: number };
  /** Everything is there that was there when the server let us in. */
  synced: { objects: number };
  /** The server is there; at `unixSeconds` by its clock. */
  heartbeat: { unixSeconds: number };
  /** How long it takes to the server and back, each time that was measured. */
  latency: { roundTripMs: number };
  /** The server ended, or was not heard for too long. It is asked again; everything stays as it was. */
  disconnected: Record<never, never>;
  /** It is back. */
  connected: Record<never, never>;
  /** It is back, but has no free place. It is asked again. */
  full: Record<never, never>;
}

/** The server has no place for one more. */
export class ServerFullError extends Error {
  /** The name of the class. */
  override readonly name = "ServerFullError";
}

/**
 * The mirror of a world on a server: netsync's own or Sidereal.
 *
 * ```ts
 * import { WorldClient } from "@netsync/netsync";
 *
 * const client = await WorldClient.connect("localhost:25005");
 * client.on("spawned", ({ id, traits }) => console.log(id, traits.position));
 * client.on("changed", ({ id, changes }) => console.log(id, changes));
 * ```
 */
export class WorldClient implements AsyncDisposable {
  readonly #engine: WorldClientEngine;
  /** Set once the server has let it in. */
  #host!: UdpHost<WorldClientEvent>;
  readonly #listeners = new Listeners<WorldClientEvents>();
  readonly #isLetIn = Promise.withResolvers<void>();
  /** What happened before the program could listen. */
  #early: WorldClientEvent[] | undefined = [];
  #earlyTimer: ReturnType<typeof setTimeout> | undefined;

  /**
   * Connects to a server, and waits until it tells of its world. Listeners that are added at once miss
   * nothing.
   *
   * @param address `HOST`, `HOST:PORT`, `[IPv6]:PORT` or both parts apart; the port is 25005 if left out.
   * @throws {TypeError} `address` is none.
   * @throws {Error} The host name is unknown.
   * @throws {ServerFullError} Every place is taken.
   * @throws {ConnectTimeoutError} Nobody answered within `timeoutMs`.
   */
  static async connect(
    address: string | HostPort,
    { timeoutMs = 10_000, through, ...options }: WorldClientOptions = {},
  ): Promise<WorldClient> {
    const client = new WorldClient(options);
    client.#host = await reach(client.#engine, targetOf(address, WORLD_PORT), {
      onEvent: (event) => client.#onEvent(event),
      answered: client.#isLetIn.promise,
      timeoutMs,
      through,
    });
    client.#earlyTimer = setTimeout(() => client.#tellEarly(), 0);
    return client;
  }

  private constructor(options: Omit<WorldClientEngineOptions, "random">) {
    this.#engine = createWorldClient({ ...options, random: Math.random });
  }

  /** Every object, by id, as it was told last. */
  get objects(): ReadonlyMap<number, Traits> {
    return this.#engine.objects;
  }

  /** Whether the server tells us of its world. */
  get isConnected(): boolean {
    return this.#engine.isConnected;
  }

  /** The newest tick of which there was news; -1 before the first. */
  get time(): number {
    return this.#engine.time;
  }

  /** How many objects the server has, as far as it said so. */
  get total(): number | undefined {
    return this.#engine.total;
  }

  /** Ticks a second; 0 when they have no fixed rate, undefined when the server did not say. */
  get tickRateHz(): number | undefined {
    return this.#engine.tickRateHz;
  }

  /** Whether everything is there that was there when the server let us in. The original never says so. */
  get isSynced(): boolean {
    return this.#engine.isSynced;
  }

  /** There and back in ms, smoothed; undefined before it was measured. */
  get roundTripMs(): number | undefined {
    return this.#engine.roundTripMs;
  }

  /** The share of the server's last packets that did not arrive, 0 to 1; undefined while nobody knows. */
  get loss(): number | undefined {
    return this.#engine.loss;
  }

  /** For how long the server was not heard, in ms. */
  get silentMs(): number {
    return performance.now() - this.#engine.heardAt;
  }

  /**
   * Where to draw an object now: a little in the past, between two places that were told.
   *
   * @returns undefined when there is no such object.
   */
  poseOf(id: number): Pose | undefined {
    return this.#engine.poseOf(id, performance.now());
  }

  /**
   * Calls `listener` for every event of a kind. What it throws goes to `reportError`.
   *
   * @returns A function that ends it.
   */
  on<E extends keyof WorldClientEvents>(
    kind: E,
    listener: (event: WorldClientEvents[E]) => void,
  ): () => void {
    return this.#listeners.on(kind, listener);
  }

  /** Leaves, and says so. */
  close(): Promise<void> {
    clearTimeout(this.#earlyTimer);
    this.#host.act((now, out) => this.#engine.leave(now, out));
    return this.#host.close();
  }

  /** The same as `close`, for `await using`. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  #onEvent(event: WorldClientEvent): void {
    if (event.kind === "connected") this.#isLetIn.resolve();
    if (event.kind === "full") {
      this.#isLetIn.reject(new ServerFullError("the server has no free place"));
    }
    if (this.#early) this.#early.push(event);
    else this.#tell(event);
  }

  #tellEarly(): void {
    const early = this.#early!;
    this.#early = undefined;
    // That it is connected is known.
    for (const event of early) if (event.kind !== "connected") this.#tell(event);
  }

  #tell(event: WorldClientEvent): void {
    switch (event.kind) {
      case "connected":
      case "disconnected":
      case "full":
        return this.#listeners.tell(event.kind, {});
      case "spawned":
      case "changed":
      case "removed":
      case "synced":
      case "heartbeat":
      case "latency": {
        const { kind, ...rest } = event;
        return this.#listeners.tell(kind, rest as never);
      }
      case "refused":
        return;
      default:
        event satisfies never;
    }
  }
}
