/** Addresses as people and programs write them. */
import { canonicalIp } from "../parts/ip.ts";

/** A host name or IP address, and a port. */
export interface HostPort {
  /** A name, or an IP address without brackets. */
  hostname: string;
  /** From 1 to 65535. */
  port: number;
}

/** An IPv4 address as an IPv6 socket writes it. */
export function mappedIpv4(ip: string): string {
  return `::ffff:${ip}`;
}

/** `192.0.2.7:5000`, `[2001:db8::7]:5000`. */
export function formatHostPort(hostname: string, port: number): string {
  return hostname.includes(":") ? `[${hostname}]:${port}` : `${hostname}:${port}`;
}

/**
 * What limits per source are counted by. One subscriber has one IPv4 address, but a whole /64 network
 * of IPv6 addresses.
 *
 * @param ip A normalised IP address.
 */
export function networkOf(ip: string): string {
  if (!ip.includes(":")) return ip;
  const [head = "", tail] = ip.split("%")[0]!.split("::");
  const groups = head === "" ? [] : head.split(":");
  if (tail !== undefined) {
    const after = tail === "" ? [] : tail.split(":");
    while (groups.length + after.length < 8) groups.push("0");
    groups.push(...after);
  }
  return groups.slice(0, 4).map((group) => parseInt(group, 16).toString(16)).join(":") + "::/64";
}

/**
 * Reads `HOST`, `HOST:PORT`, `IPv6` or `[IPv6]:PORT`.
 *
 * @returns undefined when the text is none of these or the port is not from 1 to 65535.
 */
export function parseHostPort(text: string, defaultPort: number): HostPort | undefined {
  const bracketed = /^\[([^\]]+)\](?::(\d{1,5}))?$/.exec(text);
  const plain = /^([^\s:[\]/@]+)(?::(\d{1,5}))?$/.exec(text);
  const ipv6 = bracketed?.[1] ?? (plain ? undefined : text);
  if (ipv6 !== undefined && !isIpv6(ipv6)) return undefined;
  const hostname = ipv6 ?? plain![1]!;
  const portText = (bracketed ?? plain)?.[2];
  const port = portText === undefined ? defaultPort : Number(portText);
  return port >= 1 && port <= 65_535 ? { hostname, port } : undefined;
}

/** Whether this is an IP address; an IPv6 one perhaps with its interface: `fe80::1%eth0`. */
export function isIpLiteral(text: string): boolean {
  const [, ip] = /^([^%]*)(?:%[\w.-]+)?$/.exec(text) ?? [];
  return ip !== undefined && canonicalIp(ip) !== undefined;
}

function isIpv6(text: string): boolean {
  return text.includes(":") && isIpLiteral(text);
}
