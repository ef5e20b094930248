import { Deadlines } from "../../parts/deadlines.ts";
import type { Peer } from "../engine.ts";
import type { Dialect, Endpoint } from "./message.ts";

/** A host that can be joined. */
export interface Registration {
  readonly dialect: Dialect;
  readonly name: string;
  /** Where it was heard: its global address. */
  readonly peer: Peer;
  readonly local: Endpoint;
  /** Dialect 2: the session key. */
  readonly password: string;
  /** Dialect 2: whether joining it takes the game's password. */
  readonly passwordRequired: boolean;
  readonly heardAt: number;
}

/**
 * Who can be joined, by name. The dialects do not share names: their peers could not talk anyway.
 *
 * Every step costs the same with ten registrations as with ten thousand.
 */
export class Registry {
  readonly #byKey = new Map<string, Registration>();
  readonly #expiries = new Deadlines<string>();
  readonly #perPeer = new Map<Peer, number>();
  readonly #perNetwork = new Map<string, number>();
  /** Keys of dialect 2, and where each stands, for lists. */
  readonly #listed: string[] = [];
  readonly #places = new Map<string, number>();
  #nextListed = 0;

  get size(): number {
    return this.#byKey.size;
  }

  /** Registrations of one IPv4 address or IPv6 /64 network. */
  countOf(network: string): number {
    return this.#perNetwork.get(network) ?? 0;
  }

  /** Whether anything is registered from this address. */
  has(peer: Peer): boolean {
    return this.#perPeer.has(peer);
  }

  get(dialect: Dialect, name: string): Registration | undefined {
    return this.#byKey.get(keyOf({ dialect, name }));
  }

  /** All of them, in the order in which their names came. */
  all(): Iterable<Registration> {
    return this.#byKey.values();
  }

  /** When a registration expires. */
  expiryOf(registration: Registration): number {
    return this.#expiries.get(keyOf(registration))!;
  }

  /** Stores a registration in place of the one of this name, until a time. */
  set(registration: Registration, until: number): void {
    const key = keyOf(registration);
    const before = this.#byKey.get(key);
    if (before) this.#uncount(before);
    else if (registration.dialect === 2) this.#places.set(key, this.#listed.push(key) - 1);
    this.#byKey.set(key, registration);
    this.#expiries.set(key, until);
    add(this.#perPeer, registration.peer, 1);
    add(this.#perNetwork, registration.peer.network, 1);
  }

  remove(registration: Registration): void {
    const key = keyOf(registration);
    this.#byKey.delete(key);
    this.#expiries.delete(key);
    this.#uncount(registration);
    this.#unlist(key);
  }

  /** When the first registration expires. */
  nextExpiry(): number {
    return this.#expiries.next();
  }

  /** Removes one that has expired by now, if any. */
  takeExpired(now: number): Registration | undefined {
    const key = this.#expiries.takeDue(now);
    if (key === undefined) return undefined;
    const registration = this.#byKey.get(key)!;
    this.remove(registration);
    return registration;
  }

  /**
   * Registrations of dialect 2 as long as `fits` takes them. What did not fit comes first the next time,
   * so that everybody is shown to somebody.
   */
  list(fits: (registration: Registration) => boolean): void {
    const count = this.#listed.length;
    for (let shown = 0; shown < count; shown++) {
      const place = (this.#nextListed + shown) % count;
      if (fits(this.#byKey.get(this.#listed[place]!)!)) continue;
      this.#nextListed = place;
      return;
    }
    this.#nextListed = 0;
  }

  #uncount({ peer }: Registration): void {
    add(this.#perPeer, peer, -1);
    add(this.#perNetwork, peer.network, -1);
  }

  /** The last one of the list takes the place. */
  #unlist(key: string): void {
    const place = this.#places.get(key);
    if (place === undefined) return;
    this.#places.delete(key);
    const last = this.#listed.pop()!;
    if (last === key) return;
    this.#listed[place] = last;
    this.#places.set(last, place);
  }
}

function keyOf({ dialect, name }: { dialect: Dialect; name: string }): string {
  return `${dialect}${name}`;
}

function add<K>(counts: Map<K, number>, key: K, change: number): void {
  const count = (counts.get(key) ?? 0) + change;
  if (count === 0) counts.delete(key);
  else counts.set(key, count);
}
