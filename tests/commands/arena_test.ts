/** `netsync watch arena` and `netsync bots arena`, as a person types them. */
import { assert, assertEquals, assertMatch } from "@std/assert";
import { ArenaClient } from "../../lib/clients/arena.ts";
import { OriginalServer } from "../interop/original_server.ts";
import {
  DENO_RUN,
  EventProgram,
  objectOf,
  output,
  Program,
  PYTHON,
  ServerProgram,
} from "../interop/programs.ts";

const ESC = "\x1b";

function startArena(words: readonly string[] = []): Promise<ServerProgram> {
  return ServerProgram.start([...DENO_RUN, "arena"], { words });
}

Deno.test("netsync arena first says where it listens, and how to see and fill it", async () => {
  await using server = new Program(DENO_RUN, ["arena", "0"]);
  await server.next(
    "the last of the first lines",
    (line) => /stop +Ctrl\+C/.exec(line) ?? undefined,
  );
  const [, port] = /runs arena \(udp-socket-server\) on UDP port (\d+)$/.exec(server.lines[0]!)!;
  const text = server.lines.join("\n");
  assertMatch(text, new RegExp(`see the world .* watch arena localhost:${port}\n`));
  assertMatch(text, new RegExp(`fill it .* bots arena localhost:${port} --count 20\n`));
});

Deno.test("netsync bots arena plays, and sums up what the players saw", async () => {
  await using server = await startArena();
  const words = `bots arena localhost:${server.port} --count 4 --speed 0.2 --fire --seconds 1.4`;
  const { code, out, err } = await output(DENO_RUN, words.split(" "));
  assertEquals([code, err, out[0]], [0, [], "4 of 4 players are in"]);
  const figures = new Map(
    out.slice(1).map((line) => {
      const [, name, figure] = /^ {2}(.*?) +(\d[\d.]*) \S/.exec(line)!;
      return [name!, Number(figure)];
    }),
  );
  const figure = (name: string): number => figures.get(name) ?? NaN;
  const text = out.join("\n");
  assertEquals([figure("welcomes"), figure("resends"), figure("loss")], [4, 0, 0]);
  assert(figure("inputs") > 10 && figure("inputs") < 30, text);
  assert(figure("updates") > 20 && figure("updates") < 130, text);
  assert(figure("latency p50") > 0 && figure("latency p99") >= figure("latency p50"), text);
  assert(figure("largest datagram") > 100 && figure("largest datagram") <= 1_200, text);
});

Deno.test("netsync bots arena --json tells how it goes on every second, the summary last", async () => {
  await using server = await startArena();
  const words = `bots arena 127.0.0.1:${server.port} --count 2 --seconds 1.2 --json`;
  const { code, out, err } = await output(DENO_RUN, words.split(" "));
  assertEquals([code, err], [0, []]);
  assertEquals(out.map((line) => objectOf(line)?.event), ["playing", "progress", "summary"]);
  const summary = objectOf(out[2]!) as Record<string, number>;
  for (const name of ["datagrams", "bytes", "listsHz", "inputs"]) {
    assert(summary[name]! > 0, out[2]);
  }
});

Deno.test("netsync bots arena tells of a full server, and of none", async () => {
  await using server = await startArena(["--max-per-ip", "2"]);
  const silent = Deno.listenDatagram({ transport: "udp", hostname: "127.0.0.1", port: 0 });
  const { port } = silent.addr as Deno.NetAddr;
  const bots = (port: number): Promise<{ code: number; out: string[]; err: string[] }> =>
    output(DENO_RUN, `bots arena 127.0.0.1:${port} --count 3 --seconds 0.1`.split(" "));
  const [full, nobody] = await Promise.all([bots(server.port), bots(port)]);
  silent.close();
  assertEquals([full.code, full.err, full.out[0]], [0, [], "2 of 3 players are in"]);
  assertMatch(full.out[1]!, /no more places: raise --max-per-ip or --max-players there$/);
  assertEquals([nobody.code, nobody.out, nobody.err], [1, [], [
    `netsync: no answer from 127.0.0.1 on UDP port ${port}: is the server running and not full?`,
  ]]);
});

Deno.test("netsync bots arena shows on one line of a terminal how it goes on", {
  ignore: Deno.build.os === "windows", // Python makes no terminals there.
}, async () => {
  await using server = await startArena();
  const bots = `bots arena 127.0.0.1:${server.port} --count 2 --seconds 1.5`.split(" ");
  const terminal = [PYTHON, "tests/commands/in_terminal.py", "10", "60"];
  const { code, out } = await output([...terminal, ...DENO_RUN], bots);
  assertEquals(code, 0);
  const text = out.join("\n");
  assertMatch(text, /\r1 of 1\.5 s: [\d.]+ lists a second to each, latency p50 [^\n]{0,12}/);
  assertMatch(text, /welcomes +2 for 2 players/);
});

Deno.test("netsync watch arena prints who comes and goes where the output is no terminal", async () => {
  await using server = await startArena(["--timeout", "3"]);
  await using watch = new Program(DENO_RUN, ["watch", "arena", `127.0.0.1:${server.port}`]);
  const line = (pattern: RegExp): Promise<RegExpExecArray> =>
    watch.next(String(pattern), (line) => pattern.exec(line) ?? undefined);
  const time = String.raw`^\d\d:\d\d:\d\d\.\d{3}`;
  await line(new RegExp(`${time} watching as player 1$`));
  {
    await using ada = await ArenaClient.connect(`127.0.0.1:${server.port}`);
    await line(new RegExp(`${time} player 2 is at -?\\d+\\.\\d -?\\d\\.\\d$`));
    ada.steer(-1, 0);
    await line(new RegExp(`${time} 1 of 1 players were told of$`));
  }
  await line(new RegExp(`${time} player 2 left$`));
  assertEquals(watch.errorLines, []);
});

Deno.test("netsync watch arena --json prints everything, also from the original server", async () => {
  await using server = await OriginalServer.start(["0"], "original_arena_server.py");
  await using watch = new EventProgram(DENO_RUN, [
    ...["watch", "arena", `127.0.0.1:${server.port}`, "--json"],
  ]);
  await watch.event("watching", ({ number }) => number === 1 || undefined);
  await using ada = await ArenaClient.connect(`127.0.0.1:${server.port}`);
  ada.steer(1, 1);
  const { players } = await watch.event<{ players: { number: number; x: number }[] }>("players");
  assertEquals(players.map(({ number }) => number), [2]);
});

Deno.test({
  name: "netsync watch arena draws the world in a terminal, and restores the screen",
  ignore: Deno.build.os === "windows", // Python makes no terminals there.
}, async () => {
  await using server = await startArena();
  await using ada = await ArenaClient.connect(`127.0.0.1:${server.port}`);
  const terminal = [PYTHON, "tests/commands/in_terminal.py", "14", "50"];
  const watch = [...DENO_RUN, "watch", "arena", `127.0.0.1:${server.port}`];
  await using screen = new Program([...terminal, ...watch]);
  await screen.next("both players", (line) => /●1/.exec(line) ?? undefined);
  ada.fire();
  await screen.next("the bullet", (line) => /·/.exec(line) ?? undefined);
  const drawings = screen.lines.join("\n").split(`${ESC}[H`);
  assert(drawings[0]!.includes(`${ESC}[?1049h`) && drawings[0]!.includes(`${ESC}[?25l`));
  const rows = drawings.at(-2)!.split(`${ESC}[K`).map((row) => row.trimStart());
  assertMatch(rows[0]!, /^netsync watch arena 127\.0\.0\.1:\d+ +\d players, /);
  assertEquals(rows[0]!.length, 50);
  assertEquals([rows[1], rows.slice(2, 13).every((row) => /^│.{44}│$/.test(row))], [
    `┌${"─".repeat(44)}┐`,
    true,
  ]);
  assertEquals(rows[13], `└${"─".repeat(44)}┘`);
  await screen.say("^C");
  assertEquals(await screen.end(), 0);
  const last = screen.lines.join("\n").split(`${ESC}[H`).at(-1)!;
  assert(last.includes(`${ESC}[?25h${ESC}[?1049l`), JSON.stringify(last));
});
