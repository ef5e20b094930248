/** Who is kept out: addresses and networks. */
import { canonicalIp, normalizeIp } from "./ip.ts";

/** Bans at most, unless told otherwise. */
export const BANS_MAX = 10_000;
/** A wider network is not banned: that would lock out everybody. */
const IPV4_PREFIX_MIN = 8;
const IPV6_PREFIX_MIN = 16;
/** What one subscriber has of IPv6. */
const IPV6_SUBSCRIBER_PREFIX = 64;

/** A ban in its one spelling, or why the text is none. */
export type ParsedBan = { ok: true; ban: string } | { ok: false; reason: string };

/** What became of a ban; `isNew` is false when it was in the list already. */
export type AddedBan = { ok: true; ban: string; isNew: boolean } | { ok: false; reason: string };

/**
 * Reads a ban: `192.0.2.7`, `192.0.2.0/24`, `2001:db8::7`, `2001:db8::/32`.
 *
 * An IPv6 address stands for its /64 network, which one subscriber has as a whole; `/128` after it is that
 * address alone. What a network has beyond its prefix is cleared: `192.0.2.7/24` is `192.0.2.0/24`.
 */
export function parseBan(text: string): ParsedBan {
  const network = parseNetwork(text.trim());
  return typeof network === "string"
    ? { ok: false, reason: network }
    : { ok: true, ban: network.ban };
}

/** Bans of addresses and networks. Asking costs a few look-ups, however many there are. */
export class BanList {
  readonly #bansMax: number;
  /** In the order they came. */
  readonly #networks = new Map<string, Network>();
  /** Of each family by the length of the prefix: the prefixes, as {@link prefixKey} gives them. */
  readonly #ipv4 = new Map<number, Set<number>>();
  readonly #ipv6 = new Map<number, Set<string>>();
  #isEmpty = true;

  constructor(bansMax: number = BANS_MAX) {
    this.#bansMax = bansMax;
  }

  /** How many there are. */
  get size(): number {
    return this.#networks.size;
  }

  /** The bans, in the order they came. */
  [Symbol.iterator](): IterableIterator<string> {
    return this.#networks.keys();
  }

  /** Adds a ban as {@link parseBan} reads it. */
  add(text: string): AddedBan {
    const network = parseNetwork(text.trim());
    if (typeof network === "string") return { ok: false, reason: network };
    const { ban } = network;
    if (this.#networks.has(ban)) return { ok: true, ban, isNew: false };
    if (this.#networks.size >= this.#bansMax) {
      return { ok: false, reason: `there are ${this.#bansMax} bans already, and no more can be` };
    }
    this.#networks.set(ban, network);
    if (network.isIpv4) keysOf(this.#ipv4, network.prefix).add(network.key);
    else keysOf(this.#ipv6, network.prefix).add(network.key);
    this.#isEmpty = false;
    return { ok: true, ban, isNew: true };
  }

  /**
   * Takes a ban back.
   *
   * @returns It in its one spelling; undefined when there is no such one, even if a wider one covers it.
   */
  remove(text: string): string | undefined {
    const parsed = parseNetwork(text.trim());
    const network = typeof parsed === "string" ? undefined : this.#networks.get(parsed.ban);
    if (!network) return undefined;
    this.#networks.delete(network.ban);
    if (network.isIpv4) dropKey(this.#ipv4, network.prefix, network.key);
    else dropKey(this.#ipv6, network.prefix, network.key);
    this.#isEmpty = this.#networks.size === 0;
    return network.ban;
  }

  /** Whether this very ban is in the list, as {@link parseBan} spells it. */
  includes(ban: string): boolean {
    return this.#networks.has(ban);
  }

  /**
   * Whether an address is banned.
   *
   * @param ip As a socket writes it: in its canonical spelling, IPv4-mapped or not.
   */
  has(ip: string): boolean {
    if (this.#isEmpty) return false;
    const plain = normalizeIp(ip);
    return plain.includes(":") ? this.#hasIpv6(plain) : this.#hasIpv4(plain);
  }

  #hasIpv4(ip: string): boolean {
    if (this.#ipv4.size === 0) return false;
    const number = ipv4Number(ip);
    for (const [prefix, keys] of this.#ipv4) if (keys.has(ipv4Prefix(number, prefix))) return true;
    return false;
  }

  #hasIpv6(ip: string): boolean {
    if (this.#ipv6.size === 0) return false;
    const digits = ipv6Digits(ip);
    for (const [prefix, keys] of this.#ipv6) if (keys.has(ipv6Prefix(digits, prefix))) return true;
    return false;
  }
}

/** A network that a ban stands for. */
type Network =
  & { readonly ban: string; readonly prefix: number }
  & ({ readonly isIpv4: true; readonly key: number } | {
    readonly isIpv4: false;
    readonly key: string;
  });

/** What a text stands for, or why it stands for nothing. */
function parseNetwork(text: string): Network | string {
  const [, address, suffix] = /^([^/]*)(?:\/(\d{1,3}))?$/.exec(text) ?? [];
  const ip = canonicalIp(address ?? "");
  if (ip === undefined) {
    return `${quoted(text)} is no IP address or network: write 192.0.2.7, 192.0.2.0/24, ` +
      "2001:db8::7 or 2001:db8::/32";
  }
  const given = suffix === undefined ? undefined : Number(suffix);
  if (ip.includes(":")) return ipv6Network(ip, given ?? IPV6_SUBSCRIBER_PREFIX);
  if (!address!.includes(":")) return ipv4Network(ip, given ?? 32);
  // IPv4 written as IPv6: the prefix counts the 96 bits before it.
  return given !== undefined && given < 96
    ? `${quoted(text)} is an IPv4 address in IPv6: write it as IPv4`
    : ipv4Network(ip, (given ?? 128) - 96);
}

function ipv4Network(ip: string, prefix: number): Network | string {
  const problem = prefixProblem("IPv4", prefix, IPV4_PREFIX_MIN, 32);
  if (problem) return problem;
  const key = ipv4Prefix(ipv4Number(ip), prefix);
  const first = [24, 16, 8, 0].map((shift) => (key >>> shift) & 255).join(".");
  return { isIpv4: true, prefix, key, ban: prefix === 32 ? first : `${first}/${prefix}` };
}

function ipv6Network(ip: string, prefix: number): Network | string {
  const problem = prefixProblem("IPv6", prefix, IPV6_PREFIX_MIN, 128);
  if (problem) return problem;
  const key = ipv6Prefix(ipv6Digits(ip), prefix);
  const groups = key.padEnd(32, "0").match(/.{4}/g)!;
  return { isIpv4: false, prefix, key, ban: `${canonicalIp(groups.join(":"))}/${prefix}` };
}

function prefixProblem(
  family: string,
  prefix: number,
  min: number,
  max: number,
): string | undefined {
  if (prefix > max) return `an ${family} network is from /${min} to /${max}, not /${prefix}`;
  if (prefix >= min) return undefined;
  return `/${prefix} would lock out too many: an ${family} ban is from /${min} to /${max}`;
}

/** The 32 bits of an address, as a signed number. */
function ipv4Number(ip: string): number {
  let number = 0;
  let byte = 0;
  for (let at = 0; at < ip.length; at++) {
    const unit = ip.charCodeAt(at);
    if (unit === 0x2e) {
      number = number << 8 | byte;
      byte = 0;
    } else {
      byte = 10 * byte + unit - 0x30;
    }
  }
  return number << 8 | byte;
}

/** The first bits of an address, the others cleared. */
function ipv4Prefix(number: number, prefix: number): number {
  return prefix === 32 ? number : number & ~(0xffff_ffff >>> prefix);
}

/** An address in its canonical spelling as 32 hexadecimal digits. */
function ipv6Digits(ip: string): string {
  const zone = ip.indexOf("%");
  const [head = "", tail] = (zone < 0 ? ip : ip.slice(0, zone)).split("::");
  const before = digitsOf(head);
  if (tail === undefined) return before;
  const after = digitsOf(tail);
  return before + "0".repeat(Math.max(0, 32 - before.length - after.length)) + after;
}

function digitsOf(groups: string): string {
  if (groups === "") return "";
  let digits = "";
  for (const group of groups.split(":")) digits += group.padStart(4, "0");
  return digits;
}

/** The first bits of an address in digits, the rest of the last digit cleared. */
function ipv6Prefix(digits: string, prefix: number): string {
  const whole = prefix >> 2;
  const bits = prefix & 3;
  if (bits === 0) return digits.slice(0, whole);
  const last = parseInt(digits[whole]!, 16) & (0xf0 >> bits);
  return digits.slice(0, whole) + last.toString(16);
}

function keysOf<K>(keys: Map<number, Set<K>>, prefix: number): Set<K> {
  let set = keys.get(prefix);
  if (!set) keys.set(prefix, set = new Set());
  return set;
}

function dropKey<K>(keys: Map<number, Set<K>>, prefix: number, key: K): void {
  keysOf(keys, prefix).delete(key);
  if (keysOf(keys, prefix).size === 0) keys.delete(prefix);
}

function quoted(text: string): string {
  return JSON.stringify(text.length > 60 ? `${text.slice(0, 60)}...` : text);
}
