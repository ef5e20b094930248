/** The engine of an event server: named events in, named events out, in any format. */
import type { Engine, Member, Membership, Outbox, Peer } from "../engine.ts";
import { SEQUENCE_MAX } from "./delivery.ts";
import {
  copyOf,
  type EventFormat,
  type FormatRefusal,
  type NamedEvent,
  type Payload,
} from "./format.ts";
import { type Client, type Departure, Hub, type HubOwner, type HubRefusal } from "./hub.ts";

/** Why a datagram had no effect: see {@link FormatRefusal} and {@link HubRefusal}. */
export type EventRefusal = FormatRefusal | HubRefusal;

/** What an event server tells its host. */
export type EventServerEvent =
  /** A client is there. */
  | { kind: "connected"; client: Client }
  /** A client sent an event. */
  | { kind: "event"; client: Client; name: string; payload: Payload }
  /** A client is gone. */
  | { kind: "disconnected"; client: Client; reason: Departure }
  /** A datagram had no effect. */
  | { kind: "refused"; peer: Peer; reason: EventRefusal };

/** Options of {@link createEventServer}. */
export interface EventServerEngineOptions {
  /** How events look on the wire. */
  format: EventFormat;
  /** A client that is not heard for so long is gone. Default 35,000. */
  silenceMs?: number;
  /** Clients at most. Default 512. */
  clientsMax?: number;
  /** Clients of one IPv4 address or IPv6 /64 network. Default 64. */
  clientsPerNetworkMax?: number;
  /**
   * From 0 inclusive to 1 exclusive: for what tells this server from others, and where the sequence numbers
   * to a client begin, so that nobody else knows them.
   */
  random: () => number;
}

/** How an event is sent. */
export interface SendOptions {
  /** Whether it is sent until it is acked. Default false: it may be lost. */
  reliable?: boolean;
}

/** An event server. */
export interface EventServerEngine
  extends Engine<EventServerEvent>, Membership<Outbox<EventServerEvent>> {
  /** Who is there, in the order of their coming. */
  readonly clients: ReadonlySet<Client>;
  /**
   * Sends an event to one client. A client that has shown nothing yet may be spared it.
   *
   * @param settled Told once, if it is reliable: whether it was acked, or given up.
   * @throws {TypeError} The format has no form for it.
   * @throws {RangeError} It is too long or nested too deep.
   */
  send(
    client: Client,
    name: string,
    payload: Payload,
    now: number,
    out: Outbox<EventServerEvent>,
    options?: SendOptions & { settled?: (arrived: boolean) => void },
  ): void;
  /** Sends an event to every client but one. Throws as `send` does. */
  sendAll(
    name: string,
    payload: Payload,
    now: number,
    out: Outbox<EventServerEvent>,
    options?: SendOptions & { except?: Client },
  ): void;
  /** Forgets a client. The protocol has no word for it: it is not told. */
  disconnect(client: Client, now: number, out: Outbox<EventServerEvent>): void;
}

/**
 * A client that joins once more is welcomed again so long after it came, or was welcomed: what comes
 * sooner is its first word, repeated or late.
 */
const WELCOME_AGAIN_MS = 2_000;

interface Welcome {
  at: number;
  isOnItsWay: boolean;
}

/** A server for events in a format. */
export function createEventServer(options: EventServerEngineOptions): EventServerEngine {
  return new Server(options);
}

class Server implements EventServerEngine, HubOwner<NamedEvent, EventServerEvent> {
  readonly #format: EventFormat;
  readonly #hub: Hub<NamedEvent, EventServerEvent>;
  /** Tells this server from one that is started anew in its place. */
  readonly #id: number;
  /** The last one to each client. */
  readonly #welcomes = new Map<Client, Welcome>();

  constructor(options: EventServerEngineOptions) {
    const { format, silenceMs = 35_000, clientsMax = 512, clientsPerNetworkMax = 64 } = options;
    this.#format = format;
    this.#id = Math.floor(options.random() * 2 ** 32);
    const firstSequence = (): number => Math.floor(options.random() * (SEQUENCE_MAX + 1));
    this.#hub = new Hub(this, { silenceMs, clientsMax, clientsPerNetworkMax, firstSequence });
  }

  get clients(): ReadonlySet<Client> {
    return this.#hub.clients;
  }

  receive(datagram: Uint8Array, from: Peer, now: number, out: Outbox<EventServerEvent>): void {
    const refusal = this.#receive(datagram, from, now, out);
    if (refusal) out.emit({ kind: "refused", peer: from, reason: refusal });
  }

  advance(now: number, out: Outbox<EventServerEvent>): void {
    this.#hub.advance(now, out);
  }

  nextDeadline(): number {
    return this.#hub.nextDeadline();
  }

  remembers(peer: Peer): boolean {
    return this.#hub.remembers(peer);
  }

  members(): Member[] {
    return this.#hub.members();
  }

  expel(peer: Peer, now: number, out: Outbox<EventServerEvent>): void {
    this.#hub.expel(peer, now, out);
  }

  send(
    client: Client,
    name: string,
    payload: Payload,
    now: number,
    out: Outbox<EventServerEvent>,
    { reliable = false, settled }: SendOptions & { settled?: (arrived: boolean) => void } = {},
  ): void {
    const bytes = this.#format.encode({ kind: "event", name, payload });
    if (!reliable) return this.#sendOnce(client, bytes, now, out);
    // The longest sequence number, so that a first or later copy never is too long.
    this.#format.encode({ kind: "event", name, payload, sequence: SEQUENCE_MAX });
    const copy = copyOf(payload); // It may have to wait.
    const write = (sequence: number): Uint8Array =>
      this.#format.encode({ kind: "event", name, payload: copy, sequence });
    this.#hub.sendReliable(client, { write, settled }, now, out);
  }

  sendAll(
    name: string,
    payload: Payload,
    now: number,
    out: Outbox<EventServerEvent>,
    { reliable = false, except }: SendOptions & { except?: Client } = {},
  ): void {
    const bytes = this.#format.encode({ kind: "event", name, payload });
    for (const client of [...this.clients]) {
      if (client === except) continue;
      if (reliable) this.send(client, name, payload, now, out, { reliable });
      else this.#sendOnce(client, bytes, now, out);
    }
  }

  disconnect(client: Client, now: number, out: Outbox<EventServerEvent>): void {
    this.#hub.close(client, "closed", now, out);
  }

  onAdmitted(client: Client, now: number, out: Outbox<EventServerEvent>): void {
    this.#welcome(client, now, out);
  }

  /** Started anew on the address of an old one: it has to learn its number. */
  onJoinedAgain(client: Client, now: number, out: Outbox<EventServerEvent>): void {
    const { at, isOnItsWay } = this.#welcomes.get(client)!;
    if (!client.isPresent || isOnItsWay || now - at < WELCOME_AGAIN_MS) return;
    this.#welcome(client, now, out);
  }

  onPresent(client: Client, now: number, out: Outbox<EventServerEvent>): void {
    this.#welcomes.get(client)!.at = now;
    out.emit({ kind: "connected", client });
  }

  /** So clients know that the server is there. */
  onHeartbeat(client: Client, out: Outbox<EventServerEvent>): void {
    out.send(client.peer, this.#format.encode({ kind: "heartbeat", isAnswer: true }));
  }

  onMessage(
    client: Client,
    { name, payload }: NamedEvent,
    now: number,
    out: Outbox<EventServerEvent>,
  ): void {
    this.#hub.present(client, now, out);
    // Whoever was just told of it may have sent it away.
    if (this.clients.has(client)) out.emit({ kind: "event", client, name, payload });
  }

  onGone(client: Client, reason: Departure, _now: number, out: Outbox<EventServerEvent>): void {
    this.#welcomes.delete(client);
    if (client.isPresent) out.emit({ kind: "disconnected", client, reason });
  }

  #receive(
    datagram: Uint8Array,
    from: Peer,
    now: number,
    out: Outbox<EventServerEvent>,
  ): EventRefusal | undefined {
    const overspent = this.#hub.overspentBy(from, datagram.length, now);
    if (overspent) return overspent;
    const message = this.#format.decode(datagram);
    if (message.kind === "refused") return message.reason;
    const isServers = message.kind === "welcome" ||
      (message.kind === "heartbeat" && message.isAnswer);
    return isServers ? "event" : this.#hub.receive(message, from, now, out);
  }

  /** What it hears before its welcome, a client takes for the word of a server of before. */
  #welcome(client: Client, now: number, out: Outbox<EventServerEvent>): void {
    const welcome: Welcome = { at: now, isOnItsWay: true };
    this.#welcomes.set(client, welcome);
    const write = (sequence: number): Uint8Array =>
      this.#format.encode({ kind: "welcome", number: client.number, server: this.#id, sequence });
    const settled = (): void => void (welcome.isOnItsWay = false);
    this.#hub.sendReliable(client, { write, settled, isAhead: true }, now, out);
  }

  #sendOnce(client: Client, bytes: Uint8Array, now: number, out: Outbox<EventServerEvent>): void {
    if (!this.clients.has(client) || !this.#hub.maySend(client, bytes.length, now)) return;
    out.send(client.peer, bytes);
  }
}
