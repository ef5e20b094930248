/**
 * Homes behind routers, as far as hole punching can tell them apart:
 *
 * - `none`: no router; the machine has a public address
 * - `restricted`: the router keeps ports, and lets in only who was sent something before
 * - `symmetric`: the same, but with another port for everybody who is talked to
 *
 * Nobody reaches a private address of another home, or the own home by its public address.
 */
import { assert } from "@std/assert";
import type { Random } from "../../lib/parts/random.ts";
import type { Passage, Routers } from "./network.ts";

/** What kind of router a home has. */
export type HomeKind = "none" | "restricted" | "symmetric";

/** A place with one public address. */
export interface Home {
  readonly kind: HomeKind;
  readonly publicIp: string;
  /** What private addresses begin with; two homes may have the same. */
  readonly prefix: string;
}

interface Mapping {
  readonly inside: string;
  /** Where a symmetric router uses this mapping to; undefined: to everybody. */
  readonly to: string | undefined;
  readonly letsIn: Set<string>;
}

/** Whether two machines can talk, each in its home. */
export function canReach(one: Home, other: Home): boolean {
  if (one === other || one.kind === "none" || other.kind === "none") return true;
  return one.kind === "restricted" && other.kind === "restricted";
}

/**
 * All homes. To tell machines apart whose private addresses are the same, a machine is known to the
 * network as `prefix.host%home:port`; nobody sees that name but the network.
 */
export class Homes implements Routers {
  readonly #random: Random;
  readonly #byPublicIp = new Map<string, Home>();
  readonly #mappings = new Map<Home, Map<number, Mapping>>();

  constructor(random: Random, homes: readonly Home[]) {
    this.#random = random;
    for (const home of homes) {
      this.#byPublicIp.set(home.publicIp, home);
      this.#mappings.set(home, new Map());
    }
  }

  /** What the network knows a machine by. */
  nameOf(home: Home, ip: string, port: number): string {
    return home.kind === "none" ? `${ip}:${port}` : `${ip}%${home.publicIp}:${port}`;
  }

  send(name: string, to: string): Passage | undefined {
    const home = this.#homeOf(name);
    const inside = withoutHome(name);
    if (isPrivate(to)) {
      return home && { from: inside, deliver: () => nameIn(home.publicIp, to) };
    }
    const from = home ? `${home.publicIp}:${this.#portFor(home, inside, to)}` : inside;
    return { from, deliver: () => this.#behind(from, to) };
  }

  /** Which machine a router lets a datagram through to. */
  #behind(from: string, to: string): string | undefined {
    const home = this.#byPublicIp.get(ipOf(to));
    if (!home || home.kind === "none") return to;
    const mapping = this.#mappings.get(home)!.get(portOf(to));
    if (!mapping || !mapping.letsIn.has(from) || ipOf(from) === home.publicIp) return undefined;
    return nameIn(home.publicIp, mapping.inside);
  }

  #homeOf(name: string): Home | undefined {
    const [, ip] = /%(.*):/.exec(name) ?? [];
    return ip === undefined ? undefined : this.#byPublicIp.get(ip);
  }

  #portFor(home: Home, inside: string, to: string): number {
    const mappings = this.#mappings.get(home)!;
    const only = home.kind === "symmetric" ? to : undefined;
    for (const [port, mapping] of mappings) {
      if (mapping.inside !== inside || mapping.to !== only) continue;
      mapping.letsIn.add(to);
      return port;
    }
    let port = portOf(inside);
    while (only !== undefined || mappings.has(port)) {
      port = 1_024 + Math.floor(this.#random() * 60_000);
      if (!mappings.has(port)) break;
    }
    assert(mappings.size < 10_000);
    mappings.set(port, { inside, to: only, letsIn: new Set([to]) });
    return port;
  }
}

function withoutHome(name: string): string {
  return name.replace(/%.*:/, ":");
}

function nameIn(publicIp: string, inside: string): string {
  return `${ipOf(inside)}%${publicIp}:${portOf(inside)}`;
}

function isPrivate(address: string): boolean {
  return address.startsWith("192.168.");
}

function ipOf(address: string): string {
  return address.slice(0, address.lastIndexOf(":"));
}

function portOf(address: string): number {
  return Number(address.slice(address.lastIndexOf(":") + 1));
}
