/** `netsync world` and `netsync watch world`, as a person types them. */
import { assert, assertEquals, assertMatch } from "@std/assert";
import { WorldClient } from "../../lib/clients/world_client.ts";
import { WorldServer, type WorldServerListenOptions } from "../../lib/clients/world_server.ts";
import {
  DENO_RUN,
  EventProgram,
  objectOf,
  output,
  Program,
  PYTHON,
  ServerProgram,
} from "../interop/programs.ts";
import { until } from "../support/wait.ts";
import config from "../../deno.json" with { type: "json" };
import { HOSTING_NAMES } from "../support/hosting.ts";

const ESC = "\x1b";

const netsync = (words: string): ReturnType<typeof output> => output(DENO_RUN, words.split(" "));

function startWorld(words: readonly string[] = []): Promise<ServerProgram> {
  return ServerProgram.start([...DENO_RUN, "world"], { words });
}

/** A server in this process, whose world changes when the test says so. */
function listen(options: WorldServerListenOptions = {}): Promise<WorldServer> {
  return WorldServer.listen({ port: 0, hostname: "127.0.0.1", tickRateHz: 0, ...options });
}

Deno.test("netsync world and watch world tell their options", async () => {
  const options = {
    "world": ["host", "bodies", "seed", "tick-rate", "keyframe", "timeout", "max-clients"]
      .concat(["max-per-ip", "max-bytes", "statistics", "simulate", "record", "help"])
      .concat(HOSTING_NAMES),
    "watch world": ["json", "help", "simulate", "record"],
  };
  await Promise.all(
    Object.entries(options).map(async ([command, names]) => {
      const { code, out, err } = await netsync(`${command} --help`);
      assertEquals([code, err], [0, []]);
      assert(out[0]!.startsWith(`usage: netsync ${command} `));
      const told = out.flatMap((line) => /^ {2}--([\w-]+)/.exec(line)?.[1] ?? []);
      assertEquals(told, names);
    }),
  );
  const { out } = await netsync("--help");
  assert(out.some((line) => line.startsWith("  world [PORT] ")));
});

Deno.test("netsync world ends with status 2 and one line that says what would be right", async () => {
  const says = {
    "world x": /PORT must be a whole number from 0 to 65535, not "x"/,
    "world 0 1": /"1" is one word too many/,
    "world --bodies 1.5": /--bodies must be a whole number from 0 to 5000, not "1\.5"/,
    "world --bodies 5001": /--bodies must be a whole number from 0 to 5000, not "5001"/,
    "world --seed 4294967296": /--seed must be a whole number from 0 to 4294967295, not "42949/,
    "world --tick-rate 0": /--tick-rate must be a number from 1 to 1000, not "0"/,
    "world --tick-rate 1001": /--tick-rate must be a number from 1 to 1000, not "1001"/,
    "world --keyframe 86401": /--keyframe must be a number from 0 to 86400, not "86401"/,
    "world --keyframe -1": /-1 is negative: no number here may be/,
    "world --timeout 0": /--timeout must be a number from 0\.1 to 86400, not "0"/,
    "world --max-clients 0": /--max-clients must be a whole number from 1 .*, not "0"/,
    "world --max-per-ip none": /--max-per-ip must be a whole number from 1 .*, not "none"/,
    "world --max-bytes 999": /--max-bytes must be a whole number from \d+ .*, not "999"/,
    "world --statistics": /--statistics needs a value: --statistics SECONDS/,
    "world 0 --bodie 3": /unknown option --bodie: did you mean --bodies\?/,
    "watch world": /which server\? For example: netsync watch world localhost:25005/,
    "watch world a:b": /"a:b" is not HOST, HOST:PORT or \[IPv6\]:PORT with a port from 1 to 65535/,
    "watch world ::1 --jsn": /unknown option --jsn: did you mean --json\?/,
  };
  await Promise.all(
    Object.entries(says).map(async ([words, right]) => {
      const { code, out, err } = await netsync(words);
      assertEquals([code, out, err.length], [2, [], 1], words);
      assertMatch(err[0]!, /^netsync: .*netsync --help\)$/);
      assertMatch(err[0]!, right);
    }),
  );
});

Deno.test("netsync world ends with status 1 and one line for a port in use or an address elsewhere", async () => {
  const taken = Deno.listenDatagram({ transport: "udp", hostname: "127.0.0.1", port: 0 });
  const { port } = taken.addr as Deno.NetAddr;
  const [inUse, elsewhere] = await Promise.all([
    netsync(`world ${port} --host 127.0.0.1`),
    netsync("world 0 --host 203.0.113.9"),
  ]);
  taken.close();
  assertEquals([inUse.code, inUse.out, inUse.err.length], [1, [], 1]);
  assert(inUse.err[0]!.startsWith(`netsync: UDP port ${port} is in use, `), inUse.err[0]);
  assertEquals([elsewhere.code, elsewhere.out, elsewhere.err.length], [1, [], 1]);
  assertMatch(elsewhere.err[0]!, /^netsync: --host 203\.0\.113\.9 is not an address of this /);
});

Deno.test("netsync world first says where it listens and how to see it; then who comes", async () => {
  await using server = new Program(DENO_RUN, ["world", "0"]);
  await server.next(
    "the last of the first lines",
    (line) => /stop +Ctrl\+C/.exec(line) ?? undefined,
  );
  const [, port] = /runs world \(Sidereal\) on UDP port (\d+)$/.exec(server.lines[0]!)!;
  const text = server.lines.join("\n");
  assertMatch(text, new RegExp(`listening on +\\[::\\]:${port} and 0\\.0\\.0\\.0:${port}\n`));
  assertMatch(text, new RegExp(`see the world .* watch world localhost:${port}\n`));
  {
    await using client = await WorldClient.connect(`localhost:${port}`);
    await until("everything", () => client.isSynced);
    assertEquals([client.objects.size, client.total, client.tickRateHz], [13, 13, 100]);
    assertEquals(client.objects.get(0)!.name, "sun");
  }
  const time = String.raw`^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d INFO {4}`;
  for (const what of ["joined", "left"]) {
    const clients = what === "joined" ? 1 : 0;
    const right = new RegExp(
      `${time}(127\\.0\\.0\\.1|\\[::1\\]):\\d+ ${what} \\(${clients} clients\\)$`,
    );
    await server.next(what, (line) => right.test(line) || undefined);
  }
  assertEquals(server.errorLines, []);
});

Deno.test("netsync world --bodies, --seed and --tick-rate make the world", async () => {
  await using server = await startWorld(["--bodies", "3", "--seed", "7", "--tick-rate", "50"]);
  await using same = await startWorld(["--bodies", "3", "--seed", "7", "--tick-rate", "50"]);
  await using empty = await startWorld(["--bodies", "0"]);
  const [one, two, none] = await Promise.all(
    [server, same, empty].map(({ port }) => WorldClient.connect(`127.0.0.1:${port}`)),
  );
  try {
    for (const client of [one!, two!, none!]) await until("everything", () => client.isSynced);
    assertEquals([one!.objects.size, none!.objects.size, one!.tickRateHz], [4, 0, 50]);
    const colors = (client: WorldClient): unknown[] =>
      [0, 1, 2, 3].map((id) => client.objects.get(id)!.color);
    assertEquals(colors(one!), colors(two!));
    const start = one!.objects.get(1)!.position;
    await until("movement", () => one!.objects.get(1)!.position[0] !== start[0]);
    for (const { position } of one!.objects.values()) {
      // No finer than a thousandth: digits nobody sees are most of what travels.
      for (const x of position) assertEquals(x, Math.round(x * 1_000) / 1_000);
    }
  } finally {
    await Promise.all([one, two, none].map((client) => client!.close()));
  }
});

Deno.test("netsync world --json prints JSON objects only, each with time, level and event", async () => {
  await using server = await startWorld(["--log-level", "debug", "--timeout", "0.5"]);
  const listening = objectOf(server.lines[0]!)!;
  assertEquals(listening.version, config.version);
  assertEquals(listening.addresses, [`[::]:${server.port}`, `0.0.0.0:${server.port}`]);
  const stranger = Deno.listenDatagram({ transport: "udp", hostname: "127.0.0.1", port: 0 });
  const target = { transport: "udp", hostname: "127.0.0.1", port: server.port } as const;
  await stranger.send(new Uint8Array(3), target);
  stranger.close();
  const refused = await server.event("refused");
  assertEquals([refused.reason, refused.level], ["short", "debug"]);
  {
    await using _client = await WorldClient.connect(`127.0.0.1:${server.port}`);
    const joined = await server.event("joined");
    assertEquals([joined.clients, joined.hasDiffs], [1, true]);
  }
  const left = await server.event("left");
  assertEquals([left.clients, left.reason], [0, "stopped"]);
  if (Deno.build.os !== "windows") { // Where a signal ends a program without a last word.
    server.kill("SIGTERM");
    assertEquals(await server.end(), 0);
    const { event, joined, left, refused } = objectOf(server.lines.at(-1)!)!;
    assertEquals([event, joined, left], ["stopped", 1, 1]);
    assertEquals((refused as Record<string, number>).short, 1);
  }
  for (const line of server.lines) {
    const facts = objectOf(line);
    const speaker = facts?.event === "permissions" ? "netsync" : "world";
    assert(facts?.time && facts.level && facts.event && facts.service === speaker, line);
  }
  assertEquals(server.errorLines, []);
});

Deno.test("netsync world --statistics says what goes through while somebody is there", async () => {
  await using server = await startWorld(["--statistics", "0.3", "--bodies", "4"]);
  await using _client = await WorldClient.connect(`127.0.0.1:${server.port}`);
  const figures = await server.event<Record<string, number>>(
    "statistics",
    (facts) => Number(facts.outHz) > 20 && Number(facts.ticksHz) > 30 ? facts as never : undefined,
  );
  assertEquals([figures.clients, figures.objects], [1, 5]);
  assert(figures.inHz! > 10 && figures.outBytesHzEach! > 1_000, JSON.stringify(figures));
  assert(figures.roundTripMs! > 0 && figures.tickLateMsP99! >= 0, JSON.stringify(figures));
  assertMatch(
    String(figures.message),
    /^1 clients, 5 objects: in .* kB\/s; each in .* ticks\/s, p99 .* ms late; round trip .* % not acked/,
  );
});

Deno.test("netsync world --max-clients 1 tells the second client so, and logs the refusal", async () => {
  await using server = await startWorld(["--max-clients", "1"]);
  await using _client = await WorldClient.connect(`127.0.0.1:${server.port}`);
  await server.event("joined");
  const { code, out, err } = await netsync(`watch world 127.0.0.1:${server.port}`);
  assertEquals([code, out, err], [1, [], ["netsync: the server has no free place"]]);
  const refused = await server.event("refused");
  assertEquals([refused.reason, refused.level], ["full", "warning"]);
  assertMatch(String(refused.message), /raise --max-clients /);
});

Deno.test("netsync watch world prints what comes and goes where the output is no terminal", async () => {
  await using server = await listen();
  const { world } = server;
  const rock = world.spawn();
  server.tick();
  await using watch = new Program(DENO_RUN, ["watch", "world", `127.0.0.1:${server.port}`]);
  const time = String.raw`^\d\d:\d\d:\d\d\.\d{3}`;
  const line = (text: string): Promise<true> => {
    const right = new RegExp(`${time} ${text}$`);
    return watch.next(text, (line) => right.test(line) || undefined);
  };
  await line("watching");
  await line("all 1 objects are here");
  const moon = world.spawn({ position: [1, -2.5, 0] });
  server.tick();
  await line(`object ${moon} is at 1 -2\\.5 0`);
  world.update(rock, { mass: 2, hp: 3 });
  server.tick();
  await line("1 changes; round trip \\d+\\.\\d ms, 0\\.0 % lost");
  world.remove(moon);
  server.tick();
  await line(`object ${moon} is gone`);
  assertEquals(watch.errorLines, []);
  // What was there already is no news.
  assert(!watch.lines.some((line) => line.includes(`object ${rock} `)));
});

Deno.test("netsync watch world --json prints a JSON object for everything", async () => {
  await using server = await listen();
  const { world } = server;
  const rock = world.spawn({ name: `\n${ESC}` });
  server.tick();
  const words = ["watch", "world", `127.0.0.1:${server.port}`, "--json"];
  await using watch = new EventProgram(DENO_RUN, words);
  const spawned = await watch.event("spawned");
  assertEquals([spawned.id, (spawned.traits as Record<string, unknown>).name], [rock, `\n${ESC}`]);
  assertEquals((await watch.event("synced")).objects, 1);
  world.update(rock, { position: [1, 2, 3] });
  server.tick();
  const changed = await watch.event("changed");
  assertEquals([changed.id, changed.changes], [rock, { position: [1, 2, 3] }]);
  world.remove(rock);
  server.tick();
  assertEquals((await watch.event("removed")).id, rock);
  const heartbeat = await watch.event("heartbeat");
  assert(Math.abs(Number(heartbeat.unixSeconds) - Date.now() / 1_000) < 60);
  const latency = await watch.event("latency");
  assert(Number(latency.roundTripMs) > 0);
  assertEquals(objectOf(watch.lines[0]!)!.event, "watching");
  for (const line of watch.lines) {
    const facts = objectOf(line);
    assert(facts && !Number.isNaN(Date.parse(String(facts.time))), line);
  }
  assertEquals(watch.errorLines, []);
});

Deno.test({
  name: "netsync watch world ends with status 0 on SIGINT, and tells the server that it leaves",
  ignore: Deno.build.os === "windows", // Deno ends a process there instead of sending it a signal.
}, async () => {
  await using server = await startWorld();
  await using watch = new Program(DENO_RUN, ["watch", "world", `[::1]:${server.port}`]);
  await watch.next("watching", (line) => line.includes("watching") || undefined);
  await server.event("joined");
  watch.kill("SIGINT");
  assertEquals(await watch.end(), 0);
  assertEquals((await server.event("left")).reason, "stopped");
});

Deno.test("netsync watch world ends with status 1 and one line for an unknown host", async () => {
  const nobody = "x".repeat(70); // Too long for a name, so that nobody is asked for it.
  const { code, out, err } = await netsync(`watch world ${nobody}`);
  assertEquals([code, out, err], [1, [], [
    `netsync: no address is known for the host "${nobody}"`,
  ]]);
});

Deno.test({
  name: "netsync watch world draws the world in a terminal, and restores the screen",
  ignore: Deno.build.os === "windows", // Python makes no terminals there.
}, async () => {
  await using server = await listen();
  const { world } = server;
  world.spawn({ name: `sun ${ESC}[2J`, mass: 1_000, color: [255, 0, 0] });
  const rock = world.spawn({ position: [40, 20, 0] });
  server.tick();
  const terminal = [PYTHON, "tests/commands/in_terminal.py", "14", "70"];
  const watch = [...DENO_RUN, "watch", "world", `127.0.0.1:${server.port}`];
  await using screen = new Program([...terminal, ...watch]);
  await screen.next("both objects", (line) => /●1/.exec(line) ?? undefined);
  const from = screen.lines.length;
  world.remove(rock);
  server.tick();
  const isOne = (line: string): true | undefined => line.includes(" 1 objects, ") || undefined;
  await screen.next("one object", isOne, { from });
  // Behind a line comes the next drawing: the last one may not be whole yet.
  const drawings = screen.lines.join("\n").split(`${ESC}[H`);
  assert(drawings[0]!.includes(`${ESC}[?1049h`) && drawings[0]!.includes(`${ESC}[?25l`));
  const drawing = drawings.slice(0, -1).findLast((text) => text.includes("●1"))!;
  const rows = drawing.split(`${ESC}[K`).map((row) => row.trimStart());
  assertMatch(rows[0]!, /^netsync watch world 127\.0\.0\.1:\d+ +2 objects, \d+ changes/);
  assertEquals(rows[0]!.length, 70);
  assertEquals([rows[1], rows[13]], [`┌${"─".repeat(68)}┐`, `└${"─".repeat(68)}┘`]);
  assert(rows.slice(2, 13).every((row) => /^│.{68}│$/.test(row)), rows.join("\n"));
  const sun = rows.findIndex((row) => row.includes(`◉sun \\x1b[2J`));
  const other = rows.findIndex((row) => row.includes("●1"));
  assertEquals(sun, 7); // In the middle;
  assert(other > 1 && other < sun, `the rock is in row ${other}`); // and north of it the rock.
  await screen.say("^C");
  assertEquals(await screen.end(), 0);
  const last = screen.lines.join("\n").split(`${ESC}[H`).at(-1)!;
  assert(last.includes(`${ESC}[?25h${ESC}[?1049l`), JSON.stringify(last));
});
