import { type HostPort, parseHostPort } from "../hosts/address.ts";
import { CommandFailure, UsageError } from "./options.ts";

/** How long a person waits for a server that may not be there. */
export const CONNECT_TIMEOUT_MS = 5_000;

/**
 * Reads `HOST[:PORT]`.
 *
 * @throws {UsageError} It is missing or none.
 */
export function readServer(
  text: string | undefined,
  command: string,
  defaultPort: number,
): HostPort {
  if (text === undefined) {
    throw new UsageError(`which server? For example: ${command} localhost:${defaultPort}`);
  }
  const server = parseHostPort(text, defaultPort);
  if (!server) {
    throw new UsageError(
      `"${text}" is not HOST, HOST:PORT or [IPv6]:PORT with a port from 1 to 65535`,
    );
  }
  return server;
}

/**
 * Waits until a server lets us in.
 *
 * @throws {CommandFailure} Nobody answers there, or nobody knows where that is.
 */
export async function joined<T>(client: Promise<T>): Promise<T> {
  try {
    return await client;
  } catch (error) {
    throw new CommandFailure(error instanceof Error ? error.message : String(error));
  }
}
