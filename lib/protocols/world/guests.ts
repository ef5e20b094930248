import { Budget, type BudgetOptions } from "../../parts/budget.ts";
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
/** Packets of a network that want an ACK, for each place it has: clients send about one a second. */
const RECEIVED_PACKETS = { perSecond: 8, burst: 16 };
const NETWORKS_MAX = 4_096;

/** Everybody who knocked and was let in, and what each network may cost. */
export class Guests {
  /** Bytes to addresses of a network that have acked nothing yet. */
  readonly trials: Budget;
  /** Packets of a network that want an ACK. */
  readonly received: Budget;
  readonly #options: GuestsOptions;
  /** In the order of their coming. */
  readonly #all = new Map<Peer, Subscriber>();
  readonly #networks = new Map<string, number>();
  #proved = 0;

  constructor(options: GuestsOptions) {
    this.#options = options;
    this.trials = new Budget(budgetOf(TRIAL_BYTES, options));
    this.received = new Budget(budgetOf(RECEIVED_PACKETS, options));
  }

  /** Everybody. */
  get size(): number {
    return this.#all.size;
  }

  /** Those who have shown that they hear us. */
  get proved(): number {
    return this.#proved;
  }

  /** Whether every place is taken for good. */
  get isFull(): boolean {
    return this.#proved >= this.#options.clientsMax;
  }

  get(peer: Peer): Subscriber | undefined {
    return this.#all.get(peer);
  }

  /** Whether it is still here. */
  has(subscriber: Subscriber): boolean {
    return this.#all.get(subscriber.peer) === subscriber;
  }

  values(): Iterable<Subscriber> {
    return this.#all.values();
  }

  /** What stands in the way of one more from there. */
  obstacleFor({ network }: Peer): Obstacle | undefined {
    if (this.isFull) return "full";
    const neighbours = this.#networks.get(network) ?? 0;
    return neighbours >= this.#options.clientsPerNetworkMax ? "full-network" : undefined;
  }

  /**
   * Takes one in that has not shown yet that it hears us.
   *
   * The eldest of those makes room: a flood of forged addresses keeps nobody out who acks at once.
   */
  add(subscriber: Subscriber): void {
    const { peer, peer: { network } } = subscriber;
    if (this.size - this.#proved >= this.#options.unprovedMax) {
      for (const eldest of this.#all.values()) {
        if (eldest.isProved) continue;
        this.remove(eldest);
        break;
      }
    }
    this.#all.set(peer, subscriber);
    this.#networks.set(network, (this.#networks.get(network) ?? 0) + 1);
  }

  /** It has shown that it hears us. */
  admit(subscriber: Subscriber, now: number): void {
    this.#proved++;
    subscriber.admit(now);
  }

  remove(subscriber: Subscriber): void {
    const { peer, peer: { network }, isProved } = subscriber;
    this.#all.delete(peer);
    const neighbours = this.#networks.get(network)! - 1;
    if (neighbours === 0) this.#networks.delete(network);
    else this.#networks.set(network, neighbours);
    if (isProved) this.#proved--;
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
