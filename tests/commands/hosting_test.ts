/** What every service has of its process, as a user meets it: bans, files, permissions, going on after a crash. */
import { assert, assertEquals, assertMatch, assertRejects } from "@std/assert";
import { MessageClient } from "../../lib/clients/message_client.ts";
import { ConnectTimeoutError } from "../../lib/clients/reach.ts";
import { SyncClient } from "../../lib/clients/sync.ts";
import { host } from "../../lib/commands/hosting/host.ts";
import type { HostingValues } from "../../lib/commands/hosting/options.ts";
import { CommandFailure } from "../../lib/commands/options.ts";
import { readConfig } from "../../lib/commands/config_file.ts";
import { ArenaPlayer } from "../interop/arena_programs.ts";
import {
  type Command,
  DENO_RUN,
  objectOf,
  output,
  Player,
  portToOpenTwice,
  Program,
  PYTHON,
  ServerProgram,
} from "../interop/programs.ts";
import { OriginalPeer } from "../interop/rendezvous_programs.ts";
import { namesIn, withFolder } from "../support/folder.ts";
import { until, within } from "../support/wait.ts";

const isWindows = Deno.build.os === "windows";
/** How long a client that gets no answer is waited for. */
const NO_ANSWER_MS = 300;
/** A disk that is slow is written to seldom. */
const KEPT_WITHIN_MS = 60_000;

/** `deno run` with these flags too. */
function allowing(...flags: string[]): Command {
  return [...DENO_RUN.slice(0, -1), ...flags, "main.ts"];
}

const WITH_FILES = allowing("--allow-read", "--allow-write");

/** A server for people, with its dashboard. */
class Dashboarded extends Program {
  port = 0;
  /** The address of the dashboard, with its token. */
  url = new URL("http://localhost");

  static async start(words: readonly string[]): Promise<Dashboarded> {
    const server = new Dashboarded(WITH_FILES, [...words, "--dashboard", "127.0.0.1:0"]);
    try {
      server.port = Number(
        await server.next("the port", (line) => / port (\d+)$/.exec(line)?.[1] ?? undefined),
      );
      server.url = new URL(
        await server.next("the dashboard", (line) => /dashboard +(http\S+)/.exec(line)?.[1]),
      );
    } catch (error) {
      await server[Symbol.asyncDispose]();
      throw error;
    }
    return server;
  }

  /** Presses a button of the page. */
  async act(action: string, body: Record<string, string>): Promise<number> {
    const response = await fetch(new URL(`/actions/${action}`, this.url), {
      method: "POST",
      headers: {
        "authorization": `Bearer ${this.url.searchParams.get("token")}`,
        "content-type": "application/json",
      },
      body: JSON.stringify(body),
    });
    await response.body?.cancel();
    return response.status;
  }

  says(what: RegExp): Promise<true> {
    return this.next(String(what), (line) => what.test(line) || undefined);
  }
}

Deno.test("netsync --bans makes the file at the first ban, and leaves the banned out after a restart", async () => {
  await withFolder(async (folder) => {
    const path = `${folder}/bans.txt`;
    {
      await using server = await Dashboarded.start(["0", "--bans", path]);
      await using ada = await SyncClient.connect(`127.0.0.1:${server.port}`, { reconnect: false });
      await using bob = await SyncClient.connect(`[::1]:${server.port}`);
      ada.send("ada");
      bob.send("bob");
      await until("both", () => bob.states.size === 2);
      assertEquals(namesIn(folder), []);
      assertEquals(await server.act("ban", { network: "127.0.0.1" }), 200);
      await until("ada to be gone", () => bob.states.size === 1, 2_000);
      await server.says(/ WARNING 127\.0\.0\.1 is banned \(1 sent away\): that is this computer$/);
      await until("the file", () => namesIn(folder).includes("bans.txt"));
      assertEquals(await Deno.readTextFile(path), "127.0.0.1\n");
      await assertNotIn(`127.0.0.1:${server.port}`);
    }
    await using server = await ServerProgram.start(WITH_FILES, { words: ["--bans", path] });
    await assertNotIn(`127.0.0.1:${server.port}`);
    await using bob = await SyncClient.connect(`[::1]:${server.port}`);
    assert(bob.connected);
    if (isWindows) return;
    server.kill("SIGTERM");
    await server.end();
    const { shutOut, received } = objectOf(server.lines.at(-1)!)!;
    assert((shutOut as number) >= 1 && (shutOut as number) < (received as number));
  });
});

Deno.test({
  name: "netsync --bans keeps a ban that was made a moment before the end",
  ignore: isWindows,
  async fn(): Promise<void> {
    await withFolder(async (folder) => {
      const path = `${folder}/bans.txt`;
      await using server = await Dashboarded.start(["0", "--bans", path]);
      const bans = Array.from({ length: 20 }, (_, at) => `192.0.2.${at}`);
      const statuses = await Promise.all(bans.map((network) => server.act("ban", { network })));
      assertEquals([...new Set(statuses)], [200]);
      server.kill("SIGTERM");
      assertEquals(await server.end(), 0);
      const lines = (await Deno.readTextFile(path)).trimEnd().split("\n");
      assertEquals(lines.sort(), bans.sort());
      assertEquals(namesIn(folder), ["bans.txt"]);
    });
  },
});

Deno.test("netsync tells how long a ban lasts without --bans, and of a kick nothing but what the service says", async () => {
  await using server = await Dashboarded.start(["0"]);
  await using ada = await SyncClient.connect(`127.0.0.1:${server.port}`, { reconnect: false });
  ada.send("ada");
  const address = await server.next(
    "the join",
    (line) => /player 0 joined from (\S+)/.exec(line)?.[1],
  );
  assertEquals(await server.act("kick", { service: "sync", address }), 200);
  assertEquals(await server.act("ban", { network: "192.0.2.9/24" }), 200);
  const lasts = "is banned until netsync ends; --bans FILE keeps it";
  await server.says(new RegExp(` INFO +192\\.0\\.2\\.0/24 ${lasts}$`));
  assertEquals(await server.act("unban", { network: "192.0.2.77/24" }), 200);
  await server.says(/ 192\.0\.2\.0\/24 is let in again$/);
  const kicks = server.lines.filter((line) => line.includes("was sent away"));
  assertEquals(kicks.length, 1, kicks.join("\n"));
  assertMatch(kicks[0]!, new RegExp(`player 0 at ${address} was sent away`));
});

Deno.test("netsync --upnp says that it does nothing for a service that listens to this computer only", async () => {
  await using server = await ServerProgram.start(DENO_RUN, {
    words: ["--host", "127.0.0.1", "--upnp"],
  });
  const { kind, level, message } = await server.event("router");
  const why = "the service listens to this computer only";
  assertEquals([kind, level, message], ["not-asked", "warning", `--upnp does nothing: ${why}`]);
});

async function assertNotIn(address: string): Promise<void> {
  await assertRejects(
    () => SyncClient.connect(address, { timeoutMs: NO_ANSWER_MS }),
    ConnectTimeoutError,
  );
}

Deno.test("netsync --bans tells lines that are no bans by their number, and takes the others", async () => {
  await withFolder(async (folder) => {
    const path = `${folder}/bans.txt`;
    await Deno.writeTextFile(path, "# who was here\n\nlocalhost\n::1 # me\n0.0.0.0/0\n");
    await using server = await ServerProgram.start(WITH_FILES, { words: ["--bans", path] });
    const problems = server.events("file-problem").map(({ problem }) => String(problem));
    assertEquals(problems.map((problem) => problem.split(": ")[0]), [`${path}:3`, `${path}:5`]);
    for (const { level, service } of server.events("file-problem")) {
      assertEquals([level, service], ["warning", "netsync"]);
    }
    await assertNotIn(`[::1]:${server.port}`);
    await using client = await SyncClient.connect(`127.0.0.1:${server.port}`);
    assert(client.connected);
  });
});

Deno.test("netsync messages --bans cuts connections from there, and takes the others", async () => {
  await withFolder(async (folder) => {
    const path = `${folder}/bans.txt`;
    await Deno.writeTextFile(path, "127.0.0.0/8\n");
    await using server = await ServerProgram.start([...WITH_FILES, "messages"], {
      words: ["--bans", path],
    });
    const conn = await Deno.connect({ hostname: "127.0.0.1", port: server.port });
    const read = conn.read(new Uint8Array(1)).catch(() => null);
    assertEquals(await within("the end", read), null);
    conn.close();
    await using client = new MessageClient();
    assert((await client.connect("::1", server.port)).ok);
    await server.event("connected");
    assertEquals(server.events("connected").length, 1);
    if (isWindows) return;
    server.kill("SIGTERM");
    await server.end();
    const { shutOut, accepted } = objectOf(server.lines.at(-1)!)!;
    assertEquals([shutOut, accepted], [1, 2]);
  });
});

Deno.test("netsync --bans ends with status 1 and one line when the file is none", async () => {
  await withFolder(async (folder) => {
    await Deno.writeFile(`${folder}/binary`, Uint8Array.of(0xff, 0xfe, 0x00));
    for (const path of [folder, `${folder}/binary`]) {
      const { code, out, err } = await output(WITH_FILES, ["0", "--bans", path]);
      assertEquals([code, out, err.length], [1, [], 1]);
      assert(err[0]!.startsWith(`netsync: --bans ${path}: `), err[0]);
    }
  });
});

Deno.test({
  name: "netsync --resume goes on after kill -9: the same ids, and nobody sees anybody leave",
  ignore: isWindows, // Where a port of a killed program is not free at once.
  async fn(): Promise<void> {
    await withFolder(async (folder) => {
      const port = portToOpenTwice();
      const words = ["--resume", `${folder}/sync.resume`];
      await using first = await ServerProgram.start(WITH_FILES, { port, words });
      await using ada = await Player.join(port);
      await using minimal = new Player([PYTHON], ["tests/interop/minimal_client.py", String(port)]);
      await minimal.connected();
      assert(ada.id !== minimal.id);
      await ada.play("ada");
      const both = (states: Record<string, string>): boolean =>
        ada.id in states && minimal.id in states;
      await ada.sees("both", both);
      await minimal.sees("both", both);
      // A file that was begun after both were seen has both in it.
      const kept = (): Promise<string> => Deno.readTextFile(words[1]!).catch(() => "");
      const before = await kept();
      await until("a file", async () => await kept() !== before, KEPT_WITHIN_MS);
      const early = await kept();
      await until("the next file", async () => await kept() !== early, KEPT_WITHIN_MS);
      const from = [ada.lines.length, minimal.lines.length] as const;
      first.kill("SIGKILL");
      await first.end();
      await using second = await ServerProgram.start(WITH_FILES, { port, words });
      const resumed = await second.event("resumed");
      assert((resumed.seconds as number) <= 10, `${resumed.seconds} s`);
      assertEquals(resumed.members, 2);
      // Play goes on: with numbers above all before, or the clients would not take them.
      const from2 = minimal.lines.length;
      const { states } = await minimal.sees("both", both, { from: from2 });
      await minimal.sees("ada's play", (later) => later[ada.id] !== states[ada.id], {
        from: from2,
      });
      await ada.sees("the minimal client's play", both, { from: ada.lines.length });
      for (const [index, player] of [ada, minimal].entries()) {
        const alone = player.lines.slice(from[index]).map(objectOf)
          .filter((facts) => facts?.event === "states")
          .filter((facts) => !both(facts!.states as Record<string, string>));
        assertEquals(alone, []);
      }
      assertEquals((await ada.report()).connected, true);
      assertEquals([second.events("joined"), second.events("left")], [[], []]);
      await using bob = await Player.join(port);
      // Ids that may have been given since the last save are not given again.
      assert(Number(bob.id) >= 1_000, bob.id);
      await bob.play("bob");
      await second.event("joined");
      const continued = second.events("continued").map(({ id }) => String(id));
      assertEquals(continued.toSorted(), [ada.id, minimal.id].toSorted());
      second.kill("SIGTERM");
      assertEquals(await second.end(), 0);
      assertMatch(
        String(objectOf(second.lines.at(-1)!)!.message),
        /^stopped: 3 players were here, /,
      );
    });
  },
});

Deno.test({
  name: "netsync rendezvous --resume introduces to a host of before, who has not registered anew",
  ignore: isWindows,
  async fn(): Promise<void> {
    await withFolder(async (folder) => {
      const port = portToOpenTwice();
      const words = ["--resume", `${folder}/rendezvous.resume`];
      const command = [...WITH_FILES, "rendezvous"];
      await using first = await ServerProgram.start(command, { port, words });
      // So slow that it does not register again during the test.
      await using castle = await OriginalPeer.host(port, "castle", { words: ["--tick", "1"] });
      await until(
        "it to be kept",
        async () => (await Deno.readTextFile(words[1]!).catch(() => "")).includes("castle"),
      );
      first.kill("SIGKILL");
      await first.end();
      await using second = await ServerProgram.start(command, { port, words });
      await using guest = await OriginalPeer.start(port, "guest", { join: "castle" });
      await Promise.all([castle.confirms("guest"), guest.confirms("castle")]);
      assertEquals(second.events("registered"), []);
    });
  },
});

Deno.test({
  name: "netsync arena --resume lets a player go on with its number",
  ignore: isWindows,
  async fn(): Promise<void> {
    await withFolder(async (folder) => {
      const port = portToOpenTwice();
      const words = ["--resume", `${folder}/arena.resume`];
      const command = [...WITH_FILES, "arena"];
      await using first = await ServerProgram.start(command, { port, words });
      await using ada = await ArenaPlayer.join(port);
      await using bob = await ArenaPlayer.join(port);
      const { x } = await ada.sees("is told of", bob.number);
      await until("a file", () => namesIn(folder).includes("arena.resume"));
      const kept = (): Promise<string> => Deno.readTextFile(words[1]!);
      const early = await kept();
      await bob.steer(0, 1);
      await until("the next file", async () => await kept() !== early, KEPT_WITHIN_MS);
      first.kill("SIGKILL");
      await first.end();
      await using second = await ServerProgram.start(command, { port, words });
      const from = ada.lines.length;
      await ada.steer(0, 1);
      await bob.steer(x > 0 ? -1 : 1, 0);
      await ada.sees("goes on", bob.number, (seen) => seen.x !== x, from);
      assertEquals([second.events("joined"), second.events("left")], [[], []]);
      assertEquals([ada.events("violation"), bob.events("violation")], [[], []]);
      await using carl = await ArenaPlayer.join(port);
      assert(![ada.number, bob.number].includes(carl.number));
    });
  },
});

Deno.test("netsync --resume keeps who is in when it is stopped, and refuses what it cannot read", async () => {
  await withFolder(async (folder) => {
    const path = `${folder}/sync.resume`;
    if (!isWindows) {
      await using server = await ServerProgram.start(WITH_FILES, { words: ["--resume", path] });
      await using client = await SyncClient.connect(`127.0.0.1:${server.port}`);
      client.send("here");
      await server.event("joined");
      server.kill("SIGTERM");
      assertEquals(await server.end(), 0);
      await using second = await ServerProgram.start(WITH_FILES, { words: ["--resume", path] });
      const { isOld, members } = await second.event("resumed");
      assertEquals([isOld, members], [undefined, 1]);
    }
    const whole = await Deno.readTextFile(path);
    await Deno.writeTextFile(`${folder}/half`, whole.slice(0, -5));
    await Deno.writeTextFile(`${folder}/notes`, "milk, eggs");
    const says: [words: string[], right: RegExp][] = [
      [["sync", "0", "--resume", `${folder}/half`], /: it is damaged; to start anew, remove it/],
      [
        ["sync", "0", "--resume", `${folder}/notes`],
        /: it was not written by netsync --resume; to/,
      ],
      [["arena", "0", "--resume", path], /: it is of netsync sync; to start anew, remove it/],
      [["sync", "0", "--resume", folder], /: it is no file; /],
      [["messages", "0", "--resume", path], /unknown option --resume/],
    ];
    for (const [words, right] of says) {
      const { code, out, err } = await output(WITH_FILES, words);
      assertEquals([code, out, err.length], [words[0] === "messages" ? 2 : 1, [], 1]);
      assertMatch(err[0]!, right);
    }
    assertEquals(await Deno.readTextFile(path), whole, "what cannot be used is left as it is");
  });
});

for (const format of [[], ["--json"]]) {
  Deno.test(`netsync --log-file has the same lines as the output ${format.join("")}`, async () => {
    await withFolder(async (folder) => {
      const path = `${folder}/netsync.log`;
      const words = ["0", ...format, "--log-file", path, "--log-level", "debug"];
      await using server = new Program(WITH_FILES, words);
      const port = await server.next(
        "the port",
        (line) => /(?: port |"port":)(\d+)/.exec(line)?.[1],
      );
      await using client = await SyncClient.connect(`127.0.0.1:${port}`);
      client.send("here");
      await server.next("the join", (line) => line.includes("joined from") || undefined);
      if (isWindows) return; // Where a signal ends a program before it has written its last lines.
      server.kill("SIGTERM");
      assertEquals(await server.end(), 0);
      const isLogLine = format.length > 0
        ? (line: string): boolean => objectOf(line)?.event !== "listening"
        : (line: string): boolean => /^\d{4}-\d\d-\d\d /.test(line);
      const lines = server.lines.filter(isLogLine);
      assert(lines.length >= 2);
      assertEquals((await Deno.readTextFile(path)).trimEnd().split("\n"), lines);
    });
  });
}

Deno.test("netsync --log-file ends with status 1 and one line for a folder that is not there, or a folder", async () => {
  await withFolder(async (folder) => {
    const missing = `${folder}/none/netsync.log`;
    const says: [path: string, right: string][] = [
      [missing, `netsync: --log-file ${missing}: there is no such folder`],
      [folder, `netsync: --log-file ${folder}: `],
    ];
    for (const [path, right] of says) {
      const { code, out, err } = await output(WITH_FILES, ["0", "--log-file", path]);
      assertEquals([code, out, err.length], [1, [], 1], err.join("\n"));
      assert(err[0]!.startsWith(right), err[0]);
    }
  });
});

Deno.test("netsync says which flag a file option lacks, once, and is content with exactly that", async () => {
  await withFolder(async (folder) => {
    const inFolder = (option: string): [string[], string] => [
      [`--allow-read=${folder}`, `--allow-write=${folder}`],
      `netsync: ${option} needs to read and write in ${folder}: `,
    ];
    const needs: [option: string, name: string, flags: string[], says: string][] = [
      ["--bans", "bans.txt", ...inFolder("--bans")],
      ["--resume", "sync.resume", ...inFolder("--resume")],
      ["--log-file", "netsync.log", ...inFolder("--log-file")],
      [
        ...["--record", "sync.jsonl"] as const,
        [`--allow-write=${folder}/sync.jsonl`],
        `netsync: --record needs to write ${folder}/sync.jsonl: `,
      ],
    ];
    for (const [option, name, flags, says] of needs) {
      const words = [option, `${folder}/${name}`];
      const { code, out, err } = await output(DENO_RUN, ["0", ...words]);
      const how = `add ${flags.join(" ")} after deno run`;
      assertEquals([code, out, err], [1, [], [says + how]]);
      await using server = await ServerProgram.start(allowing(...flags), { words });
      await using client = await SyncClient.connect(`127.0.0.1:${server.port}`);
      assert(client.connected);
      if (isWindows) continue;
      server.kill("SIGTERM");
      assertEquals(await server.end(), 0);
      assertEquals([server.errorLines, server.events("file-problem")], [[], []]);
    }
  });
});

Deno.test("netsync needs --allow-net alone, with a dashboard too, and prints where it is", async () => {
  for (const words of [["0", "--dashboard", "127.0.0.1:0"], ["--dashboard", "127.0.0.1:0", "0"]]) {
    await using server = new Program(DENO_RUN, words);
    const url = await server.next("it", (line) => /dashboard +(http:\S+)$/.exec(line)?.[1]);
    const response = await fetch(new URL("/metrics" + new URL(url).search, url));
    assertEquals(response.status, 200);
    assertMatch(await response.text(), /netsync_members\{service="sync"\} 0/);
    assertEquals(server.errorLines, []);
  }
});

Deno.test("netsync --json tells where the dashboard is, in a JSON line", async () => {
  await using server = await ServerProgram.start(DENO_RUN, {
    words: ["--dashboard", "127.0.0.1:0"],
  });
  const line = await server.next(
    "the address",
    (line) => /http:\/\/127\.0\.0\.1:\d+/.exec(line)?.[0],
  );
  assert(line.length > 0);
});

Deno.test("netsync --dashboard takes a port for that of the service, and says what else is wrong", async () => {
  const taken = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const { port } = taken.addr;
  const says: [words: string[], status: number, right: RegExp][] = [
    [["--dashboard", "65536"], 2, /PORT must be a whole number from 0 to 65535, not "65536"/],
    [
      ["0", "--dashboard", "localhost:1"],
      2,
      /--dashboard is a local IP address and a port like 127\.0\.0\.1:55580, not "localhost:1"/,
    ],
    [
      ["0", "--dashboard=55580"],
      2,
      /--dashboard is a local IP address and a port like .*, not "55580"/,
    ],
    [["0", "--dashboard="], 2, /--dashboard needs a value: --dashboard ADDRESS:PORT/],
    [
      ["0", "--dashboard-token", "short"],
      2,
      /--dashboard-token is 16 to 256 letters, digits, - and _/,
    ],
    [
      ["0", "--dashboard", `127.0.0.1:${port}`],
      1,
      new RegExp(`--dashboard: TCP port ${port} is in use`),
    ],
  ];
  for (const [words, status, right] of says) {
    const { code, err } = await output(DENO_RUN, words);
    assertEquals([code, err.length], [status, 1], err.join("\n"));
    assertMatch(err[0]!, right);
  }
  const { code, err } = await output(DENO_RUN, ["0", "--dashboard", "192.0.2.1:0"]);
  assertEquals([code, err.length], [1, 1]);
  assertMatch(err[0]!, /^netsync: --dashboard.* 192\.0\.2\.1 is not an address of this computer/);
  assert(!err[0]!.includes("--host"), err[0]);
  taken.close();
});

Deno.test("host() gives back all that was open when a later port or a file cannot be had", async () => {
  const taken = Deno.listen({ hostname: "0.0.0.0", port: 0 });
  await withFolder(async (folder) => {
    const port = portToOpenTwice();
    const read = readConfig(JSON.stringify({
      services: [
        { service: "sync", port, resume: `${folder}/sync.resume`, record: `${folder}/sync.jsonl` },
        { service: "messages", port: taken.addr.port },
      ],
      logFile: `${folder}/netsync.log`,
      bans: `${folder}/bans.txt`,
      logLevel: "error",
    }));
    assert(read.ok);
    const { plans, values } = read.config;
    // What is left open would be noticed by the sanitizer.
    await assertRejects(() => host(plans, values), CommandFailure, "is in use");
    assert(!namesIn(folder).includes("sync.resume"), "what never began is nothing to go on from");
    assertMatch(await Deno.readTextFile(`${folder}/sync.jsonl`), /"stopped"\}\n$/);
    Deno.listenDatagram({ transport: "udp", hostname: "::", port }).close();
    const elsewhere: HostingValues = { ...values, bans: folder };
    await assertRejects(() => host(plans.slice(0, 1), elsewhere), CommandFailure, "--bans");
    const damaged = plans.slice(0, 1).map((plan) => ({
      ...plan,
      values: { ...plan.values, resume: `${folder}/netsync.log`, record: undefined },
    }));
    await Deno.writeTextFile(`${folder}/netsync.log`, "no");
    await assertRejects(
      () => host(damaged, { ...values, logFile: undefined }),
      CommandFailure,
      "--resume",
    );
    Deno.listenDatagram({ transport: "udp", hostname: "::", port }).close();
  });
  taken.close();
});

Deno.test({
  name:
    "netsync goes on when its dashboard gets more connections than the system gives, and so does that",
  ignore: isWindows,
}, async () => {
  const limited: Command = ["sh", "-c", 'ulimit -n 200; exec "$@"', "sh", ...DENO_RUN];
  const words = ["--dashboard", "127.0.0.1:0", "--log-level", "info"];
  await using server = await ServerProgram.start(limited, { words });
  const url = new URL(await server.event("dashboard", ({ url }) => url as string));
  const connections: Deno.TcpConn[] = [];
  const { hostname } = url;
  const port = Number(url.port);
  for (let opened = 0; opened < 300; opened++) {
    // Once it listens no more, nothing more is to be opened.
    const conn = await Deno.connect({ hostname, port }).catch(() => undefined);
    if (!conn) break;
    connections.push(conn);
  }
  {
    await using client = await SyncClient.connect(`127.0.0.1:${server.port}`);
    client.send("still here");
    await until("her state", () => client.states.size === 1);
  }
  for (const conn of connections) conn.close();
  await until("the dashboard", async () => {
    const answer = await fetch(new URL("/health", url)).catch(() => undefined);
    return await answer?.text() === "ok\n";
  }, 20_000);
  server.kill("SIGTERM");
  assertEquals(await server.end(), 0);
});
