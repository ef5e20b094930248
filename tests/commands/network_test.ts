/** `--simulate` and `--record` of the commands that are clients, as a user meets them. */
import { assert, assertEquals, assertMatch, assertThrows } from "@std/assert";
import { readSimulation } from "../../lib/commands/network.ts";
import { UsageError } from "../../lib/commands/options.ts";
import { type RecordingEntry, RecordingReader } from "../../lib/parts/recording.ts";
import {
  DENO_RUN,
  EventProgram,
  objectOf,
  output,
  Program,
  ServerProgram,
} from "../interop/programs.ts";
import { withFolder } from "../support/folder.ts";

/** Not to be had there: Deno ends a process on Windows instead of sending it a signal. */
const WITHOUT_SIGNALS = Deno.build.os === "windows";

/** With leave to write in one folder. */
function writing(folder: string): string[] {
  return [...DENO_RUN.slice(0, -1), `--allow-write=${folder}`, "main.ts"];
}

function read(path: string): { reader: RecordingReader; entries: RecordingEntry[] } {
  const reader = new RecordingReader();
  const entries = reader.push(Deno.readTextFileSync(path));
  return { reader, entries: [...entries, ...reader.end()] };
}

Deno.test("readSimulation() reads all parts in any order, and leaves out what is not named", () => {
  assertEquals(readSimulation("seed=7,loss=5%,duplicate=0.5%,jitter=20ms,lag=80.5ms", "--x"), {
    ...{ lossShare: 0.05, lagMs: 80.5, jitterMs: 20, duplicateShare: 0.005, seed: 7 },
  });
  assertEquals(readSimulation("lag=1ms", "--x"), {
    ...{ lossShare: 0, lagMs: 1, jitterMs: 0, duplicateShare: 0, seed: undefined },
  });
  const wrong = ["", "loss", "loss=5", "loss=101%", "lag=80", "lag=-1ms", "seed=1.5", "los=5%"];
  for (const text of wrong) {
    assertThrows(() => readSimulation(text, "--x"), UsageError, "--x");
  }
});

Deno.test("netsync bots --simulate measures what the network does, and --record writes it down", async () => {
  await withFolder(async (folder) => {
    await using server = await ServerProgram.start(DENO_RUN);
    const path = `${folder}/bots.jsonl`;
    const words = `bots 127.0.0.1:${server.port} --count 3 --seconds 1 --json --record ${path} ` +
      "--simulate loss=20%,lag=50ms,seed=1";
    const { code, out, err } = await output(writing(folder), words.split(" "));
    assertEquals([code, err], [0, []]);
    const events = out.map((line) => objectOf(line)!);
    assertEquals(events.map(({ event }) => event), [
      ...["simulating", "playing", "measuring", "summary"],
    ]);
    const { time: _, ...simulating } = events[0]!;
    assertEquals(simulating, {
      ...{
        event: "simulating",
        lossShare: 0.2,
        lagMs: 50,
        jitterMs: 0,
        duplicateShare: 0,
        seed: 1,
      },
    });
    const { latencyMsP50, lossPercent } = events[3] as Record<string, number>;
    assert(latencyMsP50! >= 100, `${latencyMsP50} ms`);
    assert(lossPercent! > 5 && lossPercent! < 40, `${lossPercent} %`);
    const { reader, entries } = read(path);
    const { service, role, options } = reader.header!;
    assertEquals([service, role, options.count, options.server], [
      ...["sync", "client", 3, `127.0.0.1:${server.port}`],
    ]);
    assert(entries.filter(({ kind }) => kind === "in").length > 20);
    assert(entries.filter(({ kind }) => kind === "out").length > 20);
    const last = entries.at(-1)!;
    assertEquals(last.kind === "end" && last.reason, "stopped");
  });
});

Deno.test("netsync bots arena --simulate says so, and its players see it", async () => {
  await using server = await ServerProgram.start([...DENO_RUN, "arena"]);
  const words = `bots arena 127.0.0.1:${server.port} --count 2 --seconds 1 --speed 0.5 ` +
    "--simulate lag=50ms";
  const { code, out, err } = await output(DENO_RUN, words.split(" "));
  assertEquals([code, err], [0, []]);
  const simulates = /^simulates a bad network: loss=0%,lag=50ms,jitter=0ms,duplicate=0%,seed=\d+$/;
  assertMatch(out[0]!, simulates);
  const [, latency] = /latency p50 +([\d.]+)/.exec(out.join("\n"))!;
  assert(Number(latency) >= 100, latency);
});

Deno.test("netsync watch --simulate loses what never comes", async () => {
  await using server = await ServerProgram.start(DENO_RUN);
  const words = ["watch", `127.0.0.1:${server.port}`, "--simulate", "loss=100%", "--json"];
  const { code, out, err } = await output(DENO_RUN, words);
  assertEquals([code, out.map((line) => objectOf(line)?.event)], [1, ["simulating"]]);
  assertMatch(err[0]!, /^netsync: no answer from 127\.0\.0\.1 on UDP port \d+ within 5 s/);
});

const WATCHED: [service: string, watching: RegExp][] = [
  ["sync", /watching$/],
  ["arena", /watching as player 1$/],
  ["world", /watching$/],
];
for (const [service, watching] of WATCHED) {
  Deno.test({
    name: `netsync watch ${service} --simulate goes on, and --record ends whole at a signal`,
    ignore: WITHOUT_SIGNALS,
  }, async () => {
    await withFolder(async (folder) => {
      await using server = await ServerProgram.start([...DENO_RUN, service]);
      const path = `${folder}/watch.jsonl`;
      const words = ["watch", service, `127.0.0.1:${server.port}`, "--record", path];
      await using watch = new Program(writing(folder), [
        ...words,
        ...["--simulate", "lag=10ms,jitter=5ms,duplicate=1%"],
      ]);
      await watch.next("watching", (line) => watching.test(line) || undefined);
      assertMatch(
        watch.lines[0]!,
        /^simulates a bad network: loss=0%,lag=10ms,jitter=5ms,duplicate=1%,seed=\d+$/,
      );
      watch.kill("SIGINT");
      assertEquals([await watch.end(), watch.errorLines], [0, []]);
      const { reader, entries } = read(path);
      assertEquals([reader.header!.service, reader.header!.role], [service, "client"]);
      assert(entries.some(({ kind }) => kind === "in"));
      assertEquals(entries.at(-1)!.kind, "end");
    });
  });
}

Deno.test("netsync chat --simulate makes the way longer; --record keeps the password out", async () => {
  await withFolder(async (folder) => {
    await using server = await ServerProgram.start([...DENO_RUN, "rendezvous"]);
    const path = `${folder}/chat.jsonl`;
    const common = ["chat", "--rendezvous", `127.0.0.1:${server.port}`, "--json", "--dialect", "2"]
      .concat(["--password", "hush hush"]);
    await using castle = new EventProgram(DENO_RUN, [...common, "--name", "castle", "--host"]);
    await castle.event("registered");
    await using ada = new EventProgram(writing(folder), [
      ...common,
      ...["--name", "ada", "--join", "castle", "--simulate", "lag=30ms", "--record", path],
    ]);
    assertEquals((await ada.event("simulating")).lagMs, 30);
    const roundTripMs = await ada.event("connected", (facts) => facts.roundTripMs as number);
    assert(roundTripMs >= 60, `${roundTripMs} ms`);
    await ada.hangUp();
    assertEquals(await ada.end(), 0);
    const text = Deno.readTextFileSync(path);
    assert(!text.includes("hush hush"));
    const { options } = read(path).reader.header!;
    assertEquals([options.name, options.join, options.password], ["ada", "castle", "not told"]);
  });
});

Deno.test("netsync bots --record FOLDER/ makes a new file in it each time", async () => {
  await withFolder(async (folder) => {
    await using server = await ServerProgram.start(DENO_RUN);
    const words = `bots 127.0.0.1:${server.port} --count 1 --seconds 0.1 --record ${folder}/`;
    for (const _ of [1, 2]) {
      const { code, err } = await output(writing(folder), words.split(" "));
      assertEquals([code, err], [0, []]);
    }
    const names = [...Deno.readDirSync(folder)].map(({ name }) => name);
    assertEquals(names.length, 2);
    for (const name of names) {
      assertMatch(name, /^sync-client-\d{4}-\d\d-\d\dT\d\d-\d\d-\d\dZ-[0-9a-f]{8}\.jsonl$/);
      assertEquals(read(`${folder}/${name}`).entries.at(-1)!.kind, "end");
    }
  });
});

Deno.test("a client's --simulate and --record end with one line where they are wrong", async () => {
  await withFolder(async (folder) => {
    const taken = `${folder}/taken.jsonl`;
    await Deno.writeTextFile(taken, "");
    const says: [words: string, code: number, line: RegExp][] = [
      ["watch ::1 --simulate loss=5", 2, /loss of --simulate is from 0% to 100%, like loss=5%/],
      ["bots ::1 --simulate lug=5ms", 2, /--simulate knows loss, .*: did you mean lag\?/],
      ["watch world ::1 --simulate", 2, /--simulate needs a value: --simulate NETWORK/],
      [`watch arena ::1 --record ${taken}`, 1, /it is there already: choose another name/],
      [`bots arena ::1 --record ${folder}/none/x.jsonl`, 1, /there is no such folder/],
      ["chat --rendezvous ::1 --name ada --host --record /x.jsonl", 1, /--allow-write=\/x\.jsonl/],
      [`chat --rendezvous ::1 --record ${folder}/new.jsonl`, 2, /who are you\?/],
    ];
    for (const [words, code, line] of says) {
      const ended = await output(writing(folder), words.split(" "));
      assertEquals([ended.code, ended.out, ended.err.length], [code, [], 1], words);
      assertMatch(ended.err[0]!, line);
    }
    // What is wrong is said before a file is made.
    assertEquals([...Deno.readDirSync(folder)].map(({ name }) => name), ["taken.jsonl"]);
  });
});
