/** What clients of one network share, and what each of them and all together may cost. */
import {
  Budget,
  type Overspent,
  type SharedBudget,
  strangersDatagrams,
} from "../../parts/budget.ts";

/** Why a network gets no further connection. */
export type NetworkRefusal =
  /** It has all that it may have. */
  | "full-network"
  /** `rate`: it opened too many in a short time. `busy`: so did all together. */
  | Overspent;

/** How far ahead of its rate somebody may be with what it says. */
const BURST_MS = 1_000;
/** And with what the server sends for it: that is work of the server, which should not come at once. */
const DELIVERIES_BURST_MS = 100;
/** So many networks may have all that one of them may make the server send; more share it. */
const FULL_SHARES = 2;
const SECOND_MS = 1_000;
/** In how many seconds a network may open as many connections as it may have. */
const OPENING_S = 10;
/** Networks of which it is known how many connections they opened lately. */
const NETWORKS_MAX = 10_000;

/** What somebody still has to pay, in time: whoever is past `paidUntil` owes nothing. */
export class Account {
  readonly #burstMs: number;
  #paidUntil: number;

  /** An account that owes nothing, and is as far ahead as may be. */
  constructor(now: number, burstMs: number = BURST_MS) {
    this.#burstMs = burstMs;
    this.#paidUntil = now - burstMs;
  }

  /** When everything is paid. */
  get paidUntil(): number {
    return this.#paidUntil;
  }

  /** Adds what something costs. */
  charge(costMs: number, now: number): void {
    this.#paidUntil = Math.max(this.#paidUntil, now - this.#burstMs) + costMs;
  }
}

/** One network with somebody in it. */
export class Network {
  /** For the bytes that its clients send. */
  readonly bytes: Account;
  /** For what they make the server send. */
  readonly deliveries: Account;
  /** The second in which it last made the server send something. */
  activeIn = -Infinity;
  #connections = 0;

  /** A network of which nothing is known. */
  constructor(now: number) {
    this.bytes = new Account(now);
    this.deliveries = new Account(now, DELIVERIES_BURST_MS);
  }

  /** When everything is paid. */
  get paidUntil(): number {
    return Math.max(this.bytes.paidUntil, this.deliveries.paidUntil);
  }

  /** How many are there. */
  get connections(): number {
    return this.#connections;
  }

  /** One more is there. */
  enter(): void {
    this.#connections++;
  }

  /** One is gone. */
  leave(): void {
    this.#connections--;
  }
}

/** All of them; also those whose last client left in debt, since coming again does not pay it. */
export class Networks {
  readonly #connectionsMax: number;
  readonly #openings: Budget;
  readonly #strangers: SharedBudget;
  readonly #networks = new Map<string, Network>();
  /** How many made the server send something in this second, and in the one before. */
  #second = -Infinity;
  #active = 0;
  #activeBefore = 0;

  /** @param connectionsMax How many connections a network may have. */
  constructor(connectionsMax: number) {
    this.#connectionsMax = connectionsMax;
    this.#openings = new Budget({
      perSecond: connectionsMax / OPENING_S,
      burst: connectionsMax,
      keysMax: NETWORKS_MAX,
    });
    this.#strangers = strangersDatagrams({ placesPerNetwork: connectionsMax });
  }

  /** Lets one more connection of a network in, or says why not. */
  enter(name: string, now: number): Network | NetworkRefusal {
    this.#forgetSome(now);
    const network = this.#networks.get(name) ?? new Network(now);
    if (network.connections >= this.#connectionsMax) return "full-network";
    if (!this.#openings.take(name, now)) return "rate";
    const overspent = this.#strangers.take(name, now);
    if (overspent) return overspent;
    this.#networks.set(name, network);
    network.enter();
    return network;
  }

  /**
   * Charges a network for what it made the server send; the more, the more of them do.
   *
   * @param costMs What it costs while they are few.
   */
  chargeDeliveries(network: Network, costMs: number, now: number): void {
    const second = Math.floor(now / SECOND_MS);
    if (second !== this.#second) {
      this.#activeBefore = second === this.#second + 1 ? this.#active : 0;
      this.#active = 0;
      this.#second = second;
    }
    if (network.activeIn !== second) {
      network.activeIn = second;
      this.#active++;
    }
    const shares = Math.max(this.#active, this.#activeBefore, FULL_SHARES) / FULL_SHARES;
    network.deliveries.charge(costMs * shares, now);
  }

  /** Two are looked at for each that comes, so those of which nothing is to be known do not stay. */
  #forgetSome(now: number): void {
    let looks = 2;
    for (const [name, network] of this.#networks) {
      this.#networks.delete(name);
      const isOfUse = network.connections > 0 || network.paidUntil > now ||
        network.activeIn >= Math.floor(now / SECOND_MS) - 1;
      if (isOfUse) this.#networks.set(name, network);
      if (--looks === 0) return;
    }
  }
}
