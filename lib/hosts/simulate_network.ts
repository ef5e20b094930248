/** A bad network for a program's own sockets. */
import { createFate, type Impairment } from "../parts/impairment.ts";
import { seededRandom } from "../parts/random.ts";
import { ImpairedConn } from "./impaired.ts";

/** How bad a simulated network is, in each direction; what is left out is none. */
export interface BadNetwork extends Partial<Impairment> {
  /** The same seed makes the same fates. Default: any. */
  readonly seed?: number;
}

/**
 * Lets a program feel a bad network: what it gives goes into the `through` of clients and servers. All
 * sockets that are put behind it share one sequence of fates, also those that a client opens later to
 * connect again.
 *
 * ```ts
 * import { simulateNetwork, SyncClient } from "@netsync/netsync";
 *
 * const through = simulateNetwork({ lossShare: 0.05, lagMs: 80, jitterMs: 20 });
 * const client = await SyncClient.connect("localhost:55555", { through });
 * ```
 *
 * A round trip takes twice the lag. Closing a socket loses what is under way, also a farewell.
 *
 * @throws {RangeError} A share is not from 0 to 1, or a time not from 0 to 60,000 ms.
 */
export function simulateNetwork(
  { lossShare = 0, lagMs = 0, jitterMs = 0, duplicateShare = 0, seed = anySeed() }: BadNetwork,
): (conn: Deno.DatagramConn) => Deno.DatagramConn {
  const fate = createFate({ lossShare, lagMs, jitterMs, duplicateShare }, seededRandom(seed));
  return (conn) => new ImpairedConn(conn, fate);
}

/** A seed that nobody guesses. */
export function anySeed(): number {
  return crypto.getRandomValues(new Uint32Array(1))[0]!;
}
