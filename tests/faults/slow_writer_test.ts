/** What takes log lines slowly, or not at all: a pipe that nobody reads holds nobody up who plays. */
import { assert, assertEquals, assertMatch } from "@std/assert";
import { MessageClient } from "../../lib/clients/message_client.ts";
import { output, ROOT } from "../interop/programs.ts";
import { withFolder } from "../support/folder.ts";
import { PATIENCE_MS, until, within } from "../support/wait.ts";
import { WITH_FILES } from "./programs.ts";

const isWindows = Deno.build.os === "windows";
/** More than a pipe holds, and the queue in front of it. */
const VISITORS = 400;

/** A port that is free, if nobody takes it at this very moment. */
function freePort(): number {
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  return listener.addr.port;
}

Deno.test({
  name:
    "netsync plays on and fills its log file while nobody reads what it prints, and ends when told",
  ignore: isWindows, // Where a signal ends a program without a last word.
  async fn(): Promise<void> {
    await withFolder(async (folder) => {
      const [port, log] = [freePort(), `${folder}/netsync.log`];
      const [program, ...words] = WITH_FILES;
      const server = new Deno.Command(program!, {
        args: [
          ...words,
          "messages",
          `${port}`,
          "--json",
          "--max-per-ip",
          "1000",
          "--log-file",
          log,
        ],
        ...{ cwd: ROOT, stdin: "null", stdout: "piped", stderr: "null" },
      }).spawn();
      try {
        await using ada = new MessageClient();
        await using ben = new MessageClient();
        for (const client of [ada, ben]) {
          await until("a connection", async () => (await client.connect("127.0.0.1", port)).ok);
        }
        for (let visitor = 0; visitor < VISITORS; visitor++) {
          using _visitor = await Deno.connect({ hostname: "127.0.0.1", port });
        }
        ada.send("still here");
        await until("it", () => ben.read()?.body === "still here");
        const lines = async (): Promise<number> =>
          (await Deno.readTextFile(log)).split("\n").filter((line) => line.includes("from")).length;
        await until("the log file", async () => await lines() >= VISITORS);
        server.kill("SIGTERM");
        const { code } = await within("its end", server.status, 2 * PATIENCE_MS);
        assertEquals(code, 0);
      } finally {
        try {
          server.kill("SIGKILL");
        } catch {
          // It has ended.
        }
        await server.stdout.cancel();
        await server.status;
      }
    });
  },
});

Deno.test({
  name: "netsync --log-file does not begin on a pipe, where it would wait for somebody who reads",
  ignore: isWindows,
  async fn(): Promise<void> {
    await withFolder(async (folder) => {
      const pipe = `${folder}/pipe`;
      assertEquals((await output(["mkfifo"], [pipe])).code, 0);
      const { code, out, err } = await output(WITH_FILES, ["0", "--log-file", pipe]);
      assertEquals([code, out, err.length], [1, [], 1]);
      assertMatch(err[0]!, /^netsync: --log-file .*\/pipe: it is no file$/);
      assert((await Deno.stat(pipe)).isFifo);
    });
  },
});
