/** ArenaClient and the bots over real sockets: on our server, and on the original's behaviour. */
import { assert, assertEquals, assertRejects } from "@std/assert";
import { ArenaClient } from "../../lib/clients/arena.ts";
import { ArenaBots } from "../../lib/clients/arena_bots.ts";
import { ConnectTimeoutError } from "../../lib/clients/reach.ts";
import { openUdp, UdpHost } from "../../lib/hosts/udp.ts";
import { seededRandom } from "../../lib/parts/random.ts";
import { type ArenaServer, createArenaServer } from "../../lib/protocols/arena/server.ts";
import { OriginalServer } from "../interop/original_server.ts";
import { until } from "../support/wait.ts";

interface OpenArena extends AsyncDisposable {
  engine: ArenaServer;
  address: string;
}

async function openArena(
  options: { silenceMs?: number; playersMax?: number } = {},
): Promise<OpenArena> {
  const engine = createArenaServer({ random: seededRandom(1), ...options });
  const host = new UdpHost(engine, await openUdp({ port: 0, hostname: "127.0.0.1" }));
  const address = `127.0.0.1:${host.socket.port}`;
  return { engine, address, [Symbol.asyncDispose]: (): Promise<void> => host.close() };
}

Deno.test("ArenaClient plays: sees the others, moves, fires, and hears who left", async () => {
  await using arena = await openArena({ silenceMs: 400 });
  const ada = await ArenaClient.connect(arena.address);
  const bob = await ArenaClient.connect(arena.address);
  assertEquals([ada.number, bob.number, ada.world], [1, 2, { width: 20, height: 10 }]);
  await until("each to see both", () => ada.players.size === 2 && bob.players.size === 2);
  const start = bob.players.get(1)!.x;
  ada.steer(start > 0 ? -1 : 1, 0);
  ada.fire();
  await until("her to have moved", () => Math.abs(bob.players.get(1)!.x - start) > 1_000);
  await until("the bullet to be seen", () => bob.bullets.length === 1);
  assertEquals(bob.bullets[0]!.rotation, start > 0 ? 3_141 : 0);
  assert(bob.silentMs < 5_000);
  const left: number[] = [];
  bob.on("left", ({ number }) => left.push(number));
  const staying = setInterval(() => bob.steer(0, 0), 50);
  await ada.close();
  await until("bob to hear of it", () => left.length > 0);
  clearInterval(staying);
  assertEquals([left, [...bob.players.keys()]], [[1], [2]]);
  await bob.close();
});

Deno.test("ArenaClient is let in again as somebody new when the server forgot it", async () => {
  await using arena = await openArena({ silenceMs: 100 });
  await using ada = await ArenaClient.connect(arena.address);
  const welcomes: number[] = [];
  ada.on("welcomed", ({ number }) => welcomes.push(number));
  await until("the server to forget her", () => arena.engine.census().players === 0);
  ada.steer(1, 0);
  await until("the next welcome", () => welcomes.length === 1);
  assertEquals([welcomes, ada.number], [[2], 2]);
});

Deno.test("ArenaClient.connect() throws where every place is taken", async () => {
  await using arena = await openArena({ playersMax: 1 });
  await using _ada = await ArenaClient.connect(arena.address);
  await assertRejects(
    () => ArenaClient.connect(arena.address, { timeoutMs: 100 }),
    ConnectTimeoutError,
  );
});

Deno.test("ArenaClient plays on the original server", async () => {
  await using server = await OriginalServer.start(["0"], "original_arena_server.py");
  await using ada = await ArenaClient.connect(`127.0.0.1:${server.port}`);
  const start = ada.players.get(1)!.x;
  ada.steer(start > 0 ? -1 : 1, 0);
  await until("her to have moved", () => Math.abs(ada.players.get(1)!.x - start) > 1_000);
});

Deno.test("ArenaBots measures what its players see", async () => {
  await using arena = await openArena();
  const [hostname, port] = arena.address.split(":");
  const server = { hostname: hostname!, port: Number(port) };
  const progress: number[] = [];
  const bots = await ArenaBots.connect(
    { server, count: 5, turnSeconds: 0.1, fires: true },
    (players) => progress.push(players),
  );
  try {
    assertEquals([bots.players, progress], [5, [1, 2, 3, 4, 5]]);
    bots.startMeasuring();
    await until("some turns and lists", () => {
      const { inputs, listsHz, lossPercent } = bots.report();
      return inputs >= 20 && listsHz > 10 && lossPercent !== undefined;
    });
    const report = bots.report();
    assertEquals([report.players, report.welcomes, report.resends], [5, 5, 0]);
    assert(report.latencyMsP50 > 0 && report.latencyMsP99 >= report.latencyMsP50);
    assert(report.bytes > 0 && report.bytesMax <= 1_200 && report.ownUpdatesHz > 10);
    assertEquals(report.lossPercent, 0);
    assert(arena.engine.census().bullets > 0);
  } finally {
    await bots.close();
  }
});

Deno.test("ArenaBots plays on the original server, of whose lists each goes to one player", async () => {
  await using server = await OriginalServer.start(["0"], "original_arena_server.py");
  const target = { hostname: "127.0.0.1", port: server.port };
  const bots = await ArenaBots.connect({ server: target, count: 3, turnSeconds: 0.1 });
  try {
    bots.startMeasuring();
    await until("latencies", () => bots.report().latencyMsP50 > 0);
    // So nothing can be said of loss.
    assertEquals([bots.players, bots.report().lossPercent], [3, undefined]);
  } finally {
    await bots.close();
  }
});
