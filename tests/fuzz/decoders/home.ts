/** What reads what terminals, browsers and files say. */
import { sha256 } from "@noble/hashes/sha2";
import { assert, assertEquals } from "@std/assert";
import { readConfig } from "../../../lib/commands/config_file.ts";
import { BanFile } from "../../../lib/home/ban_file.ts";
import { type Key, KeyDecoder } from "../../../lib/home/console/keys.ts";
import { act } from "../../../lib/home/dashboard/actions.ts";
import { isHostAllowed } from "../../../lib/home/dashboard/guard.ts";
import { RecordingFile } from "../../../lib/home/replay/recording_file.ts";
import { readResumeFile } from "../../../lib/home/resume_file.ts";
import { BanList } from "../../../lib/parts/ban_list.ts";
import { entryLine, headerLine, RecordingError } from "../../../lib/parts/recording.ts";
import { decoderTarget } from "../harness/decoders.ts";
import { every } from "../harness/reach.ts";
import { utf8 } from "../harness/spoil.ts";
import type { Target } from "../harness/target.ts";

const service = "home";
const latin1 = new TextDecoder("latin1");
const text = new TextDecoder();

// ---- terminals and browsers

const KEYS = [
  "a",
  "é",
  "\x03",
  "\r",
  "\x1b",
  "\x1b[A",
  "\x1bOB",
  "\x1b[5~",
  "\x1b[200~p\x1b[201~",
  "\x1b]0;t\x07",
  "\x1b[1;5C",
  "\x1b[200~\x03",
  "\x7f",
];

const TERMINAL = decoderTarget<{ keys: Key[] }>({
  service,
  name: "keys of a terminal",
  real: (chance) => utf8(chance.many(chance.whole(9), () => chance.pick(KEYS)).join("")),
  read: (bytes, chance) => {
    const decoder = new KeyDecoder();
    const keys: Key[] = [];
    for (let start = 0; start < bytes.length;) {
      const length = 1 + chance.whole(chance.pick([3, 30, 70_000]));
      keys.push(...decoder.take(bytes.subarray(start, start += length)));
      if (chance.is(0.05)) keys.push(...decoder.flush());
    }
    keys.push(...decoder.flush());
    assert(!decoder.isPending, "something is left behind a flush");
    return { keys };
  },
  nameOf: ({ keys }) => keys.length === 0 ? ["nothing"] : keys.map(({ kind }) => kind),
  check: ({ keys }, bytes) => {
    const interrupts = keys.filter((key) =>
      key.kind === "named" && key.name === "interrupt"
    ).length;
    assert(interrupts > 0 || !bytes.includes(3), "Ctrl+C was not heard");
  },
  bytesMax: 3_000,
  reach: { kinds: every<Key["kind"] | "nothing">()("named character paste nothing") },
});

const ACTION = decoderTarget({
  service,
  name: "what the dashboard is asked for",
  real: (chance) => {
    const network = chance.pick(["192.0.2.7", "x", "", 7]);
    return utf8(
      JSON.stringify(chance.pick<object>([{ network }, { service: "sync", address: network }])),
    );
  },
  read: async (bytes, chance) => {
    const name = chance.pick(["kick", "ban", "unban"]);
    const list = new BanList();
    const ban = (network: string): string | undefined => {
      const added = list.add(network);
      return added.ok ? undefined : added.reason;
    };
    const controls = { kick: () => true, ban, unban: (network: string) => !!list.remove(network) };
    const request = new Request("http://localhost/", { method: "POST", body: bytes.slice() });
    isHostAllowed(latin1.decode(bytes), ["example.org"]);
    return await act(name, request, controls);
  },
  nameOf: ({ status }) => String(status),
  reach: { kinds: ["200", "400", "404", "413"], never: { 408: "the body is there at once" } },
});

// ---- files

const HEADER = headerLine({
  ...{ service: "sync", role: "server", version: "0.1.0", startedAt: "2026-01-02T03:04:05.678Z" },
  ...{ options: {}, seed: undefined, os: "linux x86_64" },
});

/** Each input is a file for as long as it is read. */
async function asFile<T>(bytes: Uint8Array, read: (path: string) => Promise<T>): Promise<T> {
  Deno.mkdirSync("coverage", { recursive: true });
  const path = Deno.makeTempFileSync({ dir: "coverage", prefix: "fuzz-" });
  try {
    Deno.writeFileSync(path, bytes);
    return await read(path);
  } finally {
    Deno.removeSync(path);
  }
}

function digestOf(body: string): string {
  return Array.from(sha256(utf8(body)), (byte) => byte.toString(16).padStart(2, "0")).join("");
}

/** The digest of the second line stands in the first. */
function sealResume(bytes: Uint8Array): Uint8Array {
  const body = text.decode(bytes).split("\n")[1] ?? "";
  const digest = digestOf(body);
  const about = {
    netsync: "resume",
    format: 1,
    service: "sync",
    savedAt: 7,
    isFinal: true,
    digest,
  };
  return utf8(`${JSON.stringify(about)}\n${body}\n`);
}

const FILES: readonly Target[] = [
  decoderTarget({
    service,
    name: "files of bans",
    real: (chance) => {
      const lines = ["192.0.2.7", "# x", "", "2001:db8::/32 # y", "é", "10.0.0.0/8", "192.0.2.7"];
      return utf8(
        chance.many(chance.whole(9), () => chance.pick(lines)).join(chance.pick(["\n", "\r\n"])),
      );
    },
    read: (bytes) =>
      asFile(bytes, async (path) => {
        try {
          const file = await BanFile.read(path);
          await file.save();
          const again = await BanFile.read(path);
          assertEquals([...again.list], [...file.list]);
          assertEquals(again.problems.length, file.problems.length);
          return { bans: [...file.list], problems: file.problems.length };
        } catch (error) {
          assert(error instanceof TypeError && !/\n/.test(error.message), `${error}`);
          return { bans: [], problems: -1 };
        }
      }),
    nameOf: ({ bans, problems }) =>
      problems < 0 ? "no text" : problems > 0 ? "problems" : bans.length > 0 ? "bans" : "empty",
    reach: { kinds: ["no text", "problems", "bans", "empty"] },
    seeds: 4,
    inputs: 40,
  }),
  decoderTarget({
    service,
    name: "files to go on from",
    real: (chance) => sealResume(utf8(`\n${JSON.stringify({ version: chance.whole(3), a: [1] })}`)),
    seal: sealResume,
    read: (bytes, chance) =>
      asFile(bytes, async (path) => {
        try {
          return await readResumeFile(path, "sync", chance.pick([0, 7, 1e9]));
        } catch (error) {
          assert(error instanceof TypeError && !/\n/.test(error.message), `${error}`);
          return { kind: "wrong" };
        }
      }),
    check: ({ kind }, bytes) => {
      const [head = "", body = ""] = text.decode(bytes).split("\n");
      if (kind === "saved") assertEquals(JSON.parse(head).digest, digestOf(body));
    },
    reach: { kinds: ["saved", "old", "wrong"], never: { none: "there is a file" } },
    seeds: 4,
    inputs: 40,
  }),
  decoderTarget({
    service,
    name: "files of recordings",
    real: (chance) => {
      const data = chance.noise(20);
      const entry = (timeMs: number): string =>
        entryLine({ kind: "in", timeMs, address: "192.0.2.7:1", data });
      const end = chance.is(0.5) ? entryLine({ kind: "end", timeMs: 9, reason: "" }) : "";
      return utf8(HEADER + chance.many(chance.whole(9), entry).join("") + end);
    },
    read: (bytes) =>
      asFile(bytes, async (path) => {
        try {
          const file = await RecordingFile.open(path);
          const entries = await Array.fromAsync(file.entries());
          return { entries, end: file.end };
        } catch (error) {
          assert(error instanceof RecordingError && !/\n/.test(error.message), `${error}`);
          return {};
        }
      }),
    nameOf: ({ end }) => !end ? "none" : end.damage ? "damaged" : end.isCut ? "cut" : "whole",
    reach: { kinds: ["none", "damaged", "cut", "whole"] },
    seeds: 4,
    inputs: 40,
  }),
  decoderTarget({
    service,
    name: "config files",
    real: (chance) =>
      utf8(JSON.stringify({
        services: chance.many(1 + chance.whole(3), () => ({
          service: chance.pick(["sync", "arena", "world", "snyc", "messages"]),
          port: chance.pick([0, 5_000, 70_000, undefined]),
          ...chance.is(0.3) && { host: "::", maxClients: chance.pick([5, -1, "x"]) },
        })),
        ...chance.is(0.3) && { bans: "bans.txt", dashboard: chance.pick([8_080, "x", true]) },
      })),
    read: (bytes) => {
      const read = readConfig(text.decode(bytes));
      return read.ok ? { plans: read.config.plans.length } : { problems: read.problems };
    },
    nameOf: ({ problems }) => problems ? "problems" : "plans",
    check: ({ problems = [] }) => {
      for (const problem of problems) assert(!/[\n\r]/.test(problem), JSON.stringify(problem));
    },
    reach: { kinds: ["problems", "plans"] },
    inputs: 100,
  }),
];

/** Of home. */
export const HOME_DECODERS: readonly Target[] = [TERMINAL, ACTION, ...FILES];
