/** Sockets and the clock for an engine over UDP. */
import type { Engine, Outbox, Peer } from "../protocols/engine.ts";
import { normalizeIp } from "../parts/ip.ts";
import { formatHostPort, mappedIpv4, networkOf } from "./address.ts";
import { type OutboxCounters, type OutboxPeer, PumpedOutbox } from "./outbox.ts";

/** Longer than any UDP payload, so that nothing arrives cut. */
const RECEIVE_BUFFER_BYTES = 65_536;
/** setTimeout takes no more than 2^31 - 1 ms. */
const TIMER_MS_MAX = 2 ** 31 - 1;
/** Receive errors in a row without a pause; beyond, a pause keeps the loop from spinning. */
const RECEIVE_ERRORS_WITHOUT_PAUSE = 16;
const RECEIVE_ERROR_PAUSE_MS = 100;
/** How often an engine whose `advance` fails is asked to do what is due. */
const STUCK_PAUSE_MS = 100;
/** How often a free port is looked for that is free in both address families. */
const FREE_PORT_TRIES = 16;

/** Where a {@link UdpSocket} listens. */
export interface UdpOptions {
  /** From 0 to 65535; 0 lets the system choose one. */
  port: number;
  /** One local IP address. Default: every address of both families. */
  hostname?: string;
}

/** One port for both address families: one socket or two, as the system has it. */
export interface UdpSocket {
  /** The sockets under it. */
  readonly conns: readonly Deno.DatagramConn[];
  /** The port it listens on. */
  readonly port: number;
  /** Where it listens: `[::]:55555`, and `0.0.0.0:55555` where IPv4 is reached by it too. */
  readonly addresses: readonly string[];
}

/**
 * Opens a UDP port.
 *
 * Without `hostname` it is open to IPv6 and IPv4. On most systems one socket on `::` takes both; where
 * it takes IPv6 only (Windows; Linux with `net.ipv6.bindv6only=1`) a second one on `0.0.0.0` takes IPv4;
 * where there is no IPv6 that one is alone.
 *
 * @throws {Deno.errors.AddrInUse} Another program has the port.
 * @throws {Deno.errors.AddrNotAvailable} `hostname` is no address of this machine.
 * @throws {Deno.errors.PermissionDenied} The system does not give this port to everybody.
 */
export async function openUdp(options: UdpOptions): Promise<UdpSocket> {
  const { hostname, port } = options;
  if (hostname !== undefined) return socketOf([listen(hostname, port)]);
  for (let triesLeft = port === 0 ? FREE_PORT_TRIES : 1;; triesLeft--) {
    try {
      return await openBothFamilies(port);
    } catch (error) {
      // The port the system chose for IPv6 may be another program's in IPv4.
      if (!(error instanceof Deno.errors.AddrInUse) || triesLeft <= 1) throw error;
    }
  }
}

async function openBothFamilies(port: number): Promise<UdpSocket> {
  let ipv6: Deno.DatagramConn;
  try {
    ipv6 = listen("::", port);
  } catch (error) {
    if (error instanceof Deno.errors.AddrInUse) throw error;
    return socketOf([listen("0.0.0.0", port)]); // No IPv6 here.
  }
  const { port: chosen } = ipv6.addr as Deno.NetAddr;
  try {
    return socketOf([ipv6, listen("0.0.0.0", chosen)]);
  } catch (error) {
    if (error instanceof Deno.errors.AddrInUse && await takesIpv4()) {
      return socketOf([ipv6], true);
    }
    ipv6.close();
    throw error;
  }
}

/** Whether a socket on `::` is for IPv4 too: only then can it send there. */
async function takesIpv4(): Promise<boolean> {
  const probe = listen("::", 0);
  try {
    const hostname = mappedIpv4("127.0.0.1");
    await probe.send(new Uint8Array(0), { ...probe.addr as Deno.NetAddr, hostname });
    return true;
  } catch {
    return false;
  } finally {
    probe.close();
  }
}

function listen(hostname: string, port: number): Deno.DatagramConn {
  return Deno.listenDatagram({ transport: "udp", hostname, port });
}

function socketOf(conns: Deno.DatagramConn[], takesBoth = false): UdpSocket {
  const locals = conns.map((conn) => conn.addr as Deno.NetAddr);
  const { port } = locals[0]!;
  const addresses = locals.map((local) => formatHostPort(local.hostname, local.port));
  if (takesBoth) addresses.push(formatHostPort("0.0.0.0", port));
  return { conns, port, addresses };
}

/** What a {@link UdpHost} did since it was made, in datagrams and bytes. */
export interface UdpCounters extends OutboxCounters {
  /** Datagrams that arrived. */
  received: number;
  /** Their bytes. */
  receivedBytes: number;
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
}

/** Drives an engine: feeds it what a socket receives and the time, and sends what it says. */
export class UdpHost<Event> {
  readonly #engine: Engine<Event>;
  readonly #socket: UdpSocket;
  readonly #onFault: (error: unknown) => void;
  readonly #outbox: PumpedOutbox<Event, UdpPeer>;
  readonly #peers: PeerTable<UdpPeer>;
  readonly #loops: Promise<void>[];
  #timer: ReturnType<typeof setTimeout> | undefined;
  #armedFor = Infinity;
  #closing: Promise<void> | undefined;
  #received = 0;
  #receivedBytes = 0;
  #receiveErrors = 0;
  #faults = 0;

  /** Starts at once; the host owns the socket from then on. */
  constructor(engine: Engine<Event>, socket: UdpSocket, options: UdpHostOptions<Event> = {}) {
    this.#engine = engine;
    this.#socket = socket;
    this.#onFault = options.onFault ?? ((): void => {});
    const onEvent = options.onEvent ?? ((): void => {});
    this.#outbox = new PumpedOutbox(
      (event) => this.#guarded(() => onEvent(event)),
      () => this.#advance(),
      (error, bytes) => this.#guarded(() => options.onSendFailure?.(error, bytes)),
    );
    this.#peers = new PeerTable((peer) => engine.remembers(peer));
    this.#loops = socket.conns.map((conn) => this.#receiveFrom(conn));
    this.#arm();
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
      receiveErrors: this.#receiveErrors,
      faults: this.#faults,
      ...this.#outbox.counters,
    };
  }

  /** Calls the engine from outside: with the time, and the outbox for what it says. */
  act(call: (now: number, out: Outbox<Event>) => void): void {
    if (this.#closed) return;
    this.#guarded(() => call(performance.now(), this.#outbox));
    this.#arm();
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

  /** Sends what is queued, then closes the sockets. Calling it again is harmless. */
  close(): Promise<void> {
    return this.#closing ??= this.#close();
  }

  get #closed(): boolean {
    return this.#closing !== undefined;
  }

  async #close(): Promise<void> {
    clearTimeout(this.#timer);
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
      } catch {
        if (this.#closed) return;
        // Windows reports here that an earlier send reached a closed port. Nothing ends this loop.
        this.#receiveErrors++;
        if (++errorsInARow > RECEIVE_ERRORS_WITHOUT_PAUSE) {
          await new Promise((resolve) => setTimeout(resolve, RECEIVE_ERROR_PAUSE_MS));
        }
      }
    }
  }

  #onDatagram(datagram: Uint8Array, address: Deno.NetAddr, conn: Deno.DatagramConn): void {
    this.#received++;
    this.#receivedBytes += datagram.length;
    this.#guarded(() => {
      const known = this.#peers.get(address.hostname, address.port);
      const peer = known ?? new UdpPeer(conn, address);
      try {
        this.#engine.receive(datagram, peer, performance.now(), this.#outbox);
      } finally {
        if (!known && this.#engine.remembers(peer)) this.#peers.keep(peer);
      }
    });
    this.#arm();
  }

  #advance(): void {
    this.act((now, out) => this.#engine.advance(now, out));
  }

  /**
   * Sets the timer for the engine's next deadline, unless an earlier one is set: it looks again.
   *
   * @param advancedTo Up to when the engine was just told to do what is due.
   */
  #arm(advancedTo = -Infinity): void {
    let deadline = Infinity;
    this.#guarded(() => deadline = this.#engine.nextDeadline());
    // It failed to: without a pause the timer would fire for ever.
    if (deadline <= advancedTo) deadline = advancedTo + STUCK_PAUSE_MS;
    if (deadline >= this.#armedFor || this.#closed) return;
    clearTimeout(this.#timer);
    this.#armedFor = deadline;
    // Timers count whole milliseconds: rounded down, one would fire early and be set again.
    const waitMs = Math.min(TIMER_MS_MAX, Math.max(0, Math.ceil(deadline - performance.now())));
    this.#timer = setTimeout(() => {
      this.#armedFor = Infinity;
      const now = performance.now();
      this.#guarded(() => this.#engine.advance(now, this.#outbox));
      this.#arm(now);
    }, waitMs);
  }

  #guarded(call: () => void): void {
    try {
      call();
    } catch (error) {
      this.#faults++;
      this.#onFault(error);
    }
  }
}

/** Made for every datagram of a stranger, so it computes nothing until it is asked. */
class UdpPeer implements OutboxPeer {
  queued: Uint8Array | undefined;
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
    let ports = this.#byIp.get(peer.ip);
    if (!ports) this.#byIp.set(peer.ip, ports = new Map());
    ports.set(peer.port, peer);
    if (++this.#size >= this.#sizeToSweepAt) this.#sweep();
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
