import { isIpLiteral } from "./address.ts";

/** What every system calls itself; a server may listen on either. */
const LOCALHOST = ["127.0.0.1", "::1"];

/**
 * The IP addresses of a host name, in the system's order of preference. An IP address is its own.
 *
 * @throws {Error} The name has no address; the message says so in plain words.
 */
export async function resolveHost(hostname: string): Promise<string[]> {
  if (isIpLiteral(hostname)) return [hostname];
  if (hostname.toLowerCase() === "localhost") return LOCALHOST;
  const { lookup } = await import("node:dns/promises");
  let found: { address: string }[];
  try {
    found = await lookup(hostname, { all: true, verbatim: true });
  } catch (cause) {
    throw new Error(`no address is known for the host "${hostname}"`, { cause });
  }
  if (found.length === 0) throw new Error(`no address is known for the host "${hostname}"`);
  return found.map(({ address }) => address);
}
