import { actOrThrow } from "../hosts/act_or_throw.ts";
import { openUdp, type UdpCounters, UdpHost } from "../hosts/udp.ts";
import {
  createWorldServer,
  type WorldClientStatus,
  type WorldDeparture,
  type WorldRefusal,
  type WorldServerEngine,
  type WorldServerEvent,
} from "../protocols/world/server.ts";
import { World } from "../protocols/world/world.ts";
import { Listeners } from "./listeners.ts";
import type { SocketOptions } from "./reach.ts";
import { printError } from "./signal.ts";

/** The port of Sidereal. */
export const WORLD_PORT = 25_005;

/** Options of {@link WorldServer.listen}. */
export interface WorldServerListenOptions extends SocketOptions {
  /** What is told. Default: an empty world. */
  world?: World;
  /** UDP port; 0 lets the system choose one. Default 25005. */
  port?: number;
  /** One local IP address. Default: every address of both families. */
  hostname?: string;
  /** Ticks a second, up to 1000; 0 when only `tick` makes them. Default 100. */
  tickRateHz?: number;
  /**
   * Called at each tick to move things: with the world, the seconds a tick lasts, and the number of the
   * tick. Also several times in a row, to make up for up to 0.25 s.
   */
  step?: (world: World, seconds: number, time: number) => void;
  /** Every object is told whole again this often, whether it changed or not; 0 for never. Default 10,000. */
  keyframeMs?: number;
  /** A client that acks nothing for so long is gone. Default 10,000. */
  silenceMs?: number;
  /** Clients at most. Default 512. */
  clientsMax?: number;
  /** Clients of one IPv4 address or IPv6 /64 network. Default 64. */
  clientsPerNetworkMax?: number;
  /** What one client is sent at most, with the headers of UDP and IP, from 1,200. Default 262,144. */
  bytesPerSecond?: number;
  /** Takes what `step` or a listener throws; the server goes on. Default: it is printed. */
  onError?: (error: unknown) => void;
  /** Told why a datagram had no effect. */
  onRefused?: (reason: WorldRefusal, address: string) => void;
}

/** The events of a {@link WorldServer} and what their listeners get. */
export interface WorldServerEvents {
  /** A client is there, at this address. */
  joined: { address: string; hasDiffs: boolean };
  /** It is gone. */
  left: { address: string; reason: WorldDeparture };
  /** Sending takes so long that only this share of the clients is told of a tick at once. */
  lagging: { toldShare: number };
  /** The computer did not let the server run: the world stood still for so long. */
  stalled: { lostMs: number };
}

/**
 * A server that lets others see a world: objects with traits, in time that goes by ticks.
 *
 * ```ts
 * import { WorldServer } from "@netsync/netsync";
 *
 * const server = await WorldServer.listen({
 *   tickRateHz: 30,
 *   step(world, seconds) {
 *     for (const [id, { position: [x, y, z], velocity: [vx, vy, vz] }] of world.objects) {
 *       world.update(id, { position: [x + vx * seconds, y + vy * seconds, z + vz * seconds] });
 *     }
 *   },
 * });
 * const rock = server.world.spawn({ velocity: [1, 0, 0], name: "Rock" });
 * ```
 *
 * Needs `--allow-net` and, as Deno's UDP sockets do, `"unstable": ["net"]` in deno.json.
 */
export class WorldServer implements AsyncDisposable {
  readonly #engine: WorldServerEngine;
  readonly #host: UdpHost<WorldServerEvent>;
  readonly #listeners: Listeners<WorldServerEvents>;
  readonly #onRefused: WorldServerListenOptions["onRefused"];

  /**
   * Opens the port and begins to tick.
   *
   * @throws {RangeError} An option makes no sense.
   * @throws {Deno.errors.AddrInUse} Another program has the port.
   * @throws {Deno.errors.AddrNotAvailable} `hostname` is no address of this machine.
   */
  static async listen(options: WorldServerListenOptions = {}): Promise<WorldServer> {
    const { port = WORLD_PORT, hostname, through, ...others } = options;
    const { world = new World(), onError, onRefused, ...rest } = others;
    const engine = createWorldServer({
      ...rest,
      world,
      unixMs: () => Date.now(),
      random: Math.random,
    });
    const socket = await openUdp({ port, hostname, through });
    return new WorldServer(engine, socket, { onError, onRefused });
  }

  private constructor(
    engine: WorldServerEngine,
    socket: Awaited<ReturnType<typeof openUdp>>,
    { onError = printError, onRefused }: Pick<WorldServerListenOptions, "onError" | "onRefused">,
  ) {
    this.#engine = engine;
    this.#listeners = new Listeners(onError);
    this.#onRefused = onRefused;
    this.#host = new UdpHost(engine, socket, {
      onEvent: (event) => this.#onEvent(event),
      onFault: onError,
    });
  }

  /** What is told. Changes are seen from the next tick on. */
  get world(): World {
    return this.#engine.world;
  }

  /** The port it listens on. */
  get port(): number {
    return this.#host.socket.port;
  }

  /** Where it listens: `[::]:25005`, `0.0.0.0:25005`. */
  get addresses(): readonly string[] {
    return this.#host.socket.addresses;
  }

  /** How it goes with each client, in the order of their coming. */
  get clients(): readonly WorldClientStatus[] {
    return this.#engine.clients();
  }

  /** What was received and sent so far. */
  get counters(): UdpCounters {
    return this.#host.counters;
  }

  /**
   * One tick: clients are told what changed since the last one.
   *
   * @throws {TypeError} The server makes its ticks itself: its `tickRateHz` is not 0.
   */
  tick(): void {
    actOrThrow(this.#host, (now, out) => this.#engine.tick(now, out));
  }

  /**
   * Calls `listener` for every event of a kind.
   *
   * @returns A function that ends it.
   */
  on<E extends keyof WorldServerEvents>(
    kind: E,
    listener: (event: WorldServerEvents[E]) => void,
  ): () => void {
    return this.#listeners.on(kind, listener);
  }

  /** Tells the clients, sends what is queued, and closes the port. */
  close(): Promise<void> {
    this.#host.act((now, out) => this.#engine.close(now, out));
    return this.#host.close();
  }

  /** The same as `close`, for `await using`. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  #onEvent(event: WorldServerEvent): void {
    switch (event.kind) {
      case "joined": {
        const { peer: { address }, hasDiffs } = event;
        return this.#listeners.tell("joined", { address, hasDiffs });
      }
      case "left":
        return this.#listeners.tell("left", { address: event.peer.address, reason: event.reason });
      case "refused":
        return this.#onRefused?.(event.reason, event.peer.address);
      case "lagging":
        return this.#listeners.tell("lagging", { toldShare: event.toldShare });
      case "stalled":
        return this.#listeners.tell("stalled", { lostMs: event.lostMs });
      default:
        event satisfies never;
    }
  }
}
