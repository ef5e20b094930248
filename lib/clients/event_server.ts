import { actOrThrow } from "../hosts/act_or_throw.ts";
import { openUdp, type UdpCounters, UdpHost } from "../hosts/udp.ts";
import type { EventFormat, Payload } from "../protocols/events/format.ts";
import type { Client, Departure } from "../protocols/events/hub.ts";
import {
  createEventServer,
  type EventRefusal,
  type EventServerEngine,
  type EventServerEvent,
} from "../protocols/events/server.ts";
import { Listeners } from "./listeners.ts";
import type { SocketOptions } from "./reach.ts";
import { printError } from "./signal.ts";

/** Options of {@link EventServer.listen}. */
export interface EventServerOptions extends SocketOptions {
  /** How events look on the wire: `jsonFormat()` or `msgpackFormat({ name: number, ... })`. */
  format: EventFormat;
  /** UDP port; 0 lets the system choose one. */
  port: number;
  /** One local IP address. Default: every address of both families. */
  hostname?: string;
  /** A client that is not heard for so long is gone. Default 35,000. */
  silenceMs?: number;
  /** Clients at most. Default 512. */
  clientsMax?: number;
  /** Clients of one IPv4 address or IPv6 /64 network. Default 64. */
  clientsPerNetworkMax?: number;
  /** Takes what a listener throws; the server goes on. Default: it is printed. */
  onError?: (error: unknown) => void;
  /** Told why a datagram had no effect. */
  onRefused?: (reason: EventRefusal, address: string) => void;
}

/** What the listeners of an {@link EventServer} get, by the name of the event. */
export type ServerHeard<Event extends string> = Event extends "connected" ? { client: Client }
  : Event extends "disconnected" ? { client: Client; reason: Departure }
  /** What clients send. Anybody may send anything: look at it before you use it. */
  : { client: Client; payload: Payload };

/**
 * A game server of named events over UDP.
 *
 * ```ts
 * import { EventServer, jsonFormat } from "@netsync/netsync";
 *
 * const server = await EventServer.listen({ format: jsonFormat(), port: 9999 });
 * server.on("connected", ({ client }) => server.sendAll("came", client.number));
 * server.on("say", ({ client, payload }) => server.sendAll("said", [client.number, payload]));
 * ```
 *
 * Needs `--allow-net` and, as Deno's UDP sockets do, `"unstable": ["net"]` in deno.json.
 */
export class EventServer implements AsyncDisposable {
  readonly #engine: EventServerEngine;
  readonly #host: UdpHost<EventServerEvent>;
  readonly #listeners: Listeners<Record<string, { client: Client }>>;
  readonly #onRefused: EventServerOptions["onRefused"];

  /**
   * Opens the port.
   *
   * @throws {Deno.errors.AddrInUse} Another program has it.
   * @throws {Deno.errors.AddrNotAvailable} `hostname` is no address of this machine.
   */
  static async listen(options: EventServerOptions): Promise<EventServer> {
    const { port, hostname, through } = options;
    return new EventServer(await openUdp({ port, hostname, through }), options);
  }

  private constructor(
    socket: Awaited<ReturnType<typeof openUdp>>,
    { onError = printError, onRefused, ...options }: EventServerOptions,
  ) {
    this.#listeners = new Listeners(onError);
    this.#onRefused = onRefused;
    this.#engine = createEventServer({ ...options, random: Math.random });
    this.#host = new UdpHost(this.#engine, socket, {
      onEvent: (event) => this.#onEvent(event),
      onFault: onError,
    });
  }

  /** The port it listens on. */
  get port(): number {
    return this.#host.socket.port;
  }

  /** Where it listens: `[::]:9999`, `0.0.0.0:9999`. */
  get addresses(): readonly string[] {
    return this.#host.socket.addresses;
  }

  /** Who is there, in the order of their coming. */
  get clients(): ReadonlySet<Client> {
    return this.#engine.clients;
  }

  /** What was received and sent so far. */
  get counters(): UdpCounters {
    return this.#host.counters;
  }

  /**
   * Calls `listener` whenever a client is `connected` or `disconnected`, or sends an event of that name.
   *
   * @returns A function that ends it.
   */
  on<E extends string>(event: E, listener: (what: ServerHeard<E>) => void): () => void {
    return this.#listeners.on(event, listener as (what: { client: Client }) => void);
  }

  /**
   * Sends an event to one client. It may be lost.
   *
   * @throws {TypeError} The format has no form for it.
   * @throws {RangeError} It is longer than 8,192 bytes, or nested deeper than 32.
   */
  send(client: Client, event: string, payload: Payload = null): void {
    actOrThrow(this.#host, (now, out) => this.#engine.send(client, event, payload, now, out));
  }

  /**
   * Sends an event to one client until it is acked. Throws as `send` does.
   *
   * @returns Whether it arrived. False when the client is gone, or acks nothing for about 15 s.
   */
  sendReliable(client: Client, event: string, payload: Payload = null): Promise<boolean> {
    const { promise, resolve: settled } = Promise.withResolvers<boolean>();
    actOrThrow(this.#host, (now, out) => {
      this.#engine.send(client, event, payload, now, out, { reliable: true, settled });
    });
    return promise;
  }

  /**
   * Sends an event to every client. Throws as `send` does.
   *
   * @param options `except`: a client to leave out; `reliable`: whether to send it until it is acked.
   */
  sendAll(
    event: string,
    payload: Payload = null,
    options: { except?: Client; reliable?: boolean } = {},
  ): void {
    actOrThrow(this.#host, (now, out) => this.#engine.sendAll(event, payload, now, out, options));
  }

  /** Forgets a client. It is not told, and may come again. */
  disconnect(client: Client): void {
    this.#host.act((now, out) => this.#engine.disconnect(client, now, out));
  }

  /** Sends what is queued, then closes the port. */
  close(): Promise<void> {
    return this.#host.close();
  }

  /** The same as `close`, for `await using`. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  #onEvent(event: EventServerEvent): void {
    switch (event.kind) {
      case "event": {
        const { client, payload } = event;
        return this.#tell(event.name, { client, payload });
      }
      case "connected":
        return this.#tell("connected", { client: event.client });
      case "disconnected":
        return this.#tell("disconnected", { client: event.client, reason: event.reason });
      case "refused":
        return this.#onRefused?.(event.reason, event.peer.address);
      default:
        event satisfies never;
    }
  }

  #tell(event: string, what: { client: Client; payload?: Payload; reason?: Departure }): void {
    this.#listeners.tell(event, what);
  }
}
