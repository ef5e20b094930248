/** Sockets and the clock for an engine over UDP. */
import type { Engine, Outbox, Peer } from "../protocols/engine.ts";
import { normalizeIp } from "../parts/ip.ts";
import { Driver } from "./driver.ts";
import { formatHostPort, mappedIpv4, networkOf } from "./address.ts";
import { openPort, type PortOptions, type SocketKind } from "./open_port.ts";
import { type OutboxCounters, type OutboxPeer, PumpedOutbox } from "./outbox.ts";
import { RECEIVE_BUFFER_BYTES } from "./receive_buffer.ts";
import type { PeerTraffic } from "./traffic.ts";

/**
 * Receive errors in a row without a pause; beyond, a pause keeps the loop from spinning. On Windows each
 * datagram to a player who is gone comes back as one, so that many stand between two that arrived.
 */
const RECEIVE_ERRORS_WITHOUT_PAUSE = 4_096;
const RECEIVE_ERROR_PAUSE_MS = 100;

/** One port for both address families: one socket or two, as the system has it. */
export interface UdpSocket {
  /** The sockets under it. */
  readonly conns: readonly Deno.DatagramConn[];
  /** The port it listens on. */
  readonly port: number;
  /** Where it listens: `[::]:55555`, and `0.0.0.0:55555` where IPv4 is reached by it too. */
  readonly addresses: readonly string[];
}

const UDP: SocketKind<Deno.DatagramConn> = {
  listen: (hostname, port) => Deno.listenDatagram({ transport: "udp", hostname, port }),
  addressOf: ({ addr }) => addr as Deno.NetAddr,
  close: (conn) => conn.close(),
  /** Only then can it send there. */
  async takesIpv4(): Promise<boolean> {
    const probe = UDP.listen("::", 0);
    try {
      const hostname = mappedIpv4("127.0.0.1");
      await probe.send(new Uint8Array(0), { ...UDP.addressOf(probe), hostname });
      return true;
    } catch {
      return false;
    } finally {
      probe.close();
    }
  },
};

/** Where to listen, and what all datagrams go through. */
export interface UdpOptions extends PortOptions {
  /**
   * Puts something in front of a socket, such as a bad network or a recorder; its `addr` stays. Called
   * once for each socket.
   */
  through?: (conn: Deno.DatagramConn) => Deno.DatagramConn;
}

/**
 * Opens a UDP port, for both address families unless it is told an address.
 *
 * @throws {Deno.errors.AddrInUse} Another program has the port.
 * @throws {Deno.errors.AddrNotAvailable} `hostname` is no address of this machine.
 * @throws {Deno.errors.PermissionDenied} The system does not give this port to everybody.
 */
export async function openUdp(options: UdpOptions): Promise<UdpSocket> {
  const { sockets, port, addresses } = await openPort(options, UDP);
  const { through } = options;
  return { conns: through ? sockets.map((conn) => through(conn)) : sockets, port, addresses };
}

/** What a {@link UdpHost} did since it was made, in datagrams and bytes. */
export interface UdpCounters extends OutboxCounters {
  /** Datagrams that arrived. */
  received: number;
  /** Their bytes. */
  receivedBytes: number;
  /** Those among them that the engine was not shown, since their address is not let in. */
  shutOut: number;
  /** Receive calls the system failed; the host went on. */
  receiveErrors: number;
  /** Errors thrown by the engine or a listener: bugs, each reported to `onFault`. */
  faults: number;
}

/** Options of a {@link UdpHost}. */
export interface UdpHostOptions<Event> {
  /** Takes the engine's events. */
  onEvent?: (event: Event) => void;
  /** Told of errors that the engine or a listener threw. The host goes on. Default: ignored. */
  onFault?: (error: unknown) => void;
  /** Told why the system did not send a datagram of so many bytes. Default: it is only counted. */
  onSendFailure?: (error: unknown, bytes: number) => void;
  /** Told why the system failed to receive, so many times in a row. Default: it is only counted. */
  onReceiveFailure?: (error: unknown, inARow: number) => void;
  /** Told how much later than it was due something was done. */
  onLate?: (ms: number) => void;
  /** Told how long the engine took for a datagram. */
  onHandled?: (ms: number) => void;
  /** Whether nothing is heard of an address; asked for each datagram. `ip` may be IPv4-mapped. */
  isShutOut?: (ip: string, port: number) => boolean;
}

/** Drives an engine: feeds it what a socket receives and the time, and sends what it says. */
export class UdpHost<Event> {
  readonly #engine: Engine<Event>;
  readonly #socket: UdpSocket;
  readonly #driver: Driver;
  readonly #outbox: PumpedOutbox<Event, UdpPeer>;
  readonly #peers: PeerTable<UdpPeer>;
  readonly #loops: Promise<void>[];
  readonly #isShutOut: UdpHostOptions<Event>["isShutOut"];
  readonly #onHandled: UdpHostOptions<Event>["onHandled"];
  readonly #onReceiveFailure: UdpHostOptions<Event>["onReceiveFailure"];
  #closing: Promise<void> | undefined;
  #received = 0;
  #receivedBytes = 0;
  #shutOut = 0;
  #receiveErrors = 0;

  /** Starts at once; the host owns the socket from then on. */
  constructor(engine: Engine<Event>, socket: UdpSocket, options: UdpHostOptions<Event> = {}) {
    this.#engine = engine;
    this.#socket = socket;
    const driver = new Driver(
      {
        nextDeadline: () => engine.nextDeadline(),
        advance: (now) => engine.advance(now, this.#outbox),
      },
      options.onFault ?? ((): void => {}),
      options.onLate,
    );
    this.#driver = driver;
    this.#isShutOut = options.isShutOut;
    this.#onHandled = options.onHandled;
    this.#onReceiveFailure = options.onReceiveFailure;
    const onEvent = options.onEvent ?? ((): void => {});
    this.#outbox = new PumpedOutbox(
      (event) => driver.guard(() => onEvent(event)),
      () => this.#advance(),
      (error, bytes) => driver.guard(() => options.onSendFailure?.(error, bytes)),
    );
    this.#peers = new PeerTable((peer) => engine.remembers(peer));
    this.#loops = socket.conns.map((conn) => this.#receiveFrom(conn));
    this.#driver.arm();
  }

  /** Where it listens. */
  get socket(): UdpSocket {
    return this.#socket;
  }

  /** What was received and sent so far. */
  get counters(): UdpCounters {
    return {
      received: this.#received,
      receivedBytes: this.#receivedBytes,
      shutOut: this.#shutOut,
      receiveErrors: this.#receiveErrors,
      faults: this.#driver.faults,
      ...this.#outbox.counters,
    };
  }

  /** Calls the engine from outside: with the time, and the outbox for what it says. */
  act(call: (now: number, out: Outbox<Event>) => void): void {
    if (this.#closed) return;
    const now = performance.now();
    this.#driver.guard(() => call(now, this.#outbox));
    this.#driver.arm(now);
  }

  /** The peer at an IP address, to say something to first. */
  peerAt(ip: string, port: number): Peer {
    const known = this.#peers.get(ip, port);
    if (known) return known;
    const { conns } = this.#socket;
    const isIpv6 = ip.includes(":");
    const conn = conns.find(({ addr }) => isIpv6 === (addr as Deno.NetAddr).hostname.includes(":"));
    // Not every system lets an IPv6 socket send to an IPv4 address that is not written as IPv6.
    const hostname = conn || isIpv6 ? ip : mappedIpv4(ip);
    const peer = new UdpPeer(conn ?? conns[0]!, { transport: "udp", hostname, port });
    this.#peers.keep(peer);
    return peer;
  }

  /** What went through between this host and a peer of its own. */
  trafficOf(peer: Peer): PeerTraffic {
    return peer as UdpPeer;
  }

  /** Sends what is queued, then closes the sockets. Calling it again is harmless. */
  close(): Promise<void> {
    return this.#closing ??= this.#close();
  }

  get #closed(): boolean {
    return this.#closing !== undefined;
  }

  async #close(): Promise<void> {
    this.#driver.stop();
    await this.#outbox.close();
    for (const conn of this.#socket.conns) conn.close();
    await Promise.all(this.#loops);
  }

  async #receiveFrom(conn: Deno.DatagramConn): Promise<void> {
    const buffer = new Uint8Array(RECEIVE_BUFFER_BYTES);
    let errorsInARow = 0;
    while (!this.#closed) {
      try {
        const [datagram, address] = await conn.receive(buffer);
        errorsInARow = 0;
        if (!this.#closed) this.#onDatagram(datagram, address as Deno.NetAddr, conn);
      } catch (error) {
        if (this.#closed) return;
        // Windows reports here that an earlier send reached a closed port. Nothing ends this loop.
        this.#receiveErrors++;
        errorsInARow++;
        this.#driver.guard(() => this.#onReceiveFailure?.(error, errorsInARow));
        if (errorsInARow > RECEIVE_ERRORS_WITHOUT_PAUSE) {
          await new Promise((resolve) => setTimeout(resolve, RECEIVE_ERROR_PAUSE_MS));
        }
      }
    }
  }

  #onDatagram(datagram: Uint8Array, address: Deno.NetAddr, conn: Deno.DatagramConn): void {
    // To look into an object of the system's takes as long as to find something in a Map: once is enough.
    const { hostname, port } = address;
    this.#received++;
    this.#receivedBytes += datagram.length;
    if (this.#isShutOut?.(hostname, port)) {
      this.#shutOut++;
      return;
    }
    const now = performance.now();
    try {
      const known = this.#peers.get(hostname, port);
      const peer = known ?? new UdpPeer(conn, address);
      peer.heardAt = now;
      peer.received++;
      peer.receivedBytes += datagram.length;
      try {
        this.#engine.receive(datagram, peer, now, this.#outbox);
      } finally {
        if (!known && this.#engine.remembers(peer)) this.#peers.keep(peer);
      }
    } catch (error) {
      this.#driver.fault(error);
    }
    this.#onHandled?.(performance.now() - now);
    this.#driver.arm(now);
  }

  #advance(): void {
    this.act((now, out) => this.#engine.advance(now, out));
  }
}

/** Made for every datagram of a stranger, so it computes nothing until it is asked. */
class UdpPeer implements OutboxPeer, PeerTraffic {
  queued: Uint8Array | undefined;
  heardAt = -Infinity;
  received = 0;
  receivedBytes = 0;
  sent = 0;
  sentBytes = 0;
  readonly #conn: Deno.DatagramConn;
  readonly #target: Deno.NetAddr;

  /** `target` is the address as the socket writes it, IPv4-mapped or not: so it is answered. */
  constructor(conn: Deno.DatagramConn, target: Deno.NetAddr) {
    this.#conn = conn;
    this.#target = target;
  }

  get ip(): string {
    return normalizeIp(this.#target.hostname);
  }

  get port(): number {
    return this.#target.port;
  }

  get address(): string {
    return formatHostPort(this.ip, this.port);
  }

  get network(): string {
    return networkOf(this.ip);
  }

  transmit(bytes: Uint8Array): Promise<number> {
    this.sent++;
    this.sentBytes += bytes.length;
    return this.#conn.send(bytes, this.#target);
  }
}

/**
 * One object per address, for the addresses the engine keeps something about: a stranger's datagram
 * leaves no trace here.
 */
class PeerTable<P extends { ip: string; port: number }> {
  readonly #isKept: (peer: P) => boolean;
  /** By IP address, IPv4-mapped ones also under the form the socket writes; then by port. */
  readonly #byIp = new Map<string, Map<number, P>>();
  #size = 0;
  #sizeToSweepAt = 64;

  constructor(isKept: (peer: P) => boolean) {
    this.#isKept = isKept;
  }

  get(hostname: string, port: number): P | undefined {
    return this.#portsOf(hostname)?.get(port);
  }

  keep(peer: P): void {
    // Before the peer is in, which may be one that the engine is only about to remember.
    if (this.#size + 1 >= this.#sizeToSweepAt) this.#sweep();
    this.#size++;
    let ports = this.#byIp.get(peer.ip);
    if (!ports) this.#byIp.set(peer.ip, ports = new Map());
    ports.set(peer.port, peer);
  }

  #portsOf(hostname: string): Map<number, P> | undefined {
    const ports = this.#byIp.get(hostname);
    if (ports) return ports;
    const ip = normalizeIp(hostname);
    const mapped = ip === hostname ? undefined : this.#byIp.get(ip);
    if (mapped) this.#byIp.set(hostname, mapped); // So that the next look-up is one step.
    return mapped;
  }

  /** Forgets what the engine has forgotten. Doubling keeps the cost a datagram constant. */
  #sweep(): void {
    this.#size = 0;
    for (const [hostname, ports] of this.#byIp) {
      for (const [port, peer] of ports) {
        if (!this.#isKept(peer)) ports.delete(port);
      }
      if (ports.size === 0) this.#byIp.delete(hostname);
      else if (normalizeIp(hostname) === hostname) this.#size += ports.size;
    }
    this.#sizeToSweepAt = Math.max(64, 2 * this.#size);
  }
}
