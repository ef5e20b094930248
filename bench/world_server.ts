/**
 * A world of bodies that change, for `bench/world_capacity.ts`.
 *
 *     deno run --allow-net bench/world_server.ts BODIES SHARE TRAITS DECIMALS TICK_RATE
 *
 * At each tick a share of the bodies changes: its position, or position and quaternion with TRAITS 2. The
 * first number of a position is when it was changed, in tenths of a second by the system's clock, so that
 * whoever is told knows how late it is. DECIMALS -1 rounds nothing.
 */
import { WorldServer } from "../lib/clients/world_server.ts";
import { seededRandom } from "../lib/parts/random.ts";
import type { TraitChanges } from "../lib/protocols/world/traits.ts";
import { World } from "../lib/protocols/world/world.ts";
import { stamp } from "./world_stamp.ts";

const [bodies, share, traits, decimals, tickRateHz] = Deno.args.map(Number) as [
  number,
  number,
  number,
  number,
  number,
];
const random = seededRandom(1);
const world = new World(decimals < 0 ? {} : { decimals });
const ids = Array.from({ length: bodies }, () => world.spawn({ position: [0, 1, 2] }));

function change(): TraitChanges {
  const position: [number, number, number] = [stamp(), 100 * random(), 100 * random()];
  if (traits === 1) return { position };
  const angle = Math.PI * random();
  return { position, quaternion: [Math.cos(angle), 0, 0, Math.sin(angle)] };
}

await using server = await WorldServer.listen({
  port: 0,
  hostname: "127.0.0.1",
  world,
  tickRateHz,
  clientsMax: 10_000,
  clientsPerNetworkMax: 10_000,
  bytesPerSecond: 4_000_000,
  step(world, _seconds, time): void {
    const period = Math.round(1 / share);
    for (const id of ids) if (id % period === time % period) world.update(id, change());
  },
});
console.log(JSON.stringify({ event: "listening", port: server.port }));
for await (const _ of Deno.stdin.readable) {
  const { sent, sentBytes, received, dropped, faults } = server.counters;
  const { clients } = server;
  const loss = clients.reduce((sum, client) => sum + client.loss, 0) / clients.length;
  const synced = clients.filter(({ isSynced }) => isSynced).length;
  const figures = { sent, sentBytes, received, dropped, faults, loss, synced, time: world.time };
  console.log(JSON.stringify({ event: "counters", ...figures }));
}
