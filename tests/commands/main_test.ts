/** The command line as a user meets it. */
import { assert, assertEquals, assertMatch, assertRejects } from "@std/assert";
import { ConnectTimeoutError } from "../../lib/clients/reach.ts";
import { SyncClient } from "../../lib/clients/sync.ts";
import { DENO_RUN, objectOf, output, Program, ServerProgram } from "../interop/programs.ts";
import { until } from "../support/wait.ts";
import config from "../../deno.json" with { type: "json" };

const netsync = (words: string): ReturnType<typeof output> =>
  output(DENO_RUN, words === "" ? [] : words.split(" "));

Deno.test("netsync --version prints one line with the version", async () => {
  const { code, out, err } = await netsync("--version");
  assertEquals([code, out, err], [0, [`netsync ${config.version}`], []]);
});

Deno.test("netsync --help, -h and help tell the commands; each command its options", async () => {
  const general = await Promise.all(["--help", "-h", "help"].map(netsync));
  for (const { code, out, err } of general) {
    assertEquals([code, err], [0, []]);
    assertEquals(out, general[0]!.out);
    const commands = ["sync [PORT]", "watch HOST[:PORT]", "bots HOST[:PORT]", "rendezvous [PORT]"];
    for (const command of [...commands, "chat", "arena [PORT]", "echo [PORT]"]) {
      assert(out.some((line) => line.startsWith(`  ${command}`)), command);
    }
  }
  const options = {
    sync: ["host", "rate", "timeout", "max-clients", "max-per-ip", "log-level", "json"],
    watch: ["json"],
    bots: ["count", "rate", "size", "seconds", "json"],
    "bots sync": ["count", "rate", "size", "seconds", "json"],
    "bots arena": ["count", "speed", "fire", "seconds", "json"],
    "watch arena": ["json"],
    arena: ["host", "tick-rate", "timeout", "max-players", "max-per-ip", "statistics", "log-level"]
      .concat(["json"]),
    echo: ["host", "timeout", "max-clients", "max-per-ip", "max-messages", "statistics"]
      .concat(["log-level", "json"]),
    rendezvous: ["host", "max-hosts", "max-per-ip", "max-requests", "max-joins", "max-expiry"]
      .concat(["log-level", "json"]),
    chat: ["rendezvous", "name", "host", "join", "dialect", "password", "port", "local-address"],
  };
  await Promise.all(
    Object.entries(options).map(async ([command, names]) => {
      const { code, out, err } = await netsync(`${command} --help`);
      assertEquals([code, err], [0, []]);
      assertMatch(out[0]!, new RegExp(`^usage: netsync ${command.replace(" sync", "")} `));
      for (const name of [...names, "help"]) {
        assert(out.some((line) => new RegExp(`^  --${name}\\b`).test(line)), `${command} ${name}`);
      }
    }),
  );
});

Deno.test("netsync ends with status 2 and one line that says what would be right", async () => {
  const says = {
    "snyc": /no command "snyc": did you mean sync\?/,
    "70000": /PORT must be a whole number from 0 to 65535, not "70000"/,
    "sync five": /PORT must be a whole number from 0 to 65535, not "five"/,
    "0 1": /"1" is one word too many/,
    "0 --rat 5": /unknown option --rat: did you mean --rate\?/,
    "0 --timeout 0": /--timeout must be a number from 0.1 to 86400, not "0"/,
    "0 --max-clients": /--max-clients needs a value: --max-clients N/,
    "watch": /which server\? For example: netsync watch localhost:55555/,
    "watch a:b": /"a:b" is not HOST, HOST:PORT or \[IPv6\]:PORT with a port from 1 to 65535/,
    "rendezvous x": /PORT must be a whole number from 0 to 65535, not "x"/,
    "chat": /which server\? For example: --rendezvous rendezvous\.example:5160/,
    "chat --rendezvous a:b": /--rendezvous is HOST, HOST:PORT or \[IPv6\]:PORT .* not "a:b"/,
    "chat --rendezvous ::1": /who are you\? For example: --name ada/,
    "chat --rendezvous ::1 --name ada":
      /either wait for others with --host or join one with --join/,
    "chat --rendezvous ::1 --name ada --host --join bob": /either wait for others with --host or/,
    "chat --rendezvous ::1 --name ada --join ada": /you cannot join yourself/,
    "chat --rendezvous ::1 --name _HANDSHAKE_SERVER --host": /--name is 1 to 64 characters/,
    "chat --rendezvous ::1 --name ada --host --password x": /--password needs --dialect 2/,
    "chat --rendezvous ::1 --name ada --host --local-address me":
      /--local-address is an IP address/,
    "watch arena": /which server\? For example: netsync watch arena localhost:9999/,
    "bots arena": /which server\? For example: netsync bots arena localhost:9999/,
    "bots arena ::1 --speed 0": /--speed must be a number from 0.02 to 3600, not "0"/,
    "arena 9999 --tickRate 30": /unknown option --tickRate: did you mean --tick-rate\?/,
    "arena --tick-rate 0": /--tick-rate must be a number from 1 to 1000, not "0"/,
    "echo x": /PORT must be a whole number from 0 to 65535, not "x"/,
    "0 --dashboard-readonly": /--dashboard-readonly is of use only with --dashboard/,
    "0 --host nope": /--host is an IP address of this computer, not "nope"/,
    "0 --simulate lag=1": /lag of --simulate is from 0ms to 60000ms, like lag=80ms/,
    "bots ::1 --size 3": /--size must be a whole number from 12 to 65000, not "3"/,
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

Deno.test("netsync ends with status 1 and one line for a host that is not of this computer", async () => {
  const { code, out, err } = await netsync("0 --host 203.0.113.9");
  assertEquals([code, out, err.length], [1, [], 1]);
  assertMatch(err[0]!, /^netsync: --host 203\.0\.113\.9 is not an address of this computer: /);
});

Deno.test("netsync first says where it listens, how to join and how to stop", async () => {
  await using server = new Program(DENO_RUN, ["0"]);
  await server.next(
    "the last of the first lines",
    (line) => /stop +Ctrl\+C/.exec(line) ?? undefined,
  );
  const port = /on UDP port (\d+)$/.exec(server.lines[0]!)?.[1];
  assert(port, server.lines[0]);
  const text = server.lines.join("\n");
  assertMatch(text, new RegExp(`listening on +\\[::\\]:${port} and 0\\.0\\.0\\.0:${port}\n`));
  assertMatch(text, new RegExp(`on this computer +localhost:${port}\n`));
  assertMatch(text, new RegExp(`on your network .*port ${port}`));
  assertMatch(text, new RegExp(`from outside .*forwards UDP port ${port} .*--upnp asks it to`));
  assertMatch(
    text,
    new RegExp(`see the players +deno run --allow-net main.ts watch localhost:${port}\n`),
  );
  // And it is true.
  await using client = await SyncClient.connect(`localhost:${port}`);
  client.send("here");
  const joined = await server.next(
    "the join",
    (line) => line.includes(" joined ") ? line : undefined,
  );
  assertMatch(
    joined,
    /^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d INFO {4}player 0 joined from .*\(1 playing\)$/,
  );
});

Deno.test({
  name: "netsync does not tell people to run main.ts where there is none",
  ignore: Deno.build.os === "windows", // It has no sh.
  async fn(): Promise<void> {
    const main = new URL("../../main.ts", import.meta.url).pathname;
    const elsewhere = [
      "sh",
      "-c",
      'cd / && exec "$@"',
      "sh",
      ...DENO_RUN.slice(0, -1),
      main,
    ] as const;
    await using server = new Program([...elsewhere], ["0"]);
    const how = await server.next("it", (line) => /see the players +(.*)$/.exec(line)?.[1]);
    assertMatch(how, /^netsync watch localhost:\d+$/);
  },
});

Deno.test("netsync --host listens there only, and says so", async () => {
  await using server = new Program(DENO_RUN, ["sync", "0", "--host", "127.0.0.1"]);
  await server.next(
    "the last of the first lines",
    (line) => /stop +Ctrl\+C/.exec(line) ?? undefined,
  );
  const [, port] = /listening on +127\.0\.0\.1:(\d+)$/.exec(server.lines[1]!)!;
  assert(!server.lines.some((line) => line.includes("on your network")));
  await using client = await SyncClient.connect(`127.0.0.1:${port}`);
  assertEquals(client.id, "0");
  await assertRejects(
    () => SyncClient.connect(`[::1]:${port}`, { timeoutMs: 300 }),
    ConnectTimeoutError,
  );
});

Deno.test("netsync --json prints JSON objects only, each with time, level and event", async () => {
  await using server = await ServerProgram.start(DENO_RUN, {
    words: ["--log-level", "debug", "--timeout", "0.5"],
  });
  const listening = objectOf(server.lines[0]!)!;
  assertEquals(listening.version, config.version);
  assertEquals(listening.addresses, [`[::]:${server.port}`, `0.0.0.0:${server.port}`]);
  {
    await using client = await SyncClient.connect(`127.0.0.1:${server.port}`);
    client.send("here");
    using stranger = openSocket();
    await stranger.send(new Uint8Array(3), server.port);
    await server.event("joined");
    const refused = await server.event("refused");
    assertEquals([refused.reason, refused.level], ["short", "debug"]);
  }
  const left = await server.event("left");
  assertEquals([left.id, left.players], [0, 0]);
  if (Deno.build.os !== "windows") { // Where a signal ends a program without a last word.
    server.kill("SIGTERM");
    await server.end();
    const stopped = objectOf(server.lines.at(-1)!)!;
    assertEquals([stopped.event, stopped.joined, stopped.left], ["stopped", 1, 1]);
  }
  for (const line of server.lines) {
    const facts = objectOf(line);
    const speaker = facts?.event === "permissions" ? "netsync" : "sync";
    assert(facts?.time && facts.level && facts.event && facts.service === speaker, line);
  }
});

Deno.test("netsync --log-level warning leaves out who comes, but not what is refused", async () => {
  await using server = await ServerProgram.start(DENO_RUN, { words: ["--log-level", "warning"] });
  await using client = await SyncClient.connect(`127.0.0.1:${server.port}`);
  const states = new Promise((resolve) => client.on("states", resolve));
  client.send("here");
  await states;
  using stranger = openSocket();
  await stranger.send(new Uint8Array(8), server.port); // A state without an id.
  assertEquals((await server.event("refused")).reason, "stranger");
  assertEquals(server.lines.map((line) => objectOf(line)?.event), ["listening", "refused"]);
});

Deno.test("netsync --rate 10 sends a player no more than 10 snapshots a second", async () => {
  await using server = await ServerProgram.start(DENO_RUN, { words: ["--rate", "10"] });
  await using client = await SyncClient.connect(`127.0.0.1:${server.port}`);
  const arrivals: number[] = [];
  client.on("states", () => arrivals.push(performance.now()));
  let turn = 0;
  const timer = setInterval(() => client.send(`turn ${turn++}`), 5);
  try {
    await until("16 snapshots", () => arrivals.length >= 16);
  } finally {
    clearInterval(timer);
  }
  const spanMs = arrivals[15]! - arrivals[0]!;
  // 15 intervals; one snapshot may come late and the last one not.
  assert(spanMs > 1_400, `16 snapshots within ${spanMs} ms`);
  assert(turn > 100, `only ${turn} states were sent`);
});

const LIMITS = [["--max-clients", "full"], ["--max-per-ip", "full-network"]] as const;
for (const [option, reason] of LIMITS) {
  Deno.test(`netsync ${option} 1 gives the second client no answer and logs the refusal`, async () => {
    await using server = await ServerProgram.start(DENO_RUN, { words: [option, "1"] });
    await using first = await SyncClient.connect(`127.0.0.1:${server.port}`);
    first.send("here");
    await server.event("joined");
    await assertRejects(
      () => SyncClient.connect(`127.0.0.1:${server.port}`, { timeoutMs: 500 }),
      ConnectTimeoutError,
    );
    const refused = await server.event("refused");
    assertEquals([refused.reason, refused.level], [reason, "warning"]);
    assertMatch(String(refused.message), new RegExp(`raise ${option} `));
    assert(first.connected);
  });
}

/** A socket that says anything to a server on loopback. */
function openSocket(): Disposable & { send(bytes: Uint8Array, port: number): Promise<number> } {
  const socket = Deno.listenDatagram({ transport: "udp", hostname: "127.0.0.1", port: 0 });
  return {
    send: (bytes, port) => socket.send(bytes, { transport: "udp", hostname: "127.0.0.1", port }),
    [Symbol.dispose]: () => socket.close(),
  };
}
