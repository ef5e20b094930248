/** The network between a player and the server: it can be bad, be cut, and give the player another address. */
import { ImpairedConn } from "../../lib/hosts/impaired.ts";
import { WrappedConn } from "../../lib/hosts/wrapped_conn.ts";
import { createFate, type Fate, type Impairment } from "../../lib/parts/impairment.ts";
import type { Random } from "../../lib/parts/random.ts";

/** Where a socket is. */
export interface Address {
  readonly hostname: string;
  readonly port: number;
}

/** Which way nothing gets through: to the server, from it, or both. */
export type Direction = "out" | "in" | "both";

/** What arrives at once, and once. */
const STRAIGHT: readonly number[] = [0];

/** The way of one player, over one home router: no more than a socket that can be changed for another. */
export class Line extends WrappedConn {
  #conn: Deno.DatagramConn;
  #isCutOut = false;
  #isCutIn = false;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #isClosed = false;
  /** When the last cut ended, by `performance`; Infinity while there is one. */
  clearSince = performance.now();

  /**
   * Owns the socket from then on.
   *
   * @param at Where it is to be instead.
   * @throws {Deno.errors.AddrInUse} Somebody else is there.
   */
  constructor(conn: Deno.DatagramConn, at?: Address) {
    super(conn);
    this.#conn = conn;
    if (!at) return;
    conn.close();
    this.#conn = open(at);
  }

  override get addr(): Deno.Addr {
    return this.#conn.addr;
  }

  /** Where it is now. */
  get at(): Address {
    const { hostname, port } = this.#conn.addr as Deno.NetAddr;
    return { hostname, port };
  }

  override async receive(buffer?: Uint8Array): ReturnType<Deno.DatagramConn["receive"]> {
    for (;;) {
      const conn = this.#conn;
      try {
        const received = await conn.receive(buffer);
        if (!this.#isCutIn) return received;
      } catch (error) {
        if (this.#isClosed || conn === this.#conn) throw error;
      }
    }
  }

  override send(bytes: Uint8Array, to: Deno.Addr): Promise<number> {
    return this.#isCutOut ? Promise.resolve(bytes.length) : this.#conn.send(bytes, to);
  }

  override close(): void {
    this.#isClosed = true;
    clearTimeout(this.#timer);
    this.#conn.close();
  }

  /** Lets nothing through for a while, or for good. */
  cut(direction: Direction, ms = Infinity): void {
    this.#isCutOut = direction !== "in";
    this.#isCutIn = direction !== "out";
    this.clearSince = Infinity;
    clearTimeout(this.#timer);
    if (ms < Infinity) this.#timer = setTimeout(() => this.heal(), ms);
  }

  /** Lets everything through again. */
  heal(): void {
    clearTimeout(this.#timer);
    if (!this.#isCutIn && !this.#isCutOut) return;
    this.#isCutOut = this.#isCutIn = false;
    this.clearSince = performance.now();
  }

  /** As a router does that forgot the way: the server sees another address from now on. */
  rebind(hostname: string): void {
    const before = this.#conn;
    this.#conn = open({ hostname, port: 0 });
    before.close();
  }
}

/** How bad the network is, for everybody. */
export class Weather {
  readonly #random: Random;
  #rough: Fate | undefined;

  constructor(random: Random) {
    this.#random = random;
  }

  get isRough(): boolean {
    return this.#rough !== undefined;
  }

  /** From now on datagrams are lost, late, out of order, or come twice. */
  roughen(impairment: Impairment): void {
    this.#rough = createFate(impairment, this.#random);
  }

  /** Everything arrives at once again, but for what is under way. */
  clear(): void {
    this.#rough = undefined;
  }

  /** Puts a socket into it. */
  around(conn: Deno.DatagramConn): Deno.DatagramConn {
    return new ImpairedConn(conn, () => this.#rough?.() ?? STRAIGHT);
  }
}

/** One of a few addresses of this computer, as players have that are not of one household. */
export function homeAddress(random: Random): string {
  return Deno.build.os === "linux" ? `127.0.0.${2 + Math.floor(random() * 5)}` : "127.0.0.1";
}

function open({ hostname, port }: Address): Deno.DatagramConn {
  return Deno.listenDatagram({ transport: "udp", hostname, port });
}
