import type { HostPort } from "./address.ts";
import { resolveHost } from "./resolve.ts";

/**
 * Connects to a host: to the first of its addresses that answers.
 *
 * @throws {Error} No one does within `timeoutMs`; the message says in plain words why.
 */
export async function connectTcp(target: HostPort, timeoutMs: number): Promise<Deno.TcpConn> {
  const { hostname, port } = target;
  const giveUpAt = performance.now() + timeoutMs;
  const ips = await resolveHost(hostname);
  let failure: unknown;
  for (const [index, ip] of ips.entries()) {
    // Each gets an equal share of the time that is left.
    const shareMs = (giveUpAt - performance.now()) / (ips.length - index);
    try {
      return await connectWithin(ip, port, Math.max(1, shareMs));
    } catch (error) {
      failure = error;
    }
  }
  throw new Error(explain(failure, target, timeoutMs), { cause: failure });
}

class Late extends Error {}

async function connectWithin(ip: string, port: number, timeoutMs: number): Promise<Deno.TcpConn> {
  const connecting = Deno.connect({ transport: "tcp", hostname: ip, port });
  let timer: ReturnType<typeof setTimeout> | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Late()), timeoutMs);
  });
  try {
    return await Promise.race([connecting, late]);
  } catch (error) {
    // It may still come about, when nobody wants it any more.
    connecting.then((conn) => conn.close(), () => {});
    throw error;
  } finally {
    clearTimeout(timer);
  }
}

function explain(failure: unknown, { hostname, port }: HostPort, timeoutMs: number): string {
  if (failure instanceof Late) {
    return `no answer from ${hostname} on TCP port ${port} within ${timeoutMs / 1_000} s: ` +
      "does a firewall let it through?";
  }
  if (failure instanceof Deno.errors.ConnectionRefused) {
    return `nobody listens on TCP port ${port} of ${hostname}: is the server running?`;
  }
  if (failure instanceof Deno.errors.NotCapable) {
    return "this program may not use the network: run it with --allow-net";
  }
  const reason = failure instanceof Error ? failure.message : String(failure);
  return `${hostname} cannot be reached on TCP port ${port}: ${reason}`;
}
