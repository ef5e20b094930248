/** WorldServer and WorldClient on one side, Python programs on the other. */
import { assert, assertEquals } from "@std/assert";
import { WorldClient } from "../../lib/clients/world_client.ts";
import { WorldServer } from "../../lib/clients/world_server.ts";
import { seededRandom } from "../../lib/parts/random.ts";
import { World } from "../../lib/protocols/world/world.ts";
import { until } from "../support/wait.ts";
import {
  assertNoComplaints,
  isSame,
  mirrorOf,
  mirrors,
  testTogether,
  thousandths,
} from "./world_mirrors.ts";
import { OriginalWorldServer, WorldPeer } from "./world_programs.ts";

/** The original tells what moved every ten seconds. */
const KEYFRAME_PATIENCE_MS = 20_000;

testTogether("WorldServer and WorldClient", {
  "bring the original client up to date where a fifth is lost each way": () => converge("original"),
  "bring the client with diffs up to date where a fifth is lost each way": () => converge("diffs"),
  "have the bodies of an original server where it tells that they are": async () => {
    await using server = await OriginalWorldServer.start(["--bodies", "5"]);
    await using client = await WorldClient.connect(`127.0.0.1:${server.port}`);
    await until("all of them", () => client.objects.size === 5);
    const start = client.time;
    assertIsOriginal(client, start);
    await server.create([1, 2, 3], 4);
    await until("the new one", () => client.objects.size === 6);
    const { position, mass, quaternion } = client.objects.get(5)!;
    assertEquals([position, mass, quaternion], [[1, 2, 3], 4, [1, 0, 0, 0]]);
    let changes = 0;
    client.on("changed", () => changes++);
    await until("what moved", () => changes >= 5, KEYFRAME_PATIENCE_MS);
    assert(client.time >= 1_000 && client.time % 1_000 === 0, `tick ${client.time}`);
    assertIsOriginal(client, client.time);
    assertEquals([client.isSynced, client.total, client.loss], [false, undefined, undefined]);
    assert(client.roundTripMs! > 0);
    await client.close();
    await server.hears("stop");
  },
  "have them also where a fifth is lost each way: silence is answered by a knock": async () => {
    await using server = await OriginalWorldServer.start(["--bodies", "5", "--loss", "0.2"]);
    const target = `127.0.0.1:${server.port}`;
    // A server that is silent for so long is asked anew, and tells everything once more.
    await using client = await WorldClient.connect(target, { silenceMs: 400 });
    await until("all of them", () => client.objects.size === 5, KEYFRAME_PATIENCE_MS);
    const seen = new Set<number>();
    client.on("changed", ({ id }) => seen.add(id));
    await until("each to have moved", () => seen.size === 5, KEYFRAME_PATIENCE_MS);
    for (const [id, { position: [x, y, z] }] of client.objects) {
      const time = y / 0.01;
      const [right, wrong] = [bodyAt(id, time), [x, y, z]];
      right.forEach((value, axis) => assert(Math.abs(value - wrong[axis]!) < 1e-6, `body ${id}`));
      assert(time > 0 && time < client.time + 0.5);
    }
  },
});

/** A world that stands still in the end, and a Python client behind a line that loses a fifth each way. */
async function converge(client: "original" | "diffs"): Promise<void> {
  const random = seededRandom(3);
  const world = new World({ decimals: 3 });
  for (let number = 0; number < 40; number++) {
    world.spawn({ position: [number, random(), 0], name: `é ${number}`, list: [number, null] });
  }
  const anyOf = (): number => [...world.objects.keys()][Math.floor(random() * world.objects.size)]!;
  /** Things happen for a second and a half; then the world stands still. */
  const step = (world: World, seconds: number, time: number): void => {
    if (time > 150) return;
    for (const [id, { position: [x, y, z] }] of world.objects) {
      if (id % 3 === time % 3) world.update(id, { position: [x + seconds, y, z - 1 / 3] });
    }
    if (time % 10 === 0) world.spawn({ mass: time, born: time });
    if (time % 15 === 0) world.remove(anyOf());
    if (time % 4 === 0) world.update(anyOf(), { hp: time, name: time % 8 ? undefined : "new" });
  };
  await using server = await WorldServer.listen({
    port: 0,
    hostname: "127.0.0.1",
    world,
    step,
  });
  await using peer = await WorldPeer.join(server.port, { client, loss: 0.2 });
  await until("the world to stand still", () => world.time > 150);
  const known = mirrorOf(world, thousandths);
  await mirrors("the mirror to be the world", peer, ({ objects }) => {
    if (client === "diffs") return isSame(objects, known);
    // The original knows no other traits, and what is gone stays.
    return Object.entries(known).every(([id, object]) => {
      return isSame(objects[id], { ...object, traits: {} });
    });
  });
  const { lost_in, lost_out } = await peer.statistics();
  assert(lost_in > 5 && lost_out > 5, `${lost_in} and ${lost_out} were lost`);
  assertNoComplaints(peer);
}

/** Where the original's body is: they move in straight lines from the first tick on. */
function bodyAt(id: number, time: number): number[] {
  const seconds = time * 0.01;
  return [id + (id % 3) * seconds, seconds, -0.5 * (id % 5) * seconds];
}

function assertIsOriginal({ objects }: WorldClient, time: number): void {
  for (let id = 0; id < 5; id++) {
    const { position, velocity, mass } = objects.get(id)!;
    assertEquals([velocity[0], velocity[1], mass], [id % 3, 1, 1 + id]);
    bodyAt(id, time).forEach((value, axis) => {
      assert(Math.abs(value - position[axis]!) < 1e-6, `body ${id} is at ${position}`);
    });
  }
}
