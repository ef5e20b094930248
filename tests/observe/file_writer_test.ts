import { assert, assertEquals, assertMatch, assertRejects } from "@std/assert";
import { FileWriter } from "../../lib/observe/file_writer.ts";
import { ROOT } from "../interop/programs.ts";
import { withFolder } from "../support/folder.ts";
import { until, within } from "../support/wait.ts";

type Write = Deno.FsFile["write"];

/** Runs `body` while every write to a file is this. */
async function whileWriting(
  write: (this: Deno.FsFile, bytes: Uint8Array, really: Write) => Promise<number>,
  body: () => Promise<void>,
): Promise<void> {
  const really = Deno.FsFile.prototype.write;
  Deno.FsFile.prototype.write = function (bytes): Promise<number> {
    return write.call(this, bytes, really.bind(this));
  };
  try {
    await body();
  } finally {
    Deno.FsFile.prototype.write = really;
  }
}

function lines(count: number): string[] {
  return Array.from({ length: count }, (_, index) => `line ${index} ${"é".repeat(20)}\n`);
}

Deno.test("FileWriter adds all texts to the end of a file, in their order", async () => {
  await withFolder(async (folder) => {
    const path = `${folder}/a.log`;
    await Deno.writeTextFile(path, "before\n");
    const writer = await FileWriter.open(path);
    const texts = lines(20_000); // More than one chunk.
    for (const text of texts.slice(0, 10_000)) assert(writer.write(text));
    assert(await writer.flush(10_000));
    for (const text of texts.slice(10_000)) assert(writer.write(text));
    await writer.close(10_000);
    assertEquals(await Deno.readTextFile(path), `before\n${texts.join("")}`);
  });
});

Deno.test("FileWriter leaves alone what another program adds to the file", async () => {
  await withFolder(async (folder) => {
    const path = `${folder}/a.log`;
    const writer = await FileWriter.open(path);
    writer.write("mine\n");
    await writer.flush(10_000);
    await Deno.writeTextFile(path, "another's\n", { append: true });
    writer.write("mine again\n");
    await writer.close();
    assertEquals(await Deno.readTextFile(path), "mine\nanother's\nmine again\n");
  });
});

Deno.test("FileWriter.open() makes a file anew if told to, and never opens one that is there", async () => {
  await withFolder(async (folder) => {
    const path = `${folder}/a.log`;
    const writer = await FileWriter.open(path, { isNew: true });
    writer.write("kept\n");
    await writer.close();
    await assertRejects(() => FileWriter.open(path, { isNew: true }), Deno.errors.AlreadyExists);
    assertEquals(await Deno.readTextFile(path), "kept\n");
  });
});

Deno.test("FileWriter.open() rejects where nothing can be written", async () => {
  await withFolder(async (folder) => {
    await assertRejects(() => FileWriter.open(`${folder}/none/a.log`), Deno.errors.NotFound);
    await assertRejects(() => FileWriter.open(folder), Error);
  });
});

Deno.test("FileWriter refuses text beyond its queue, and after it was closed", async () => {
  await withFolder(async (folder) => {
    const path = `${folder}/a.log`;
    const writer = await FileWriter.open(path, { queuedBytesMax: 10 });
    assertEquals(["12345", "éé", "12", "1", ""].map((text) => writer.write(text)), [
      ...[true, true, false, true, true], // In bytes: 5, 9, 11, 10, 10.
    ]);
    assert(await writer.flush(10_000));
    assertEquals(writer.write("again"), true);
    assert(await writer.flush(10_000));
    await writer.close(); // Nothing is under way: the file is closed nevertheless.
    assertEquals(writer.write("late"), false);
    assertEquals(await Deno.readTextFile(path), "12345éé1again");
    await writer.close();
  });
});

Deno.test("FileWriter goes on with the very byte at which writing failed, and tells it once", async () => {
  await withFolder(async (folder) => {
    const path = `${folder}/a.log`;
    const problems: string[] = [];
    let calls = 0;
    const writer = await FileWriter.open(path, {
      retryMs: 1,
      onProblem: (problem) => problems.push(problem),
    });
    const texts = lines(10);
    await whileWriting((bytes, really) => {
      // Seven bytes, then three failures in a row, and so on.
      if (calls++ % 4 === 0) return really(bytes.subarray(0, 7));
      return Promise.reject(new Error("No space left on device (os error 28)"));
    }, async () => {
      for (const text of texts.slice(0, 3)) writer.write(text);
      await until("some failures", () => calls > 20);
    });
    for (const text of texts.slice(3)) writer.write(text);
    await until("all written", () => writer.flush(100));
    assertEquals(problems, [`cannot write ${path}: No space left on device (os error 28)`]);
    // It went well in between, so the next one is told.
    await whileWriting(() => Promise.reject(new Error("again")), async () => {
      writer.write("last\n");
      await until("a second problem", () => problems.length > 1);
    });
    await writer.close(10_000);
    assertEquals(problems.length, 2);
    assertEquals(await Deno.readTextFile(path), `${texts.join("")}last\n`);
  });
});

Deno.test("FileWriter survives a listener that throws", async () => {
  await withFolder(async (folder) => {
    const path = `${folder}/a.log`;
    const writer = await FileWriter.open(path, {
      retryMs: 1,
      onProblem(): void {
        throw new Error("a bug");
      },
    });
    let calls = 0;
    await whileWriting(() => Promise.reject(new Error(`${calls++}`)), async () => {
      writer.write("1\n");
      await until("failures", () => calls > 2);
    });
    await writer.close(10_000);
    assertEquals(await Deno.readTextFile(path), "1\n");
  });
});

Deno.test("FileWriter.close() tries once more, without waiting for its next try", async () => {
  await withFolder(async (folder) => {
    const path = `${folder}/a.log`;
    const problems: string[] = [];
    const writer = await FileWriter.open(path, {
      retryMs: 1_000_000,
      onProblem: (problem) => problems.push(problem),
    });
    await whileWriting(() => Promise.reject(new Error("full")), async () => {
      writer.write("1\n");
      await until("a problem", () => problems.length === 1);
    });
    await within("the end", writer.close(1_000_000));
    assertEquals(await Deno.readTextFile(path), "1\n");
  });
});

Deno.test("FileWriter.close() tries once more after a try that was under way", async () => {
  await withFolder(async (folder) => {
    const path = `${folder}/a.log`;
    const failure = Promise.withResolvers<never>();
    let calls = 0;
    const writer = await FileWriter.open(path, { retryMs: 1_000_000 });
    const write = (bytes: Uint8Array, really: Write): Promise<number> =>
      calls++ === 0 ? failure.promise : really(bytes);
    await whileWriting(write, async () => {
      writer.write("1\n");
      await until("it is under way", () => calls === 1);
      const closing = writer.close(1_000_000);
      failure.reject(new Error("full"));
      await within("the end", closing);
    });
    assertEquals(await Deno.readTextFile(path), "1\n");
  });
});

Deno.test("FileWriter.close() gives up when writing fails for good", async () => {
  await withFolder(async (folder) => {
    const problems: string[] = [];
    const writer = await FileWriter.open(`${folder}/a.log`, {
      retryMs: 1_000_000,
      onProblem: (problem) => problems.push(problem),
    });
    await whileWriting(() => Promise.reject(new Error("full")), async () => {
      writer.write("1\n");
      await within("the end", writer.close(1_000_000));
    });
    assertEquals(problems.length, 1);
    assertEquals(await writer.flush(0), false);
  });
});

Deno.test("FileWriter.close() does not wait for ever for a disk that does not answer", async () => {
  await withFolder(async (folder) => {
    const path = `${folder}/a.log`;
    const answer = Promise.withResolvers<void>();
    const writer = await FileWriter.open(path);
    await whileWriting((bytes, really) => answer.promise.then(() => really(bytes)), async () => {
      writer.write("1\n");
      await within("the end", writer.close(5));
      assertEquals(await Deno.readTextFile(path), "");
      answer.resolve();
      await until("it was written after all", () => writer.flush(100));
    });
    assertEquals(await Deno.readTextFile(path), "1\n");
  });
});

Deno.test("FileWriter goes on when its folder is gone and comes back", async () => {
  if (Deno.build.os === "windows") return; // It keeps open files.
  await withFolder(async (folder) => {
    const [inner, problems] = [`${folder}/logs`, [] as string[]];
    await Deno.mkdir(inner);
    const writer = await FileWriter.open(`${inner}/a.log`, {
      retryMs: 1,
      onProblem: (problem) => problems.push(problem),
    });
    writer.write("1\n");
    assert(await writer.flush(10_000));
    await Deno.remove(inner, { recursive: true });
    writer.write("2\n");
    await until("a problem", () => problems.length > 0);
    assertMatch(problems[0]!, /^cannot write .*logs\/a\.log: No such file or directory/);
    await Deno.mkdir(inner);
    await writer.close(10_000);
    assertEquals(await Deno.readTextFile(`${inner}/a.log`), "2\n");
    assertEquals(problems.length, 1);
  });
});

Deno.test("FileWriter needs leave to write that file, and no other", async () => {
  await withFolder(async (folder) => {
    const path = `${folder}/a.log`;
    const code = `import { FileWriter } from "./lib/observe/file_writer.ts";
      const writer = await FileWriter.open(${JSON.stringify(path)}, {
        onProblem: (problem) => console.log(problem),
      });
      for (const text of ["1", "2", "3"]) { writer.write(text); await writer.flush(1_000); }
      await writer.close();`;
    const flags = ["--quiet", "--no-prompt", "--no-check", `--allow-write=${path}`];
    assertEquals(await run(flags, code), "");
    assertEquals(await Deno.readTextFile(path), "123");
  });
});

Deno.test("FileWriter outlives a full disk: told once, the queue bounded, the process ends", async () => {
  if (Deno.build.os !== "linux") return; // Only there is a disk that is always full.
  const code = `import { FileWriter } from "./lib/observe/file_writer.ts";
    const writer = await FileWriter.open("/dev/full", {
      retryMs: 5,
      queuedBytesMax: 50_000,
      onProblem: (problem) => console.log(problem),
    });
    let taken = 0;
    for (let i = 0; i < 200; i++) {
      for (let j = 0; j < 10; j++) taken += Number(writer.write("x".repeat(100) + "\\n"));
      await new Promise((resolve) => setTimeout(resolve, 1));
    }
    await writer.close(1_000);
    console.log(taken > 100 && taken < 1_500);`;
  const printed = await run(["--quiet", "--no-check", "--allow-all"], code);
  assertMatch(printed, /^cannot write \/dev\/full: No space left on device[^\n]*\ntrue\n$/);
});

/** What a program prints, on either output. */
async function run(flags: string[], code: string): Promise<string> {
  const child = new Deno.Command(Deno.execPath(), {
    args: ["run", ...flags, "-"],
    cwd: ROOT,
    stdin: "piped",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  const input = child.stdin.getWriter();
  await input.write(new TextEncoder().encode(code));
  await input.close();
  const { stdout, stderr } = await child.output();
  return new TextDecoder().decode(stdout) + new TextDecoder().decode(stderr);
}

Deno.test(
  "FileWriter does not try what it has no leave for: in a terminal Deno would ask, and all would wait",
  {
    permissions: { write: ["coverage"], read: false },
  },
  async () => {
    await withFolder(async (folder) => {
      const { stat } = Deno.FsFile.prototype;
      let stats = 0;
      Deno.FsFile.prototype.stat = function (): Promise<Deno.FileInfo> {
        stats++;
        return stat.call(this);
      };
      try {
        const writer = await FileWriter.open(`${folder}/log`);
        writer.write("one\n");
        await writer.close();
      } finally {
        Deno.FsFile.prototype.stat = stat;
      }
      assertEquals(stats, 0);
    });
  },
);
