import { actOrThrow } from "../hosts/act_or_throw.ts";
import type { HostPort } from "../hosts/address.ts";
import { resolveHost } from "../hosts/resolve.ts";
import { UdpHost } from "../hosts/udp.ts";
import {
  createSyncClient,
  type SyncClientEngine,
  type SyncClientEvent,
} from "../protocols/sync/client.ts";
import { parseStates } from "../protocols/sync/wire.ts";
import { Listeners } from "./listeners.ts";
import { answerWithin, openTowards, type SocketOptions, targetOf } from "./reach.ts";

/** The port a SimpleNetSync server listens on unless told otherwise. */
export const SYNC_PORT = 55_555;

/** Options of {@link SyncClient.connect}. */
export interface SyncClientConnectOptions extends SocketOptions {
  /** How long to go on asking for an id. Default 10,000. */
  timeoutMs?: number;
  /** Without anything from the server for this long the connection is lost. Default 10,000. */
  silenceMs?: number;
  /** Whether to connect again after a loss. Default true; otherwise the client closes. */
  reconnect?: boolean;
}

/** The events of a {@link SyncClient} and what their listeners get. */
export interface SyncClientEvents {
  /** A newer snapshot arrived: all states by id, the own one included. */
  states: ReadonlyMap<string, string>;
  /** A player is there for the first time. */
  joined: { id: string; state: string };
  /** A player's state is another one. */
  changed: { id: string; state: string };
  /** A player is gone. */
  left: { id: string };
  /** The connection is back after a loss; the id may be a new one. */
  reconnected: { id: string };
  /** Nothing was heard from the server for `silenceMs`. */
  disconnected: { reconnecting: boolean };
  /** The server sent a snapshot that is no JSON object of strings; it was ignored. */
  malformed: { bytes: number };
}

/** What {@link SyncClient.on} calls. */
export type SyncClientListener<E extends keyof SyncClientEvents> = (
  event: SyncClientEvents[E],
) => void;

/**
 * A player on a SimpleNetSync server: netsync's own or the original.
 *
 * ```ts
 * import { SyncClient } from "@netsync/netsync";
 *
 * const client = await SyncClient.connect("localhost:55555");
 * client.on("changed", ({ id, state }) => console.log(id, state));
 * client.send(JSON.stringify({ x: 1, y: 2 }));
 * ```
 *
 * Needs `--allow-net` and, as Deno's UDP sockets do, `"unstable": ["net"]` in deno.json.
 */
export class SyncClient implements AsyncDisposable {
  readonly #options: SocketOptions & Required<Omit<SyncClientConnectOptions, "through">>;
  readonly #ips: readonly string[];
  readonly #port: number;
  readonly #engine: SyncClientEngine;
  readonly #listeners = new Listeners<SyncClientEvents>();
  #host: UdpHost<SyncClientEvent> | undefined;
  #states: ReadonlyMap<string, string> = new Map();
  #onFirstId: (() => void) | undefined;
  #closed = false;

  /**
   * Joins a server.
   *
   * @param address `HOST`, `HOST:PORT`, `[IPv6]:PORT` or both parts apart; the port is 55555 if left out.
   * @throws {TypeError} `address` is none.
   * @throws {Error} The host name is unknown.
   * @throws {ConnectTimeoutError} Nobody answered within `timeoutMs`.
   */
  static async connect(
    address: string | HostPort,
    options: SyncClientConnectOptions = {},
  ): Promise<SyncClient> {
    const target = targetOf(address, SYNC_PORT);
    const client = new SyncClient(await resolveHost(target.hostname), target.port, options);
    try {
      await client.#firstId(target);
    } catch (error) {
      await client.close();
      throw error;
    }
    return client;
  }

  private constructor(ips: readonly string[], port: number, options: SyncClientConnectOptions) {
    this.#options = { timeoutMs: 10_000, silenceMs: 10_000, reconnect: true, ...options };
    this.#ips = ips;
    this.#port = port;
    this.#engine = createSyncClient({ silenceMs: this.#options.silenceMs });
  }

  /** The own id in decimal, as it stands in `states`. A server may give up to 63 bits. */
  get id(): string {
    return String(this.#engine.id);
  }

  /** The states of all players by id, as of the newest snapshot. A new map with each snapshot. */
  get states(): ReadonlyMap<string, string> {
    return this.#states;
  }

  /** Whether the server was heard lately. */
  get connected(): boolean {
    return this.#engine.connected && !this.#closed;
  }

  /**
   * Sends the own state to everybody. Call it as often as the state changes; between calls the newest
   * one is repeated once a second. While disconnected it is kept for the next connection.
   *
   * @param state Any text up to 65,499 bytes in UTF-8. The original server takes ASCII only.
   * @throws {RangeError} It is longer.
   */
  send(state: string): void {
    if (this.#closed) return;
    const bytes = utf8.encode(state);
    if (this.#host) actOrThrow(this.#host, (now, out) => this.#engine.setState(bytes, now, out));
  }

  /**
   * Calls `listener` for every event of a kind. What a listener throws goes to `reportError`, as with
   * DOM events, and does not disturb the connection.
   *
   * @returns A function that ends it.
   */
  on<E extends keyof SyncClientEvents>(kind: E, listener: SyncClientListener<E>): () => void {
    return this.#listeners.on(kind, listener);
  }

  /** Leaves. The protocol has no word for it: the server notices by the silence. */
  async close(): Promise<void> {
    this.#closed = true;
    await this.#host?.close();
  }

  /** The same as `close`, for `await using`. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  async #firstId(target: HostPort): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#onFirstId = resolve;
    try {
      await this.#open();
      await answerWithin(promise, target, this.#options.timeoutMs);
    } finally {
      this.#onFirstId = undefined;
    }
  }

  /** Asks for an id from a fresh local port. */
  async #open(): Promise<void> {
    const socket = await openTowards(this.#ips, this.#options);
    if (this.#closed) return socket.conns.forEach((conn) => conn.close());
    const previous = this.#host;
    const host = new UdpHost(this.#engine, socket, {
      onEvent: (event) => this.#onEvent(event),
      onFault: reportError,
    });
    this.#host = host;
    const servers = this.#ips.map((ip) => host.peerAt(ip, this.#port));
    host.act((now) => this.#engine.connect(servers, now));
    await previous?.close();
  }

  #onEvent(event: SyncClientEvent): void {
    switch (event.kind) {
      case "connected":
        if (this.#onFirstId) return this.#onFirstId();
        return this.#listeners.tell("reconnected", { id: this.id });
      case "snapshot":
        return this.#onSnapshot(event.json);
      case "unanswered":
        return void this.#open().catch(reportError);
      case "disconnected": {
        const { reconnect } = this.#options;
        if (!reconnect) void this.close();
        return this.#listeners.tell("disconnected", { reconnecting: reconnect });
      }
      default:
        event satisfies never;
    }
  }

  #onSnapshot(json: Uint8Array): void {
    const states = parseStates(json);
    if (!states) return this.#listeners.tell("malformed", { bytes: json.length });
    const before = this.#states;
    this.#states = states;
    for (const [id, state] of states) {
      const known = before.get(id);
      if (known === undefined) this.#listeners.tell("joined", { id, state });
      else if (known !== state) this.#listeners.tell("changed", { id, state });
    }
    for (const id of before.keys()) {
      if (!states.has(id)) this.#listeners.tell("left", { id });
    }
    this.#listeners.tell("states", states);
  }
}

const utf8 = new TextEncoder();
