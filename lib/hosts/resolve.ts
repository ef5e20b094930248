import { lookup } from "node:dns/promises";

/**
 * The IP addresses of a host name, in the system's order of preference; an IP address is its own.
 *
 * @throws {Error} The name has no address; the message says so in plain words.
 */
export async function resolveHost(hostname: string): Promise<string[]> {
  let found: { address: string }[];
  try {
    found = await lookup(hostname, { all: true, verbatim: true });
  } catch (cause) {
    throw new Error(`no address is known for the host "${hostname}"`, { cause });
  }
  if (found.length === 0) throw new Error(`no address is known for the host "${hostname}"`);
  return found.map(({ address }) => address);
}
