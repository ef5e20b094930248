/** A UDP socket as if it were on a bad network. */
import { Deadlines } from "../parts/deadlines.ts";
import { Fifo } from "../parts/fifo.ts";
import type { Fate } from "../parts/impairment.ts";
import { RECEIVE_BUFFER_BYTES } from "./receive_buffer.ts";
import { WrappedConn } from "./wrapped_conn.ts";

/** Added to a time that was given before: so datagrams with the same delay keep their order. */
const TICK_MS = 0.000_1;

/** What a bad network did, in datagrams of both directions. */
export interface ImpairedCounters {
  /** Lost by chance. */
  lost: number;
  /** Arrived twice by chance. */
  duplicated: number;
  /** Lost because too many, or too many bytes, were under way. */
  crowdedOut: number;
  /** Not taken by the system when they were due; who sent them was not told. */
  sendErrors: number;
}

/** How much may be under way, in both directions together. */
export interface ImpairedLimits {
  /** Default 10,000. */
  datagramsMax?: number;
  /** Default 32 MB. */
  bytesMax?: number;
}

type Received = [Uint8Array<ArrayBuffer>, Deno.Addr];

/** A datagram on its way: out, or in from there. */
interface Traveller {
  readonly bytes: Uint8Array<ArrayBuffer>;
  readonly isOut: boolean;
  readonly peer: Deno.Addr;
}

interface Waiter {
  readonly buffer: Uint8Array | undefined;
  readonly promise: PromiseWithResolvers<Received>;
}

/**
 * A socket that lets fate decide of each datagram, in each direction: a round trip takes twice the lag.
 *
 * Sending returns at once, whatever becomes of the datagram. Closing is pulling the plug: what is under
 * way is lost, also a farewell that was sent before.
 */
export class ImpairedConn extends WrappedConn {
  /** What was done so far. */
  readonly counters: ImpairedCounters = { lost: 0, duplicated: 0, crowdedOut: 0, sendErrors: 0 };
  readonly #fate: Fate;
  readonly #datagramsMax: number;
  readonly #bytesMax: number;
  /** When each one arrives. */
  #travellers = new Deadlines<Traveller>();
  /** They arrived, and nobody took them yet. */
  #arrived = new Fifo<Traveller | { error: unknown }>();
  readonly #waiters = new Fifo<Waiter>();
  /** They are to leave the socket now. */
  #leaving = new Fifo<Traveller>();
  #datagrams = 0;
  #bytes = 0;
  #lastTick = 0;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #timerAt = Infinity;
  #isPumping = false;
  #isClosed = false;
  /** Goes on receiving after an error that somebody was told. */
  #resume: (() => void) | undefined;

  /** Owns `inner` and receives from it at once. */
  constructor(inner: Deno.DatagramConn, fate: Fate, limits: ImpairedLimits = {}) {
    super(inner);
    this.#fate = fate;
    this.#datagramsMax = limits.datagramsMax ?? 10_000;
    this.#bytesMax = limits.bytesMax ?? 32_000_000;
    void this.#listen();
  }

  override receive(buffer?: Uint8Array): Promise<Received> {
    if (this.#isClosed) return Promise.reject(closedError());
    const waiter = { buffer, promise: Promise.withResolvers<Received>() };
    this.#waiters.push(waiter);
    this.#handOver();
    return waiter.promise.promise;
  }

  /** Never fails while the socket is open. The bytes may be changed when it returns. */
  override send(bytes: Uint8Array, to: Deno.Addr): Promise<number> {
    if (this.#isClosed) return Promise.reject(closedError());
    this.#travel(bytes, to, true);
    return Promise.resolve(bytes.length);
  }

  override close(): void {
    this.inner.close(); // Throws when it is closed already.
    this.#isClosed = true;
    clearTimeout(this.#timer);
    this.#travellers = new Deadlines();
    this.#arrived = new Fifo();
    this.#leaving = new Fifo();
    while (this.#waiters.length > 0) {
      const error = new Deno.errors.Interrupted("the socket was closed");
      this.#waiters.shift()!.promise.reject(error);
    }
    this.#resume?.();
  }

  async #listen(): Promise<void> {
    const buffer = new Uint8Array(RECEIVE_BUFFER_BYTES);
    while (!this.#isClosed) {
      try {
        const [datagram, from] = await this.inner.receive(buffer);
        if (!this.#isClosed) this.#travel(datagram, from, false);
      } catch (error) {
        if (this.#isClosed) return;
        // The host decides how soon to try again after an error, so it gets them one by one.
        await new Promise<void>((resolve) => {
          this.#resume = resolve;
          this.#arrived.push({ error });
          this.#handOver();
        });
      }
    }
  }

  #travel(bytes: Uint8Array, peer: Deno.Addr, isOut: boolean): void {
    const delaysMs = this.#fate();
    if (delaysMs.length === 0) this.counters.lost++;
    if (delaysMs.length > 1) this.counters.duplicated++;
    const now = this.#tick();
    for (const delayMs of delaysMs) {
      if (this.#datagrams >= this.#datagramsMax || this.#bytes + bytes.length > this.#bytesMax) {
        this.counters.crowdedOut++;
        continue;
      }
      this.#datagrams++;
      this.#bytes += bytes.length;
      const traveller = { bytes: new Uint8Array(bytes), isOut, peer };
      if (delayMs === 0) this.#arrive(traveller);
      else this.#travellers.set(traveller, now + delayMs);
    }
    this.#arm();
  }

  /** The time, later than any it said before. */
  #tick(): number {
    return this.#lastTick = Math.max(performance.now(), this.#lastTick + TICK_MS);
  }

  #arm(): void {
    const next = this.#travellers.next();
    if (next >= this.#timerAt) return; // The timer that is set comes first, and will look again.
    clearTimeout(this.#timer);
    this.#timerAt = next;
    this.#timer = setTimeout(() => {
      this.#timerAt = Infinity;
      this.#advance();
    }, Math.max(0, next - performance.now()));
  }

  #advance(): void {
    const now = performance.now();
    for (;;) {
      const traveller = this.#travellers.takeDue(now);
      if (!traveller) break;
      this.#arrive(traveller);
    }
    this.#arm();
  }

  #arrive(traveller: Traveller): void {
    if (traveller.isOut) {
      this.#leaving.push(traveller);
      if (!this.#isPumping) void this.#pump();
    } else {
      this.#arrived.push(traveller);
      this.#handOver();
    }
  }

  #release({ bytes }: Traveller): void {
    this.#datagrams--;
    this.#bytes -= bytes.length;
  }

  #handOver(): void {
    while (this.#arrived.length > 0 && this.#waiters.length > 0) {
      const { buffer, promise } = this.#waiters.shift()!;
      const arrival = this.#arrived.shift()!;
      if ("error" in arrival) {
        promise.reject(arrival.error);
        this.#resume?.();
        continue;
      }
      this.#release(arrival);
      promise.resolve([filled(buffer, arrival.bytes), arrival.peer]);
    }
  }

  /** Awaits each send: sends that are not awaited leave in reverse order. */
  async #pump(): Promise<void> {
    this.#isPumping = true;
    for (;;) {
      const traveller = this.#isClosed ? undefined : this.#leaving.shift();
      if (!traveller) break;
      try {
        await this.inner.send(traveller.bytes, traveller.peer);
      } catch {
        this.counters.sendErrors++;
      }
      this.#release(traveller);
    }
    this.#isPumping = false;
  }
}

/** As the system does it: what does not fit into the buffer is cut off. */
function filled(buffer: Uint8Array | undefined, bytes: Uint8Array<ArrayBuffer>): Received[0] {
  if (!buffer) return bytes;
  const fitting = bytes.subarray(0, buffer.length);
  buffer.set(fitting);
  return buffer.subarray(0, fitting.length) as Received[0];
}

function closedError(): Error {
  return new Deno.errors.BadResource("the socket was closed");
}
