/**
 * What every server of events has in common, whatever its events look like: who is there, who has shown
 * that it hears us, and what has to arrive.
 *
 * | stage | begins with | is sent | ends |
 * | --- | --- | --- | --- |
 * | unproved | a first message, unless it is an ack | what its owner says on admission, three times at most | 10 s after |
 * | present | an ack of that, or what only a player says | everything; before its first ack within a budget | after `silenceMs` of silence, 10 s before its first ack |
 *
 * Whoever forges a sender's address cannot ack for it. So a victim gets little: a welcome, and what the
 * budget of its network allows. Loopback addresses cannot be forged from outside, and are believed.
 */
import {
  Budget,
  datagramsIn,
  type Overspent,
  type SharedBudget,
  strangersDatagrams,
} from "../../parts/budget.ts";
import { Deadlines } from "../../parts/deadlines.ts";
import { isLoopback } from "../../parts/ip.ts";
import type { Member, Outbox, Peer } from "../engine.ts";
import { Delivery, type Reliable, Sequence } from "./delivery.ts";

/** Somebody who is connected. */
export interface Client {
  /** Its address. */
  readonly peer: Peer;
  /** From 1; never given twice. */
  readonly number: number;
  /** Whether it takes part: it has shown that it hears us, or it plays. */
  readonly isPresent: boolean;
}

/** Why a client is gone: it was not heard, the server sent it away, or somebody else needed its place. */
export type Departure = "silent" | "closed" | "displaced";

/**
 * Why the hub takes no notice of a datagram:
 * - `full`: every place is taken
 * - `full-network`: too many come from one IPv4 address or IPv6 /64 network
 * - `stranger`: an ack from an address that was sent nothing
 * - `rate`: too much comes from one network that has shown nothing, or more than its share in a flood
 * - `busy`: too much comes from everywhere
 */
export type HubRefusal = "full" | "full-network" | "stranger" | Overspent;

/** A client says that it is there; or a server says so in answer, for which there is no answer. */
export interface Heartbeat {
  /** What it is. */
  readonly kind: "heartbeat";
  /** There for a server's answer alone. */
  readonly isAnswer?: true;
}

/** What all formats know; everything else is a message of the owner's. */
export type HubMessage =
  | { readonly kind: "join" }
  | Heartbeat
  | { readonly kind: "ack"; readonly sequences: readonly number[] };

/** Options of a {@link Hub}. */
export interface HubOptions {
  /** A client that is not heard for so long is gone. */
  silenceMs: number;
  /** Clients that are present. */
  clientsMax: number;
  /** Clients of one IPv4 address or IPv6 /64 network that are present, and those that are not yet, each. */
  clientsPerNetworkMax: number;
  /**
   * Those that are not present yet, of all networks; in a flood the more there are, the more time each has to
   * answer. Default 8 for each of `clientsMax`.
   */
  unprovedMax?: number;
  /** Whether clients ack what asks for it. Default true. Otherwise nobody can prove anything. */
  hasAcks?: boolean;
  /**
   * Gives where the sequence numbers of the next client begin: each has a row of its own, and so can tell
   * a copy from what bears the same number much later, and nobody knows the numbers of somebody else. Default:
   * all share one row.
   */
  firstSequence?: () => number;
}

/** The server a hub works for. */
export interface HubOwner<Message, Event> {
  /** An address is there for the first time. What it is sent now must be little. */
  onAdmitted(client: Client, now: number, out: Outbox<Event>): void;
  /** Somebody whom an earlier server knew is heard for the first time. */
  onHeardAgain?(client: Client, now: number, out: Outbox<Event>): void;
  /** A known client joins once more. */
  onJoinedAgain?(client: Client, now: number, out: Outbox<Event>): void;
  /** Everything may be sent to it from now on. */
  onPresent(client: Client, now: number, out: Outbox<Event>): void;
  /** Somebody present says that it is there. */
  onHeartbeat?(client: Client, out: Outbox<Event>): void;
  /** It says something that is the owner's to understand. */
  onMessage(client: Client, message: Message, now: number, out: Outbox<Event>): void;
  /** It is forgotten, whether it was present or not. */
  onGone(client: Client, reason: Departure, now: number, out: Outbox<Event>): void;
}

const UNPROVED_MS = 10_000;
/** A host this late was asleep. */
const ASLEEP_MS = 1_000;
const UNPROVED_PER_PLACE = 8;
/** Somebody present for so long without an ack makes room, when every place is taken. */
const TRIAL_MS = 5_000;
/**
 * Reliable messages on their way to one client, after and before its first ack: so few that all clients
 * together do not overrun the host's queue, when something has to be told to everybody.
 */
const ON_THE_WAY_MAX = 8;
const ON_THE_WAY_UNPROVED_MAX = 2;
/** So many numbers a client may try before one of them is right: whoever forges its address has to guess. */
const FIRST_ACKS_MAX = 64;
/** What a network is sent while its clients are present, but have acked nothing, in bytes; */
const TRIAL_BUDGET = { perSecond: 2_000, burst: 16_000, keysMax: 4_096 };
/** and of reliable messages, which the others must not crowd out. */
const RELIABLE_TRIAL_BUDGET = { ...TRIAL_BUDGET, perSecond: 1_000 };

class Session implements Client {
  readonly peer: Peer;
  readonly number: number;
  readonly delivery: Delivery;
  isPresent = false;
  /** It acked something, or nobody could forge its address, or nobody is asked to ack. */
  isBelieved: boolean;
  /** An earlier server knew it, and this one has not heard it: it is sent nothing. */
  isUnheard = false;
  /** Numbers it acked before one of them was right. */
  guesses = 0;
  presentAt = Infinity;

  constructor(peer: Peer, number: number, sequence: Sequence, isBelieved: boolean) {
    this.isBelieved = isBelieved;
    this.peer = peer;
    this.number = number;
    this.delivery = new Delivery(sequence);
  }

  get onTheWayMax(): number {
    return this.isBelieved ? ON_THE_WAY_MAX : ON_THE_WAY_UNPROVED_MAX;
  }
}

/** Those of one network. */
interface Network {
  present: number;
  /** In the order of their coming. */
  readonly unproved: Set<Session>;
}

/** Who is connected to an event server, and what is on its way to them. */
export class Hub<Message extends { kind: string }, Event> {
  readonly #owner: HubOwner<Message, Event>;
  readonly #options: HubOptions & { hasAcks: boolean; unprovedMax: number };
  /** The row that clients share who have none of their own. */
  #sequence = new Sequence();
  readonly #sessions = new Map<Peer, Session>();
  readonly #unproved = new Set<Session>();
  readonly #present = new Set<Session>();
  readonly #networks = new Map<string, Network>();
  readonly #strangers: SharedBudget;
  readonly #silences = new Deadlines<Session>();
  readonly #deliveries = new Deadlines<Session>();
  readonly #trialBudget = new Budget(TRIAL_BUDGET);
  readonly #reliableTrialBudget = new Budget(RELIABLE_TRIAL_BUDGET);
  #nextNumber = 1;
  #resends = 0;

  constructor(owner: HubOwner<Message, Event>, options: HubOptions) {
    this.#owner = owner;
    const unprovedMax = UNPROVED_PER_PLACE * options.clientsMax;
    this.#options = { hasAcks: true, unprovedMax, ...options };
    this.#strangers = strangersDatagrams({ placesPerNetwork: options.clientsPerNetworkMax });
  }

  /** Those who are present, in the order of their coming. */
  get clients(): ReadonlySet<Client> {
    return this.#present;
  }

  /** The same as members. */
  members(): Member[] {
    return Array.from(this.#present, ({ peer, number }) => ({ peer, name: String(number) }));
  }

  /** How many have not shown yet that they hear us. */
  get unproved(): number {
    return this.#unproved.size;
  }

  /** Reliable messages that were sent again so far. */
  get resends(): number {
    return this.#resends;
  }

  /** Reliable messages that are on their way or wait. */
  get undelivered(): number {
    let sum = 0;
    for (const { delivery } of this.#sessions.values()) sum += delivery.size;
    return sum;
  }

  /**
   * Why a datagram from there is not worth reading; undefined when it is. To be asked before.
   *
   * Who is present pays nothing here, so no flood of others keeps it from playing.
   */
  overspentBy(peer: Peer, bytes: number, now: number): Overspent | undefined {
    if (this.#sessions.get(peer)?.isPresent) return undefined;
    return this.#strangers.take(peer.network, now, datagramsIn(bytes));
  }

  /**
   * Takes a message from anybody.
   *
   * @returns Why it was taken no notice of, or undefined.
   */
  receive(
    message: HubMessage | Message,
    from: Peer,
    now: number,
    out: Outbox<Event>,
  ): HubRefusal | undefined {
    const known = this.#sessions.get(from);
    // An ack is no reason to let somebody in: it answers a server of before.
    if (!known && message.kind === "ack") return "stranger";
    const session = known ?? this.#admit(from, now, out);
    if (typeof session === "string") return session;
    if (!this.#isOpen(session)) return undefined; // Its owner sent it away at once.
    if (session.isUnheard) {
      session.isUnheard = false;
      this.#owner.onHeardAgain?.(session, now, out);
    }
    this.#heard(session, now);
    switch (message.kind) {
      case "ack":
        this.#acked(session, (message as HubMessage & { kind: "ack" }).sequences, now, out);
        break;
      case "join":
        if (known) this.#owner.onJoinedAgain?.(session, now, out);
        break;
      case "heartbeat":
        if (session.isPresent) this.#owner.onHeartbeat?.(session, out);
        break;
      default:
        this.#owner.onMessage(session, message as Message, now, out);
    }
    this.#deliver(session, now, out);
    return undefined;
  }

  /** The number of the next client. */
  get nextNumber(): number {
    return this.#nextNumber;
  }

  /** The number of the next message in the row that all share. */
  get sequence(): number {
    return this.#sequence.next;
  }

  /** Everybody, and whether it acked anything: those who are present in the order of their coming, first. */
  all(): { client: Client; isBelieved: boolean }[] {
    const sessions = [...this.#present, ...this.#unproved];
    return sessions.map((client) => ({ client, isBelieved: client.isBelieved }));
  }

  /** Goes on with the numbers of an earlier server. */
  resumeAt(nextNumber: number, sequence: number): void {
    this.#nextNumber = nextNumber;
    this.#sequence = new Sequence(sequence);
  }

  /**
   * Takes in somebody whom an earlier server knew, if there is a place. Nothing is sent to it before it is
   * heard.
   */
  resume(
    peer: Peer,
    { number, isPresent, isBelieved }: { number: number; isPresent: boolean; isBelieved: boolean },
    now: number,
  ): Client | undefined {
    if (this.#sessions.has(peer)) return undefined;
    const { clientsMax, clientsPerNetworkMax, unprovedMax } = this.#options;
    const { present = 0, unproved } = this.#networks.get(peer.network) ?? {};
    const neighbours = isPresent ? present : unproved?.size ?? 0;
    const hasPlace = isPresent
      ? this.#present.size < clientsMax
      : this.#unproved.size < unprovedMax;
    if (neighbours >= clientsPerNetworkMax || !hasPlace) return undefined;
    const session = new Session(peer, number, this.#rowOf(), isBelieved || isLoopback(peer.ip));
    session.isUnheard = true;
    this.#enter(session, now);
    if (!isPresent) return session;
    this.#becomePresent(session, now);
    return session;
  }

  /** The client did what only somebody does who plays. Without a place for it, nothing happens. */
  present(client: Client, now: number, out: Outbox<Event>): void {
    const session = client as Session;
    if (session.isPresent || !this.#isOpen(session)) return;
    // Who makes room may take others along.
    if (this.#obstacleFor(session.peer, now, out) || !this.#isOpen(session)) return;
    this.#becomePresent(session, now);
    this.#owner.onPresent(session, now, out);
  }

  /** Whether so many bytes more may be sent to somebody present; if so, they are accounted for. */
  maySend(client: Client, bytes: number, now: number): boolean {
    return this.#mayBeSent(client as Session, bytes, now, this.#trialBudget);
  }

  /** The number of the next message to anybody, in the row that all share. */
  nextSequence(): number {
    return this.#sequence.take();
  }

  /** Sends something until it is acked. */
  sendReliable(client: Client, message: Reliable, now: number, out: Outbox<Event>): void {
    const session = client as Session;
    if (!this.#isOpen(session)) return message.settled?.(false);
    session.delivery.add(message);
    this.#deliver(session, now, out);
  }

  /** Ends a connection. */
  close(client: Client, reason: Departure, now: number, out: Outbox<Event>): void {
    const session = client as Session;
    if (!this.#isOpen(session)) return;
    this.#leave(session);
    this.#silences.delete(session);
    this.#deliveries.delete(session);
    session.delivery.close();
    this.#owner.onGone(session, reason, now, out);
  }

  /** Ends the connection of an address, if there is one. */
  expel(peer: Peer, now: number, out: Outbox<Event>): void {
    const session = this.#sessions.get(peer);
    if (session) this.close(session, "closed", now, out);
  }

  /** Does what is due. */
  advance(now: number, out: Outbox<Event>): void {
    if (now - this.nextDeadline() >= ASLEEP_MS) this.#excuseAll(now);
    for (let session; (session = this.#silences.takeDue(now));) {
      this.close(session, "silent", now, out);
    }
    for (let session; (session = this.#deliveries.takeDue(now));) this.#deliver(session, now, out);
  }

  /** When something is due. */
  nextDeadline(): number {
    return Math.min(this.#silences.next(), this.#deliveries.next());
  }

  /** Whether an address is known. */
  remembers(peer: Peer): boolean {
    return this.#sessions.has(peer);
  }

  #admit(peer: Peer, now: number, out: Outbox<Event>): Session | HubRefusal {
    const obstacle = this.#obstacleFor(peer, now, out);
    if (obstacle) return obstacle;
    const { clientsPerNetworkMax, hasAcks, unprovedMax } = this.#options;
    const neighbours = this.#networks.get(peer.network)?.unproved;
    if (neighbours) this.#displaceEldest(neighbours, clientsPerNetworkMax, now, out);
    this.#displaceEldest(this.#unproved, unprovedMax, now, out);
    const isBelieved = !hasAcks || isLoopback(peer.ip);
    const session = new Session(peer, this.#nextNumber++, this.#rowOf(), isBelieved);
    this.#enter(session, now);
    this.#owner.onAdmitted(session, now, out);
    return session;
  }

  #enter(session: Session, now: number): void {
    const { network } = session.peer;
    const known = this.#networks.get(network) ?? { present: 0, unproved: new Set() };
    this.#networks.set(network, known);
    this.#sessions.set(session.peer, session);
    this.#unproved.add(session);
    known.unproved.add(session);
    this.#silences.set(session, now + UNPROVED_MS);
  }

  #becomePresent(session: Session, now: number): void {
    session.isPresent = true;
    session.presentAt = now;
    const network = this.#networks.get(session.peer.network)!;
    this.#unproved.delete(session);
    network.unproved.delete(session);
    this.#present.add(session);
    network.present++;
    this.#heard(session, now);
  }

  #leave(session: Session): void {
    const network = this.#networks.get(session.peer.network)!;
    this.#sessions.delete(session.peer);
    this.#unproved.delete(session);
    network.unproved.delete(session);
    if (this.#present.delete(session)) network.present--;
    if (network.present + network.unproved.size === 0) this.#networks.delete(session.peer.network);
  }

  /** What keeps one more from there from being present; somebody who never acks loses its place. */
  #obstacleFor(
    { network }: Peer,
    now: number,
    out: Outbox<Event>,
  ): "full" | "full-network" | undefined {
    const { clientsMax, clientsPerNetworkMax } = this.#options;
    const isNeighbour = ({ peer }: Session): boolean => peer.network === network;
    const neighbours = this.#networks.get(network)?.present ?? 0;
    if (neighbours >= clientsPerNetworkMax && !this.#displaceIdle(isNeighbour, now, out)) {
      return "full-network";
    }
    if (this.#present.size < clientsMax) return undefined;
    return this.#displaceIdle((): boolean => true, now, out) ? undefined : "full";
  }

  /** Takes the place of somebody who is present and never acks. */
  #displaceIdle(isMeant: (session: Session) => boolean, now: number, out: Outbox<Event>): boolean {
    for (const session of this.#present) {
      if (session.isBelieved || now - session.presentAt < TRIAL_MS || !isMeant(session)) continue;
      this.close(session, "displaced", now, out);
      return true;
    }
    return false;
  }

  /** Who is slow to answer makes room: a flood of forged addresses keeps nobody out who answers soon. */
  #displaceEldest(
    unproved: ReadonlySet<Session>,
    most: number,
    now: number,
    out: Outbox<Event>,
  ): void {
    const [eldest] = unproved;
    if (eldest && unproved.size >= most) this.close(eldest, "displaced", now, out);
  }

  #heard(session: Session, now: number): void {
    if (!session.isPresent) return; // It could be anybody, and has its time.
    this.#silences.set(session, now + this.#patienceMs(session));
    session.delivery.heard();
  }

  /** Nobody could be heard, and heartbeats may be half a minute apart. */
  #excuseAll(now: number): void {
    for (const session of this.#present) {
      this.#silences.set(session, now + this.#patienceMs(session));
    }
  }

  #patienceMs({ isBelieved }: Session): number {
    const { silenceMs } = this.#options;
    return isBelieved ? silenceMs : Math.min(silenceMs, UNPROVED_MS);
  }

  #acked(
    session: Session,
    sequences: readonly number[],
    now: number,
    out: Outbox<Event>,
  ): void {
    if (!session.isBelieved) session.guesses += sequences.length;
    if (session.guesses > FIRST_ACKS_MAX) return;
    for (const sequence of sequences) {
      if (!session.delivery.ack(sequence)) continue;
      if (!this.#isOpen(session)) return; // Whoever is told that something arrived may close.
      session.isBelieved = true;
      this.#heard(session, now);
      this.present(session, now, out);
    }
  }

  #deliver(session: Session, now: number, out: Outbox<Event>): void {
    const { delivery } = session;
    if (session.isUnheard) return;
    const resends = delivery.takeResends(now);
    if (!this.#isOpen(session)) return; // Whoever is told that something is given up may close.
    this.#resends += resends.length;
    for (const bytes of resends) this.#post(session, bytes, now, out);
    for (const bytes of delivery.takeFirstSends(now, session.onTheWayMax)) {
      this.#post(session, bytes, now, out);
    }
    const nextAt = delivery.nextAt(session.onTheWayMax);
    if (nextAt === Infinity) this.#deliveries.delete(session);
    else this.#deliveries.set(session, Math.max(nextAt, now + 1));
  }

  /** What the budget has no room for is lost, as any datagram may be. A welcome is not accounted for. */
  #post(session: Session, bytes: Uint8Array, now: number, out: Outbox<Event>): void {
    const { isPresent, peer } = session;
    const budget = this.#reliableTrialBudget;
    if (!isPresent || this.#mayBeSent(session, bytes.length, now, budget)) out.send(peer, bytes);
  }

  #mayBeSent(session: Session, bytes: number, now: number, budget: Budget): boolean {
    const { isBelieved, isUnheard, peer } = session;
    return !isUnheard && (isBelieved || budget.take(peer.network, now, bytes));
  }

  /** The numbers of what the next client has to ack. */
  #rowOf(): Sequence {
    const { firstSequence } = this.#options;
    return firstSequence ? new Sequence(firstSequence()) : this.#sequence;
  }

  #isOpen(session: Session): boolean {
    return this.#sessions.get(session.peer) === session;
  }
}
