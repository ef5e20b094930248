/** The engine of an event client: joins, acks, and says events. */
import type { Engine, Outbox, Peer } from "../engine.ts";
import { Recent } from "../../parts/recent.ts";
import { Attachment } from "../attachment.ts";
import { SEQUENCE_MAX } from "./delivery.ts";
import type { EventFormat, FormatRefusal, Payload, Welcome } from "./format.ts";

/** What an event client tells its host. */
export type EventClientEvent =
  /** The server lets it in; again with another number when it had forgotten it. */
  | { kind: "connected"; number: number }
  /** The server was not heard for too long; it is asked again to let us in. */
  | { kind: "disconnected" }
  /**
   * An event from the server. A reliable one comes once, however often it was sent; under another number what
   * was said to the one before may come once more.
   */
  | { kind: "event"; name: string; payload: Payload }
  /** A datagram had no effect. */
  | { kind: "refused"; peer: Peer; reason: FormatRefusal | "stranger" };

/** Options of {@link createEventClient}. */
export interface EventClientEngineOptions {
  /** How events look on the wire. */
  format: EventFormat;
  /** A server that is not sent anything else hears this often that the client is there. Default 2,000. */
  heartbeatMs?: number;
  /** A server not heard for so long is gone; its answers to heartbeats count. Default 10,000. */
  silenceMs?: number;
}

/** An event client. */
export interface EventClientEngine extends Engine<EventClientEvent> {
  /** The number the server gave; undefined before. */
  readonly number: number | undefined;
  /** Begins to ask a server to let it in, at all of these addresses. */
  connect(servers: readonly Peer[], now: number, out: Outbox<EventClientEvent>): void;
  /**
   * Says an event. It may be lost; while there is no connection it is.
   *
   * @throws {TypeError} The format has no form for it.
   * @throws {RangeError} It is too long or nested too deep.
   */
  send(name: string, payload: Payload, now: number, out: Outbox<EventClientEvent>): void;
}

/** A client for events in a format. */
export function createEventClient(options: EventClientEngineOptions): EventClientEngine {
  return new EventClientState(options);
}

/**
 * So many reliable messages are remembered: half as many as there are numbers. A server may send
 * thousands before it repeats one, but as many again before another one bears its number.
 */
const SEEN_MAX = Math.floor(SEQUENCE_MAX / 2);

class EventClientState implements EventClientEngine {
  readonly #format: EventFormat;
  readonly #attachment: Attachment;
  readonly #seen = new Recent(SEEN_MAX);
  #welcome: Welcome | undefined;
  /** Of whom `#seen` is: the last one, also while it is lost. It may not have noticed. */
  #lastWelcome: Welcome | undefined;

  constructor({ format, heartbeatMs = 2_000, silenceMs = 10_000 }: EventClientEngineOptions) {
    this.#format = format;
    const join = format.encode({ kind: "join" });
    const heartbeat = format.encode({ kind: "heartbeat" });
    this.#attachment = new Attachment({ join, heartbeat, heartbeatMs, silenceMs });
  }

  get number(): number | undefined {
    return this.#welcome?.number;
  }

  connect(servers: readonly Peer[], now: number, out: Outbox<EventClientEvent>): void {
    this.#welcome = this.#lastWelcome = undefined;
    this.#seen.clear();
    this.#attachment.begin(servers, now, out);
  }

  send(name: string, payload: Payload, now: number, out: Outbox<EventClientEvent>): void {
    this.#attachment.say(this.#format.encode({ kind: "event", name, payload }), now, out);
  }

  receive(datagram: Uint8Array, from: Peer, now: number, out: Outbox<EventClientEvent>): void {
    const refusal = this.#receive(datagram, from, now, out);
    if (refusal) out.emit({ kind: "refused", peer: from, reason: refusal });
  }

  advance(now: number, out: Outbox<EventClientEvent>): void {
    if (!this.#attachment.advance(now, out)) return;
    this.#welcome = undefined;
    out.emit({ kind: "disconnected" });
  }

  nextDeadline(): number {
    return this.#attachment.nextDeadline();
  }

  remembers(peer: Peer): boolean {
    return this.#attachment.remembers(peer);
  }

  #receive(
    datagram: Uint8Array,
    from: Peer,
    now: number,
    out: Outbox<EventClientEvent>,
  ): FormatRefusal | "stranger" | undefined {
    if (!this.#attachment.isServer(from)) return "stranger";
    const message = this.#format.decode(datagram);
    if (message.kind === "refused") return message.reason;
    if (message.kind === "join" || message.kind === "ack") return "event";
    this.#attachment.heard(now);
    if (message.kind === "welcome") this.#attachment.attach(from, now);
    if (!this.#attachment.server || message.kind === "heartbeat") return undefined;
    const { sequence } = message;
    if (sequence !== undefined) {
      const ack = this.#format.encode({ kind: "ack", sequences: [sequence] });
      this.#attachment.say(ack, now, out);
    }
    if (message.kind === "welcome") {
      this.#onWelcome(message, out);
    } else if (sequence === undefined || this.#seen.add(sequence)) {
      out.emit({ kind: "event", name: message.name, payload: message.payload });
    }
    return undefined;
  }

  /** By another number or of another server, it begins anew: nothing of before holds. */
  #onWelcome(welcome: Welcome, out: Outbox<EventClientEvent>): void {
    const { number, server } = welcome;
    if (this.#welcome?.number === number && this.#welcome.server === server) return;
    const last = this.#lastWelcome;
    if (last?.number !== number || last.server !== server) this.#seen.clear();
    this.#welcome = this.#lastWelcome = welcome;
    out.emit({ kind: "connected", number });
  }
}
