import { assert, assertEquals, assertMatch } from "@std/assert";
import { SyncClient } from "../../lib/clients/sync.ts";
import { DENO_RUN, objectOf, output, Program, PYTHON } from "../interop/programs.ts";
import { ServerProgram } from "../interop/programs.ts";
import { within } from "../support/wait.ts";

/** Not to be had there: Deno ends a process on Windows instead of sending it a signal. */
const WITHOUT_SIGNALS = Deno.build.os === "windows";

const ESC = "\x1b";

Deno.test("netsync watch prints a line a change where the output is no terminal", async () => {
  await using server = await ServerProgram.start(DENO_RUN, { words: ["--timeout", "1.5"] });
  await using watch = new Program(DENO_RUN, ["watch", `localhost:${server.port}`]);
  const line = (pattern: RegExp): Promise<RegExpExecArray> =>
    watch.next(String(pattern), (line) => pattern.exec(line) ?? undefined);
  const time = String.raw`^\d\d:\d\d:\d\d\.\d{3}`;
  await line(new RegExp(`${time} 0 watching$`));
  {
    await using ada = await SyncClient.connect(`127.0.0.1:${server.port}`);
    ada.send("first");
    await line(new RegExp(`${time} 1 joined first$`));
    ada.send("a\nb\x1b[2J\u009b\u202e é");
    await line(new RegExp(`${time} 1 changed ` + String.raw`a\\x0ab\\x1b\[2J\\x9b\\u\{202e\} é$`));
    ada.send("x".repeat(300));
    await line(new RegExp(`${time} 1 changed x{200}…$`));
  }
  await line(new RegExp(`${time} 1 left$`));
  assertEquals(watch.errorLines, []);
  // The watcher itself is not news.
  assertEquals(watch.lines.filter((line) => / 0 /.test(line)).length, 1);
});

Deno.test("netsync watch --json prints a JSON object a change", async () => {
  await using server = await ServerProgram.start(DENO_RUN);
  const address = `127.0.0.1:${server.port}`;
  await using watch = new Program(DENO_RUN, ["watch", address, "--json"]);
  await watch.next("watching", (line) => objectOf(line)?.event === "watching" || undefined);
  await using ada = await SyncClient.connect(address);
  ada.send("first");
  await watch.next("the join", (line) => objectOf(line)?.event === "joined" || undefined);
  ada.send(`"second"\n${ESC}`);
  await watch.next("the change", (line) => objectOf(line)?.event === "changed" || undefined);
  const facts = watch.lines.map((line) => {
    const { time, ...facts } = objectOf(line)!;
    assert(!Number.isNaN(Date.parse(String(time))), line);
    return facts;
  });
  assertEquals(facts, [
    { event: "watching", id: "0" },
    { event: "joined", id: "1", state: "first" },
    { event: "changed", id: "1", state: `"second"\n${ESC}` },
  ]);
});

Deno.test({
  name: "netsync watch ends with status 0 on SIGINT",
  ignore: WITHOUT_SIGNALS,
}, async () => {
  await using server = await ServerProgram.start(DENO_RUN);
  await using watch = new Program(DENO_RUN, ["watch", `[::1]:${server.port}`]);
  await watch.next("watching", (line) => line.includes("watching") || undefined);
  watch.kill("SIGINT");
  assertEquals(await watch.end(), 0);
});

Deno.test({
  name: "netsync watch can be stopped while nobody answers",
  ignore: WITHOUT_SIGNALS,
}, async () => {
  const silent = Deno.listenDatagram({ transport: "udp", hostname: "127.0.0.1", port: 0 });
  try {
    const { port } = silent.addr as Deno.NetAddr;
    await using watch = new Program(DENO_RUN, ["watch", `127.0.0.1:${port}`]);
    await within("its first request", silent.receive(new Uint8Array(64)));
    watch.kill("SIGINT");
    assertEquals(await watch.end(1_000), 130);
  } finally {
    silent.close();
  }
});

Deno.test("netsync watch ends with status 1 and one line for an unknown host", async () => {
  const nobody = "x".repeat(70); // Too long for a name, so that nobody is asked for it.
  const { code, out, err } = await output(DENO_RUN, ["watch", nobody]);
  assertEquals([code, out, err], [1, [], [
    `netsync: no address is known for the host "${nobody}"`,
  ]]);
});

Deno.test({
  name: "netsync watch draws a table in a terminal, cut to its size, and restores the screen",
  ignore: Deno.build.os === "windows", // Python makes no terminals there.
}, async () => {
  await using server = await ServerProgram.start(DENO_RUN);
  const players: SyncClient[] = [];
  try {
    for (const state of [`tall ${ESC}[31m`, "x".repeat(100), "three", "four", "five"]) {
      const player = await SyncClient.connect(`127.0.0.1:${server.port}`);
      player.send(state);
      players.push(player);
    }
    const terminal = [PYTHON, "tests/commands/in_terminal.py", "7", "50"];
    const watch = [...DENO_RUN, "watch", `127.0.0.1:${server.port}`];
    await using screen = new Program([...terminal, ...watch]);
    // The last line of a drawing has no line end; the first of the next comes behind it.
    await screen.next("the whole table", (line) => / {3}and 2 more/.exec(line) ?? undefined);
    const drawings = screen.lines.join("\n").split(`${ESC}[H`);
    assert(drawings[0]!.includes(`${ESC}[?1049h`) && drawings[0]!.includes(`${ESC}[?25l`));
    const drawing = drawings.findLast((text) => text.includes("and 2 more"))!;
    const rows = drawing.split(`${ESC}[K`).map((row) => row.trimStart());
    assertMatch(rows[0]!, /^netsync watch 127\.0\.0\.1:\d+ +5 players, \d+ s[a-z]+$/);
    assertEquals(rows[0]!.length, 50);
    assertMatch(rows[2]!, /^id +changed +state$/);
    assertMatch(rows[3]!, /^0 +now +tall \\x1b\[31m$/);
    assertMatch(rows[4]!, /^1 +now +x{20,40}$/);
    assertMatch(rows[5]!, /^2 +now +three$/);
    assertEquals(rows[6], "and 2 more");
    await screen.say("^C");
    assertEquals(await screen.end(), 0);
    const last = screen.lines.join("\n").split(`${ESC}[H`).at(-1)!;
    assert(last.includes(`${ESC}[?25h${ESC}[?1049l`), JSON.stringify(last));
  } finally {
    await Promise.all(players.map((player) => player.close()));
  }
});
