import { actOrThrow } from "../hosts/act_or_throw.ts";
import type { HostPort } from "../hosts/address.ts";
import type { UdpHost } from "../hosts/udp.ts";
import {
  createEventClient,
  type EventClientEngine,
  type EventClientEvent,
} from "../protocols/events/client.ts";
import type { EventFormat, Payload } from "../protocols/events/format.ts";
import { Listeners } from "./listeners.ts";
import { reach, type SocketOptions, targetOf } from "./reach.ts";

/** Options of {@link EventClient.connect}. */
export interface EventClientOptions extends SocketOptions {
  /** How events look on the wire: the server's format. */
  format: EventFormat;
  /** How long to wait for the server's welcome. Default 10,000. */
  timeoutMs?: number;
  /** A server that is not sent anything else gets a heartbeat this often. Default 2,000. */
  heartbeatMs?: number;
  /** A server not heard for so long is gone; it is asked again to let us in. Default 10,000. */
  silenceMs?: number;
}

/**
 * What the listeners of an {@link EventClient} get, by the name of the event: `connected` when the server
 * let us in again, after it was gone or had forgotten us, perhaps with another number.
 */
export type ClientHeard<Event extends string> = Event extends "connected" ? { number: number }
  : Event extends "disconnected" ? Record<never, never>
  : { payload: Payload };

/** The port of udp-socket-server's examples. */
const EVENTS_PORT = 9_999;

/**
 * A client of an {@link EventServer}.
 *
 * ```ts
 * import { EventClient, jsonFormat } from "@netsync/netsync";
 *
 * const client = await EventClient.connect("localhost:9999", { format: jsonFormat() });
 * client.on("said", ({ payload }) => console.log(payload));
 * client.send("say", "hello");
 * ```
 */
export class EventClient implements AsyncDisposable {
  readonly #engine: EventClientEngine;
  /** Set once the server has let it in. */
  #host!: UdpHost<EventClientEvent>;
  readonly #listeners = new Listeners<Record<string, object>>();
  readonly #firstWelcome = Promise.withResolvers<void>();

  /**
   * Connects to a server and waits for its welcome.
   *
   * @param address `HOST`, `HOST:PORT`, `[IPv6]:PORT` or both parts apart; the port is 9999 if left out.
   * @throws {TypeError} `address` is none.
   * @throws {Error} The host name is unknown.
   * @throws {ConnectTimeoutError} Nobody answered within `timeoutMs`.
   */
  static async connect(
    address: string | HostPort,
    options: EventClientOptions,
  ): Promise<EventClient> {
    const client = new EventClient(options);
    client.#host = await reach(client.#engine, targetOf(address, EVENTS_PORT), {
      onEvent: (event) => client.#onEvent(event),
      answered: client.#firstWelcome.promise,
      timeoutMs: options.timeoutMs ?? 10_000,
      through: options.through,
    });
    return client;
  }

  private constructor(options: EventClientOptions) {
    this.#engine = createEventClient(options);
  }

  /** The number the server gave; undefined while it is lost. */
  get number(): number | undefined {
    return this.#engine.number;
  }

  /**
   * Calls `listener` whenever the server sends an event of that name, is lost (`disconnected`) or back
   * (`connected`). What it throws goes to `reportError`.
   *
   * @returns A function that ends it.
   */
  on<E extends string>(event: E, listener: (what: ClientHeard<E>) => void): () => void {
    return this.#listeners.on(event, listener as (what: object) => void);
  }

  /**
   * Says an event to the server. It may be lost; while the server is lost it is.
   *
   * @throws {TypeError} The format has no form for it.
   * @throws {RangeError} It is longer than 8,192 bytes, or nested deeper than 32.
   */
  send(event: string, payload: Payload = null): void {
    actOrThrow(this.#host, (now, out) => this.#engine.send(event, payload, now, out));
  }

  /** Leaves. The protocol has no word for it: the server notices by the silence. */
  close(): Promise<void> {
    return this.#host.close();
  }

  /** The same as `close`, for `await using`. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  #onEvent(event: EventClientEvent): void {
    switch (event.kind) {
      case "connected":
        this.#firstWelcome.resolve();
        return this.#listeners.tell("connected", { number: event.number });
      case "disconnected":
        return this.#listeners.tell("disconnected", {});
      case "event":
        return this.#listeners.tell(event.name, { payload: event.payload });
      case "refused":
        return;
      default:
        event satisfies never;
    }
  }
}
