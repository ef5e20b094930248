import type { Outbox, Peer } from "./engine.ts";

/** Options of an {@link Attachment}. */
export interface AttachmentOptions {
  /** The datagram that asks to be let in; or a function that makes the next one. */
  join: Uint8Array | ((now: number) => Uint8Array);
  /** The datagram that says that the client is still there; or a function that makes the next one. */
  heartbeat: Uint8Array | ((now: number) => Uint8Array);
  /** A server that is not sent anything else gets a heartbeat this often. */
  heartbeatMs: number;
  /** A server not heard for so long is gone; `Infinity` where it has reasons to be silent. */
  silenceMs: number;
}

const JOIN_AGAIN_MS = 1_000;
/** A server that answers at one address is not asked at the next one: it would take us for two. */
const NEXT_ADDRESS_MS = 250;

/**
 * A client's hold on its server: asks its addresses one after the other to be let in, then all of them again
 * and again. It stays with the one that answers first, says now and then that it is there, and begins anew
 * when that one falls silent.
 */
export class Attachment {
  readonly #options: AttachmentOptions;
  #servers: readonly Peer[] = [];
  /** How many of them were asked. */
  #asked = 0;
  #server: Peer | undefined;
  #heardAt = -Infinity;
  #speaksAt = Infinity;

  constructor(options: AttachmentOptions) {
    this.#options = options;
  }

  /** The address that let the client in. */
  get server(): Peer | undefined {
    return this.#server;
  }

  /** When the server was heard last; `-Infinity` for never. */
  get heardAt(): number {
    return this.#heardAt;
  }

  /** Begins to ask these addresses of one server. */
  begin(servers: readonly Peer[], now: number, out: Outbox<never>): void {
    this.#servers = servers;
    this.#heardAt = -Infinity;
    this.#seek(now);
    this.advance(now, out);
  }

  /** Whether what comes from there may be the server's. */
  isServer(peer: Peer): boolean {
    return this.#server ? peer === this.#server : this.#servers.includes(peer);
  }

  /** The server lets the client in. */
  attach(server: Peer, now: number): void {
    if (this.#server) return;
    this.#server = server;
    this.#speaksAt = now + this.#options.heartbeatMs;
  }

  /** The server said that it ends: it is sought again, a moment later. */
  release(now: number): void {
    this.#seek(now + JOIN_AGAIN_MS);
  }

  /** Something sensible came from it. */
  heard(now: number): void {
    this.#heardAt = now;
  }

  /** Says something to the server; to nobody before it has answered. */
  say(bytes: Uint8Array, now: number, out: Outbox<never>): void {
    if (!this.#server) return;
    out.send(this.#server, bytes);
    this.#speaksAt = now + this.#options.heartbeatMs;
  }

  /** Says what is due. Returns whether the server was lost by its silence. */
  advance(now: number, out: Outbox<never>): boolean {
    const isLost = this.#server !== undefined && now >= this.#lostAt;
    if (isLost) this.#seek(now);
    if (now < this.#speaksAt) return isLost;
    if (this.#server) this.say(madeAt(this.#options.heartbeat, now), now, out);
    else this.#ask(now, out);
    return isLost;
  }

  /** When something is due. */
  nextDeadline(): number {
    return this.#server ? Math.min(this.#speaksAt, this.#lostAt) : this.#speaksAt;
  }

  /** Whether an address is one of the server's. */
  remembers(peer: Peer): boolean {
    return this.#servers.includes(peer);
  }

  #seek(now: number): void {
    this.#server = undefined;
    this.#asked = 0;
    this.#speaksAt = now;
  }

  #ask(now: number, out: Outbox<never>): void {
    const isFirstTurn = this.#asked < this.#servers.length;
    const addresses = isFirstTurn ? [this.#servers[this.#asked++]!] : this.#servers;
    const join = madeAt(this.#options.join, now);
    for (const server of addresses) out.send(server, join);
    const isOneLeft = this.#asked < this.#servers.length;
    this.#speaksAt = now + (isOneLeft ? NEXT_ADDRESS_MS : JOIN_AGAIN_MS);
  }

  get #lostAt(): number {
    return this.#heardAt + this.#options.silenceMs;
  }
}

function madeAt(datagram: Uint8Array | ((now: number) => Uint8Array), now: number): Uint8Array {
  return typeof datagram === "function" ? datagram(now) : datagram;
}
