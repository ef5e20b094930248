import { ConnectTimeoutError, SYNC_PORT, SyncClient } from "../clients/sync.ts";
import { type HostPort, parseHostPort } from "../hosts/address.ts";
import { CommandFailure, UsageError } from "./options.ts";

/** How long a person waits for a server that may not be there. */
const CONNECT_TIMEOUT_MS = 5_000;

/**
 * Reads `HOST[:PORT]`.
 *
 * @throws {UsageError} It is missing or none.
 */
export function readServer(text: string | undefined, command: string): HostPort {
  if (text === undefined) {
    throw new UsageError(`which server? For example: ${command} localhost:${SYNC_PORT}`);
  }
  const server = parseHostPort(text, SYNC_PORT);
  if (!server) {
    throw new UsageError(
      `"${text}" is not HOST, HOST:PORT or [IPv6]:PORT with a port from 1 to 65535`,
    );
  }
  return server;
}

/**
 * Joins the sync server a person named.
 *
 * @throws {UsageError} No address.
 * @throws {CommandFailure} Nobody answers there.
 */
export async function joinServer(text: string | undefined, command: string): Promise<SyncClient> {
  const server = readServer(text, command);
  try {
    return await SyncClient.connect(server, { timeoutMs: CONNECT_TIMEOUT_MS });
  } catch (error) {
    if (error instanceof ConnectTimeoutError || error instanceof Error) {
      throw new CommandFailure(error.message);
    }
    throw error;
  }
}
