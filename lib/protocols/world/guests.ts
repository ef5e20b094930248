import {
  Budget,
  type BudgetOptions,
  type Overspent,
  type SharedBudget,
  strangersDatagrams,
} from "../../parts/budget.ts";
import type { Peer } from "../engine.ts";
import type { Subscriber } from "./subscriber.ts";

/** What stands in the way of one more. */
export type Obstacle = "full" | "full-network";

/** Options of {@link Guests}. */
export interface GuestsOptions {
  /** Those who have shown that they hear us. */
  clientsMax: number;
  /** Those who have not yet; in a flood of knocks the more there are, the more time each has to answer. */
  unprovedMax: number;
  /** Of one IPv4 address or IPv6 /64 network. */
  clientsPerNetworkMax: number;
}

/** What is sent to addresses of a network that have acked nothing yet, in bytes for each place it has. */
const TRIAL_BYTES = { perSecond: 32, burst: 256 };
/** Packets of clients of a network that want an ACK, for each place it has: they send about one a second. */
const RECEIVED_PACKETS = { perSecond: 8, burst: 16 };
const NETWORKS_MAX = 4_096;

/** The same for all networks together: addresses can be forged by the thousand. */
const ALL_TRIALS_BYTES = { perSecond: 262_144, burst: 524_288, keysMax: 1 };

/** Everybody who knocked and was let in, and what each network may cost. */
export class Guests {
  readonly #trials: Budget;
  readonly #allTrials = new Budget(ALL_TRIALS_BYTES);
  readonly #received: Budget;
  readonly #strangers: SharedBudget;
  readonly #options: GuestsOptions;
  readonly #byPeer = new Map<Peer, Subscriber>();
  readonly #proved = new Set<Subscriber>();
  readonly #unproved = new Set<Subscriber>();
  readonly #networks = new Map<string, { proved: number; readonly unproved: Set<Subscriber> }>();

  constructor(options: GuestsOptions) {
    this.#options = options;
    this.#trials = new Budget(budgetOf(TRIAL_BYTES, options));
    this.#received = new Budget(budgetOf(RECEIVED_PACKETS, options));
    this.#strangers = strangersDatagrams({
      placesPerNetwork: Math.min(options.clientsMax, options.clientsPerNetworkMax),
    });
  }

  /** Everybody. */
  get size(): number {
    return this.#byPeer.size;
  }

  /** Those who have shown that they hear us, in the order of their coming. */
  get proved(): ReadonlySet<Subscriber> {
    return this.#proved;
  }

  /** Those who have not yet. */
  get unproved(): ReadonlySet<Subscriber> {
    return this.#unproved;
  }

  /** Whether every place is taken for good. */
  get isFull(): boolean {
    return this.#proved.size >= this.#options.clientsMax;
  }

  get(peer: Peer): Subscriber | undefined {
    return this.#byPeer.get(peer);
  }

  /** Whether it is still here. */
  has(subscriber: Subscriber): boolean {
    return this.#byPeer.get(subscriber.peer) === subscriber;
  }

  /** Why a packet from there that wants an ACK has none; undefined when it may have one. */
  overspentBy(
    { network }: Peer,
    known: Subscriber | undefined,
    now: number,
  ): Overspent | undefined {
    // Who has proved itself shares with nobody who has not, though an address of its network be forged.
    if (!known?.isProved) return this.#strangers.take(network, now);
    return this.#received.take(network, now) ? undefined : "rate";
  }

  /** Whether so many bytes may go to an address that has not acked anything yet. */
  mayTry({ network }: Peer, bytes: number, now: number): boolean {
    return this.#trials.take(network, now, bytes) && this.#allTrials.take("", now, bytes);
  }

  /** What stands in the way of one more from there. */
  obstacleFor({ network }: Peer): Obstacle | undefined {
    if (this.isFull) return "full";
    const neighbours = this.#networks.get(network)?.proved ?? 0;
    return neighbours >= this.#options.clientsPerNetworkMax ? "full-network" : undefined;
  }

  /**
   * Takes one in that has not shown yet that it hears us.
   *
   * The eldest of those makes room, of its own network or of all: a flood of forged addresses keeps nobody
   * out who acks at once.
   */
  add(subscriber: Subscriber): void {
    const { peer, peer: { network } } = subscriber;
    const neighbours = this.#networks.get(network)?.unproved ?? new Set();
    this.#makeRoom(neighbours, this.#options.clientsPerNetworkMax);
    this.#makeRoom(this.#unproved, this.#options.unprovedMax);
    this.#byPeer.set(peer, subscriber);
    this.#unproved.add(subscriber);
    const known = this.#networks.get(network) ?? { proved: 0, unproved: new Set() };
    known.unproved.add(subscriber);
    this.#networks.set(network, known);
  }

  /** It has shown that it hears us. */
  admit(subscriber: Subscriber, now: number): void {
    this.#unproved.delete(subscriber);
    this.#proved.add(subscriber);
    const network = this.#networks.get(subscriber.peer.network)!;
    network.unproved.delete(subscriber);
    network.proved++;
    subscriber.admit(now);
  }

  remove(subscriber: Subscriber): void {
    const { peer, peer: { network } } = subscriber;
    this.#byPeer.delete(peer);
    const known = this.#networks.get(network)!;
    this.#unproved.delete(subscriber);
    known.unproved.delete(subscriber);
    if (this.#proved.delete(subscriber)) known.proved--;
    if (known.proved + known.unproved.size === 0) this.#networks.delete(network);
  }

  #makeRoom(subscribers: ReadonlySet<Subscriber>, most: number): void {
    const [eldest] = subscribers;
    if (eldest && subscribers.size >= most) this.remove(eldest);
  }
}

function budgetOf(
  { perSecond, burst }: { perSecond: number; burst: number },
  { clientsMax, clientsPerNetworkMax }: GuestsOptions,
): BudgetOptions {
  const places = Math.min(clientsMax, clientsPerNetworkMax);
  // A few places still need what one client needs.
  const share = Math.max(16, places);
  return { perSecond: perSecond * share, burst: burst * share, keysMax: NETWORKS_MAX };
}
