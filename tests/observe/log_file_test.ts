import { assert, assertEquals, assertMatch, assertRejects } from "@std/assert";
import { logFilePaths, openLogFile } from "../../lib/observe/log_file.ts";
import { namesIn, withFolder } from "../support/folder.ts";
import { until } from "../support/wait.ts";

/** Lines of ten bytes. */
function lines(from: number, to: number): string[] {
  return Array.from({ length: to - from }, (_, i) => `${from + i}`.padStart(9, "0") + "\n");
}

Deno.test("openLogFile() puts a file away before it gets too long, and keeps the newest few", async () => {
  await withFolder(async (folder) => {
    const path = `${folder}/netsync.log`;
    const log = await openLogFile(path, { bytesMax: 35, filesMax: 3 });
    for (const [index, line] of lines(0, 11).entries()) {
      assert(log.write(line));
      // In one go, or line by line: the same files.
      if (index % 4 === 3) assert(await log.flush(10_000));
    }
    await log.close();
    assertEquals(namesIn(folder), ["netsync.log", "netsync.log.1", "netsync.log.2"]);
    const texts = await Promise.all(logFilePaths(path, 3).map((path) => Deno.readTextFile(path)));
    assertEquals(texts, [[9, 11], [6, 9], [3, 6]].map(([from, to]) => lines(from!, to!).join("")));
  });
});

Deno.test("openLogFile() adds to the file that is there, and counts what it holds", async () => {
  await withFolder(async (folder) => {
    const path = `${folder}/netsync.log`;
    await Deno.writeTextFile(path, lines(0, 2).join(""));
    const log = await openLogFile(path, { bytesMax: 35 });
    for (const line of lines(2, 5)) log.write(line);
    await log.close();
    assertEquals(await Deno.readTextFile(`${path}.1`), lines(0, 3).join(""));
    assertEquals(await Deno.readTextFile(path), lines(3, 5).join(""));
  });
});

Deno.test("openLogFile() writes a line that is too long for any file into one of its own", async () => {
  await withFolder(async (folder) => {
    const path = `${folder}/netsync.log`;
    const log = await openLogFile(path, { bytesMax: 35 });
    const long = "x".repeat(99) + "\n";
    for (const line of ["a\n", long, "b\n"]) log.write(line);
    await log.close();
    const texts = await Promise.all(logFilePaths(path, 3).map((path) => Deno.readTextFile(path)));
    assertEquals(texts, ["b\n", long, "a\n"]);
    const other = await openLogFile(`${folder}/other.log`, { bytesMax: 35 });
    other.write(long); // The file is new, and needs not be put away.
    await other.close();
    assertEquals(namesIn(folder).filter((name) => name.startsWith("other")), ["other.log"]);
  });
});

Deno.test("openLogFile() begins its only file anew", async () => {
  await withFolder(async (folder) => {
    const path = `${folder}/netsync.log`;
    const log = await openLogFile(path, { bytesMax: 35, filesMax: 1 });
    for (const line of lines(0, 8)) log.write(line);
    await log.close();
    assertEquals(namesIn(folder), ["netsync.log"]);
    assertEquals(await Deno.readTextFile(path), lines(6, 8).join(""));
  });
});

Deno.test("openLogFile() lets no file grow that cannot be put away, and goes on once it can", async () => {
  await withFolder(async (folder) => {
    const path = `${folder}/netsync.log`;
    const problems: string[] = [];
    await Deno.mkdir(`${path}.1`);
    const log = await openLogFile(path, {
      bytesMax: 35,
      filesMax: 2,
      retryMs: 1,
      onProblem: (problem) => problems.push(problem),
    });
    for (const line of lines(0, 5)) log.write(line);
    await until("a problem", () => problems.length > 0);
    assertEquals(await Deno.readTextFile(path), lines(0, 3).join(""));
    assertMatch(problems[0]!, /^cannot write .*netsync\.log: .*rename/);
    await Deno.remove(`${path}.1`);
    await log.close(10_000);
    assertEquals(await Deno.readTextFile(`${path}.1`), lines(0, 3).join(""));
    assertEquals(await Deno.readTextFile(path), lines(3, 5).join(""));
    assertEquals(problems.length, 1);
  });
});

Deno.test("openLogFile() rejects a folder that is not there", async () => {
  await withFolder(async (folder) => {
    await assertRejects(() => openLogFile(`${folder}/none/netsync.log`), Deno.errors.NotFound);
  });
});

Deno.test("logFilePaths() names all files that a log may have", () => {
  assertEquals(logFilePaths("a.log", 3), ["a.log", "a.log.1", "a.log.2"]);
  assertEquals(logFilePaths("a.log").length, 5);
});
