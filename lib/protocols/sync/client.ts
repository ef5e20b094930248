/**
 * The SimpleNetSync client: asks for an id, keeps itself alive, hands on snapshots.
 *
 * | state | does | leaves it when |
 * | --- | --- | --- |
 * | idle | nothing | `connect` is called: connecting |
 * | connecting | asks for an id every 0.2 s, each server address in turn | an id arrives: connected |
 * | connected | states, one a second at least; newer snapshots become events | silence: connecting |
 *
 * It also plays on the original server, which answers one id request per address and never again: when
 * no answer comes, `unanswered` asks the host for a new local port.
 */
import type { Engine, Outbox, Peer } from "../engine.ts";
import { decodeServerMessage, encodeIdRequest, encodeState, STATE_BYTES_MAX } from "./wire.ts";

/** What the client tells its host. */
export type SyncClientEvent =
  /** The server gave an id. */
  | { kind: "connected"; server: Peer; id: bigint }
  /** A newer snapshot arrived. `json` is a view, valid during the call; see `parseStates`. */
  | { kind: "snapshot"; number: bigint; json: Uint8Array }
  /** No id for a while: try from another local port. */
  | { kind: "unanswered"; askedMs: number }
  /** Nothing was heard for `silenceMs`; the client asks for an id again. */
  | { kind: "disconnected" };

/** Options of {@link createSyncClient}. */
export interface SyncClientOptions {
  /** Between id requests. Default 200. */
  requestMs?: number;
  /** Between keep-alives. Default 1000. */
  keepAliveMs?: number;
  /** Without any datagram from the server for this long the connection is lost. Default 10,000. */
  silenceMs?: number;
}

/** The client's engine. */
export interface SyncClientEngine extends Engine<SyncClientEvent> {
  /** The id the server gave; undefined before the first answer. Kept while connecting again. */
  readonly id: bigint | undefined;
  /** Whether an id was given and the server was heard lately. */
  readonly connected: boolean;
  /**
   * Starts to ask for an id at one of these addresses; also to go on from a new local port.
   *
   * @throws {RangeError} There is none.
   */
  connect(servers: readonly Peer[], now: number): void;
  /**
   * Sends the client's state, UTF-8 (ASCII for the original server). It is repeated each second until
   * the next one, and sent again with every new connection.
   *
   * @throws {RangeError} More bytes than a datagram holds.
   */
  setState(state: Uint8Array, now: number, out: Outbox<SyncClientEvent>): void;
}

/** A first connection moves to another port after this long without an answer. */
const UNANSWERED_MS = 3_000;
/** A lost one stays longer: a server that knows the port gives the old id. */
const UNANSWERED_AGAIN_MS = 15_000;

/** A SimpleNetSync client. */
export function createSyncClient(options: SyncClientOptions = {}): SyncClientEngine {
  return new Client(options);
}

class Client implements SyncClientEngine {
  readonly #requestMs: number;
  readonly #keepAliveMs: number;
  readonly #silenceMs: number;
  #status: "idle" | "connecting" | "connected" = "idle";
  #servers: readonly Peer[] = [];
  #server: Peer | undefined;
  #id: bigint | undefined;
  #askedSince = 0;
  #requests = 0;
  #requestAt = Infinity;
  #keepAliveAt = Infinity;
  #heardAt = 0;
  #snapshotNumber = -1n;
  /** States count from 1: on the original server a keep-alive that comes first takes the 0. */
  #stateNumber = 0n;
  #state: Uint8Array | undefined;

  constructor(options: SyncClientOptions) {
    this.#requestMs = options.requestMs ?? 200;
    this.#keepAliveMs = options.keepAliveMs ?? 1_000;
    this.#silenceMs = options.silenceMs ?? 10_000;
  }

  get id(): bigint | undefined {
    return this.#id;
  }

  get connected(): boolean {
    return this.#status === "connected";
  }

  connect(servers: readonly Peer[], now: number): void {
    if (servers.length === 0) throw new RangeError("there is no server to connect to");
    this.#servers = servers;
    this.#server = undefined;
    this.#ask(now);
  }

  setState(state: Uint8Array, now: number, out: Outbox<SyncClientEvent>): void {
    if (state.length > STATE_BYTES_MAX) {
      throw new RangeError(
        `a state is at most ${STATE_BYTES_MAX} bytes, this one is ${state.length}`,
      );
    }
    this.#state = state.slice();
    if (this.#status === "connected") this.#sendState(now, out);
  }

  receive(datagram: Uint8Array, from: Peer, now: number, out: Outbox<SyncClientEvent>): void {
    if (!this.#servers.includes(from)) return;
    const message = decodeServerMessage(datagram);
    if (this.#status === "connected" && from === this.#server) {
      this.#heardAt = now;
      if (message.kind !== "snapshot" || message.number <= this.#snapshotNumber) return;
      this.#snapshotNumber = message.number;
      out.emit(message);
    } else if (this.#status === "connecting" && message.kind === "idReply") {
      this.#onId(message.id, from, now, out);
    }
  }

  advance(now: number, out: Outbox<SyncClientEvent>): void {
    if (this.#status === "connected" && now >= this.#heardAt + this.#silenceMs) {
      this.#ask(now);
      out.emit({ kind: "disconnected" });
    }
    if (now >= this.#requestAt) this.#request(now, out);
    if (now >= this.#keepAliveAt) this.#sendState(now, out);
  }

  nextDeadline(): number {
    return this.#status === "connected"
      ? Math.min(this.#keepAliveAt, this.#heardAt + this.#silenceMs)
      : this.#requestAt;
  }

  remembers(peer: Peer): boolean {
    return this.#servers.includes(peer);
  }

  #ask(now: number): void {
    this.#status = "connecting";
    this.#askedSince = now;
    this.#requests = 0;
    this.#requestAt = now;
    this.#keepAliveAt = Infinity;
  }

  #request(now: number, out: Outbox<SyncClientEvent>): void {
    const askedMs = now - this.#askedSince;
    const patienceMs = this.#id === undefined ? UNANSWERED_MS : UNANSWERED_AGAIN_MS;
    if (askedMs >= patienceMs) {
      this.#askedSince = now;
      out.emit({ kind: "unanswered", askedMs });
    }
    const server = this.#servers[this.#requests++ % this.#servers.length]!;
    out.send(server, encodeIdRequest());
    this.#requestAt = now + this.#requestMs;
  }

  #onId(id: bigint, from: Peer, now: number, out: Outbox<SyncClientEvent>): void {
    this.#status = "connected";
    this.#server = from;
    this.#id = id;
    this.#heardAt = now;
    this.#snapshotNumber = -1n;
    this.#requestAt = Infinity;
    this.#keepAliveAt = this.#state ? now : now + this.#keepAliveMs;
    out.emit({ kind: "connected", server: from, id });
  }

  /** The newest state once more is the keep-alive too: so a lost one is not lost for long. */
  #sendState(now: number, out: Outbox<SyncClientEvent>): void {
    this.#keepAliveAt = now + this.#keepAliveMs;
    const datagram = this.#state
      ? encodeState(++this.#stateNumber, this.#state)
      : encodeState(0n, new Uint8Array(0));
    out.send(this.#server!, datagram);
  }
}
