import { assert, assertEquals, assertRejects } from "@std/assert";
import { RecordingFile } from "../../lib/home/replay/recording_file.ts";
import {
  entryLine,
  headerLine,
  type RecordingEntry,
  RecordingError,
  type RecordingHeader,
} from "../../lib/parts/recording.ts";
import { withFolder } from "../support/folder.ts";

const HEADER: RecordingHeader = {
  ...{ service: "sync", role: "server", version: "0.1.0", os: "linux x86_64" },
  startedAt: "2026-01-02T03:04:05.678Z",
  options: {},
  seed: 7,
};

function datagram(timeMs: number, length = 2): RecordingEntry {
  return { kind: "in", timeMs, address: "192.0.2.7:5000", data: new Uint8Array(length) };
}

/** Opens a file with this text in it. */
async function withText(
  text: string | Uint8Array,
  body: (open: () => Promise<RecordingFile>) => Promise<void>,
): Promise<void> {
  await withFolder(async (folder) => {
    const path = `${folder}/recording.jsonl`;
    const bytes = typeof text === "string" ? new TextEncoder().encode(text) : text;
    await Deno.writeFile(path, bytes);
    await body(() => RecordingFile.open(path));
  });
}

async function timesIn(file: RecordingFile): Promise<number[]> {
  const times: number[] = [];
  for await (const { timeMs } of file.entries()) times.push(timeMs);
  return times;
}

Deno.test("RecordingFile reads a recording piece by piece, and knows that it is whole", async () => {
  const count = 5_000;
  const lines = Array.from({ length: count }, (_, i) => entryLine(datagram(i, i % 100)));
  const end = entryLine({ kind: "missing", timeMs: count, datagrams: 3 }) +
    entryLine({ kind: "end", timeMs: count + 1, reason: "stopped" });
  await withText(headerLine(HEADER) + lines.join("") + end, async (open) => {
    const file = await open();
    assertEquals([file.header, file.startedAtMs], [HEADER, Date.UTC(2026, 0, 2, 3, 4, 5, 678)]);
    const lengths: number[] = [];
    for await (const entry of file.entries()) {
      if (entry.kind === "in") lengths.push(entry.data.length);
    }
    assertEquals(lengths, Array.from({ length: count }, (_, i) => i % 100));
    assertEquals(file.end, {
      ...{ damage: undefined, isCut: false, missing: 3, lengthMs: count + 1 },
    });
  });
});

Deno.test("RecordingFile gives what is whole of a file that was cut off", async () => {
  const text = headerLine(HEADER) + entryLine(datagram(1)) + entryLine(datagram(2));
  for (const [cut, times] of [[0, [1, 2]], [1, [1, 2]], [2, [1]], [30, [1]]] as const) {
    await withText(text.slice(0, text.length - cut), async (open) => {
      const file = await open();
      assertEquals(await timesIn(file), [...times]);
      assertEquals([file.end.isCut, file.end.damage], [true, undefined]);
    });
  }
  await withText(headerLine(HEADER).trimEnd(), async (open) => {
    const file = await open();
    assertEquals([await timesIn(file), file.end.isCut], [[], true]);
  });
});

Deno.test("RecordingFile gives what stands before the damage, and says in which line that is", async () => {
  const good = headerLine(HEADER) + entryLine(datagram(1)) + entryLine(datagram(2));
  const damages: [string, string][] = [
    ["nonsense\n", "line 4: not JSON"],
    [entryLine(datagram(1)), "line 4: time goes back"],
    [entryLine(datagram(400 * 86_400_000)), "line 4: a recording is no longer than a year"],
    ["x".repeat(1_000_000), "line 4: longer than 100000 characters"],
  ];
  for (const [damage, message] of damages) {
    await withText(good + damage + entryLine(datagram(3)), async (open) => {
      const file = await open();
      assertEquals(await timesIn(file), [1, 2]);
      assert(file.end.damage?.startsWith(message), file.end.damage);
    });
  }
});

Deno.test("RecordingFile refuses what is no recording", async () => {
  const wrong: [string | Uint8Array, string][] = [
    ["", "line 1: this is no recording of netsync"],
    ["hello\n", "line 1: this is no recording of netsync"],
    [new Uint8Array(300_000).fill(0xff), "line 1"],
    [headerLine({ ...HEADER, startedAt: "noon" }), "line 1: startedAt is a time like 2026-"],
    [headerLine({ ...HEADER, startedAt: "+020000-01-01T00:00:00Z" }), "line 1: startedAt is"],
  ];
  for (const [text, message] of wrong) {
    await withText(text, async (open) => {
      await assertRejects(open, RecordingError, message);
    });
  }
});

Deno.test("RecordingFile closes its file however it is left", async () => {
  await withText(headerLine(HEADER) + entryLine(datagram(1)).repeat(9_000), async (open) => {
    const left = await open();
    for await (const _ of left.entries()) break;
    const unread = await open();
    await unread.close();
    await unread.close();
  }); // The test's own check for open files does the rest.
});
