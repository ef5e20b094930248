/** The engine of a message server: who is connected, what they say, and what each is sent. */
import type { Member, Membership, Peer, StreamEnd, StreamEngine, StreamOutbox } from "../engine.ts";
import { Deadlines } from "../../parts/deadlines.ts";
import { Account, type Network, type NetworkRefusal, Networks } from "./networks.ts";
import { Connection, type ConnectionOptions, type Framing } from "./connection.ts";
import type { NetworkMessage } from "./message.ts";
import { Envelope, SENT, type Sent } from "./outgoing.ts";
import type { WireRefusal } from "./wire.ts";

/** Why a client is not connected any more. */
export type Disconnection =
  | StreamEnd
  /** Nothing was heard from it for too long. */
  | "idle"
  /** It did not read what was sent to it. */
  | "slow"
  /** What it sent cannot be read. */
  | "refused"
  /** The server sent it away. */
  | "dropped";

/** Why a connection was not let in, or ended, or a message had no effect. */
export type MessageRefusal =
  | WireRefusal
  | NetworkRefusal
  /** Every place is taken. */
  | "full"
  /** All clients together have begun too much that is not whole, and this one the most of it. */
  | "memory"
  /** A message that a relay cannot pass on to everybody: it is binary, and not all of them are netsync. */
  | "unsendable";

/** What a message server tells its host. */
export type MessageServerEvent =
  | { kind: "connected"; peer: Peer }
  | { kind: "message"; peer: Peer; message: NetworkMessage }
  /** Once for each that was connected, and the last of it. */
  | { kind: "disconnected"; peer: Peer; reason: Disconnection }
  | { kind: "refused"; peer: Peer; reason: MessageRefusal };

/** Options of {@link createMessageServer}. */
export interface MessageServerEngineOptions {
  /** Clients at most. Default 1,024. */
  connectionsMax?: number;
  /** Clients of one IPv4 address or IPv6 /64 network. Default 64. */
  connectionsPerNetworkMax?: number;
  /** The longest message in either direction, headers included. Default 1 MiB. */
  messageBytesMax?: number;
  /**
   * What may wait for a client that has been behind for a second before it is dropped as slow; of what is
   * sent at once four times as much, and a single message always. Default 4 MiB.
   */
  queueBytesMax?: number;
  /** A client not heard for so long is sent away. Default `Infinity`. */
  idleMs?: number;
  /** Between two messages to a client that is no netsync, which would read them as one. Default 20. */
  gapMs?: number;
  /** Whether clients that are netsync may be sent frames. Default `auto`. */
  framing?: Exclude<Framing, "always">;
  /** Messages a second of one client; what comes faster is left to wait where it is. Default 1,000. */
  messagesHzMax?: number;
  /** Bytes a second of all clients of one network; as above. Default 8 MiB. */
  bytesHzMax?: number;
  /**
   * Messages a second that the clients of one network may make the server send; as above. What is sent
   * while a message is heard counts for who said it, a long message once for each KiB. Default 40,000.
   */
  deliveriesHzMax?: number;
  /** Takes the messages. Default: each is an event. */
  onMessage?: (peer: Peer, message: NetworkMessage, now: number, out: MessageOutbox) => void;
}

/** What a message server says something through. */
export type MessageOutbox = StreamOutbox<MessageServerEvent>;

/** A message server. Its members are the clients, but for those that are being dropped. */
export interface MessageServerEngine
  extends StreamEngine<MessageServerEvent>, Membership<MessageOutbox> {
  /** Who is connected, in the order of their coming. */
  readonly clients: Iterable<Peer>;
  /** How many. */
  readonly size: number;
  /** Sends a message to one client. */
  send(peer: Peer, message: NetworkMessage, now: number, out: MessageOutbox): Sent;
  /** Sends a message to many; when some of them cannot be sent it, why, above all that it is unsendable. */
  sendAll(peers: Iterable<Peer>, message: NetworkMessage, now: number, out: MessageOutbox): Sent;
  /** Ends a connection as soon as what was sent has left. */
  drop(peer: Peer, now: number, out: MessageOutbox): void;
  /** Whether anything is heard. While it is not, what the clients say stays where it is. */
  setReading(isReading: boolean, now: number, out: MessageOutbox): void;
  /** Whether what is sent to a client leaves as frames. */
  isFramed(peer: Peer): boolean;
}

/**
 * A server for NetworkMessages.
 *
 * @throws {RangeError} A limit is no number above 0.
 */
export function createMessageServer(
  options: MessageServerEngineOptions = {},
): MessageServerEngine {
  return new MessageServerState(options);
}

const MIB = 2 ** 20;
/**
 * What all clients together may have sent of messages that are not whole: so much, or a few of the longest
 * messages.
 */
const PENDING_BYTES_MAX = 64 * MIB;
const PENDING_MESSAGES_MAX = 4;
/** A host this late was asleep, and heard nobody. */
const ASLEEP_MS = 1_000;
/** Whoever has not been heard out for so long makes room for others, when it is needed. */
const BEHIND_MS_MAX = 5_000;
/** Whoever has not said anything for so long, too. */
const MUTE_MS_MAX = 2_000;
/** Of a message, what counts as one that is sent. */
const DELIVERY_BYTES = 1_024;
const GONE: Sent = {
  ok: false,
  failure: "gone",
  reason: "the client is not connected any more",
};

/** What is kept of a client. */
interface Entry {
  connection: Connection;
  network: Network;
  heardAt: number;
  /** For the messages it says. */
  account: Account;
  /** Whether it is read, and what was is heard. */
  isReading: boolean;
  /** It is not, until what it said is paid for. */
  isPaused: boolean;
  /** Since when there has always been something that was not; Infinity when everything is. */
  behindSince: number;
  /** Sent away as soon as what it was sent before has left. */
  isLeaving: boolean;
  /** What of it is not whole, as it was last counted. */
  pendingBytes: number;
  readonly openedAt: number;
  /** It has not said anything yet. */
  isMute: boolean;
}

class MessageServerState implements MessageServerEngine {
  readonly #connectionsMax: number;
  readonly #idleMs: number;
  readonly #msPerMessage: number;
  readonly #msPerByte: number;
  readonly #msPerDelivery: number;
  readonly #connection: ConnectionOptions;
  readonly #onMessage: NonNullable<MessageServerEngineOptions["onMessage"]>;
  readonly #entries = new Map<Peer, Entry>();
  readonly #networks: Networks;
  readonly #deadlines = new Deadlines<Peer>();
  readonly #pendingBytesMax: number;
  #pendingBytes = 0;
  #deliveries = 0;
  #isReading = true;
  #heardLast: Peer | undefined;
  /** Gone, and nobody was told yet: not while something is sent to many, of whom some may be slow. */
  #farewells: { peer: Peer; reason: Disconnection }[] = [];

  constructor({
    connectionsMax = 1_024,
    connectionsPerNetworkMax = 64,
    messageBytesMax = MIB,
    queueBytesMax = 4 * MIB,
    idleMs = Infinity,
    gapMs = 20,
    framing = "auto",
    messagesHzMax = 1_000,
    bytesHzMax = 8 * MIB,
    deliveriesHzMax = 40_000,
    onMessage = (peer, message, _now, out): void => out.emit({ kind: "message", peer, message }),
  }: MessageServerEngineOptions) {
    this.#onMessage = onMessage;
    const numbers = { connectionsMax, connectionsPerNetworkMax, messageBytesMax, queueBytesMax };
    const rates = { idleMs, messagesHzMax, bytesHzMax, deliveriesHzMax };
    for (const [name, value] of Object.entries({ ...numbers, ...rates })) {
      if (!(value > 0)) throw new RangeError(`${name} is above 0, not ${value}`);
    }
    if (!(gapMs >= 0)) throw new RangeError(`gapMs is not below 0, as ${gapMs} is`);
    this.#connectionsMax = connectionsMax;
    this.#pendingBytesMax = Math.max(PENDING_BYTES_MAX, PENDING_MESSAGES_MAX * messageBytesMax);
    this.#idleMs = idleMs;
    this.#msPerMessage = 1_000 / messagesHzMax;
    this.#msPerByte = 1_000 / bytesHzMax;
    this.#msPerDelivery = 1_000 / deliveriesHzMax;
    this.#networks = new Networks(connectionsPerNetworkMax);
    this.#connection = { end: "server", framing, messageBytesMax, queueBytesMax, gapMs };
  }

  get clients(): Iterable<Peer> {
    return this.#entries.keys();
  }

  get size(): number {
    return this.#entries.size;
  }

  opened(peer: Peer, now: number, out: MessageOutbox): void {
    const network = this.#networks.enter(peer.network, now);
    if (typeof network === "string") {
      out.emit({ kind: "refused", peer, reason: network });
      return out.close(peer);
    }
    if (this.#entries.size >= this.#connectionsMax && !this.#makeRoom(network, now, out)) {
      network.leave();
      out.emit({ kind: "refused", peer, reason: "full" });
      return out.close(peer);
    }
    const connection = new Connection(peer, this.#connection, out);
    const entry: Entry = {
      connection,
      network,
      heardAt: now,
      account: new Account(now),
      isReading: true,
      isPaused: false,
      behindSince: Infinity,
      isLeaving: false,
      pendingBytes: 0,
      openedAt: now,
      isMute: true,
    };
    this.#entries.set(peer, entry);
    this.#setReading(peer, entry, this.#isReading, now, out);
    this.#await(peer, entry);
    out.emit({ kind: "connected", peer });
    this.#sayFarewells(out);
  }

  receive(chunk: Uint8Array, from: Peer, now: number, out: MessageOutbox): void {
    const entry = this.#entries.get(from);
    if (!entry) return;
    entry.heardAt = now;
    entry.isMute = false;
    entry.network.bytes.charge(chunk.length * this.#msPerByte, now);
    this.#pauseIfInDebt(from, entry, now, out);
    this.#hear(
      from,
      entry,
      now,
      out,
      (connection, heard) => connection.receive(chunk, now, out, heard),
    );
    this.#await(from, entry);
    this.#sayFarewells(out);
  }

  ended(peer: Peer, end: StreamEnd, now: number, out: MessageOutbox): void {
    const entry = this.#entries.get(peer);
    if (!entry) return;
    // Who said so much that it has to wait, and is gone without a word, is not heard out.
    if (!entry.isPaused || end === "closed") {
      entry.isPaused = true; // It is not asked to wait for what is its last.
      this.#hear(peer, entry, now, out, (connection, heard) => connection.finish(out, heard));
    }
    this.#forget(peer, entry.isLeaving ? "dropped" : end);
    this.#sayFarewells(out);
  }

  advance(now: number, out: MessageOutbox): void {
    const wasAsleep = now - this.#deadlines.next() >= ASLEEP_MS;
    for (let peer: Peer | undefined; (peer = this.#deadlines.takeDue(now));) {
      const entry = this.#entries.get(peer)!;
      // Who is not read has not been silent.
      if (entry.isReading && entry.heardAt + this.#idleMs <= now) {
        if (!wasAsleep) {
          this.#drop(peer, "idle", out);
          continue;
        }
        entry.heardAt = now; // What it said meanwhile is still to be read.
      }
      this.#advance(peer, entry, now, out);
    }
    this.#sayFarewells(out);
  }

  nextDeadline(): number {
    return this.#farewells.length > 0 ? -Infinity : this.#deadlines.next();
  }

  remembers(peer: Peer): boolean {
    return this.#entries.has(peer);
  }

  isFramed(peer: Peer): boolean {
    return this.#entries.get(peer)?.connection.isFramed ?? false;
  }

  send(peer: Peer, message: NetworkMessage, now: number, out: MessageOutbox): Sent {
    return this.#send(peer, new Envelope(message), now, out);
  }

  sendAll(peers: Iterable<Peer>, message: NetworkMessage, now: number, out: MessageOutbox): Sent {
    const envelope = new Envelope(message);
    let sent = SENT;
    for (const peer of peers) {
      const toThis = this.#send(peer, envelope, now, out);
      if (sent.ok || toThis.failure === "unsendable") sent = toThis;
    }
    return sent;
  }

  drop(peer: Peer, _now: number, out: MessageOutbox): void {
    const entry = this.#entries.get(peer);
    if (!entry?.connection.isWaiting) return this.#drop(peer, "dropped", out);
    entry.isLeaving = true;
    entry.connection.end();
  }

  members(): Member[] {
    const members: Member[] = [];
    for (const [peer, { isLeaving }] of this.#entries) {
      if (!isLeaving) members.push({ peer, name: peer.address });
    }
    return members;
  }

  expel(peer: Peer, _now: number, out: MessageOutbox): void {
    this.#drop(peer, "dropped", out);
  }

  flush(out: MessageOutbox): void {
    for (const { connection } of this.#entries.values()) connection.flush(out);
  }

  #send(peer: Peer, envelope: Envelope, now: number, out: MessageOutbox): Sent {
    const entry = this.#entries.get(peer);
    if (!entry || entry.isLeaving) return GONE;
    const sent = entry.connection.send(envelope, now, out);
    this.#deliveries += 1 + Math.floor(envelope.bytes / DELIVERY_BYTES);
    if (sent.failure === "full") this.#drop(peer, "slow", out);
    else this.#await(peer, entry);
    return sent;
  }

  /** Lets a connection hear something, with all that may come of it. */
  #hear(
    peer: Peer,
    entry: Entry,
    now: number,
    out: MessageOutbox,
    hear: (
      connection: Connection,
      heard: (message: NetworkMessage) => void,
    ) => WireRefusal | undefined,
  ): void {
    const { connection } = entry;
    const refusal = hear(connection, (message) => {
      this.#heardLast = peer;
      const before = this.#deliveries;
      entry.account.charge(this.#msPerMessage, now);
      this.#onMessage(peer, message, now, out);
      const costMs = (this.#deliveries - before) * this.#msPerDelivery;
      if (costMs > 0) this.#networks.chargeDeliveries(entry.network, costMs, now);
      this.#pauseIfInDebt(peer, entry, now, out);
    });
    if (!this.#entries.has(peer)) return; // Sent away for what it said.
    this.#pendingBytes += connection.pendingBytes - entry.pendingBytes;
    entry.pendingBytes = connection.pendingBytes;
    if (refusal) this.#refuse(peer, refusal, out);
    while (this.#pendingBytes > this.#pendingBytesMax) {
      this.#refuse(this.#mostPending()!, "memory", out);
    }
  }

  /**
   * Sends somebody away who said so much that it has not been heard out for long, and may be gone unnoticed:
   * of all who wait for their own messages, not for those of their network, the one with the most to say.
   * Otherwise one who never said anything, and has more neighbours than the newcomer: who opens connections
   * only to hold them keeps nobody out.
   */
  #makeRoom(newcomers: Network, now: number, out: MessageOutbox): boolean {
    const peer =
      this.#mostPending(({ behindSince, account }) =>
        account.paidUntil > now && now - behindSince >= BEHIND_MS_MAX
      ) ?? this.#mostCrowdedMute(newcomers, now);
    if (peer) this.#refuse(peer, "rate", out);
    return peer !== undefined;
  }

  #mostCrowdedMute(newcomers: Network, now: number): Peer | undefined {
    let most = newcomers.connections;
    let found: Peer | undefined;
    for (const [peer, { isMute, openedAt, network: { connections } }] of this.#entries) {
      if (!isMute || connections <= most || now - openedAt < MUTE_MS_MAX) continue;
      most = connections;
      found = peer;
    }
    return found;
  }

  #mostPending(isMeant: (entry: Entry) => boolean = (): boolean => true): Peer | undefined {
    let most = -1;
    let found: Peer | undefined;
    for (const [peer, entry] of this.#entries) {
      if (entry.pendingBytes <= most || !isMeant(entry)) continue;
      most = entry.pendingBytes;
      found = peer;
    }
    return found;
  }

  setReading(isReading: boolean, now: number, out: MessageOutbox): void {
    if (this.#isReading === isReading) return;
    this.#isReading = isReading;
    for (const [peer, entry] of this.#inTurn()) {
      if (this.#isReading !== isReading) return; // What was heard was too much already.
      if (entry.isPaused || !this.#entries.has(peer)) continue;
      this.#setReading(peer, entry, isReading, now, out);
      if (isReading) this.#advance(peer, entry, now, out);
      else this.#await(peer, entry);
    }
    this.#sayFarewells(out);
  }

  /** All clients, beginning behind the one that was heard last: so each has its turn. */
  #inTurn(): [Peer, Entry][] {
    const all = [...this.#entries];
    const at = all.findIndex(([peer]) => peer === this.#heardLast) + 1;
    return [...all.slice(at), ...all.slice(0, at)];
  }

  #setReading(
    peer: Peer,
    entry: Entry,
    isReading: boolean,
    now: number,
    out: MessageOutbox,
  ): void {
    if (entry.isReading === isReading) return;
    entry.isReading = isReading;
    if (isReading) entry.heardAt = now;
    entry.connection.hold(!isReading, now);
    out.setReading(peer, isReading);
  }

  #advance(peer: Peer, entry: Entry, now: number, out: MessageOutbox): void {
    const { connection } = entry;
    if (entry.isPaused && paidUntil(entry) <= now) {
      entry.isPaused = false;
      this.#setReading(peer, entry, this.#isReading, now, out);
    }
    this.#hear(peer, entry, now, out, (connection, heard) => connection.advance(now, out, heard));
    if (!entry.isPaused) entry.behindSince = Infinity;
    if (entry.isLeaving && !connection.isWaiting) this.#drop(peer, "dropped", out);
    this.#await(peer, entry);
  }

  /** Who said too much has to wait: with what is here, and by TCP with what it still has to say. */
  #pauseIfInDebt(peer: Peer, entry: Entry, now: number, out: MessageOutbox): void {
    if (entry.isPaused || paidUntil(entry) <= now || !this.#entries.has(peer)) return;
    entry.isPaused = true;
    if (entry.behindSince === Infinity) entry.behindSince = now;
    this.#setReading(peer, entry, false, now, out);
  }

  /** Sets when a client is looked at again. */
  #await(peer: Peer, entry: Entry): void {
    if (!this.#entries.has(peer)) return;
    const { connection, isReading, isPaused } = entry;
    const idleAt = isReading ? entry.heardAt + this.#idleMs : Infinity;
    const at = Math.min(connection.dueAt, idleAt, isPaused ? paidUntil(entry) : Infinity);
    if (at === Infinity) this.#deadlines.delete(peer);
    else this.#deadlines.set(peer, at);
  }

  #refuse(peer: Peer, reason: MessageRefusal, out: MessageOutbox): void {
    out.emit({ kind: "refused", peer, reason });
    this.#drop(peer, "refused", out);
  }

  #drop(peer: Peer, reason: Disconnection, out: MessageOutbox): void {
    if (!this.#entries.has(peer)) return;
    this.#forget(peer, reason);
    out.close(peer);
  }

  #forget(peer: Peer, reason: Disconnection): void {
    const entry = this.#entries.get(peer);
    if (!entry) return;
    this.#pendingBytes -= entry.pendingBytes;
    entry.connection.close();
    if (this.#heardLast === peer) this.#heardLast = undefined;
    this.#entries.delete(peer);
    this.#deadlines.delete(peer);
    entry.network.leave();
    this.#farewells.push({ peer, reason });
  }

  #sayFarewells(out: MessageOutbox): void {
    while (this.#farewells.length > 0) {
      const { peer, reason } = this.#farewells.shift()!;
      out.emit({ kind: "disconnected", peer, reason });
    }
  }
}

/** When a client that is not read is read again. */
function paidUntil({ account, network }: Entry): number {
  return Math.max(account.paidUntil, network.paidUntil);
}
