/** What the two processes hold at a moment. */
import type { Server } from "./server.ts";

/** So often, in a quiet time, of which the least counts: what waits to be collected is no leak. */
const LOOKS = 3;
const BETWEEN_MS = 700;

/** What is looked at; undefined where the system does not tell. */
export interface Held {
  serverMemory: number | undefined;
  serverHeap: number | undefined;
  serverHandles: number | undefined;
  serverMembers: number | undefined;
  driverMemory: number | undefined;
  driverHeap: number | undefined;
  driverHandles: number | undefined;
}

/** Looks several times. */
export async function measure(server: Server): Promise<Held> {
  const looks: Held[] = [];
  for (let look = 0; look < LOOKS; look++) {
    if (look > 0) await new Promise((resolve) => setTimeout(resolve, BETWEEN_MS));
    looks.push(await lookAt(server));
  }
  const least = (key: keyof Held): number | undefined => {
    const values = looks.map((held) => held[key]).filter((value) => value !== undefined);
    return values.length === 0 ? undefined : Math.min(...values);
  };
  const keys = Object.keys(looks[0]!) as (keyof Held)[];
  return Object.fromEntries(keys.map((key) => [key, least(key)])) as unknown as Held;
}

async function lookAt(server: Server): Promise<Held> {
  const metrics = await server.metrics();
  collectGarbage();
  const { rss, heapUsed } = Deno.memoryUsage();
  return {
    serverMemory: metrics.gauge("process_resident_memory_bytes"),
    serverHeap: metrics.gauge("netsync_heap_bytes"),
    serverHandles: handlesOf(server.pid!),
    serverMembers: metrics.sum("netsync_members"),
    driverMemory: rss,
    driverHeap: heapUsed,
    driverHandles: handlesOf(Deno.pid),
  };
}

/** Only under `--v8-flags=--expose-gc`. */
function collectGarbage(): void {
  (globalThis as { gc?: () => void }).gc?.();
}

/** Open files and sockets. Deno itself reads there with all permissions only. */
function handlesOf(pid: number): number | undefined {
  try {
    return [...Deno.readDirSync(`/proc/${pid}/fd`)].length;
  } catch {
    return undefined;
  }
}
