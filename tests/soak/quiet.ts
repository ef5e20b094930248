/** Waiting until all that was promised is true. */
import type { Metrics } from "./metrics.ts";
import type { Server } from "./server.ts";
import type { Player, Troupe } from "./troupe.ts";

/** It takes about a time-out; a busy machine takes longer. */
const BOUND_MS = 60_000;
const LOOK_EVERY_MS = 100;

/** Whether all places are taken; lets somebody in where one is free. */
export function isFull(troupes: readonly Troupe<Player>[]): boolean {
  return troupes.map((troupe) => troupe.fill()).every(Boolean);
}

/** Waits until nothing is wrong any more. Returns what still is after the bound. */
export async function disagreementIn(
  troupes: readonly Troupe<Player>[],
  server: Server,
  isReady: () => boolean,
): Promise<string | undefined> {
  const giveUpAt = performance.now() + BOUND_MS;
  for (;;) {
    const problem = await problemIn(troupes, server, isReady);
    if (problem === undefined || performance.now() > giveUpAt) return problem;
    await new Promise((resolve) => setTimeout(resolve, LOOK_EVERY_MS));
  }
}

async function problemIn(
  troupes: readonly Troupe<Player>[],
  server: Server,
  isReady: () => boolean,
): Promise<string | undefined> {
  if (!isReady()) {
    const free = troupes.filter(({ players, size }) => players.size < size);
    return `there are free places: ${free.map(({ service }) => service).join(", ")}`;
  }
  for (const troupe of troupes) {
    for (const player of troupe.players) player.rest();
    const problem = troupe.disagreement();
    if (problem !== undefined) return `${troupe.service}: ${problem}`;
  }
  const metrics = await server.metrics();
  return membersProblem(troupes, metrics) ?? await server.trouble() ?? faultsProblem(metrics);
}

/** Who left is gone for the server too. */
function membersProblem(troupes: readonly Troupe<Player>[], metrics: Metrics): string | undefined {
  for (const { service, members } of troupes) {
    const counted = metrics.of("netsync_members", service);
    if (members === undefined || counted === members) continue;
    return `${service}: the server has ${counted} members, there are ${members}`;
  }
  return undefined;
}

function faultsProblem(metrics: Metrics): string | undefined {
  const faults = metrics.sum("netsync_faults_total");
  return faults === 0 ? undefined : `the server counts ${faults} faults`;
}
