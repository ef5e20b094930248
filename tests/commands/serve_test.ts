/** `netsync serve` as a user meets it: several services in one process. */
import { assert, assertEquals, assertMatch } from "@std/assert";
import { MessageClient } from "../../lib/clients/message_client.ts";
import { SyncClient } from "../../lib/clients/sync.ts";
import { MessagesPeer } from "../interop/messages_programs.ts";
import {
  type Command,
  DENO_RUN,
  EventProgram,
  output,
  Player,
  portToOpenTwice,
  Program,
} from "../interop/programs.ts";
import { OriginalPeer } from "../interop/rendezvous_programs.ts";
import { withFolder } from "../support/folder.ts";
import { until } from "../support/wait.ts";

/** `netsync serve` with a config file in a folder of its own. */
const SERVE: Command = [...DENO_RUN.slice(0, -1), "--allow-read", "main.ts", "serve", "--config"];

/** Runs `body` with the path of a config file. */
async function withConfig(config: unknown, body: (path: string) => Promise<void>): Promise<void> {
  await withFolder(async (folder) => {
    const path = `${folder}/netsync.json`;
    await Deno.writeTextFile(path, JSON.stringify(config));
    await body(path);
  });
}

/** A process of several services, its log as JSON. */
class Served extends EventProgram {
  /** The port of each service, by its name. */
  readonly ports = new Map<string, number>();

  static async start(path: string, count: number): Promise<Served> {
    const served = new Served(SERVE, [path]);
    try {
      await until(`${count} services`, () => served.events("listening").length === count);
    } catch (error) {
      await served[Symbol.asyncDispose]();
      throw new Error(`${error}\n${served.errorLines.join("\n")}`);
    }
    for (const { service, port } of served.events("listening")) {
      served.ports.set(service as string, port as number);
    }
    return served;
  }
}

const THREE = {
  services: [
    { service: "sync", port: 0, maxClients: 2 },
    { service: "rendezvous", port: 0 },
    { service: "messages", port: 0 },
  ],
  json: true,
};

Deno.test("netsync serve runs three services, and each answers its own clients", async () => {
  await withConfig(THREE, async (path) => {
    await using served = await Served.start(path, 3);
    assertEquals([...served.ports.keys()], ["sync", "rendezvous", "messages"]);
    const port = (name: string): number => served.ports.get(name)!;
    await using ada = await SyncClient.connect(`127.0.0.1:${port("sync")}`);
    await using bob = await Player.join(port("sync"));
    ada.send("from ada");
    await bob.send("from bob");
    await until("each other", () => ada.states.size === 2);
    await using castle = await OriginalPeer.host(port("rendezvous"), "castle");
    await using guest = await OriginalPeer.start(port("rendezvous"), "guest", { join: "castle" });
    await Promise.all([castle.confirms("guest"), guest.confirms("castle")]);
    await using client = new MessageClient();
    assert((await client.connect("::1", port("messages"))).ok);
    await using other = await MessagesPeer.connect(port("messages"), { client: "original" });
    await served.event("connected", ({ clients }) => clients === 2 || undefined);
    await other.send("hello");
    for await (const message of client) {
      assertEquals(message.body, "hello");
      break;
    }
    // Each line names its service.
    assertEquals(served.events("joined").map(({ service }) => service), ["sync", "sync"]);
    assertEquals((await served.event("registered")).service, "rendezvous");
    assertEquals(served.events("connected").map(({ service }) => service), [
      "messages",
      "messages",
    ]);
    // And the options of one are its own.
    await using late = Player.start(port("sync"), { silence: 1 });
    assertEquals((await served.event("refused")).reason, "full");
    await late.hangUp();
  });
});

Deno.test("netsync serve gives every service another name", async () => {
  const port = portToOpenTwice();
  const services = [
    { service: "sync", port: 0 },
    { service: "sync", port },
    { service: "sync", port: 0 },
    { service: "echo", port: 0 },
  ];
  await withConfig({ services, json: true }, async (path) => {
    await using served = await Served.start(path, 4);
    assertEquals(served.ports.size, 4);
    assertEquals(served.ports.get(`sync:${port}`), port);
    assertEquals([...served.ports.keys()].at(-1), "echo");
    const [first] = served.ports;
    await using client = await SyncClient.connect(`127.0.0.1:${first![1]}`);
    client.send("here");
    assertEquals((await served.event("joined")).service, first![0]);
  });
});

Deno.test("netsync serve names one port on two addresses apart", async () => {
  const port = portToOpenTwice();
  const services = ["127.0.0.1", "::1"].map((host) => ({ service: "echo", port, host }));
  await withConfig({ services, json: true }, async (path) => {
    await using served = await Served.start(path, 2);
    assertEquals(served.ports.size, 2, [...served.ports.keys()].join());
  });
});

Deno.test("netsync serve ends with status 1 and one line when a port is in use, and leaves none open", async () => {
  const taken = Deno.listen({ hostname: "0.0.0.0", port: 0 });
  const port = portToOpenTwice();
  const services = [
    { service: "sync", port },
    { service: "messages", port: taken.addr.port },
    { service: "rendezvous", port: 0 },
  ];
  await withConfig({ services }, async (path) => {
    const { code, out, err } = await output(SERVE, [path]);
    assertEquals([code, err.length], [1, 1], err.join("\n"));
    assertMatch(err[0]!, new RegExp(`^netsync: messages: TCP port ${taken.addr.port} is in use, `));
    assertEquals(out, []);
  });
  taken.close();
});

for (const signal of ["SIGINT", "SIGTERM"] as const) {
  Deno.test({
    name: `netsync serve ends all services soon after ${signal}, with status 0`,
    ignore: Deno.build.os === "windows", // Where a signal ends a program without a last word.
    async fn(): Promise<void> {
      const services = ["sync", "rendezvous", "arena", "echo", "messages", "world"]
        .map((service) => ({ service, port: 0 }));
      await withConfig({ services, json: true }, async (path) => {
        await using served = await Served.start(path, services.length);
        await using ada = await SyncClient.connect(`127.0.0.1:${served.ports.get("sync")}`);
        ada.send("here");
        await served.event("joined");
        await using client = new MessageClient();
        assert((await client.connect("127.0.0.1", served.ports.get("messages")!)).ok);
        await served.event("connected");
        served.kill(signal);
        assertEquals(await served.end(5_000), 0);
        assertEquals(
          served.events("stopped").map(({ service }) => service).sort(),
          services.map(({ service }) => service).sort(),
        );
        assertEquals(served.errorLines, []);
      });
    },
  });
}

Deno.test({
  name: "netsync serve ends at once with status 130 after a second SIGINT",
  ignore: Deno.build.os === "windows",
  async fn(): Promise<void> {
    await withConfig(THREE, async (path) => {
      await using served = await Served.start(path, 3);
      // Who connects and reads nothing is waited for.
      const conn = await Deno.connect({
        hostname: "127.0.0.1",
        port: served.ports.get("messages")!,
      });
      await conn.write(new TextEncoder().encode('{"handshake": ""}\n'));
      await served.event("connected");
      served.kill("SIGSTOP"); // So that both are there when it looks.
      served.kill("SIGINT");
      served.kill("SIGTERM");
      served.kill("SIGCONT");
      assertEquals(await served.end(), 130);
      conn.close();
    });
  },
});

Deno.test("netsync serve first says for people what runs, how each is reached, and how to stop", async () => {
  const { json: _, ...config } = THREE;
  await withConfig(config, async (path) => {
    await using served = new Program(SERVE, [path]);
    await served.next("the last of them", (line) => /stop +Ctrl\+C/.test(line) || undefined);
    assertMatch(served.lines[0]!, /^netsync \d+\.\d+\.\d+ runs 3 services$/);
    for (
      const [line, title] of [
        "sync \\(SimpleNetSync\\) on UDP",
        "rendezvous \\(Holepunch\\) on UDP",
        "messages \\(SimpleServer\\) on TCP",
      ].entries()
    ) {
      assertMatch(
        served.lines[1 + line]!,
        new RegExp(`${title} \\[::\\]:\\d+ and 0\\.0\\.0\\.0:\\d+$`),
      );
    }
    const text = served.lines.join("\n");
    const near = /on this computer +sync localhost:\d+ {2}rendezvous localhost:\d+ {2}messages loc/;
    assertMatch(text, near);
    assertMatch(text, /forwards UDP ports \d+, \d+ and TCP port \d+ to this computer /);
    assertMatch(text, / {2}sync: see the players +\S.* watch localhost:\d+\n/);
  });
});
