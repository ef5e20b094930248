/** What every client does to get to its server. */
import { type HostPort, parseHostPort } from "../hosts/address.ts";
import { resolveHost } from "../hosts/resolve.ts";
import { openUdp, UdpHost, type UdpSocket } from "../hosts/udp.ts";
import type { Engine, Outbox, Peer } from "../protocols/engine.ts";

/** Options of everything that opens UDP sockets. */
export interface SocketOptions {
  /**
   * Puts something in front of each socket that is opened, such as a bad network by `simulateNetwork`, or
   * whatever is to see all datagrams. What it gives owns the socket from then on. Default: nothing.
   */
  through?: (conn: Deno.DatagramConn) => Deno.DatagramConn;
}

/** No server answered in time. */
export class ConnectTimeoutError extends Error {
  /** The name of the class. */
  override readonly name = "ConnectTimeoutError";
}

/**
 * The server that a program named.
 *
 * @throws {TypeError} It is no address.
 */
export function targetOf(address: string | HostPort, defaultPort: number): HostPort {
  const target = typeof address === "string" ? parseHostPort(address, defaultPort) : address;
  if (target) return target;
  throw new TypeError(`"${address}" is not an address like localhost:${defaultPort}`);
}

/** Opens a port for all of these addresses: in the family they have, or in both. */
export function openTowards(
  ips: readonly string[],
  { port = 0, through }: SocketOptions & { port?: number } = {},
): Promise<UdpSocket> {
  const families = new Set(ips.map((ip) => ip.includes(":") ? "::" : "0.0.0.0"));
  const [only] = families.size === 1 ? families : [];
  return openUdp({ port, hostname: only, through });
}

/**
 * Waits for a server's first answer.
 *
 * @throws {ConnectTimeoutError} It did not come.
 */
export async function answerWithin<T>(
  answer: Promise<T>,
  { hostname, port }: HostPort,
  timeoutMs: number,
): Promise<T> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => {
      reject(
        new ConnectTimeoutError(
          `no answer from ${hostname} on UDP port ${port} within ${timeoutMs / 1_000} s: ` +
            "is the server running, and does a firewall let UDP through?",
        ),
      );
    }, timeoutMs);
  });
  try {
    return await Promise.race([answer, late]);
  } finally {
    clearTimeout(timer);
  }
}

/** An engine that asks a server to let it in, at all of its addresses. */
interface Asking<Event> extends Engine<Event> {
  connect(servers: readonly Peer[], now: number, out: Outbox<Event>): void;
}

/**
 * Opens a port and lets an engine ask a server to let it in.
 *
 * @param options `answered`: settles when it did; `onEvent`: takes the engine's events, also before that;
 * `through`: as {@link SocketOptions} has it.
 * @throws {Error} The host name is unknown.
 * @throws {ConnectTimeoutError} The server did not answer within `timeoutMs`.
 */
export async function reach<Event>(
  engine: Asking<Event>,
  target: HostPort,
  options: SocketOptions & {
    onEvent: (event: Event) => void;
    answered: Promise<void>;
    timeoutMs: number;
  },
): Promise<UdpHost<Event>> {
  const { onEvent, answered, timeoutMs, through } = options;
  const ips = await resolveHost(target.hostname);
  const socket = await openTowards(ips, { through });
  const host = new UdpHost(engine, socket, { onEvent, onFault: reportError });
  const servers = ips.map((ip) => host.peerAt(ip, target.port));
  host.act((now, out) => engine.connect(servers, now, out));
  try {
    await answerWithin(answered, target, timeoutMs);
    return host;
  } catch (error) {
    await host.close();
    throw error;
  }
}
