/** Which IPv4 addresses are whose. */

/** What an IPv4 address says of the network it is in. */
export type AddressKind =
  /** Everybody on the Internet reaches it, as far as the address goes. */
  | "public"
  /** RFC 1918: 10/8, 172.16/12, 192.168/16. */
  | "private"
  /** RFC 6598: 100.64/10, between a provider and its customers; RFC 7335: 192.0.0/24, of DS-Lite. */
  | "carrier"
  /** RFC 3927: 169.254/16, what a machine takes when nobody gives it an address. */
  | "link-local"
  /** Nobody's: 0.0.0.0/8, loopback, multicast, what is reserved, for documents or for measurements. */
  | "none";

/**
 * What network an address is of.
 *
 * @param ip An IPv4 address in its canonical spelling; anything else is "none".
 */
export function kindOfAddress(ip: string): AddressKind {
  if (!/^\d{1,3}\.\d{1,3}\.\d{1,3}\.\d{1,3}$/.test(ip)) return "none";
  const [a, b, c] = ip.split(".").map(Number) as [number, number, number];
  if (a === 0 || a === 127 || a >= 224) return "none";
  if (a === 10 || (a === 172 && b >= 16 && b < 32) || (a === 192 && b === 168)) return "private";
  if (a === 100 && b >= 64 && b < 128) return "carrier";
  if (a === 192 && b === 0 && c === 0) return "carrier";
  if (a === 169 && b === 254) return "link-local";
  return FOR_DOCUMENTS.has(`${a}.${b}.${c}`) || (a === 198 && (b & 254) === 18) ? "none" : "public";
}

/** RFC 5737. What is for measurements is 198.18/15, by RFC 2544. */
const FOR_DOCUMENTS: ReadonlySet<string> = new Set(["192.0.2", "198.51.100", "203.0.113"]);

/** Whether a router may have this address in the network of those it serves. */
export function isLanAddress(ip: string): boolean {
  const kind = kindOfAddress(ip);
  return kind === "private" || kind === "link-local";
}

/** Where the router of a private network mostly is: at its first address or its last, as most are /24. */
export function likelyRouters(ownIp: string): string[] {
  if (kindOfAddress(ownIp) !== "private") return [];
  const network = ownIp.slice(0, ownIp.lastIndexOf("."));
  return [`${network}.1`, `${network}.254`].filter((ip) => ip !== ownIp);
}
