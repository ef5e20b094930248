/** What clients of one network share, and what each of them and all together may cost. */
import { Budget } from "../../parts/budget.ts";

/** Why a network gets no further connection. */
export type NetworkRefusal =
  /** It has all that it may have. */
  | "full-network"
  /** It opened too many in a short time. */
  | "rate";

/** How far ahead of its rate somebody may be. */
const BURST_MS = 1_000;
/** In how many seconds a network may open as many connections as it may have. */
const OPENING_S = 10;
/** Networks of which it is known how many connections they opened lately. */
const NETWORKS_MAX = 10_000;

/** What somebody still has to pay, in time: whoever is past `paidUntil` owes nothing. */
export class Account {
  #paidUntil: number;

  /** An account that owes nothing, and is as far ahead as may be. */
  constructor(now: number) {
    this.#paidUntil = now - BURST_MS;
  }

  /** When everything is paid. */
  get paidUntil(): number {
    return this.#paidUntil;
  }

  /** Adds what something costs. */
  charge(costMs: number, now: number): void {
    this.#paidUntil = Math.max(this.#paidUntil, now - BURST_MS) + costMs;
  }
}

/** One network with somebody in it. */
export class Network {
  /** For the bytes of its clients, and what they make the server send. */
  readonly account: Account;
  #connections = 0;

  /** A network of which nothing is known. */
  constructor(now: number) {
    this.account = new Account(now);
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
  readonly #networks = new Map<string, Network>();

  /** @param connectionsMax How many connections a network may have. */
  constructor(connectionsMax: number) {
    this.#connectionsMax = connectionsMax;
    this.#openings = new Budget({
      perSecond: connectionsMax / OPENING_S,
      burst: connectionsMax,
      keysMax: NETWORKS_MAX,
    });
  }

  /** Lets one more connection of a network in, or says why not. */
  enter(name: string, now: number): Network | NetworkRefusal {
    this.#forgetSome(now);
    const network = this.#networks.get(name) ?? new Network(now);
    if (network.connections >= this.#connectionsMax) return "full-network";
    if (!this.#openings.take(name, now)) return "rate";
    this.#networks.set(name, network);
    network.enter();
    return network;
  }

  /** Two are looked at for each that comes, so those of which nothing is to be known do not stay. */
  #forgetSome(now: number): void {
    let looks = 2;
    for (const [name, network] of this.#networks) {
      this.#networks.delete(name);
      const isOfUse = network.connections > 0 || network.account.paidUntil > now;
      if (isOfUse) this.#networks.set(name, network);
      if (--looks === 0) return;
    }
  }
}
