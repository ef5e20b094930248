/**
 * Files that cannot be written while people play: the disk is full or read-only, a folder is gone or in the
 * way. With small disks in mount namespaces: that takes Linux, and root or a system that lets everybody have
 * user namespaces.
 */
import { assert, assertEquals, assertMatch } from "@std/assert";
import { SyncClient } from "../../lib/clients/sync.ts";
import { objectOf, output, ServerProgram } from "../interop/programs.ts";
import { namesIn, withFolder } from "../support/folder.ts";
import { PATIENCE_MS, until } from "../support/wait.ts";
import { Disk, whyNoDisk } from "./disk.ts";
import { WITH_FILES } from "./programs.ts";

await Deno.mkdir("coverage", { recursive: true });
const reason = await whyNoDisk();
const ignore = reason !== undefined;
if (ignore) console.warn(`tests with full disks are skipped: ${reason}`);

/** Files are tried again every five seconds. */
const RETRIED_MS = Math.max(30_000, PATIENCE_MS);
const AGAIN = "; the services go on, and it is tried again every few seconds";

/** A player, and what her server keeps in files. */
class Stage implements AsyncDisposable {
  readonly server: ServerProgram;
  readonly client: SyncClient;
  #states = 0;

  private constructor(server: ServerProgram, client: SyncClient) {
    this.server = server;
    this.client = client;
  }

  static async begin(server: ServerProgram): Promise<Stage> {
    const client = await SyncClient.connect(`127.0.0.1:${server.port}`);
    return new Stage(server, client);
  }

  /** She says something, and sees it. */
  async play(): Promise<void> {
    const state = `state ${++this.#states}`;
    this.client.send(state);
    await until(state, () => this.client.states.get(this.client.id) === state);
  }

  /** She plays until something was said of each of these files. */
  async playUntil(event: "file-problem" | "file-mended", files: readonly string[]): Promise<void> {
    await until(`${event} of ${files}`, async () => {
      await this.play();
      const said = this.#said(event);
      return files.every((file) => said.some((line) => line.includes(file)));
    }, RETRIED_MS);
  }

  /** What was said of a file, in order. */
  of(file: string): string[] {
    return ["file-problem" as const, "file-mended" as const].flatMap((event) => this.#said(event))
      .filter((line) => line.includes(file));
  }

  /** Bans an address, as the page does. */
  async ban(address: string): Promise<void> {
    const url = new URL(await this.server.event("dashboard", ({ url }) => url as string));
    const { body, ok } = await fetch(new URL("/actions/ban", url), {
      method: "POST",
      headers: {
        "authorization": `Bearer ${url.searchParams.get("token")}`,
        "content-type": "application/json",
      },
      body: JSON.stringify({ network: address }),
    });
    await body?.cancel();
    assert(ok);
  }

  async stop(): Promise<void> {
    this.server.kill("SIGTERM");
    assertEquals(await this.server.end(), 0);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.client.close();
    await this.server[Symbol.asyncDispose]();
  }

  #said(event: string): string[] {
    return this.server.events(event).map(({ message }) => String(message));
  }
}

Deno.test({
  name:
    "netsync plays on while the disk of all its files is full, says so, and has them whole afterwards",
  ignore,
  async fn(): Promise<void> {
    await withFolder(async (folder) => {
      await using disk = await Disk.mount(folder);
      const [log, resume, record, bans] = ["netsync.log", "sync.resume", "sync.jsonl", "bans.txt"]
        .map((name) => `${folder}/${name}`) as [string, string, string, string];
      await using stage = await Stage.begin(
        await disk.start([
          ...["--log-file", log, "--resume", resume, "--record", record, "--bans", bans],
          ...["--dashboard", "127.0.0.1:0", "--log-level", "info"],
        ]),
      );
      await stage.ban("192.0.2.1");
      await until("all files", async () => {
        await stage.play();
        return (await disk.run("cat *")).includes("192.0.2.1");
      });
      const before = await disk.run("cat sync.resume");
      await disk.fill();
      const banned = Array.from({ length: 40 }, (_, number) => `198.51.100.${number}`);
      for (const address of banned) await stage.ban(address); // Lines for the log, too.
      await stage.playUntil("file-problem", [log, resume, record, bans]);
      assertEquals((await disk.run("cat sync.resume")).split("\n").length, 2, "the old one");
      assert(before.length > 0);
      await disk.run("rm filler");
      await stage.playUntil("file-mended", [log, resume, record, bans]);
      const full = `No space left on device (os error 28)`;
      assertEquals(stage.of(log), [
        `cannot write ${log}: ${full}: make room there${AGAIN}`,
        `${log} is written again`,
      ]);
      assertEquals(stage.of(resume).length, 2, stage.of(resume).join("\n"));
      assert(stage.of(resume)[0]!.endsWith(`: make room there${AGAIN}`), stage.of(resume)[0]);
      assertEquals(stage.of(bans).length, 2, stage.of(bans).join("\n"));
      assertEquals(stage.of(record).length, 2, stage.of(record).join("\n"));
      await stage.stop();

      assertEquals(await disk.run("ls"), "bans.txt\nnetsync.log\nsync.jsonl\nsync.resume");
      assertEquals((await disk.run("cat bans.txt")).split("\n"), ["192.0.2.1", ...banned]);
      const printed = stage.server.lines.filter((line) =>
        !/"event":"(listening|dashboard)"/.test(line)
      );
      assertEquals((await disk.run("cat netsync.log")).split("\n"), printed);
      const recording = (await disk.run("cat sync.jsonl")).split("\n");
      assert(recording.every((line) => objectOf(line)), "every line is whole");
      assertMatch(recording.at(-1)!, /"stopped"/);
      const [head] = (await disk.run("cat sync.resume")).split("\n");
      assertEquals(objectOf(head!)?.isFinal, true);
    });
  },
});

Deno.test({
  name:
    "netsync plays on while its disk can only be read, and does not start there with a file to be written",
  ignore,
  async fn(): Promise<void> {
    await withFolder(async (folder) => {
      await using disk = await Disk.mount(folder);
      const resume = `${folder}/sync.resume`;
      await using stage = await Stage.begin(await disk.start(["--resume", resume]));
      await stage.play();
      await disk.run("mount -o remount,ro .");
      await stage.playUntil("file-problem", [resume]);
      for (const option of ["--log-file", "--record"]) {
        const words = ["0", option, `${folder}/new`];
        const { code, out, err } = await output(disk.server, words);
        assertEquals([code, out, err.length], [1, [], 1], err.join("\n"));
        assertMatch(err[0]!, new RegExp(`^netsync: ${option} .*/new: Read-only file system`));
      }
      await disk.run("mount -o remount,rw .");
      await stage.playUntil("file-mended", [resume]);
      assertEquals(stage.of(resume).length, 2);
      assertMatch(
        stage.of(resume)[0]!,
        /Read-only file system .*: its disk can only be read; the services/,
      );
      await stage.stop();
    });
  },
});

Deno.test({
  name:
    "netsync plays on when the folder of a file is deleted, or a folder is in its place, until it is mended",
  ignore: Deno.build.os === "windows", // It keeps open files.
  async fn(): Promise<void> {
    await withFolder(async (folder) => {
      const [log, resume, bans] = [
        `${folder}/a/netsync.log`,
        `${folder}/b/sync.resume`,
        `${folder}/c/bans`,
      ];
      for (const name of ["a", "b", "c"]) await Deno.mkdir(`${folder}/${name}`);
      const words = ["--log-file", log, "--resume", resume, "--bans", bans];
      await using stage = await Stage.begin(
        await ServerProgram.start(WITH_FILES, {
          words: [...words, "--dashboard", "127.0.0.1:0", "--log-level", "info"],
        }),
      );
      await stage.play();
      await Deno.remove(`${folder}/a`, { recursive: true });
      await Deno.remove(resume);
      for (const inTheWay of [`${resume}/1`, `${bans}/1`]) {
        await Deno.mkdir(inTheWay, { recursive: true });
      }
      await stage.ban("192.0.2.1");
      await stage.playUntil("file-problem", [log, resume, bans]);
      await Deno.mkdir(`${folder}/a`);
      for (const inTheWay of [resume, bans]) await Deno.remove(inTheWay, { recursive: true });
      await stage.playUntil("file-mended", [log, resume, bans]);
      assertMatch(
        stage.of(log)[0]!,
        /No such file .*: its folder is gone: make it again; the services/,
      );
      assertMatch(
        stage.of(resume)[0]!,
        /: a folder is in its place: move that away; the services go/,
      );
      for (const file of [log, resume, bans]) assertEquals(stage.of(file).length, 2);
      await stage.stop();
      assertEquals(namesIn(folder).flatMap((name) => namesIn(`${folder}/${name}`)), [
        ...["netsync.log", "sync.resume", "bans"],
      ]);
      assertEquals(await Deno.readTextFile(bans), "192.0.2.1\n");
    });
  },
});
