/**
 * Hole punching through real routers: the real server and `netsync chat` in homes behind nftables.
 *
 * Where there is no right to make network namespaces, or no `ip` or `nft`, one line says so and the tests
 * are ignored.
 */
import { assertEquals, assertMatch, assertNotEquals } from "@std/assert";
import { type Command, ServerProgram } from "../interop/programs.ts";
import { Chat } from "../interop/rendezvous_programs.ts";
import { obstacleToStreets, Street, type StreetOptions } from "./street.ts";

const named = Deno.env.get("NETSYNC_BINARY");
const NETSYNC: Command = named
  ? [Deno.realPathSync(named)]
  : [Deno.execPath(), "run", "--allow-net", "--allow-sys=networkInterfaces", "main.ts"];
const SERVER = "203.0.113.10";

const obstacle = await obstacleToStreets();
if (obstacle) console.log(`SKIPPED: the tests with real routers: ${obstacle}`);

/** Registers a test on a street with a server that runs. */
function test(
  name: string,
  options: StreetOptions,
  play: (chat: (machine: string, words: string) => Chat, street: Street) => Promise<void>,
): void {
  Deno.test({
    name,
    ignore: obstacle !== undefined,
    async fn(): Promise<void> {
      await using street = await Street.open(options);
      const command = [...street.on("server", NETSYNC), "rendezvous"];
      await using server = await ServerProgram.start(command);
      const at = { host: SERVER, port: server.port };
      await play((machine, words) => Chat.at(street.on(machine, NETSYNC), at, words), street);
    },
  });
}

const APART = ["192.168.1", "192.168.2"] as const;
const ALIKE = ["192.168.1", "192.168.1"] as const;

for (const dialect of [1, 2]) {
  const more = ` --dialect ${dialect}`;

  test(`netsync chat connects two homes by their global addresses in dialect ${dialect}`, {
    ports: "KEPT",
    lans: APART,
  }, async (chat) => {
    await using castle = chat("a1", `--name castle --host${more}`);
    await castle.event("registered");
    await using ada = chat("b1", `--name ada --join castle${more}`);
    await checkGlobal(castle, ada);
  });
}

test("netsync chat connects two homes whose private addresses are the same", {
  ports: "KEPT",
  lans: ALIKE,
}, async (chat) => {
  await using castle = chat("a1", "--name castle --host --port 4000");
  await castle.event("registered");
  await using ada = chat("b1", "--name ada --join castle --port 4000");
  await checkGlobal(castle, ada);
});

test("netsync chat passes by a stranger at the host's private address", {
  ports: "KEPT",
  lans: ALIKE,
}, async (chat) => {
  await using castle = chat("a1", "--name castle --host --port 4000");
  await castle.event("registered");
  await using stranger = chat("b1", "--name hut --host --port 4000");
  await stranger.event("registered");
  await using ada = chat("b2", "--name ada --join castle");
  await checkGlobal(castle, ada);
  assertEquals(stranger.events("connected"), []);
});

for (const ports of ["KEPT", "RANDOM"] as const) {
  test(`netsync chat connects two of one home by their local addresses, ports ${ports}`, {
    ports,
    lans: APART,
  }, async (chat) => {
    await using castle = chat("a1", "--name castle --host");
    await castle.event("registered");
    await using ada = chat("a2", "--name ada --join castle");
    const [toCastle, toAda] = [await ada.connects("castle"), await castle.connects("ada")];
    assertEquals([toCastle.path, toAda.path], ["local", "local"]);
    assertMatch(String(toCastle.address), /^192\.168\.1\.5:\d+$/);
    assertMatch(String(toAda.address), /^192\.168\.1\.6:\d+$/);
    await talk(castle, ada);
  });
}

test("netsync chat says that inquiries go unanswered where routers change ports", {
  ports: "RANDOM",
  lans: APART,
}, async (chat) => {
  await using castle = chat("a1", "--name castle --host");
  await castle.event("registered");
  await using ada = chat("b1", "--name ada --join castle");
  const failed = await ada.event("failed");
  assertEquals(failed.step, "inquiry");
  assertMatch(String(failed.message), /nothing came back from its public address 203\.0\.113\.1:/);
  assertEquals(await ada.end(), 1);
  const lost = await castle.event("lost");
  assertEquals([lost.peer, lost.reason], ["ada", "inquiry"]);
  // It goes on for those who can reach it.
  await using bob = chat("a2", "--name bob --join castle");
  assertEquals((await bob.connects("castle")).path, "local");
});

test("netsync chat reaches a home whose router changes ports from one that has no router", {
  ports: "RANDOM",
  lans: APART,
}, async (chat) => {
  await using castle = chat("a1", "--name castle --host");
  await castle.event("registered");
  await using ada = chat("c", "--name ada --join castle");
  const announced = (await ada.event("introduced")).global;
  const { path, address } = await ada.connects("castle");
  assertEquals(path, "global");
  assertNotEquals(address, announced);
  await castle.connects("ada");
  await talk(castle, ada);
});

test("netsync chat says that the server does not answer where it is not", {
  ports: "KEPT",
  lans: APART,
}, async (_chat, street) => {
  const nowhere = { host: SERVER, port: 9 };
  await using ada = Chat.at(street.on("b1", NETSYNC), nowhere, "--name ada --join castle");
  assertEquals((await ada.event("failed")).step, "server");
  assertEquals(await ada.end(), 1);
});

async function checkGlobal(castle: Chat, ada: Chat): Promise<void> {
  const [toCastle, toAda] = [await ada.connects("castle"), await castle.connects("ada")];
  assertEquals([toCastle.path, toAda.path], ["global", "global"]);
  assertMatch(String(toCastle.address), /^203\.0\.113\.1:\d+$/);
  assertMatch(String(toAda.address), /^203\.0\.113\.2:\d+$/);
  await talk(castle, ada);
}

async function talk(castle: Chat, ada: Chat): Promise<void> {
  await castle.say("who is there?");
  assertEquals((await ada.hears("who is there?")).from, "castle");
  await ada.say("ada is");
  assertEquals((await castle.hears("ada is")).from, "ada");
}
