import { assert, assertEquals, assertRejects } from "@std/assert";
import { type Found, readResumeFile, ResumeFile } from "../../lib/home/resume_file.ts";
import type { Saved } from "../../lib/protocols/engine.ts";
import { namesIn, withFolder } from "../support/folder.ts";
import { until, within } from "../support/wait.ts";

/** As it is read after an end that nothing disturbed. */
const final = (saved: Saved): Saved => ({ ...saved, isFinal: true });
const SAVED: Saved = { version: 1, players: ["ada", "bob\n", "\u{1F6F0}"], nested: { zero: 0 } };

/** Writes what a service saved, once. */
async function write(path: string, saved: Saved = SAVED, service = "sync"): Promise<void> {
  const problems: string[] = [];
  const onProblem = (problem: string): void => void problems.push(problem);
  await using _file = await ResumeFile.open({ path, service, save: () => saved, onProblem });
  assertEquals(problems, []);
}

function read(path: string, ageMs = 0): Promise<Found> {
  return readResumeFile(path, "sync", Date.now() + ageMs);
}

Deno.test("readResumeFile() gives what ResumeFile wrote, and how long ago that was", async () => {
  await withFolder(async (folder) => {
    const path = `${folder}/sync.resume`;
    const before = Date.now();
    await write(path);
    const found = await readResumeFile(path, "sync", before + 60_000);
    assert(found.kind === "saved");
    assertEquals(found.saved, final(SAVED));
    assert(found.ageMs <= 60_000 && found.ageMs > 50_000, `${found.ageMs} ms`);
    assertEquals(namesIn(folder), ["sync.resume"]);
  });
});

Deno.test("readResumeFile() finds nothing where there is no file, or no folder", async () => {
  await withFolder(async (folder) => {
    assertEquals(await read(`${folder}/none`), { kind: "none" });
    assertEquals(await read(`${folder}/no/such`), { kind: "none" });
  });
});

Deno.test("readResumeFile() does not bring back who was away for more than five minutes", async () => {
  await withFolder(async (folder) => {
    const path = `${folder}/sync.resume`;
    await write(path);
    assertEquals((await read(path, 290_000)).kind, "saved");
    const old = await read(path, 301_000);
    assert(old.kind === "old" && old.ageMs >= 301_000, JSON.stringify(old));
    assertEquals((await read(path, 10 ** 12)).kind, "old");
  });
});

Deno.test("readResumeFile() takes a clock that was set back for no time at all", async () => {
  await withFolder(async (folder) => {
    const path = `${folder}/sync.resume`;
    await write(path);
    const found = await read(path, -86_400_000);
    assert(found.kind === "saved");
    assertEquals([found.ageMs, found.saved], [0, final(SAVED)]);
  });
});

Deno.test("readResumeFile() says whose a file is that is of another service", async () => {
  await withFolder(async (folder) => {
    const path = `${folder}/arena.resume`;
    await write(path, SAVED, "arena");
    await assertRejects(() => read(path), TypeError, "it is of netsync arena");
  });
});

/** Texts that are no such file, and what is said of each. */
const FOREIGN: [text: string, says: string][] = [
  ["", "it was not written by netsync --resume"],
  ["\n\n", "it was not written by netsync --resume"],
  ["hello", "it was not written by netsync --resume"],
  ["null\n{}", "it was not written by netsync --resume"],
  ["[]\n{}", "it was not written by netsync --resume"],
  ['{"netsync": "config"}\n{}', "it was not written by netsync --resume"],
  ['{"netsync":"resume"}\n{}', "it was written by another version of netsync"],
  ['{"netsync":"resume","format":2}\n{}', "it was written by another version of netsync"],
  ['{"netsync":"resume","format":"1"}\n{}', "it was written by another version of netsync"],
  ['{"netsync":"resume","format":1,"service":"sync"}\n{}', "it is damaged"],
  [
    '{"netsync":"resume","format":1,"service":"sync","savedAt":1,"digest":"00"}\n{}',
    "it is damaged",
  ],
];

Deno.test("readResumeFile() refuses what is no such file, and says why", async () => {
  await withFolder(async (folder) => {
    const path = `${folder}/foreign`;
    for (const [text, says] of FOREIGN) {
      await Deno.writeTextFile(path, text);
      const error = await assertRejects(() => read(path), TypeError);
      assertEquals(error.message, says, text);
    }
    await assertRejects(() => read(folder), TypeError, "it is no file");
  });
});

Deno.test("readResumeFile() refuses a file that is not whole, wherever it ends", async () => {
  await withFolder(async (folder) => {
    const path = `${folder}/sync.resume`;
    await write(path);
    const bytes = await Deno.readFile(path);
    for (let length = 0; length < bytes.length - 1; length++) {
      await Deno.writeFile(path, bytes.subarray(0, length));
      await assertRejects(() => read(path), TypeError);
    }
  });
});

Deno.test("readResumeFile() refuses a file in which any byte of what was saved is another", async () => {
  await withFolder(async (folder) => {
    const path = `${folder}/sync.resume`;
    await write(path);
    const bytes = await Deno.readFile(path);
    const bodyAt = bytes.indexOf(10) + 1;
    for (let at = bodyAt; at < bytes.length - 1; at++) {
      for (const other of [bytes[at]! ^ 1, 0, 10, 255]) {
        const damaged = bytes.slice();
        damaged[at] = other;
        await Deno.writeFile(path, damaged);
        await assertRejects(() => read(path), TypeError, "it is damaged");
      }
    }
  });
});

Deno.test("readResumeFile() refuses a damaged first line, or goes on from the very same", async () => {
  await withFolder(async (folder) => {
    const path = `${folder}/sync.resume`;
    await write(path);
    const bytes = await Deno.readFile(path);
    const headBytes = bytes.indexOf(10);
    let refused = 0;
    for (let at = 0; at < headBytes; at++) {
      const damaged = bytes.slice();
      damaged[at] = damaged[at]! ^ 1;
      await Deno.writeFile(path, damaged);
      try {
        const found = await read(path);
        // Only its time may be another.
        if (found.kind === "saved") assertEquals({ ...found.saved, isFinal: true }, final(SAVED));
      } catch (error) {
        assert(error instanceof TypeError, String(error));
        refused++;
      }
    }
    assert(refused > headBytes - 20, `only ${refused} of ${headBytes}`);
  });
});

Deno.test("ResumeFile writes at its beginning and at its end what is then to be saved", async () => {
  await withFolder(async (folder) => {
    const path = `${folder}/sync.resume`;
    let saved: Saved = { version: 1, round: 1 };
    const file = await ResumeFile.open({
      ...{ path, service: "sync" },
      save: () => saved,
      onProblem: (problem) => {
        throw new Error(problem);
      },
    });
    // Who goes on from the old file must not do so again.
    const first = await read(path);
    assert(first.kind === "saved");
    assertEquals(first.saved, { ...saved, isFinal: false });
    saved = { version: 1, round: 2 };
    await file[Symbol.asyncDispose]();
    const found = await read(path);
    assert(found.kind === "saved");
    assertEquals(found.saved, final(saved));
  });
});

Deno.test("ResumeFile says at its end that it was the end, also when nothing changed", async () => {
  await withFolder(async (folder) => {
    const path = `${folder}/sync.resume`;
    await write(path);
    const found = await read(path);
    assert(found.kind === "saved");
    assertEquals(found.saved.isFinal, true);
  });
});

Deno.test("ResumeFile does not wait for a disk that takes nothing, and says so once", async () => {
  const { write: writeBefore } = Deno.FsFile.prototype;
  for (const isUnderWay of [false, true]) {
    await withFolder(async (folder) => {
      using _time = new Time();
      const path = `${folder}/sync.resume`;
      const problems: string[] = [];
      let round = 0;
      const file = await ResumeFile.open({
        ...{ path, service: "sync" },
        save: (): Saved => ({ version: 1, round: ++round }),
        onProblem: (problem) => problems.push(problem),
      });
      const disk = Promise.withResolvers<void>();
      let waiting = 0;
      Deno.FsFile.prototype.write = async function (bytes): Promise<number> {
        waiting++;
        await disk.promise;
        return await writeBefore.call(this, bytes);
      };
      try {
        if (isUnderWay) await until("a write", () => waiting > 0);
        await within("its end", file[Symbol.asyncDispose]());
        assertEquals(problems, [
          "the disk took nothing for 2 s: the last moments may be missing there",
        ]);
      } finally {
        disk.resolve();
        Deno.FsFile.prototype.write = writeBefore;
      }
      await until("the last write", async () => {
        const found = await read(path);
        return found.kind === "saved" && found.saved.isFinal === true;
      });
      assertEquals(problems.length, 1);
    });
  }
});

Deno.test("ResumeFile keeps up with what changes while it runs, and leaves alone what does not", async () => {
  await withFolder(async (folder) => {
    using time = new Time();
    const path = `${folder}/sync.resume`;
    let saves = 0;
    let round = 0;
    const problems: string[] = [];
    await using _file = await ResumeFile.open({
      ...{ path, service: "sync" },
      save(): Saved {
        saves++;
        return { version: 1, round };
      },
      onProblem: (problem) => problems.push(problem),
    });
    // The first line tells when it was written.
    const written = async (): Promise<[text: string, round: unknown]> => {
      const found = await read(path);
      return [await Deno.readTextFile(path), found.kind === "saved" && found.saved.round];
    };
    const looks = async (count: number): Promise<void> => {
      const before = saves;
      await until(`${count} looks`, () => saves >= before + count);
    };
    await until("the first file", () => namesIn(folder).includes("sync.resume"));
    const first = await written();
    await looks(3);
    assertEquals(await written(), first);
    round = 1;
    await until("the change", async () => (await written())[1] === 1);
    const second = await written();
    await looks(3);
    assertEquals(await written(), second);
    // What did not change is written once a minute: the file tells how long ago everybody was there.
    time.aheadMs = 61_000;
    await until("another file", async () => (await written())[0] !== second[0]);
    assertEquals([(await written())[1], problems], [1, []]);
  });
});

Deno.test("ResumeFile tells once that it cannot write, and again when it could in between", async () => {
  await withFolder(async (folder) => {
    using _time = new Time();
    const inner = `${folder}/inner`;
    const path = `${inner}/sync.resume`;
    const problems: string[] = [];
    let saves = 0;
    const file = await ResumeFile.open({
      ...{ path, service: "sync" },
      save: (): Saved => ({ version: 1, round: ++saves }),
      onProblem: (problem) => problems.push(problem),
    });
    await until("four tries", () => saves >= 4);
    assertEquals(problems.length, 1);
    assert(!problems[0]!.includes("\n"), problems[0]);
    await Deno.mkdir(inner);
    await until("a file", () => namesIn(inner).includes("sync.resume"));
    await Deno.rename(inner, `${folder}/elsewhere`);
    await until("the second problem", () => problems.length === 2);
    await file[Symbol.asyncDispose]();
    assertEquals(problems.length, 2);
  });
});

Deno.test("ResumeFile tells once that another program writes to its file", async () => {
  await withFolder(async (folder) => {
    using _time = new Time();
    const path = `${folder}/sync.resume`;
    const problems: string[] = [];
    let round = 0;
    await using _file = await ResumeFile.open({
      ...{ path, service: "sync" },
      save: (): Saved => ({ version: 1, round: ++round }),
      onProblem: (problem) => problems.push(problem),
    });
    const others = "another program writes to it: give each netsync a file of its own";
    for (const told of [[others], [others]]) {
      await write(path, { version: 1, theirs: round });
      const before = round;
      await until("two looks", () => round >= before + 2);
      assertEquals(problems, told);
    }
  });
});

Deno.test("ResumeFile tells it when what is to be saved cannot be, and lets nobody fall", async () => {
  await withFolder(async (folder) => {
    const problems: string[] = [];
    const file = await ResumeFile.open({
      ...{ path: `${folder}/sync.resume`, service: "sync" },
      save(): Saved {
        throw new Error("a bug");
      },
      onProblem: (problem) => problems.push(problem),
    });
    await file[Symbol.asyncDispose]();
    assertEquals([problems, namesIn(folder)], [["a bug"], []]);
  });
});

Deno.test("ResumeFile keeps the old file when the disk is full, says so once, and recovers", async () => {
  await withFolder(async (folder) => {
    using _time = new Time();
    const path = `${folder}/sync.resume`;
    await write(path);
    const problems: string[] = [];
    let tries = 0;
    const { write: writeBefore } = Deno.FsFile.prototype;
    Deno.FsFile.prototype.write = (): Promise<number> => {
      tries++;
      return Promise.reject(new Error("No space left on device (os error 28)"));
    };
    const file = await ResumeFile.open({
      ...{ path, service: "sync" },
      save: (): Saved => ({ version: 2 }),
      onProblem: (problem) => problems.push(problem),
    });
    try {
      await until("three tries", () => tries >= 3);
      assertEquals(problems, ["No space left on device (os error 28)"]);
      const found = await read(path);
      assert(found.kind === "saved");
      assertEquals(found.saved, final(SAVED));
    } finally {
      Deno.FsFile.prototype.write = writeBefore;
    }
    await file[Symbol.asyncDispose]();
    const found = await read(path);
    assert(found.kind === "saved");
    assertEquals([found.saved, problems.length], [final({ version: 2 }), 1]);
    assertEquals(namesIn(folder), ["sync.resume"]);
  });
});

/** Timers that are a hundred times as fast, and a clock that is so much ahead. */
class Time implements Disposable {
  aheadMs = 0;
  readonly #now = performance.now;
  readonly #before = globalThis.setTimeout;

  constructor() {
    const setTimeout = this.#before;
    performance.now = () => this.#now.call(performance) + this.aheadMs;
    globalThis.setTimeout =
      ((call: () => void, ms = 0) =>
        setTimeout(call, ms >= 1_000 && ms < 10_000 ? ms / 100 : ms)) as typeof setTimeout;
  }

  [Symbol.dispose](): void {
    performance.now = this.#now;
    globalThis.setTimeout = this.#before;
  }
}
