import { assertEquals, assertMatch } from "@std/assert";
import { DENO_RUN, Program, ServerProgram } from "../interop/programs.ts";

/** Not to be had there: Deno ends a process on Windows instead of sending it a signal. */
const WITHOUT_SIGNALS = Deno.build.os === "windows";

function chat(port: number, words: string): Program {
  const server = ["--rendezvous", `localhost:${port}`];
  return new Program([...DENO_RUN, "chat"], [...server, ...words.split(" ")]);
}

function line(program: Program, pattern: RegExp): Promise<RegExpExecArray> {
  return program.next(String(pattern), (line) => pattern.exec(line) ?? undefined);
}

Deno.test("netsync chat tells people each step, the path and the round-trip time", async () => {
  await using server = await ServerProgram.start([...DENO_RUN, "rendezvous"]);
  await using castle = chat(server.port, "--name castle --host");
  await line(castle, /^asking localhost:\d+ to keep the name "castle"$/);
  await line(
    castle,
    /^registered at 127\.0\.0\.1:\d+; others join with --rendezvous .* --join castle$/,
  );
  await castle.say("anybody?");
  await line(castle, /^nobody is here yet$/);
  await using ada = chat(server.port, "--name ada --join castle");
  await line(ada, /^asking localhost:\d+ for "castle"$/);
  await line(
    ada,
    /^castle is at 127\.0\.0\.1:\d+, on its own network at 127\.0\.0\.1:\d+: knocking/,
  );
  await line(ada, /^connected to castle at 127\.0\.0\.1:\d+, its local address/);
  await line(castle, /^connected to ada at 127\.0\.0\.1:\d+, its local address/);
  await ada.say("a\x1b[2J\u202eé");
  await line(castle, /^ada: a\\x1b\[2J\\u\{202e\}é$/);
  await ada.say("/who");
  await line(ada, /^castle at 127\.0\.0\.1:\d+, its local address, round trip \d+\.\d ms$/);
  await ada.say("/quit");
  assertEquals(await ada.end(), 0);
  assertEquals([...ada.errorLines, ...castle.errorLines], []);
});

Deno.test("netsync chat sends its last line before it ends with its input", async () => {
  await using server = await ServerProgram.start([...DENO_RUN, "rendezvous"]);
  await using castle = chat(server.port, "--name castle --host --dialect 2 --password x");
  await line(castle, /^registered/);
  await using ada = chat(server.port, "--name ada --join castle --dialect 2 --password x");
  await ada.say("the last words");
  await ada.hangUp();
  await line(castle, /^ada: the last words$/);
  await line(castle, /^ada left$/);
  assertEquals(await ada.end(), 0);
});

Deno.test("netsync chat says with the wrong password that it is wrong", async () => {
  await using server = await ServerProgram.start([...DENO_RUN, "rendezvous"]);
  await using castle = chat(server.port, "--name castle --host --dialect 2 --password x");
  await line(castle, /^registered/);
  await using ada = chat(server.port, "--name ada --join castle --dialect 2");
  assertEquals(await ada.end(), 1);
  assertMatch(ada.errorLines.join(""), /"castle" answers, but not with the same password/);
  await line(castle, /^ada could not be reached/);
});

Deno.test({
  name: "netsync chat ends with status 0 on SIGINT, also while it waits",
  ignore: WITHOUT_SIGNALS,
  async fn(): Promise<void> {
    await using server = await ServerProgram.start([...DENO_RUN, "rendezvous"]);
    await using castle = chat(server.port, "--name castle --host");
    await line(castle, /^registered/);
    castle.kill("SIGINT");
    assertEquals(await castle.end(), 0);
    server.kill("SIGINT");
    assertEquals(await server.end(), 0);
    const stopped = await server.event("stopped");
    assertEquals([stopped.registered, stopped.introduced], [1, 0]);
  },
});
