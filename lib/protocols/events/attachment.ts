import type { Outbox, Peer } from "../engine.ts";

/** Options of an {@link Attachment}. */
export interface AttachmentOptions {
  /** The datagram that asks to be let in. */
  join: Uint8Array;
  /** The datagram that says that the client is still there. */
  heartbeat: Uint8Array;
  /** A server that is not sent anything else gets a heartbeat this often. */
  heartbeatMs: number;
  /** A server not heard for so long is gone; `Infinity` where it has reasons to be silent. */
  silenceMs: number;
}

const JOIN_AGAIN_MS = 1_000;

/**
 * A client's hold on its server: asks all addresses of it to be let in, stays with the one that answers
 * first, says now and then that it is there, and begins anew when that one falls silent.
 */
export class Attachment {
  readonly #options: AttachmentOptions;
  #servers: readonly Peer[] = [];
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
    this.#server = undefined;
    this.#speaksAt = now;
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
    if (isLost) {
      this.#server = undefined;
      this.#speaksAt = now;
    }
    if (now < this.#speaksAt) return isLost;
    const { join, heartbeat } = this.#options;
    if (this.#server) {
      this.say(heartbeat, now, out);
    } else {
      for (const server of this.#servers) out.send(server, join);
      this.#speaksAt = now + JOIN_AGAIN_MS;
    }
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

  get #lostAt(): number {
    return this.#heardAt + this.#options.silenceMs;
  }
}
