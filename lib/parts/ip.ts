/** IP addresses as texts: what is one, and its one spelling. */

const IPV4 = /^(?:(?:25[0-5]|2[0-4]\d|1\d\d|[1-9]?\d)(?:\.(?!$)|$)){4}$/;
const IPV6_ALPHABET = /^[0-9a-fA-F:.]{2,45}$/;
const MAPPED_IPV4 = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i;
/** How {@link canonicalIp} gets a mapped address from `URL`: the last 32 bits as two groups. */
const MAPPED_GROUPS = /^::ffff:([0-9a-f]{1,4}):([0-9a-f]{1,4})$/;

/** An IPv4-mapped IPv6 address as the IPv4 address it is; any other as it stands. */
export function normalizeIp(ip: string): string {
  // Asked of the sender of each datagram in a flood: most addresses begin with a digit.
  return ip.startsWith(":") ? MAPPED_IPV4.exec(ip)?.[1] ?? ip : ip;
}

/**
 * The one spelling of an IP address: RFC 5952 for IPv6, IPv4-mapped addresses as IPv4. So a socket
 * writes it too.
 *
 * @returns undefined for text that is no IP address, or one with a zone (`fe80::1%eth0`).
 */
export function canonicalIp(text: string): string | undefined {
  if (IPV4.test(text)) return text;
  if (!IPV6_ALPHABET.test(text) || !text.includes(":")) return undefined;
  const url = URL.parse(`http://[${text}]/`);
  if (!url) return undefined;
  const ip = url.hostname.slice(1, -1);
  const [, high, low] = MAPPED_GROUPS.exec(ip) ?? [];
  if (high === undefined) return ip;
  const [a, b] = [parseInt(high, 16), parseInt(low!, 16)];
  return `${a >> 8}.${a & 255}.${b >> 8}.${b & 255}`;
}

/**
 * Whether this is an address of the machine itself: nobody outside of it can send from there.
 *
 * @param ip In its canonical spelling.
 */
export function isLoopback(ip: string): boolean {
  return ip === "::1" || ip.startsWith("127.");
}

/**
 * Whether one host may have this address: it is not 0.0.0.0 or `::`, multicast or broadcast. What a
 * stranger says is an address must pass this before anything is sent there.
 *
 * @param ip In its canonical spelling.
 */
export function isUnicast(ip: string): boolean {
  if (ip.includes(":")) return ip !== "::" && !ip.startsWith("ff");
  const first = Number(ip.slice(0, ip.indexOf(".")));
  return first > 0 && first < 224;
}
