import { assert, assertEquals, assertMatch } from "@std/assert";
import { SyncClient } from "../../lib/clients/sync.ts";
import { DENO_RUN, objectOf, output, Program, ServerProgram } from "../interop/programs.ts";

Deno.test("netsync bots plays, and sums up what the players saw", async () => {
  await using server = await ServerProgram.start(DENO_RUN);
  await using bots = new Program(
    DENO_RUN,
    `bots localhost:${server.port} --count 3 --rate 20 --size 40 --seconds 0.5`.split(" "),
  );
  await using spectator = await SyncClient.connect(`127.0.0.1:${server.port}`);
  const seen = new Set<string>();
  spectator.on("states", (states) => [...states.values()].forEach((state) => seen.add(state)));
  spectator.send("");
  assertEquals(await bots.end(), 0);
  assertEquals([bots.lines[0], bots.errorLines], ["3 of 3 players are in", []]);
  const figures = new Map(
    bots.lines.slice(1).map((line) => {
      const [, name, figure] = /^ {2}(.*?) +(\d[\d.]*) \S/.exec(line)!;
      return [name!, Number(figure)];
    }),
  );
  const figure = (name: string): number => figures.get(name) ?? NaN;
  assert(figure("states sent") > 40 && figure("states sent") < 80, bots.lines.join("\n"));
  assert(figure("updates seen") > 20 && figure("updates seen") < 60, bots.lines.join("\n"));
  assert(figure("latency p50") > 0 && figure("latency p99") >= figure("latency p50"));
  assertEquals(figure("loss"), 0);
  assertEquals(
    figure("largest snapshot"),
    8 + JSON.stringify({ 0: "x".repeat(40), 1: "x".repeat(40), 2: "x".repeat(40), 3: "" }).length,
  );
  seen.delete("");
  assert(seen.size > 20, `${seen.size} states`);
  for (const state of seen) assertMatch(state, /^t\d{10};x{28}$/);
});

Deno.test("netsync bots --json prints objects only, the summary last", async () => {
  await using server = await ServerProgram.start(DENO_RUN);
  const words = ["bots", `[::1]:${server.port}`, "--count", "2", "--seconds", "0.2", "--json"];
  const { code, out, err } = await output(DENO_RUN, words);
  assertEquals([code, err], [0, []]);
  assertEquals(out.map((line) => objectOf(line)?.event), ["playing", "measuring", "summary"]);
  const summary = objectOf(out[2]!) as Record<string, number>;
  assertEquals(summary.players, 2);
  for (
    const name of ["statesSent", "snapshots", "snapshotBytes", "latencyMsP50", "updatesSeenHz"]
  ) {
    assert(summary[name]! > 0, out[2]);
  }
});

Deno.test("netsync bots tells of a full server, and ends with status 1 where nobody answers", async () => {
  await using server = await ServerProgram.start(DENO_RUN, { words: ["--max-per-ip", "2"] });
  const silent = Deno.listenDatagram({ transport: "udp", hostname: "127.0.0.1", port: 0 });
  try {
    const { port } = silent.addr as Deno.NetAddr;
    const bots = (port: number): string[] =>
      `bots 127.0.0.1:${port} --count 3 --seconds 0.1`.split(" ");
    // Side by side, since a bot waits for its answer for some seconds.
    const [full, nobody] = await Promise.all([
      output(DENO_RUN, bots(server.port)),
      output(DENO_RUN, bots(port)),
    ]);
    assertEquals([full.code, full.err, full.out[0]], [0, [], "2 of 3 players are in"]);
    assertMatch(full.out[1]!, /no more places .* raise --max-per-ip or --max-clients$/);
    assertEquals([nobody.code, nobody.out, nobody.err], [1, [], [
      `netsync: no answer from 127.0.0.1 on UDP port ${port}: is the server running and not full?`,
    ]]);
  } finally {
    silent.close();
  }
});
