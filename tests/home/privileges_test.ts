import { assertEquals } from "@std/assert";
import { keepFor, privilegesFor } from "../../lib/home/privileges.ts";
import { MessageClient } from "../../lib/clients/message_client.ts";
import { SyncClient } from "../../lib/clients/sync.ts";
import { type Command, objectOf, Program, ROOT } from "../interop/programs.ts";
import { withFolder } from "../support/folder.ts";
import { until } from "../support/wait.ts";

/** Windows has no signal by which a program could be asked. */
const onPosix = { ignore: Deno.build.os === "windows" };

/** All permissions one by one: Deno 2.4 does not take back those to read and write that `-A` gave. */
const EVERYTHING: Command = [
  ...[Deno.execPath(), "run", "--no-check", "--no-prompt", "--preload"],
  ...[new URL("tests/support/privilege_probe.ts", ROOT).pathname],
  ...["env", "net", "read", "run", "sys", "write"].map((name) => `--allow-${name}`),
  "main.ts",
];

/** What a program can still do. */
async function canOf(program: Program): Promise<string[]> {
  const from = program.errorLines.length;
  program.kill("SIGUSR2");
  await until("what it can do", () => program.errorLines.length > from);
  return JSON.parse(program.errorLines[from]!).can;
}

/** Runs netsync with everything allowed, and lets `body` ask what it can still do. */
async function withNetsync(
  words: readonly string[],
  body: (can: () => Promise<string[]>, port: number) => Promise<void>,
): Promise<void> {
  await using program = new Program(EVERYTHING, [...words, "--json", "--log-level", "debug"]);
  const listening = await program.next("its port", (line) => {
    const facts = objectOf(line);
    return facts?.event === "listening" ? facts : undefined;
  });
  await body(() => canOf(program), Number(listening.port));
  program.kill("SIGINT");
  assertEquals(await program.end(), 0);
}

Deno.test("netsync gives back what its options do not need", onPosix, async () => {
  await withFolder(async (folder) => {
    const rows: [words: string[], can: string[]][] = [
      [["sync", "0"], ["net"]],
      [["sync", "0", "--dashboard", "127.0.0.1:0"], ["net", "sys"]],
      [["sync", "0", "--dashboard", "127.0.0.1:0", "--dashboard-readonly"], ["net"]],
      [["world", "0", "--record", `${folder}/game.jsonl`], ["net", "write"]],
      [["arena", "0", "--resume", `${folder}/arena.resume`], ["net", "read", "write"]],
      [["messages", "0", "--bans", `${folder}/bans.txt`], ["read", "write"]],
    ];
    await Promise.all(rows.map(([words, expected]) =>
      withNetsync(words, async (can) => {
        assertEquals(await can(), expected, words.join(" "));
      })
    ));
    const { mode } = await Deno.stat(`${folder}/game.jsonl`);
    assertEquals(mode! & 0o777, 0o600);
  });
});

Deno.test("netsync's clients give back what they do not need", onPosix, async () => {
  await withFolder(async (folder) => {
    await withNetsync(["messages", "0"], async (_, port) => {
      await using listener = new Program(EVERYTHING, ["listen", `127.0.0.1:${port}`, "--json"]);
      await using speaker = new Program(EVERYTHING, ["say", `127.0.0.1:${port}`]);
      await until("a message", async () => {
        await speaker.say("hello");
        return listener.lines.length > 0;
      });
      assertEquals(await canOf(listener), []);
      assertEquals(await canOf(speaker), []);
    });
    await withNetsync(["sync", "0"], async (_, port) => {
      const words = ["watch", `127.0.0.1:${port}`, "--json"];
      for (
        const [more, expected] of [
          [[], ["net"]],
          [["--record", `${folder}/watched.jsonl`], ["net", "write"]],
        ]
      ) {
        await using watcher = new Program(EVERYTHING, [...words, ...more!]);
        await watcher.next("itself", (line) => objectOf(line)?.id);
        assertEquals(await canOf(watcher), expected);
      }
    });
  });
});

Deno.test("netsync plays on without the permissions it gave back", onPosix, async () => {
  await withNetsync(["sync", "0"], async (can, port) => {
    assertEquals(await can(), ["net"]);
    await using player = await SyncClient.connect(`127.0.0.1:${port}`);
    player.send("here");
    await until("its own state", () => player.states.get(player.id) === "here");
  });
  await withNetsync(["messages", "0"], async (can, port) => {
    assertEquals(await can(), []);
    const clients = [new MessageClient(), new MessageClient()] as const;
    for (const client of clients) {
      assertEquals((await client.connect("127.0.0.1", port)).ok, true);
    }
    clients[0].send("hello");
    for await (const message of clients[1]) {
      assertEquals(message.body, "hello");
      break;
    }
    await Promise.all(clients.map((client) => client.close()));
  });
});

Deno.test("netsync serve keeps what one of its services needs", onPosix, async () => {
  await withFolder(async (folder) => {
    const config = `${folder}/netsync.json`;
    const services = [{ service: "messages", port: 0 }, { service: "echo", port: 0 }];
    await Deno.writeTextFile(config, JSON.stringify({ services, json: true, logLevel: "debug" }));
    await using program = new Program(EVERYTHING, ["serve", "--config", config]);
    const permissions = await program.next("what is left", (line) => objectOf(line)?.permissions);
    assertEquals(permissions, "net");
  });
});

const binary = Deno.env.get("NETSYNC_BINARY");

Deno.test("the executable has no more left than its options need", {
  ignore: binary === undefined,
}, async () => {
  for (const [words, expected] of [[["0"], "net"], [["messages", "0"], "none"]] as const) {
    await using program = new Program([binary!], [...words, "--json", "--log-level", "debug"]);
    const left = await program.next("what is left", (line) => objectOf(line)?.permissions);
    assertEquals(left, expected);
  }
});

Deno.test("keepFor() takes nothing from a process that is not netsync's own", () => {
  const state = Deno.permissions.querySync({ name: "read" }).state;
  keepFor([]);
  assertEquals(Deno.permissions.querySync({ name: "read" }).state, state);
});

Deno.test("privilegesFor() adds up parts and files", () => {
  const needs = (...args: Parameters<typeof privilegesFor>): string[] =>
    [...privilegesFor(...args)].sort();
  assertEquals(needs([], []), []);
  assertEquals(needs(["udp", "banning"], []), ["net", "sys"]);
  const file = { option: "--record", use: "append", paths: ["a"] } as const;
  assertEquals(needs(["udp"], [file]), ["net", "write"]);
  assertEquals(needs([], [file, { ...file, use: "rotate" }]), ["read", "write"]);
});
