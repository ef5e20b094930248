/** Connections and the clock for an engine over TCP. */
import type { Peer, StreamEnd, StreamEngine, StreamOutbox } from "../protocols/engine.ts";
import { Gate, TcpConnection, type TcpTraffic } from "./connection.ts";
import { Driver } from "./driver.ts";
import { isOutOfFiles, openPort, type PortOptions, type SocketKind } from "./open_port.ts";
import type { PeerTraffic } from "./traffic.ts";

/** Accepts in a row that found the connection gone already; with more of them it does not spin. */
const GONE_WITHOUT_PAUSE = 4_096;
/**
 * After so many connections there is a rest: two thousand a second are enough, and who opens more must not keep
 * those who are in from being heard.
 */
const ACCEPTS_IN_A_ROW = 16;
const ACCEPTS_REST_MS = 8;
/** After an accept that failed for want of descriptors, or why ever. */
const ACCEPT_PAUSE_MS = 100;
/** How long a connection that ends may take to send what is queued and to be told so by the other end. */
const FAREWELL_MS = 2_000;
/** So many may do that at the same time while the host runs; others are cut off. */
const FAREWELLS_MAX = 256;
/** How long all of them may take when the host closes: original clients never say that they are done. */
const CLOSING_MS = 500;

/** One TCP port for both address families: one listener or two, as the system has it. */
export interface TcpListener {
  /** The listeners under it. */
  readonly listeners: readonly Deno.TcpListener[];
  /** The port it listens on. */
  readonly port: number;
  /** Where it listens: `[::]:8080`, and `0.0.0.0:8080` where IPv4 is reached by it too. */
  readonly addresses: readonly string[];
}

const TCP: SocketKind<Deno.TcpListener> = {
  listen: (hostname, port) => Deno.listen({ transport: "tcp", hostname, port }),
  addressOf: ({ addr }) => addr,
  close: (listener) => listener.close(),
  async takesIpv4(): Promise<boolean> {
    const probe = TCP.listen("::", 0);
    try {
      const conn = await Deno.connect({ hostname: "127.0.0.1", port: probe.addr.port });
      conn.close();
      return true;
    } catch (error) {
      if (isOutOfFiles(error)) throw error;
      return false;
    } finally {
      probe.close();
    }
  },
};

/**
 * Opens a TCP port, for both address families unless it is told an address.
 *
 * @throws {Deno.errors.AddrInUse} Another program has the port.
 * @throws {Deno.errors.AddrNotAvailable} `hostname` is no address of this machine.
 * @throws {Deno.errors.PermissionDenied} The system does not give this port to everybody.
 */
export async function openTcp(options: PortOptions): Promise<TcpListener> {
  const { sockets: listeners, port, addresses } = await openPort(options, TCP);
  return { listeners, port, addresses };
}

/** What a {@link TcpHost} did since it was made. */
export interface TcpCounters extends TcpTraffic {
  /** Connections that were accepted. */
  accepted: number;
  /** Those among them that the engine was not shown, since their address is not let in. */
  shutOut: number;
  /** Accept calls the system failed; the host went on. */
  acceptErrors: number;
  /** Errors thrown by the engine or a listener: bugs, each reported to `onFault`. */
  faults: number;
}

/** Options of a {@link TcpHost}. */
export interface TcpHostOptions<Event> {
  /** Takes the engine's events. */
  onEvent?: (event: Event) => void;
  /** Told of errors that the engine or a listener threw. The host goes on. Default: ignored. */
  onFault?: (error: unknown) => void;
  /** Told why the system does not give us a connection; it is asked again. Default: it is only counted. */
  onAcceptFailure?: (error: unknown) => void;
  /** Told how much later than it was due something was done. */
  onLate?: (ms: number) => void;
  /** Told how long the engine took for what was read at once. */
  onHandled?: (ms: number) => void;
  /** Whether no connections are taken from an address; asked for each. */
  isShutOut?: (ip: string, port: number) => boolean;
}

/** Drives an engine: feeds it what its connections read and the time, and writes what it says. */
export class TcpHost<Event> {
  readonly #engine: StreamEngine<Event>;
  readonly #driver: Driver;
  readonly #out: StreamOutbox<Event>;
  readonly #onAcceptFailure: (error: unknown) => void;
  readonly #connections = new Map<TcpConnection, Promise<void>>();
  readonly #listeners: Deno.TcpListener[] = [];
  readonly #accepting: Promise<void>[] = [];
  readonly #isShutOut: TcpHostOptions<Event>["isShutOut"];
  readonly #onHandled: TcpHostOptions<Event>["onHandled"];
  readonly #counters = {
    accepted: 0,
    shutOut: 0,
    acceptErrors: 0,
    received: 0,
    receivedBytes: 0,
    sent: 0,
    sentBytes: 0,
    failed: 0,
  };
  /** Closed while no connection is taken. */
  readonly #gate = new Gate();
  #farewells = 0;
  #isClosing = false;
  #closed: Promise<void> | undefined;

  /** A host without connections: let it {@link TcpHost.listen}, or {@link TcpHost.adopt} one. */
  constructor(engine: StreamEngine<Event>, options: TcpHostOptions<Event> = {}) {
    const { onEvent, onFault = (): void => {}, onAcceptFailure = (): void => {} } = options;
    this.#engine = engine;
    this.#onAcceptFailure = onAcceptFailure;
    const driver = new Driver(
      {
        nextDeadline: () => engine.nextDeadline(),
        advance: (now) => engine.advance(now, this.#out),
      },
      onFault,
      options.onLate,
    );
    this.#driver = driver;
    this.#isShutOut = options.isShutOut;
    this.#onHandled = options.onHandled;
    this.#out = {
      send: (peer, bytes) => (peer as TcpConnection).send(bytes),
      unsentBytes: (peer) => (peer as TcpConnection).unsentBytes,
      setReading: (peer, isReading) => (peer as TcpConnection).setReading(isReading),
      close: (peer) => this.#dismiss(peer as TcpConnection),
      emit: (event) => driver.guard(() => onEvent?.(event)),
    };
    driver.arm();
  }

  /** What was done so far. */
  get counters(): TcpCounters {
    return { ...this.#counters, faults: this.#driver.faults };
  }

  /** Takes connections from a port, which the host owns from then on. */
  listen({ listeners }: TcpListener): void {
    for (const listener of listeners) {
      if (this.#isClosing) {
        listener.close();
        continue;
      }
      this.#listeners.push(listener);
      this.#accepting.push(this.#acceptFrom(listener));
    }
  }

  /** Takes over a connection that was opened elsewhere. */
  adopt(conn: Deno.TcpConn): void {
    if (this.#isClosing) return conn.close();
    const connection = new TcpConnection(conn, this.#counters);
    if (this.#isShutOut?.(connection.ip, connection.port)) {
      this.#counters.shutOut++;
      return connection.cut();
    }
    const end = Promise.withResolvers<void>();
    this.#connections.set(connection, end.promise);
    this.act((now, out) => this.#engine.opened(connection, now, out));
    void this.#serve(connection).then(end.resolve);
  }

  /** Calls the engine from outside: with the time, and the outbox for what it says. */
  act(call: (now: number, out: StreamOutbox<Event>) => void): void {
    if (this.#isClosing) return;
    const now = performance.now();
    this.#driver.guard(() => call(now, this.#out));
    this.#driver.arm(now);
  }

  /** What went through between this host and a connection of its own. */
  trafficOf(peer: Peer): PeerTraffic {
    return peer as TcpConnection;
  }

  /** Whether connections are taken. While they are not, the system lets some of them wait. */
  setAccepting(isAccepting: boolean): void {
    if (!this.#isClosing) this.#gate.set(isAccepting);
  }

  /** Sends what is queued, as far as the other ends take it, and ends all connections. */
  close(): Promise<void> {
    return this.#closed ??= this.#close();
  }

  async #close(): Promise<void> {
    this.#driver.guard(() => this.#engine.flush(this.#out));
    this.#isClosing = true;
    this.#driver.stop();
    for (const listener of this.#listeners) listener.close();
    this.#gate.set(true);
    const connections = [...this.#connections.keys()];
    for (const connection of connections) this.#dismiss(connection);
    const timer = setTimeout(() => connections.forEach((each) => each.cut()), CLOSING_MS);
    await Promise.all([...this.#connections.values(), ...this.#accepting]);
    clearTimeout(timer);
  }

  async #acceptFrom(listener: Deno.TcpListener): Promise<void> {
    let goneInARow = 0;
    let inARow = 0;
    while (!this.#isClosing) {
      try {
        while (!this.#gate.isOpen) await this.#gate.opened;
        const conn = await listener.accept();
        goneInARow = 0;
        this.#counters.accepted++;
        this.adopt(conn);
        if (++inARow % ACCEPTS_IN_A_ROW === 0) await pause(ACCEPTS_REST_MS);
      } catch (error) {
        if (this.#isClosing) return;
        this.#counters.acceptErrors++;
        if (isOneGone(error) && ++goneInARow <= GONE_WITHOUT_PAUSE) continue;
        this.#driver.guard(() => this.#onAcceptFailure(error));
        await pause(ACCEPT_PAUSE_MS);
      }
    }
  }

  /** All that happens to one connection once the engine knows it. */
  async #serve(connection: TcpConnection): Promise<void> {
    const end = await connection.readAll((chunk, isAll) => {
      if (this.#isClosing) return;
      const now = performance.now();
      this.#driver.guard(() => this.#engine.receive(chunk, connection, now, this.#out));
      this.#onHandled?.(performance.now() - now);
      if (!isAll || !this.#driver.advanceIfDue()) this.#driver.arm(now);
    });
    this.#end(connection, end);
    await connection.farewell;
    this.#connections.delete(connection);
  }

  /** The other end is done: so are we, after what there is to say about it. */
  #end(connection: TcpConnection, end: StreamEnd): void {
    if (!connection.isOpen) return;
    this.act((now, out) => this.#engine.ended(connection, end, now, out));
    this.#dismiss(connection);
  }

  /** Ends a connection as soon as what is queued has left, or when that takes too long. */
  #dismiss(connection: TcpConnection): void {
    if (connection.isOpen) connection.farewell = this.#sayFarewell(connection);
  }

  async #sayFarewell(connection: TcpConnection): Promise<void> {
    connection.dismiss();
    // Who was sent nothing has nothing to miss.
    if (connection.wasSentTo && (this.#isClosing || this.#farewells < FAREWELLS_MAX)) {
      this.#farewells++;
      let timer: ReturnType<typeof setTimeout> | undefined;
      const patience = new Promise<void>((resolve) => timer = setTimeout(resolve, FAREWELL_MS));
      await Promise.race([connection.finish(), patience]);
      clearTimeout(timer);
      this.#farewells--;
    }
    connection.cut();
  }
}

/** Whether only the connection that was to be accepted is gone already. */
function isOneGone(error: unknown): boolean {
  return error instanceof Deno.errors.NotConnected ||
    error instanceof Deno.errors.ConnectionAborted ||
    error instanceof Deno.errors.ConnectionReset ||
    // On Windows the network name was deleted; Linux calls an error of its network so.
    error instanceof Error && /\(os error 64\)/.test(error.message);
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
