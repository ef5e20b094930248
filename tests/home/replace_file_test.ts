import { assertEquals, assertRejects } from "@std/assert";
import { replacedPaths, replaceFile } from "../../lib/home/replace_file.ts";
import { namesIn, withFolder } from "../support/folder.ts";

Deno.test("replaceFile() makes a file, and puts a new one in its place, whole", async () => {
  await withFolder(async (folder) => {
    const path = `${folder}/bans.txt`;
    await replaceFile(path, "long, and é\n".repeat(100_000));
    assertEquals(await Deno.readTextFile(path), "long, and é\n".repeat(100_000));
    await replaceFile(path, new Uint8Array([104, 105]));
    assertEquals(await Deno.readTextFile(path), "hi");
    await replaceFile(path, "");
    assertEquals(await Deno.readTextFile(path), "");
    assertEquals(namesIn(folder), ["bans.txt"]);
  });
});

/** Does these things to a file while Deno does `name` this way. */
async function whileDoing<K extends "rename" | "open">(
  name: K,
  other: (typeof Deno)[K],
  body: () => Promise<void>,
): Promise<void> {
  const before = Deno[name];
  Deno[name] = other;
  try {
    await body();
  } finally {
    Deno[name] = before;
  }
}

Deno.test("replaceFile() leaves the old file and nothing else when it fails", async () => {
  await withFolder(async (folder) => {
    const path = `${folder}/bans.txt`;
    await replaceFile(path, "old");
    const failing = (): Promise<never> => Promise.reject(new Error("no"));
    await whileDoing("rename", failing, async () => {
      await assertRejects(() => replaceFile(path, "new"), Error, "no");
    });
    const write = Deno.FsFile.prototype.write;
    Deno.FsFile.prototype.write = function (bytes): Promise<number> {
      if (bytes.length < 3) return Promise.reject(new Error("No space left on device"));
      return write.call(this, bytes.subarray(0, 1)); // As a disk does that is nearly full.
    };
    try {
      await assertRejects(() => replaceFile(path, "new"), Error, "No space");
    } finally {
      Deno.FsFile.prototype.write = write;
    }
    assertEquals(await Deno.readTextFile(path), "old");
    assertEquals(namesIn(folder), ["bans.txt"]);
    await assertRejects(() => replaceFile(`${folder}/none/a`, ""), Deno.errors.NotFound);
    await Deno.mkdir(`${folder}/folder`);
    await assertRejects(() => replaceFile(`${folder}/folder`, ""), Error);
    assertEquals(namesIn(folder), ["bans.txt", "folder"]);
  });
});

Deno.test("replaceFile() writes over what a crash left beside the file", async () => {
  await withFolder(async (folder) => {
    const path = `${folder}/bans.txt`;
    await Deno.writeTextFile(replacedPaths(path)[1], "cut off, but longer");
    await replaceFile(path, "new");
    assertEquals(await Deno.readTextFile(path), "new");
    assertEquals(namesIn(folder), ["bans.txt"]);
  });
});

Deno.test("replaceFile() has all on the disk before the old file goes", async () => {
  await withFolder(async (folder) => {
    const path = `${folder}/bans.txt`;
    const steps: string[] = [];
    const { rename } = Deno;
    const sync = Deno.FsFile.prototype.sync;
    Deno.FsFile.prototype.sync = async function (): Promise<void> {
      await sync.call(this);
      steps.push(`on disk: ${await Deno.readTextFile(replacedPaths(path)[1])}`);
    };
    const noted: typeof rename = async (from, to) => {
      steps.push("renamed");
      await rename(from, to);
    };
    try {
      await whileDoing("rename", noted, () => replaceFile(path, "all of it"));
    } finally {
      Deno.FsFile.prototype.sync = sync;
    }
    assertEquals(steps, ["on disk: all of it", "renamed"]);
  });
});

Deno.test("replaceFile() writes one after the other, also after one that failed", async () => {
  await withFolder(async (folder) => {
    const path = `${folder}/bans.txt`;
    const bytes = new TextEncoder().encode("as it was");
    const calls = Array.from({ length: 20 }, (_, i) => replaceFile(path, `text ${i} `.repeat(i)));
    const last = replaceFile(path, bytes);
    bytes.fill(0);
    await Promise.all([...calls, last]);
    assertEquals(await Deno.readTextFile(path), "as it was");
    const { rename } = Deno;
    let renames = 0;
    const failingOnce: typeof rename = (from, to) =>
      ++renames === 1 ? Promise.reject(new Error("no")) : rename(from, to);
    await whileDoing("rename", failingOnce, async () => {
      const first = assertRejects(() => replaceFile(path, "1"), Error, "no");
      await Promise.all([first, replaceFile(path, "2")]);
    });
    assertEquals(await Deno.readTextFile(path), "2");
    assertEquals(namesIn(folder), ["bans.txt"]);
  });
});

Deno.test({
  name:
    "replaceFile() does not write into what was put in its way, and lets nobody read what is private",
  ignore: Deno.build.os === "windows",
}, async () => {
  await withFolder(async (folder) => {
    const path = `${folder}/kept`;
    await Deno.writeTextFile(`${folder}/precious`, "precious");
    await Deno.link(`${folder}/precious`, `${path}.new`);
    await replaceFile(path, "one", { isPrivate: true });
    assertEquals(await Deno.readTextFile(`${folder}/precious`), "precious");
    assertEquals(await Deno.readTextFile(path), "one");
    assertEquals((await Deno.stat(path)).mode! & 0o777, 0o600);
    // Somebody made it, for all to read and write.
    await Deno.writeTextFile(`${path}.new`, "", { mode: 0o666 });
    await replaceFile(path, "two", { isPrivate: true });
    assertEquals((await Deno.stat(path)).mode! & 0o777, 0o600);
  });
});

Deno.test("replaceFile() lets nobody read the new file who could not read the old one", {
  ignore: Deno.build.os === "windows",
}, async () => {
  await withFolder(async (folder) => {
    const path = `${folder}/kept`;
    for (const mode of [0o600, 0o640]) {
      await Deno.writeTextFile(path, "one");
      await Deno.chmod(path, mode);
      await replaceFile(path, "two");
      assertEquals((await Deno.stat(path)).mode! & 0o777, mode);
    }
  });
});
