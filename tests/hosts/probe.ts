/** An engine that notes what its host does to it, and sockets to talk to that host. */
import { openUdp, UdpHost, type UdpSocket } from "../../lib/hosts/udp.ts";
import type { Engine, Outbox, Peer } from "../../lib/protocols/engine.ts";
import { within } from "../support/wait.ts";

/** One call of `receive`. */
export interface Received {
  bytes: Uint8Array;
  from: Peer;
  now: number;
}

/** An engine without a protocol: tests say what it does. */
export class ProbeEngine implements Engine<string> {
  /** Every datagram so far. */
  readonly received: Received[] = [];
  /** The time of every `advance` so far. */
  readonly advances: number[] = [];
  /** Answers `remembers`. */
  readonly remembered = new Set<Peer>();
  /** Answers `nextDeadline`. */
  deadline = Infinity;
  /** Called at the end of `receive`. */
  onReceive: (from: Peer, bytes: Uint8Array, out: Outbox<string>) => void = () => {};
  /** Called at the end of `advance`; the deadline is Infinity by then. */
  onAdvance: (now: number, out: Outbox<string>) => void = () => {};

  receive(datagram: Uint8Array, from: Peer, now: number, out: Outbox<string>): void {
    const bytes = datagram.slice();
    this.received.push({ bytes, from, now });
    this.onReceive(from, bytes, out);
  }

  advance(now: number, out: Outbox<string>): void {
    this.advances.push(now);
    this.deadline = Infinity;
    this.onAdvance(now, out);
  }

  nextDeadline(): number {
    return this.deadline;
  }

  remembers(peer: Peer): boolean {
    return this.remembered.has(peer);
  }
}

/** A probe with its host, and what the host told. */
export interface Rig extends AsyncDisposable {
  engine: ProbeEngine;
  host: UdpHost<string>;
  port: number;
  events: string[];
  faults: unknown[];
}

/** Drives a new probe over a socket, by default one on a free port of both address families. */
export async function setUp(socket?: UdpSocket): Promise<Rig> {
  const engine = new ProbeEngine();
  const events: string[] = [];
  const faults: unknown[] = [];
  const opened = socket ?? await openUdp({ port: 0 });
  const host = new UdpHost(engine, opened, {
    onEvent: (event) => events.push(event),
    onFault: (error) => faults.push(error),
  });
  const { port } = opened;
  return { engine, host, port, events, faults, [Symbol.asyncDispose]: () => host.close() };
}

/** Another program's socket. */
export class Client implements Disposable {
  readonly #conn: Deno.DatagramConn;
  readonly #port: number;

  /** A socket on one local address that talks to a port of the same address. */
  constructor(readonly hostname: "127.0.0.1" | "::1", port: number) {
    this.#conn = Deno.listenDatagram({ transport: "udp", hostname, port: 0 });
    this.#port = port;
  }

  /** The port it sends from. */
  get port(): number {
    return (this.#conn.addr as Deno.NetAddr).port;
  }

  async send(bytes: Uint8Array): Promise<void> {
    const { hostname } = this;
    await this.#conn.send(bytes, { transport: "udp", hostname, port: this.#port });
  }

  async receive(): Promise<Uint8Array> {
    const [datagram] = await within("a datagram", this.#conn.receive());
    return datagram;
  }

  /** Sends, and returns what comes back. */
  async ask(bytes: Uint8Array): Promise<Uint8Array> {
    await this.send(bytes);
    return await this.receive();
  }

  [Symbol.dispose](): void {
    this.#conn.close();
  }
}

/** What a {@link FakeConn} has to receive: a datagram and its sender, or an error. */
export type Arrival = Error | { bytes: Uint8Array; hostname: string; port: number };

/** A socket whose datagrams and errors are made up, for what no real network does on request. */
export class FakeConn {
  readonly addr: Deno.NetAddr = { transport: "udp", hostname: "::", port: 55_555 };
  /** `address text` of everything sent. */
  readonly sent: string[] = [];
  /** How often `receive` was called. */
  receives = 0;
  /** Answers `receive` when nothing arrives; undefined: it waits. */
  persistentError: Error | undefined;
  readonly #arrivals: Arrival[] = [];
  #waiting: PromiseWithResolvers<void> | undefined;
  #isClosed = false;

  /** Lets something arrive. */
  arrive(arrival: Arrival): void {
    this.#arrivals.push(arrival);
    this.#waiting?.resolve();
  }

  async receive(buffer: Uint8Array): Promise<[Uint8Array, Deno.Addr]> {
    this.receives++;
    await Promise.resolve();
    while (this.#arrivals.length === 0) {
      if (this.#isClosed) throw new Deno.errors.Interrupted("closed");
      if (this.persistentError) throw this.persistentError;
      this.#waiting = Promise.withResolvers();
      await this.#waiting.promise;
    }
    const arrival = this.#arrivals.shift()!;
    if (arrival instanceof Error) throw arrival;
    buffer.set(arrival.bytes);
    const { hostname, port } = arrival;
    return [buffer.subarray(0, arrival.bytes.length), { transport: "udp", hostname, port }];
  }

  send(bytes: Uint8Array, to: Deno.NetAddr): Promise<number> {
    this.sent.push(`${to.hostname} ${to.port} ${new TextDecoder().decode(bytes)}`);
    return Promise.resolve(bytes.length);
  }

  close(): void {
    if (this.#isClosed) throw new Deno.errors.BadResource("closed twice");
    this.#isClosed = true;
    this.#waiting?.resolve();
  }

  /** A socket for a host made of this alone. */
  asSocket(): UdpSocket {
    const conn = this as unknown as Deno.DatagramConn; // With all that a host uses of one.
    return { conns: [conn], port: this.addr.port, addresses: ["[::]:55555"] };
  }
}
