import { openTcp, type TcpCounters, TcpHost, type TcpListener } from "../hosts/tcp.ts";
import type { Peer } from "../protocols/engine.ts";
import { NetworkMessage } from "../protocols/messages/message.ts";
import type { Sent } from "../protocols/messages/outgoing.ts";
import {
  createMessageServer,
  type Disconnection,
  type MessageOutbox,
  type MessageServerEngine,
  type MessageServerEngineOptions,
  type MessageServerEvent,
} from "../protocols/messages/server.ts";
import { Inbox } from "./inbox.ts";
import { nowAndThen } from "../hosts/now_and_then.ts";
import { Emitter, printError, type Signal } from "./signal.ts";

/** Options of a {@link MessageServer}. */
export interface MessageServerOptions extends Omit<MessageServerEngineOptions, "onMessage"> {
  /** How often a second `onUpdate` is told. Default 120. */
  tickRate?: number;
  /** Whether everything is printed that happens, and not only warnings and errors. Default false. */
  verboseLogging?: boolean;
  /** Whether listeners are told only when `update` is called. Default false. */
  manualUpdate?: boolean;
  /** Takes what a listener throws; the server goes on. Default: it is printed. */
  onError?: (error: unknown) => void;
}

/** How long listeners may take before the program has a turn for something else. */
const TURN_MS_MAX = 10;
/** Events this close to each other belong to one turn. */
const SAME_TURN_MS = 0.5;
/** setTimeout takes no more than 2^31 - 1 ms. */
const TIMER_MS_MAX = 2 ** 31 - 1;

/**
 * A server of messages with headers, for the clients of SimpleServer, in Python, and of netsync.
 *
 * ```ts
 * import { MessageServer } from "@netsync/netsync";
 *
 * const server = new MessageServer("localhost", 8080);
 * server.onMessage.addListener((client, message) => server.broadcast(message, [client]));
 * await server.start();
 * ```
 */
export class MessageServer implements AsyncDisposable {
  /** A client connected. */
  readonly onConnection: Signal<[client: ConnectedClient]>;
  /** A client said something: look at it before you use it. */
  readonly onMessage: Signal<[client: ConnectedClient, message: NetworkMessage]>;
  /** A client is gone, and why: once for each that connected, and the last of it. */
  readonly onDisconnect: Signal<[client: ConnectedClient, reason: Disconnection]>;
  /** Another tick, or `update` was called. */
  readonly onUpdate: Signal<[]>;
  readonly #connection: Emitter<[client: ConnectedClient]>;
  readonly #message: Emitter<[client: ConnectedClient, message: NetworkMessage]>;
  readonly #disconnect: Emitter<[client: ConnectedClient, reason: Disconnection]>;
  readonly #update: Emitter<[]>;
  readonly #hostname: string | undefined;
  readonly #port: number;
  readonly #options: MessageServerOptions;
  readonly #intervalMs: number;
  readonly #onError: (error: unknown) => void;
  readonly #clients = new Map<Peer, ConnectedClient>();
  readonly #cautions = new Set<string>();
  readonly #warnOfRefusal = nowAndThen((address: string, reason: string) =>
    console.warn(`refused from ${address}: ${reason}; more of it is not told for a while`)
  );
  readonly #owner: ClientOwner = {
    send: (client, message) => this.messageClients([client], message),
    isFramed: (peer) => this.#running?.engine.isFramed(peer) ?? false,
    drop: (peer) => this.#act((engine, now, out) => engine.drop(peer, now, out)),
  };
  #starting: Promise<void> | undefined;
  #running: Running | undefined;
  /** Settles when the last run has ended. */
  #stopped: Promise<void> | undefined;
  /** Since when one event after the other was told, when the last was, and the timer of the pause. */
  #turnAt = 0;
  #toldAt = 0;
  #pause: ReturnType<typeof setTimeout> | undefined;
  readonly #inbox = new Inbox<Happening>();

  /**
   * A server that does not run yet.
   *
   * @param host A local IP address, or `localhost`; `undefined` for every address of both families.
   * @param port From 0 to 65535; 0 lets the system choose one.
   */
  constructor(host: string | undefined, port: number, options: MessageServerOptions = {}) {
    const { tickRate = 120, onError = printError } = options;
    if (!(tickRate > 0)) throw new RangeError(`tickRate is above 0, not ${tickRate}`);
    this.#hostname = host;
    this.#port = port;
    this.#options = options;
    this.#onError = onError;
    this.#intervalMs = 1_000 / tickRate;
    this.onConnection = this.#connection = new Emitter(onError);
    this.onMessage = this.#message = new Emitter(onError);
    this.onDisconnect = this.#disconnect = new Emitter(onError);
    this.onUpdate = this.#update = new Emitter(onError);
  }

  /** Who is connected, in the order of their coming. */
  get clients(): readonly ConnectedClient[] {
    return [...this.#clients.values()];
  }

  /** The port it listens on; undefined while it does not. */
  get port(): number | undefined {
    return this.#running?.listener.port;
  }

  /** What went through so far; undefined while it does not run. */
  get counters(): TcpCounters | undefined {
    return this.#running?.host.counters;
  }

  /**
   * Starts, and runs until it is stopped; with `manualUpdate` it only starts.
   *
   * @throws {Deno.errors.AddrInUse} Another program has the port.
   * @throws {Deno.errors.AddrNotAvailable} The host is no address of this machine.
   * @throws {RangeError} A limit of the options is no number above 0.
   * @throws {Error} It runs already.
   */
  async start(): Promise<void> {
    await this.startAsync();
    if (!this.#options.manualUpdate) await this.#running?.stopped.promise;
  }

  /** Starts, and comes back as soon as it listens. Throws as `start` does. */
  async startAsync(): Promise<void> {
    if (this.#running || this.#starting) throw new Error("the server runs already");
    this.#starting = this.#start();
    try {
      await this.#starting;
    } finally {
      this.#starting = undefined;
    }
  }

  async #start(): Promise<void> {
    const engine = createMessageServer(this.#options); // Fails before there is a port to close.
    const listener = await listenOn(this.#hostname, this.#port);
    const host = new TcpHost(engine, {
      onEvent: (event) => this.#onEvent(event),
      onFault: this.#onError,
      onAcceptFailure: nowAndThen((error) => console.warn("no connection can be taken:", error)),
    });
    const running: Running = {
      engine,
      listener,
      host,
      stopped: Promise.withResolvers(),
      timer: undefined,
    };
    this.#running = running;
    host.listen(listener);
    this.#log(() => `listening on ${listener.addresses.join(" and ")}`);
    if (!this.#options.manualUpdate) this.#tick(running, performance.now());
  }

  /** Sends what is queued, ends all connections and closes the port. The listeners are not told. */
  async stop(): Promise<void> {
    if (this.#starting) await this.#starting.catch(() => {});
    const running = this.#running;
    if (running) this.#stopped = this.#end(running);
    await this.#stopped;
  }

  async #end(running: Running): Promise<void> {
    this.#running = undefined;
    clearTimeout(running.timer);
    clearTimeout(this.#pause);
    this.#pause = undefined;
    this.#inbox.clear();
    this.#clients.clear();
    await running.host.close();
    running.stopped.resolve();
  }

  /** The same as `stop`, for `await using`. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.stop();
  }

  /** With `manualUpdate`: tells the listeners what happened since the last time, then `onUpdate`. */
  update(): void {
    const running = this.#running;
    for (const event of this.#inbox.takeAll()) {
      this.#tell(event);
      if (this.#running !== running) return; // A listener stopped it.
    }
    this.#listenOn(true);
    this.#update.tell();
  }

  /**
   * Sends a message, or a text as the body of one, to some clients.
   *
   * @returns Whether it is on its way to all of them, or why not to one that it is not.
   */
  messageClients(clients: Iterable<ConnectedClient>, message: NetworkMessage | string): Sent {
    const whole = typeof message === "string" ? new NetworkMessage(message) : message;
    const peers = [...this.#peersOf(clients)];
    this.#caution(whole, peers);
    let sent: Sent = GONE;
    this.#act((engine, now, out) => sent = engine.sendAll(peers, whole, now, out));
    return sent;
  }

  /** Sends a message, or a text as the body of one, to every client but some. */
  broadcast(message: NetworkMessage | string, exclusions: Iterable<ConnectedClient> = []): Sent {
    const excluded = new Set(exclusions);
    return this.messageClients(this.clients.filter((client) => !excluded.has(client)), message);
  }

  *#peersOf(clients: Iterable<ConnectedClient>): Generator<Peer> {
    for (const client of clients) yield client.peer;
  }

  #onEvent(event: MessageServerEvent): void {
    if (event.kind === "refused") return this.#warnOfRefusal(event.peer.address, event.reason);
    if (!this.#options.manualUpdate) return this.#takeTurn(() => this.#tell(event));
    this.#inbox.push(event, event.kind === "message" ? event.message : undefined);
    if (this.#inbox.isFull) this.#listenOn(false);
  }

  /** Whether anything is heard of clients, those to come as well. */
  #listenOn(isListening: boolean): void {
    this.#running?.host.setAccepting(isListening);
    this.#act((engine, now, out) => engine.setReading(isListening, now, out));
  }

  /** Listeners that take long do not keep the program from everything else. */
  #takeTurn(tell: () => void): void {
    const startedAt = performance.now();
    if (startedAt - this.#toldAt > SAME_TURN_MS) this.#turnAt = startedAt;
    tell();
    this.#toldAt = performance.now();
    const isShort = this.#toldAt - this.#turnAt < TURN_MS_MAX;
    if (isShort || this.#pause !== undefined || !this.#running) return;
    this.#listenOn(false);
    this.#pause = setTimeout(() => {
      this.#pause = undefined;
      this.#turnAt = performance.now();
      this.#listenOn(true);
    }, 0);
  }

  #tell(event: Happening): void {
    const { peer } = event;
    if (event.kind === "connected") {
      const client = new Connected(peer, this.#owner);
      this.#clients.set(peer, client);
      this.#log(() => `${peer.address} connected`);
      return this.#connection.tell(client);
    }
    const client = this.#clients.get(peer);
    if (!client) return; // The server was stopped meanwhile.
    if (event.kind === "message") {
      this.#log(() => `${peer.address} says ${JSON.stringify(event.message.body)}`);
      return this.#message.tell(client, event.message);
    }
    this.#clients.delete(peer);
    this.#log(() => `${peer.address} is gone: ${event.reason}`);
    this.#disconnect.tell(client, event.reason);
  }

  #tick(running: Running, dueAt: number): void {
    const intervalMs = this.#intervalMs;
    const nextAt = Math.max(dueAt, performance.now() - intervalMs) + intervalMs; // None is made up for.
    running.timer = setTimeout(() => {
      this.#update.tell();
      if (this.#running === running) this.#tick(running, nextAt);
    }, Math.min(TIMER_MS_MAX, Math.max(0, nextAt - performance.now())));
  }

  #act(act: Act): void {
    const running = this.#running;
    running?.host.act((now, out) => act(running.engine, now, out));
  }

  /** Says once for each reason what original clients will not read of what they are sent. */
  #caution(message: NetworkMessage, peers: readonly Peer[]): void {
    if (!this.#options.verboseLogging) return;
    const engine = this.#running?.engine;
    const caution = message.caution;
    if (!engine || !caution || this.#cautions.has(caution)) return;
    if (peers.every((peer) => engine.isFramed(peer))) return;
    this.#cautions.add(caution);
    console.warn(`if a client is an original one: ${caution}`);
  }

  #log(line: () => string): void {
    if (this.#options.verboseLogging) console.log(line());
  }
}

/** A client of a {@link MessageServer}. */
export interface ConnectedClient {
  /** Its connection, as the engine knows it. */
  readonly peer: Peer;
  /** Its IP address. */
  readonly ip: string;
  /** Its port. */
  readonly port: number;
  /** Both: `192.0.2.7:5000` or `[2001:db8::7]:5000`. */
  readonly address: string;
  /** Whether it is a netsync that said so: messages may be of any length and binary. */
  readonly isFramed: boolean;
  /**
   * Sends it a message, or a text as the body of one. It leaves at once, or 20 ms after the one before,
   * which an original client would otherwise read together with it.
   *
   * @returns Whether it is on its way, or why not.
   */
  send(message: NetworkMessage | string): Sent;
  /** Ends the connection as soon as what was sent has left. */
  disconnect(): void;
}

class Connected implements ConnectedClient {
  readonly peer: Peer;
  readonly #owner: ClientOwner;

  constructor(peer: Peer, owner: ClientOwner) {
    this.peer = peer;
    this.#owner = owner;
  }

  get ip(): string {
    return this.peer.ip;
  }

  get port(): number {
    return this.peer.port;
  }

  get address(): string {
    return this.peer.address;
  }

  get isFramed(): boolean {
    return this.#owner.isFramed(this.peer);
  }

  send(message: NetworkMessage | string): Sent {
    return this.#owner.send(this, message);
  }

  disconnect(): void {
    this.#owner.drop(this.peer);
  }
}

/** What a client needs of its server. */
interface ClientOwner {
  send(client: ConnectedClient, message: NetworkMessage | string): Sent;
  isFramed(peer: Peer): boolean;
  drop(peer: Peer): void;
}

type Act = (engine: MessageServerEngine, now: number, out: MessageOutbox) => void;

/** What listeners are told of. */
type Happening = Exclude<MessageServerEvent, { kind: "refused" }>;

interface Running {
  engine: MessageServerEngine;
  listener: TcpListener;
  host: TcpHost<MessageServerEvent>;
  stopped: PromiseWithResolvers<void>;
  timer: ReturnType<typeof setTimeout> | undefined;
}

const GONE: Sent = { ok: false, failure: "gone", reason: "the server does not run" };

/** How often a port is looked for that is free in both families. */
const FREE_PORT_TRIES = 16;

/** `localhost` is what every client takes for it: IPv4, and IPv6 where there is any. */
async function listenOn(hostname: string | undefined, port: number): Promise<TcpListener> {
  if (hostname?.toLowerCase() !== "localhost") return await openTcp({ hostname, port });
  for (let triesLeft = port === 0 ? FREE_PORT_TRIES : 1;; triesLeft--) {
    const ipv4 = await openTcp({ hostname: "127.0.0.1", port });
    try {
      const ipv6 = await openTcp({ hostname: "::1", port: ipv4.port });
      return {
        listeners: [...ipv4.listeners, ...ipv6.listeners],
        port: ipv4.port,
        addresses: [...ipv4.addresses, ...ipv6.addresses],
      };
    } catch (error) {
      if (!(error instanceof Deno.errors.AddrInUse)) return ipv4; // No IPv6 here.
      for (const listener of ipv4.listeners) listener.close();
      if (triesLeft <= 1) throw error;
    }
  }
}
