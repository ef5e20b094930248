/** A program that may open no more files and sockets: at its start, and while people play. */
import {
  assert,
  assertEquals,
  assertMatch,
  assertRejects,
  assertStringIncludes,
} from "@std/assert";
import { MessageClient } from "../../lib/clients/message_client.ts";
import { SyncClient } from "../../lib/clients/sync.ts";
import { openTcp } from "../../lib/hosts/tcp.ts";
import { DENO_RUN, EventProgram, Program, ServerProgram } from "../interop/programs.ts";
import { withFolder } from "../support/folder.ts";
import { until } from "../support/wait.ts";
import { cpuMsOf, limitedTo, messagesOf, openFilesOf, warningsOf, WITH_FILES } from "./programs.ts";

/** Where /proc tells what a program has open. */
const ignore = Deno.build.os !== "linux";
/** Enough for Deno itself, for the ports and some players. */
const FILES = 64;

/** Opens connections until a program has no room for more: some of them wait with the system. */
async function crowd(port: number): Promise<Deno.TcpConn[]> {
  const connections: Deno.TcpConn[] = [];
  while (connections.length < 2 * FILES) {
    connections.push(await Deno.connect({ hostname: "127.0.0.1", port }));
  }
  return connections;
}

for (const service of ["sync", "messages"]) {
  Deno.test({
    name:
      `netsync ${service} says at its start that it may open no more files, and ends with status 1`,
    ignore,
    async fn(): Promise<void> {
      const program = [...DENO_RUN, service];
      let limit = await (async (): Promise<number> => {
        await using server = await ServerProgram.start(program);
        return (await openFilesOf(server)).length;
      })();
      for (;; limit--) { // Deno itself takes most of them, and not always as many.
        await using server = new Program(limitedTo(limit, program), ["0"]);
        const isRunning = await server.next("a line", () => true).catch(() => false);
        if (isRunning) continue;
        assertEquals([await server.end(), server.lines], [1, []]);
        const says = server.errorLines.filter((line) => line.startsWith("netsync: "));
        assertEquals(says.length, 1, server.errorLines.join("\n"));
        assertMatch(says[0]!, /^netsync: (UDP|TCP) port 0 cannot be opened: Too many open files/);
        assertMatch(says[0]!, /; start netsync after: ulimit -n 4096$/);
        return;
      }
    },
  });
}

Deno.test({
  name: "openTcp() says that it is out of files, not that its port is in use",
  ignore, // Elsewhere two sockets are opened, and nothing is to be found out.
  async fn(): Promise<void> {
    const { connect } = Deno;
    // It connects to itself to find out whether IPv4 reaches it.
    Deno.connect = ((): Promise<never> =>
      Promise.reject(new Error("Too many open files (os error 24)"))) as typeof connect;
    try {
      await assertRejects(
        () =>
          openTcp({ port: 0 }),
        Error,
        "Too many open files",
      );
    } finally {
      Deno.connect = connect;
    }
  },
});

Deno.test({
  name:
    "netsync messages out of files keeps who is in, says so once, rests, and takes more once it can",
  ignore,
  async fn(): Promise<void> {
    const words = ["--log-level", "info", "--max-per-ip", "500"];
    const command = limitedTo(FILES, [...DENO_RUN, "messages"]);
    await using server = await ServerProgram.start(command, { words });
    await using ada = new MessageClient();
    await using ben = new MessageClient();
    for (const client of [ada, ben]) {
      assert((await client.connect("127.0.0.1", server.port)).ok);
    }
    const crowdedAt = performance.now();
    const others = await crowd(server.port);
    await server.event("accept-failed");
    const before = await cpuMsOf(server);
    const startedAt = performance.now();
    for (let line = 0; line < 10; line++) {
      ada.send(`line ${line}`);
      await until("it", () => ben.read()?.body === `line ${line}`);
    }
    await until("a second", () => performance.now() - startedAt > 1_000);
    const share = (await cpuMsOf(server) - before) / (performance.now() - startedAt);
    assert(share < 0.5, `${share} of a processor: it does nothing else but ask for connections`);
    for (const conn of others) conn.close();
    await using cyd = new MessageClient();
    assert((await cyd.connect("127.0.0.1", server.port)).ok);
    cyd.send("to all"); // Which is heard once there is room for her.
    await until("it", () => ada.read()?.body === "to all");
    await server.event("accept-works");
    assertEquals(warningsOf(server).filter((line) => line.includes("connections")), [
      "the system gives no more connections: Too many open files (os error 24); who is connected stays; " +
      "for more of them start netsync after: ulimit -n 4096",
    ]);
    assertMatch(
      messagesOf(server, "accept-works")[0]!,
      /^connections are taken again, after [\d.]+ s$/,
    );
    server.kill("SIGTERM");
    const { acceptErrors } = await server.event("stopped");
    const tries = (performance.now() - crowdedAt) / 100;
    assert(Number(acceptErrors) <= tries + 2, `asked ${acceptErrors} times, not ${tries}`);
  },
});

Deno.test({
  name:
    "netsync serve out of files plays on, says which file it cannot write, and writes it once it can",
  ignore,
  async fn(): Promise<void> {
    await withFolder(async (folder) => {
      const resume = `${folder}/sync.resume`;
      const services = [
        { service: "sync", port: 0, resume },
        { service: "messages", port: 0, maxPerIp: 500 },
      ];
      const config = {
        services,
        logFile: `${folder}/netsync.log`,
        dashboard: "127.0.0.1:0",
        json: true,
      };
      await Deno.writeTextFile(`${folder}/netsync.json`, JSON.stringify(config));
      await using server = new EventProgram(limitedTo(FILES, WITH_FILES), [
        ...["serve", "--config", `${folder}/netsync.json`],
      ]);
      const portOf = (name: string): Promise<number> =>
        server.event(
          "listening",
          ({ service, port }) => service === name ? port as number : undefined,
        );
      await using client = await SyncClient.connect(`127.0.0.1:${await portOf("sync")}`);
      client.send("here");
      const url = new URL(await server.event("dashboard", ({ url }) => url as string));
      const others = await crowd(await portOf("messages"));
      await server.event("accept-failed");
      client.send("still here"); // That is to be kept, too.
      await until("her state", () => client.states.get(client.id) === "still here");
      const problem = await server.event("file-problem", ({ problem }) => String(problem));
      assertStringIncludes(problem, `--resume ${resume}: Too many open files (os error 24)`);
      assertStringIncludes(
        problem,
        "; the services go on, and it is tried again every few seconds",
      );
      // A server of web pages that gets no connection ends, and is started again.
      // Who comes in that moment may be sent away.
      using _visitor = await Deno.connect({ hostname: "127.0.0.1", port: Number(url.port) })
        .catch(() => undefined);
      await server.event("dashboard", ({ problem }) => problem);
      for (const conn of others) conn.close();
      await server.event("file-mended");
      await server.event("dashboard-open");
      assertMatch(await (await fetch(new URL("/health", url))).text(), /ok\n$/);
      assertEquals(server.events("file-problem").length, 1);
      await until(
        "the log file",
        async () => (await Deno.readTextFile(config.logFile)).includes("is written again"),
      );
    });
  },
});
