/** The soak itself: that it works, and that it finds what is wrong. */
import { assert, assertEquals, assertMatch } from "@std/assert";
import { MessageServer } from "../../lib/clients/message_server.ts";
import { WorldServer } from "../../lib/clients/world_server.ts";
import { Gravity } from "../../lib/commands/gravity.ts";
import { seededRandom } from "../../lib/parts/random.ts";
import { NetworkMessage } from "../../lib/protocols/messages/message.ts";
import { World } from "../../lib/protocols/world/world.ts";
import { withFolder } from "../support/folder.ts";
import { until } from "../support/wait.ts";
import { Book } from "./book.ts";
import { Weather } from "./line.ts";
import { MessagesTroupe } from "./messages.ts";
import { reportOf } from "./report.ts";
import type { Ports } from "./server.ts";
import { soak } from "./soak.ts";
import type { Stage } from "./stage.ts";
import type { Player, Troupe } from "./troupe.ts";
import { WorldTroupe } from "./world.ts";

const PATIENCE_MS = 30_000;
const WORLD = { bodies: 3, seed: 1, tickRateHz: 20 };

/** A stage with a server of this process, which goes on. */
function stageAt(ports: Partial<Ports>): Stage {
  const none = { sync: 0, rendezvous: 0, arena: 0, echo: 0, messages: 0, world: 0, dashboard: 0 };
  return {
    ...{ book: new Book(), random: seededRandom(1), weather: new Weather(seededRandom(2)) },
    ...{ server: { epoch: 1, wellSince: 0 }, ports: { ...none, ...ports } },
    ...{ timeoutMs: 10_000, isCalm: true },
  };
}

/** Lets them play until `isEnough`. */
async function play(
  troupe: Troupe<Player>,
  what: string,
  isEnough: () => boolean,
): Promise<void> {
  const { random } = troupe.stage;
  try {
    await until("all to be in", () => troupe.fill(), PATIENCE_MS);
    await until(what, () => {
      for (const player of troupe.players) if (random() < 0.1) player.play();
      return isEnough();
    }, PATIENCE_MS);
  } finally {
    await troupe.end();
  }
}

/** Passes messages on, but for every so-manieth. */
async function relay(leftOutEvery: number): Promise<MessageServer> {
  const server = new MessageServer("127.0.0.1", 0);
  let count = 0;
  server.onMessage.addListener((client, message) => {
    const isHandshake = message.hasHeader("handshake");
    if (isHandshake) client.send(new NetworkMessage("welcome").addHeader("handshake", "soak"));
    if (isHandshake || ++count % leftOutEvery !== 0) server.broadcast(message, [client]);
  });
  await server.startAsync();
  return server;
}

for (
  const [what, leftOutEvery, isFound] of [
    ["finds a server that drops every tenth message", 10, true],
    ["finds nothing wrong with one that drops none", Infinity, false],
  ] as const
) {
  Deno.test(`MessagesTroupe ${what}`, async () => {
    await using server = await relay(leftOutEvery);
    const stage = stageAt({ messages: server.port! });
    const { book } = stage;
    const troupe = new MessagesTroupe(stage, 3);
    const heard = (): number => book.checks.get("messages: each message once and in order") ?? 0;
    await play(troupe, "messages", () => heard() >= 200);
    if (isFound) assertMatch(book.violations.join("\n"), /messages: \S+ heard .*: some are lost/);
    else assertEquals(book.violations, []);
  });
}

for (
  const [what, seed, isFound] of [
    ["finds a server whose objects are elsewhere", WORLD.seed + 1, true],
    ["finds nothing wrong with one whose objects are where they should be", WORLD.seed, false],
  ] as const
) {
  Deno.test(`WorldTroupe ${what}`, async () => {
    const world = new World({ decimals: 3 });
    const gravity = new Gravity(world, WORLD.bodies, seed);
    const { tickRateHz } = WORLD;
    await using server = await WorldServer.listen({
      ...{ world, tickRateHz, port: 0 },
      step: (world, seconds) => gravity.step(world, seconds),
    });
    const stage = stageAt({ world: server.port });
    const { book } = stage;
    const troupe = new WorldTroupe(stage, 2, WORLD);
    const looks = (): number => book.checks.get("world: an object is where the server's was") ?? 0;
    await play(troupe, "looks", () => looks() >= 2 * (WORLD.bodies + 1));
    if (isFound) {
      assertMatch(book.violations.join("\n"), /world: \S+ has object .* never was there/);
    } else assertEquals(book.violations, []);
  });
}

Deno.test("soak() plays on the real server with all services, and finds nothing wrong", async () => {
  await withFolder(async (folder) => {
    const result = await soak({
      ...{ folder, seed: 1, durationMs: 1, roughMs: 1_900, timeoutSeconds: 3, players: 3 },
      ...{ restarts: false, clock: undefined, log: (): void => {} },
    });
    const { book, measured, datagrams } = result;
    assertEquals(book.violations, []);
    assertEquals([measured.length, result.rounds], [1, 1]);
    assert(measured[0]!.serverMemory! > 1_000_000 && measured[0]!.serverHeap! > 1_000_000);
    assert(datagrams.received > 100 && datagrams.sent > 100);
    const services = ["sync", "rendezvous", "arena", "echo", "events", "messages", "world"];
    for (const service of services) {
      const { came, went } = book.attendanceOf(service);
      assert(came >= 3 && went === came, `${service}: ${came} came, ${went} went`);
      const checks = [...book.checks.keys()].filter((kind) => kind.startsWith(`${service}:`));
      assert(checks.length > 0, service);
    }
    assertMatch(reportOf(result, 1, []), /^# Soak: passed/);
  });
});
