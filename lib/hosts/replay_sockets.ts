/** Sockets for what others said once, to say it again to a server. */
import { canonicalIp } from "../parts/ip.ts";
import { RECEIVE_BUFFER_BYTES } from "./receive_buffer.ts";

const RECEIVE_ERROR_PAUSE_MS = 100;

/** What went through {@link ReplaySockets}, in datagrams and bytes. */
export interface ReplaySocketsCounters {
  sent: number;
  sentBytes: number;
  /** The system did not take them. */
  failed: number;
  /** There was no socket for who said them. */
  leftOut: number;
  /** From the server only. */
  received: number;
  receivedBytes: number;
}

/** One socket for each who speaks, all to the same server; what comes back is counted. */
export class ReplaySockets {
  /** What was done so far. */
  readonly counters: ReplaySocketsCounters = {
    ...{ sent: 0, sentBytes: 0, failed: 0, leftOut: 0 },
    ...{ received: 0, receivedBytes: 0 },
  };
  readonly #server: Deno.NetAddr;
  readonly #socketsMax: number;
  readonly #sockets = new Map<string, Deno.DatagramConn>();
  readonly #loops: Promise<void>[] = [];
  #isClosed = false;

  /**
   * @param server An IP address and a port.
   * @param socketsMax The first so many who speak get one.
   */
  constructor(server: { ip: string; port: number }, socketsMax: number) {
    const hostname = canonicalIp(server.ip) ?? server.ip;
    this.#server = { transport: "udp", hostname, port: server.port };
    this.#socketsMax = socketsMax;
  }

  /** How many speak. */
  get size(): number {
    return this.#sockets.size;
  }

  /** Whether there is a socket for who has this name. */
  has(speaker: string): boolean {
    return this.#sockets.has(speaker);
  }

  /**
   * Sends a datagram from the socket of who has this name, if there is one or may be one more.
   *
   * @throws {Error} The system does not even give one socket.
   */
  async send(speaker: string, bytes: Uint8Array): Promise<void> {
    const socket = this.#sockets.get(speaker) ?? this.#open(speaker);
    if (!socket) return void this.counters.leftOut++;
    try {
      await socket.send(bytes, this.#server);
      this.counters.sent++;
      this.counters.sentBytes += bytes.length;
    } catch {
      this.counters.failed++;
    }
  }

  /** Closes all of them. */
  async close(): Promise<void> {
    this.#isClosed = true;
    for (const socket of this.#sockets.values()) socket.close();
    await Promise.all(this.#loops);
  }

  #open(speaker: string): Deno.DatagramConn | undefined {
    if (this.#sockets.size >= this.#socketsMax) return undefined;
    const hostname = this.#server.hostname.includes(":") ? "::" : "0.0.0.0";
    let socket: Deno.DatagramConn;
    try {
      socket = Deno.listenDatagram({ transport: "udp", hostname, port: 0 });
    } catch (error) {
      // The first one must open; for later ones the system may have too few.
      if (this.#sockets.size === 0) throw error;
      return undefined;
    }
    this.#sockets.set(speaker, socket);
    this.#loops.push(this.#receiveFrom(socket));
    return socket;
  }

  async #receiveFrom(socket: Deno.DatagramConn): Promise<void> {
    const buffer = new Uint8Array(RECEIVE_BUFFER_BYTES);
    const { hostname, port } = this.#server;
    while (!this.#isClosed) {
      try {
        const [datagram, from] = await socket.receive(buffer);
        const sender = from as Deno.NetAddr;
        if (sender.port !== port || sender.hostname !== hostname) continue;
        this.counters.received++;
        this.counters.receivedBytes += datagram.length;
      } catch {
        // Windows reports here that an earlier send reached a closed port.
        if (!this.#isClosed) {
          await new Promise((resolve) => setTimeout(resolve, RECEIVE_ERROR_PAUSE_MS));
        }
      }
    }
  }
}
