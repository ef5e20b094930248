/**
 * The echo server: what one client says is repeated to all of them, itself included.
 *
 * A client is known from its first message on, for it has no way to prove anything; so what a message
 * costs is limited: each network may say so much, and all together may cause so many datagrams.
 *
 * The payload is JSON text inside JSON. The original does not read it, but writes it as JSON once more
 * when it repeats it: who hears it has to decode it twice. So do its clients, and so this.
 */
import { Budget, type Overspent } from "../../parts/budget.ts";
import type { Engine, Member, Membership, Outbox, Peer } from "../engine.ts";
import type { FormatRefusal, NamedEvent } from "../events/format.ts";
import { type Client, type Departure, Hub, type HubOwner, type HubRefusal } from "../events/hub.ts";
import { mayBeJsonObject } from "../../parts/json.ts";
import { jsonFormat, jsonText } from "../events/json.ts";

/**
 * Why a datagram had no effect: see {@link FormatRefusal} and {@link HubRefusal};
 * - `rate`: too many messages come from this network, or have to be repeated at all; or a network that is not
 *   in asks for more than its share
 * - `too-long`: the reply would be longer than clients read
 */
export type EchoRefusal = FormatRefusal | HubRefusal | "too-long";

/** What the server tells its host. */
export type EchoEvent =
  /** A client said something for the first time. */
  | { kind: "joined"; peer: Peer; number: number }
  /** What a client said was repeated to so many. */
  | { kind: "echoed"; peer: Peer; number: number; listeners: number }
  /** A client is gone. */
  | { kind: "left"; peer: Peer; number: number; reason: Departure }
  /** A datagram had no effect. */
  | { kind: "refused"; peer: Peer; reason: EchoRefusal };

/** Options of {@link createEchoServer}. */
export interface EchoServerOptions {
  /** A client not heard for so long is forgotten. Default 30,000. */
  silenceMs?: number;
  /** Clients at most. Default 512. */
  clientsMax?: number;
  /** Clients of one IPv4 address or IPv6 /64 network. Default 64. */
  clientsPerNetworkMax?: number;
  /** Messages a second from one such network, and twice as many at once. Default 100. */
  messagesPerSecond?: number;
  /**
   * Datagrams a second that repeat something, and as many at once; one for each 256 bytes that it has.
   * Default 20,000.
   */
  repliesPerSecond?: number;
}

/** The server's engine. */
export interface EchoServer extends Engine<EchoEvent>, Membership<Outbox<EchoEvent>> {
  /** Who listens, in the order of their coming. */
  readonly clients: ReadonlySet<Client>;
}

/** The one event of this protocol. */
const MESSAGE = "message";
/** A longer reply counts as several: else a few long messages in forged names could fill any line. */
const REPLY_BYTES = 256;
const format = jsonFormat();
/** Junk is no message, but so much of it is read at most. */
const READINGS_PER_MESSAGE = 10;

/** A server for the echo example of udp-socket-server. */
export function createEchoServer(options: EchoServerOptions = {}): EchoServer {
  return new Server(options);
}

class Server implements EchoServer, HubOwner<NamedEvent, EchoEvent> {
  readonly #hub: Hub<NamedEvent, EchoEvent>;
  readonly #messages: Budget;
  /** Datagrams of those who are in that are read to see whether they are messages. */
  readonly #readings: Budget;
  readonly #replies: Budget;

  constructor(options: EchoServerOptions) {
    const { silenceMs = 30_000, clientsMax = 512, clientsPerNetworkMax = 64 } = options;
    const { messagesPerSecond = 100, repliesPerSecond = 20_000 } = options;
    this.#hub = new Hub(this, { silenceMs, clientsMax, clientsPerNetworkMax, hasAcks: false });
    this.#messages = new Budget({
      perSecond: messagesPerSecond,
      burst: Math.max(1, 2 * messagesPerSecond),
      keysMax: 4_096,
    });
    this.#readings = new Budget({
      perSecond: READINGS_PER_MESSAGE * messagesPerSecond,
      burst: READINGS_PER_MESSAGE * Math.max(1, 2 * messagesPerSecond),
      keysMax: 4_096,
    });
    this.#replies = new Budget({
      perSecond: repliesPerSecond,
      burst: repliesPerSecond,
      keysMax: 1,
    });
  }

  get clients(): ReadonlySet<Client> {
    return this.#hub.clients;
  }

  receive(datagram: Uint8Array, from: Peer, now: number, out: Outbox<EchoEvent>): void {
    const refusal = this.#refusalOf(datagram, from, now, out);
    if (refusal) out.emit({ kind: "refused", peer: from, reason: refusal });
  }

  advance(now: number, out: Outbox<EchoEvent>): void {
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

  expel(peer: Peer, now: number, out: Outbox<EchoEvent>): void {
    this.#hub.expel(peer, now, out);
  }

  onAdmitted(client: Client, now: number, out: Outbox<EchoEvent>): void {
    this.#hub.present(client, now, out);
  }

  onPresent({ peer, number }: Client, _now: number, out: Outbox<EchoEvent>): void {
    out.emit({ kind: "joined", peer, number });
  }

  onMessage(client: Client, { payload }: NamedEvent, now: number, out: Outbox<EchoEvent>): void {
    const { peer, number } = client;
    const reply = encodeReply(payload);
    const listeners = this.clients.size;
    if (!reply) return out.emit({ kind: "refused", peer, reason: "too-long" });
    if (!this.#replies.take("", now, listeners * Math.ceil(reply.length / REPLY_BYTES))) {
      return out.emit({ kind: "refused", peer, reason: "rate" });
    }
    for (const { peer } of this.clients) out.send(peer, reply);
    out.emit({ kind: "echoed", peer, number, listeners });
  }

  onGone({ peer, number }: Client, reason: Departure, _now: number, out: Outbox<EchoEvent>): void {
    out.emit({ kind: "left", peer, number, reason });
  }

  /** What is not worth reading. Who is in shares with those of its network who are in, and nobody else. */
  #overspentBy(datagram: Uint8Array, from: Peer, now: number): Overspent | undefined {
    if (!this.#hub.remembers(from)) return this.#hub.overspentBy(from, datagram.length, now);
    return this.#readings.take(from.network, now) ? undefined : "rate";
  }

  /** Only a message that is well formed makes its sender known. */
  #refusalOf(
    datagram: Uint8Array,
    from: Peer,
    now: number,
    out: Outbox<EchoEvent>,
  ): EchoRefusal | undefined {
    if (!mayBeJsonObject(datagram)) return "syntax";
    const overspent = this.#overspentBy(datagram, from, now);
    if (overspent) return overspent;
    const message = format.decode(datagram);
    if (message.kind === "refused") return message.reason;
    if (message.kind !== "event" || message.name !== MESSAGE) return "event";
    if (!this.#messages.take(from.network, now)) return "rate";
    return this.#hub.receive(message, from, now, out);
  }
}

/** Undefined when the second encoding makes it longer than anybody reads. */
function encodeReply(payload: NamedEvent["payload"]): Uint8Array | undefined {
  try {
    return format.encode({ kind: "event", name: MESSAGE, payload: jsonText(payload) });
  } catch (error) {
    if (error instanceof RangeError) return undefined;
    throw error;
  }
}
