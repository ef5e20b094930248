import type { HostPort } from "./address.ts";
import { resolveHost } from "./resolve.ts";

/**
 * Connects to a host: to the first of its addresses that answers.
 *
 * @param timeoutMs How long the addresses have for that together, once they are known.
 * @param signal Gives up when it is aborted.
 * @throws {Error} No one does; the message says in plain words why.
 */
export async function connectTcp(
  target: HostPort,
  timeoutMs: number,
  signal?: AbortSignal,
): Promise<Deno.TcpConn> {
  const { hostname, port } = target;
  const ips = await resolveHost(hostname);
  const giveUpAt = performance.now() + timeoutMs;
  let failure: unknown;
  for (const [index, ip] of ips.entries()) {
    // Each gets an equal share of the time that is left.
    const shareMs = (giveUpAt - performance.now()) / (ips.length - index);
    try {
      return await connectWithin(ip, port, Math.max(1, shareMs), signal);
    } catch (error) {
      failure = error;
      if (signal?.aborted) break;
    }
  }
  throw new Error(explain(failure, target, timeoutMs), { cause: failure });
}

async function connectWithin(
  hostname: string,
  port: number,
  timeoutMs: number,
  signal: AbortSignal | undefined,
): Promise<Deno.TcpConn> {
  const late = new AbortController();
  const timer = setTimeout(() => late.abort(new Late()), timeoutMs);
  const either = signal ? AbortSignal.any([signal, late.signal]) : late.signal;
  try {
    return await Deno.connect({ transport: "tcp", hostname, port, signal: either });
  } finally {
    clearTimeout(timer);
  }
}

class Late extends Error {}

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
