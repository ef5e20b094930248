/** One port for both address families, whatever the system makes of that. */
import { formatHostPort } from "./address.ts";

/** Where a service listens. */
export interface PortOptions {
  /** From 0 to 65535; 0 lets the system choose one. */
  port: number;
  /** One local IP address. Default: every address of both families. */
  hostname?: string;
}

/** How sockets of one kind are opened. */
export interface SocketKind<S> {
  /** Opens one; throws when it cannot be had. */
  listen(hostname: string, port: number): S;
  /** Where it is. */
  addressOf(socket: S): Deno.NetAddr;
  /** Whether a socket on `::` is for IPv4 too. Rejects when that cannot be found out. */
  takesIpv4(): Promise<boolean>;
  /** Closes one. */
  close(socket: S): void;
}

/** One socket or two, as the system has it. */
export interface OpenPort<S> {
  readonly sockets: readonly S[];
  /** The port they listen on. */
  readonly port: number;
  /** Where they listen: `[::]:55555`, and `0.0.0.0:55555` where IPv4 is reached by it too. */
  readonly addresses: readonly string[];
}

/** How often a free port is looked for that is free in both address families. */
const FREE_PORT_TRIES = 16;

/**
 * Opens a port.
 *
 * Without `hostname` it is open to IPv6 and IPv4. On most systems one socket on `::` takes both; where
 * it takes IPv6 only (Windows; Linux with `net.ipv6.bindv6only=1`) a second one on `0.0.0.0` takes IPv4;
 * where there is no IPv6 that one is alone.
 *
 * @throws {Deno.errors.AddrInUse} Another program has the port.
 * @throws {Deno.errors.AddrNotAvailable} `hostname` is no address of this machine.
 * @throws {Deno.errors.PermissionDenied} The system does not give this port to everybody.
 */
export async function openPort<S>(options: PortOptions, kind: SocketKind<S>): Promise<OpenPort<S>> {
  const { hostname, port } = options;
  if (hostname !== undefined) return portOf(kind, [kind.listen(hostname, port)]);
  for (let triesLeft = port === 0 ? FREE_PORT_TRIES : 1;; triesLeft--) {
    try {
      return await openBothFamilies(port, kind);
    } catch (error) {
      // The port the system chose for IPv6 may be another program's in IPv4.
      if (!(error instanceof Deno.errors.AddrInUse) || triesLeft <= 1) throw error;
    }
  }
}

async function openBothFamilies<S>(port: number, kind: SocketKind<S>): Promise<OpenPort<S>> {
  let ipv6: S;
  try {
    ipv6 = kind.listen("::", port);
  } catch (error) {
    if (error instanceof Deno.errors.AddrInUse) throw error;
    return portOf(kind, [kind.listen("0.0.0.0", port)]); // No IPv6 here.
  }
  try {
    return portOf(kind, [ipv6, kind.listen("0.0.0.0", kind.addressOf(ipv6).port)]);
  } catch (error) {
    const takesBoth = error instanceof Deno.errors.AddrInUse && await kind.takesIpv4()
      .catch((reason) => {
        kind.close(ipv6);
        throw reason;
      });
    if (takesBoth) return portOf(kind, [ipv6], true);
    kind.close(ipv6);
    throw error;
  }
}

/** Whether this program, or the whole system, has as many files and sockets open as it may. */
export function isOutOfFiles(error: unknown): boolean {
  return Deno.build.os !== "windows" && error instanceof Error &&
    /\(os error (23|24)\)/.test(error.message);
}

function portOf<S>(kind: SocketKind<S>, sockets: S[], takesBoth = false): OpenPort<S> {
  const locals = sockets.map((socket) => kind.addressOf(socket));
  const { port } = locals[0]!;
  const addresses = locals.map((local) => formatHostPort(local.hostname, local.port));
  if (takesBoth) addresses.push(formatHostPort("0.0.0.0", port));
  return { sockets, port, addresses };
}
