import { connectTcp } from "../hosts/connect_tcp.ts";
import { TcpHost } from "../hosts/tcp.ts";
import {
  type ClientEnd,
  createMessageClient,
  type MessageClientEngine,
  type MessageClientEngineOptions,
  type MessageClientEvent,
} from "../protocols/messages/client.ts";
import { NetworkMessage } from "../protocols/messages/message.ts";
import type { Sent } from "../protocols/messages/outgoing.ts";
import { Inbox } from "./inbox.ts";
import { Emitter, printError, type Signal } from "./signal.ts";

/** The port of SimpleServer's example. */
export const MESSAGES_PORT = 8_080;

/** Options of a {@link MessageClient}. */
export interface MessageClientOptions extends MessageClientEngineOptions {
  /** How long to wait for a connection. Default 10,000. */
  timeoutMs?: number;
  /** Takes what a listener throws; the client goes on. Default: it is printed. */
  onError?: (error: unknown) => void;
}

/** Whether there is a connection, or why not. */
export type Connected =
  | { readonly ok: true; readonly reason?: undefined }
  | { readonly ok: false; readonly reason: string };

/**
 * A client of a message server: SimpleServer's, in Python, or netsync's.
 *
 * ```ts
 * import { MessageClient, NetworkMessage } from "@netsync/netsync";
 *
 * const client = new MessageClient();
 * const { ok, reason } = await client.connect("localhost", 8080);
 * if (!ok) throw new Error(reason);
 * client.send(new NetworkMessage("Hello server!").addHeader("handshake"));
 * for await (const message of client) console.log(message.body);
 * ```
 */
export class MessageClient implements AsyncDisposable {
  /** Told when a connection that was there is not any more: by whom, or why. */
  readonly onDisconnect: Signal<[reason: ClientEnd]>;
  readonly #options: MessageClientOptions;
  readonly #onError: (error: unknown) => void;
  readonly #disconnect: Emitter<[reason: ClientEnd]>;
  #link: { host: TcpHost<MessageClientEvent>; engine: MessageClientEngine } | undefined;
  /** Settles when the last connection is closed. */
  #closed: PromiseWithResolvers<void> | undefined;
  readonly #inbox = new Inbox<NetworkMessage>();
  #isFull = false;
  /** Ends the attempt to connect that is under way. */
  #attempt: AbortController | undefined;
  /** Called when there is something to read, or nothing will ever be. */
  #wakers: (() => void)[] = [];

  /** A client that is not connected yet. */
  constructor(options: MessageClientOptions = {}) {
    this.#options = options;
    this.#onError = options.onError ?? printError;
    this.#disconnect = new Emitter(this.#onError);
    this.onDisconnect = this.#disconnect;
  }

  /** Whether there is a connection. */
  get isConnected(): boolean {
    return this.#link !== undefined;
  }

  /** Whether the server is a netsync that said so: messages may be of any length and binary. */
  get isFramed(): boolean {
    return this.#link?.engine.isFramed ?? false;
  }

  /**
   * Connects to a server. Messages of an earlier connection that were not read are gone.
   *
   * @param host A name or IP address.
   * @param port From 1 to 65535. Default 8080.
   * @returns Whether it did, or the reason in words. It does not throw.
   */
  async connect(host: string, port: number = MESSAGES_PORT): Promise<Connected> {
    if (this.#link || this.#attempt) return { ok: false, reason: "it is connected already" };
    if (!Number.isInteger(port) || port < 1 || port > 65_535) {
      return { ok: false, reason: `${port} is no port: it is a whole number from 1 to 65535` };
    }
    const attempt = this.#attempt = new AbortController();
    const { timeoutMs = 10_000 } = this.#options;
    try {
      const conn = await connectTcp({ hostname: host, port }, timeoutMs, attempt.signal);
      if (attempt.signal.aborted) conn.close();
      else this.#begin(conn);
    } catch (error) {
      if (!attempt.signal.aborted) {
        return { ok: false, reason: error instanceof Error ? error.message : String(error) };
      }
    } finally {
      if (this.#attempt === attempt) this.#attempt = undefined;
    }
    return attempt.signal.aborted ? { ok: false, reason: "it was closed meanwhile" } : { ok: true };
  }

  /**
   * Sends a message, or a text as the body of one. It leaves at once, or 10 ms after the one before,
   * which an original server would otherwise read together with it.
   *
   * @returns Whether it is on its way, or the reason in words.
   */
  send(message: NetworkMessage | string): Sent {
    const whole = typeof message === "string" ? new NetworkMessage(message) : message;
    return this.#send((engine, now, out) => engine.send(whole, now, out));
  }

  /**
   * Sends a text as it is, without `$` and `%`, as the original sends a text or bytes: a netsync server
   * takes it as a message without headers, an original server ends on it.
   */
  sendRaw(text: string): Sent {
    return this.#send((engine, now, out) => engine.sendRaw(text, now, out));
  }

  /** The next message that has arrived, if there is one. It never waits. */
  read(): NetworkMessage | undefined {
    const message = this.#inbox.shift();
    if (message) this.#slowDown();
    return message;
  }

  /** All messages from now on, until the connection ends and none is left. */
  async *[Symbol.asyncIterator](): AsyncGenerator<NetworkMessage> {
    for (;;) {
      const message = this.read();
      if (message) yield message;
      else if (!this.#link) return;
      else await new Promise<void>((resolve) => this.#wakers.push(resolve));
    }
  }

  /** Sends what is queued, and leaves. What has arrived can still be read. */
  async close(): Promise<void> {
    this.#attempt?.abort();
    this.#attempt = undefined;
    this.#link?.host.act((_now, out) => this.#link?.engine.leave(out));
    await this.#closed?.promise;
  }

  /** The same as `close`, for `await using`. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  #begin(conn: Deno.TcpConn): void {
    const engine = createMessageClient(this.#options);
    const host: TcpHost<MessageClientEvent> = new TcpHost(engine, {
      onEvent: (event) => {
        if (event.kind !== "connected" && this.#link?.host === host) this.#onEvent(event);
      },
      onFault: this.#onError,
    });
    this.#inbox.clear();
    this.#isFull = false;
    this.#link = { host, engine };
    this.#closed = Promise.withResolvers();
    host.adopt(conn);
  }

  #onEvent(event: Exclude<MessageClientEvent, { kind: "connected" }>): void {
    if (event.kind === "message") {
      this.#inbox.push(event.message, event.message);
      this.#slowDown();
      return this.#wake();
    }
    const { host } = this.#link!;
    this.#link = undefined;
    void host.close().then(this.#closed!.resolve);
    this.#wake();
    this.#disconnect.tell(event.reason);
  }

  #wake(): void {
    const wakers = this.#wakers;
    this.#wakers = [];
    for (const wake of wakers) wake();
  }

  /** What nobody reads here stays with the server. */
  #slowDown(): void {
    const { isFull } = this.#inbox;
    if (isFull === this.#isFull) return;
    this.#isFull = isFull;
    const link = this.#link;
    link?.host.act((now, out) => link.engine.setReading(!isFull, now, out));
  }

  #send(
    send: (
      engine: MessageClientEngine,
      now: number,
      out: Parameters<MessageClientEngine["send"]>[2],
    ) => Sent,
  ): Sent {
    let sent: Sent = { ok: false, failure: "gone", reason: "there is no connection" };
    const link = this.#link;
    link?.host.act((now, out) => sent = send(link.engine, now, out));
    return sent;
  }
}
