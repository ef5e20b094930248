/** `netsync replay` as a user meets it: recordings of real services, and made-up ones. */
import { assert, assertEquals, assertMatch, assertThrows } from "@std/assert";
import { SyncClient } from "../../lib/clients/sync.ts";
import { recordedValues } from "../../lib/commands/replay_engine.ts";
import { shown } from "../../lib/commands/replay_print.ts";
import { CommandFailure } from "../../lib/commands/options.ts";
import { SERVICES } from "../../lib/commands/services.ts";
import { VERSION } from "../../lib/commands/program.ts";
import {
  entryLine,
  headerLine,
  type RecordingEntry,
  type RecordingHeader,
} from "../../lib/parts/recording.ts";
import { encodeIdRequest, encodeState } from "../../lib/protocols/sync/wire.ts";
import { DENO_RUN, objectOf, output, Program, ServerProgram } from "../interop/programs.ts";
import { withFolder } from "../support/folder.ts";
import { until } from "../support/wait.ts";

/** Not to be had there: Deno ends a process on Windows instead of sending it a signal. */
const WITHOUT_SIGNALS = Deno.build.os === "windows";

/** With leave to use the files in one folder. */
function using_(folder: string): string[] {
  const flags = [`--allow-read=${folder}`, `--allow-write=${folder}`];
  return [...DENO_RUN.slice(0, -1), ...flags, "main.ts"];
}

const HEADER: RecordingHeader = {
  ...{ service: "sync", role: "server", version: VERSION, os: "linux x86_64", seed: 7 },
  startedAt: "2026-01-02T03:04:05.000Z",
  options: { timeout: 10 },
};

function heard(timeMs: number, address: string, data: Uint8Array): RecordingEntry {
  return { kind: "in", timeMs, address, data };
}

/** Ada asks for an id, says who she is, and falls silent; after 12 s it was stopped. */
const ADA: readonly RecordingEntry[] = [
  heard(100, "192.0.2.7:5000", encodeIdRequest()),
  { kind: "out", timeMs: 101, address: "192.0.2.7:5000", data: new Uint8Array(16) },
  heard(200, "192.0.2.7:5000", encodeState(0n, new TextEncoder().encode("ada"))),
  heard(300, "[2001:db8::7]:9", encodeState(5n, new TextEncoder().encode("eve"))),
  { kind: "missing", timeMs: 400, datagrams: 2 },
  { kind: "end", timeMs: 12_000, reason: "stopped" },
];

function recording(
  entries: readonly RecordingEntry[],
  header: Partial<RecordingHeader> = {},
): string {
  return headerLine({ ...HEADER, ...header }) + entries.map(entryLine).join("");
}

/** Replays a text with these words after the file. */
async function replay(
  text: string,
  words = "",
): Promise<{ code: number; out: string[]; err: string[] }> {
  let ended = { code: -1, out: [] as string[], err: [] as string[] };
  await withFolder(async (folder) => {
    const path = `${folder}/r.jsonl`;
    await Deno.writeTextFile(path, text);
    const all = ["replay", path, ...words.split(" ").filter((word) => word !== "")];
    ended = await output(using_(folder), all);
    ended.err = ended.err.map((line) => line.replace(path, "FILE"));
  });
  return ended;
}

/** Runs a service that writes down what comes, lets `play` have it, and stops it. */
async function record(
  folder: string,
  service: string,
  play: (port: number) => Promise<void>,
): Promise<{ path: string; server: ServerProgram }> {
  const path = `${folder}/${service}.jsonl`;
  await using server = await ServerProgram.start([...using_(folder), service], {
    words: ["--record", path],
  });
  await play(server.port);
  server.kill("SIGINT");
  assertEquals([await server.end(), server.errorLines], [0, []]);
  return { path, server };
}

async function playBots(port: number): Promise<void> {
  const words = ["bots", `127.0.0.1:${port}`, "--count", "3", "--seconds", "0.3"];
  assertEquals((await output(DENO_RUN, words)).code, 0);
}

const PLAYS: Record<string, (port: number) => Promise<void>> = {
  async sync(port): Promise<void> {
    await using ada = await SyncClient.connect(`127.0.0.1:${port}`);
    ada.send("hello");
    await until("her state", () => ada.states.size === 1);
    await playBots(port);
  },
  async arena(port): Promise<void> {
    const words = `bots arena 127.0.0.1:${port} --count 2 --seconds 0.3 --speed 0.1 --fire`;
    assertEquals((await output(DENO_RUN, words.split(" "))).code, 0);
  },
  async world(port): Promise<void> {
    await using watch = new Program(DENO_RUN, ["watch", "world", `127.0.0.1:${port}`]);
    await watch.next("all", (line) => line.includes("objects are here") || undefined);
    watch.kill("SIGINT");
    await watch.end();
  },
};

for (const [service, play] of Object.entries(PLAYS)) {
  Deno.test({
    name: `netsync replay tells of ${service} what the service told, each time the same`,
    ignore: WITHOUT_SIGNALS,
  }, async () => {
    await withFolder(async (folder) => {
      const { path, server } = await record(folder, service, play);
      const [first, again] = await Promise.all(
        [1, 2].map(() => output(using_(folder), ["replay", path, "--json"])),
      );
      assertEquals(first, again);
      assertEquals([first!.code, first!.err], [0, []]);
      const replayed = first!.out.map((line) => objectOf(line)!);
      const named = (kind: string, lines: Record<string, unknown>[]): unknown[] =>
        lines.filter(({ event }) => event === kind).map(({ address }) => address);
      const joined = named("joined", server.lines.map((line) => objectOf(line)!));
      assert(joined.length > 0);
      // On a busy machine the world's beats were late, and what was acked then is not sent yet in a replay.
      if (service !== "world") assertEquals(named("joined", replayed), joined);
      const summary = replayed.at(-1) as Record<string, number> & { recorded: { sent: number } };
      const [stopped] = server.events("stopped");
      assertEquals(summary.received, stopped!.received);
      // Timers are late sometimes, in a real service.
      const share = summary.sent! / summary.recorded.sent;
      assert(summary.recorded.sent >= (stopped!.sent as number) && share > 0.5 && share < 2);
      // Each line has the time at which it was.
      const times = replayed.flatMap(({ time }) =>
        time === undefined ? [] : [Date.parse(`${time}`)]
      );
      const isInOrder = times.every((time, i) => time >= (times[i - 1] ?? 0));
      assert(isInOrder && Math.abs(times.at(-1)! - Date.parse(`${stopped!.time}`)) < 2_000);
    });
  });
}

Deno.test("netsync replay prints what the service would have said, when it would have, and sums up", async () => {
  const { code, out, err } = await replay(recording(ADA));
  assertEquals([code, err], [0, []]);
  assertEquals(out, [
    `recorded: sync (SimpleNetSync), from 2026-01-02T03:04:05.000Z, by netsync ${VERSION} on linux x86_64`,
    'options:  {"timeout":10}',
    "2026-01-02T03:04:05.200Z INFO    player 0 joined from 192.0.2.7:5000 (1 playing)",
    "2026-01-02T03:04:05.300Z WARNING refused from [2001:db8::7]:9: a state from an address " +
    "without an id; a client from before a restart must start anew",
    "2026-01-02T03:04:15.200Z INFO    player 0 left: nothing heard from 192.0.2.7:5000 (0 playing)",
    out[5]!,
    "replayed 12.000 s",
    `  in        3 datagrams, ${8 + 11 + 11} bytes`,
    out[8]!,
    "  then      1 datagrams, 16 bytes went out when it was recorded",
    "            (there timers were late, and datagrams waited for others)",
    "  refused   stranger 1",
    "  members   0 at the end",
    "2 datagrams are missing in the recording",
  ]);
  const [, sent] = /^ {2}out {7}(\d+) datagrams, \d+ bytes$/.exec(out[8]!)!;
  assert(Number(sent) > 1 && Number(sent) < 20, sent);
  assertEquals(
    out[5],
    "2026-01-02T03:04:17.000Z INFO    stopped: 1 players were here, 3 datagrams received, " +
      `${sent} sent`,
  );
});

Deno.test("netsync replay --log-level leaves lines out; members at the end are named", async () => {
  const { out } = await replay(recording(ADA.slice(0, 4)), "--log-level error");
  assertEquals(out.filter((line) => /INFO|WARNING/.test(line)), []);
  assertEquals(out.slice(-3), [
    "  members   1 at the end",
    "    0 at 192.0.2.7:5000",
    "the recording has no end: it was cut off, or goes on",
  ]);
});

Deno.test("netsync replay heeds the recorded options, and says what may be otherwise", async () => {
  const header = { options: { timeout: 1, resume: "r.json" }, seed: undefined, version: "0.0.0" };
  const { code, out } = await replay(recording(ADA, header));
  assertEquals(code, 0);
  assert(out.some((line) => /^2026-01-02T03:04:06\.200Z INFO {4}player 0 left/.test(line)));
  assertEquals(out.slice(2, 5), [
    `recorded by netsync 0.0.0; this is ${VERSION}, and may answer otherwise`,
    "its random numbers are not known: others are taken",
    "it may have gone on from its --resume file: who was in before is not known here",
  ]);
});

Deno.test("netsync replay tells the statistics as often as the service did", async () => {
  const hello = new TextEncoder().encode(String.raw`{"t": "message", "p": "\"hello\""}`);
  const { code, out } = await replay(recording([heard(500, "192.0.2.7:5000", hello), ADA.at(-1)!], {
    service: "echo",
    options: { statistics: 5 },
  }));
  assertEquals(code, 0);
  const lines = out.filter((line) => line.includes(" 1 clients: in "));
  assertMatch(lines[0]!, /^2026-01-02T03:04:10\.000Z INFO {4}1 clients: in 0\.20\/s /);
  assertMatch(lines[1]!, /^2026-01-02T03:04:15\.000Z INFO {4}1 clients: in 0\.00\/s /);
  assertEquals(lines.length, 2);
});

Deno.test("netsync replay --print shows each datagram in a line, or whole in JSON", async () => {
  const json = new TextEncoder().encode('{"a":"é\u001b"}');
  const text = new TextEncoder().encode(`{"t": "message"}\n`);
  const entries = [
    ...ADA.slice(0, 1),
    heard(101, "192.0.2.7:5000", json),
    heard(102, "192.0.2.7:5000", text),
    heard(103, "192.0.2.7:5000", new Uint8Array(0)),
    ...ADA.slice(4),
  ];
  const { code, out, err } = await replay(recording(entries), "--print");
  assertEquals([code, err], [0, []]);
  assertEquals(out.slice(2), [
    "2026-01-02T03:04:05.100Z in  192.0.2.7:5000 8 bytes  ffffffffffffffff  ........",
    "2026-01-02T03:04:05.101Z in  192.0.2.7:5000 11 bytes  7b2261223a22c3a91b227d  " +
    `{"a":"..."}`,
    `2026-01-02T03:04:05.102Z in  192.0.2.7:5000 17 bytes  {"t": "message"}\\x0a`,
    "2026-01-02T03:04:05.103Z in  192.0.2.7:5000 0 bytes",
    "2026-01-02T03:04:05.400Z 2 datagrams are missing here",
    "2026-01-02T03:04:17.000Z end: stopped",
    "4 datagrams",
    "2 datagrams are missing in the recording",
  ]);
  const printed = await replay(recording(entries), "--print --json");
  assertEquals(printed.out.slice(1, 4).map((line) => objectOf(line)), [
    {
      ...{ time: "2026-01-02T03:04:05.100Z", event: "in", address: "192.0.2.7:5000", bytes: 8 },
      hex: "ffffffffffffffff",
    },
    {
      ...{ time: "2026-01-02T03:04:05.101Z", event: "in", address: "192.0.2.7:5000", bytes: 11 },
      hex: "7b2261223a22c3a91b227d",
    },
    {
      ...{ time: "2026-01-02T03:04:05.102Z", event: "in", address: "192.0.2.7:5000", bytes: 17 },
      text: '{"t": "message"}\n',
    },
  ]);
});

Deno.test("shown() cuts a datagram to a line", () => {
  assertEquals(shown(new Uint8Array(40).fill(0x41)), "A".repeat(40));
  assertEquals(shown(new Uint8Array(65_507).fill(0x41)), `${"A".repeat(100)}…`);
  assertEquals(shown(new Uint8Array(65_507)), `${"00".repeat(32)}…  ${".".repeat(32)}`);
});

Deno.test("netsync replay replays what is whole of a damaged or cut file, and says so", async () => {
  const whole = recording(ADA.slice(0, 3));
  const cut = await replay(whole + entryLine(ADA[3]!).slice(0, 30));
  assertEquals([cut.code, cut.err], [0, []]);
  assertEquals(cut.out.at(-1), "the recording has no end: it was cut off, or goes on");
  const damaged = await replay(`${whole}nonsense\n${entryLine(ADA[3]!)}`);
  assertEquals([damaged.code, damaged.err], [1, [
    "netsync: FILE: damaged, so that only what stands before was replayed: line 5: not JSON",
  ]]);
  for (const { out } of [cut, damaged]) {
    assert(
      out.some((line) => line.includes("player 0 joined")) && out.includes("replayed 0.200 s"),
    );
  }
});

Deno.test("netsync replay ends with one line where there is nothing to replay", async () => {
  const says: [text: string, words: string, code: number, line: RegExp][] = [
    ["", "", 1, /^netsync: FILE: line 1: this is no recording of netsync/],
    [recording(ADA, { role: "client" }), "", 1, /of a client, .*: --print shows it, and .* HOST/],
    [
      recording(ADA, { service: "chess" }),
      "",
      1,
      /a recording of "chess"; this netsync knows sync,/,
    ],
    [recording(ADA, { service: "messages" }), "", 1, /a recording of "messages"; /],
    [recording(ADA, { service: "chess" }), "::1", 2, /which port\? For example: .* \[::1\]:55555/],
    [
      recording(ADA, { options: { timeout: "x" } }),
      "",
      1,
      /options of .*: timeout must be a number/,
    ],
    [
      recording(ADA, { options: { maxClint: 1 } }),
      "",
      1,
      /maxClint is not known: did you mean maxC/,
    ],
    [recording(ADA), "--speed 2", 2, /--speed is for a server/],
    [recording(ADA), "::1 --speed 0", 2, /--speed must be a number from 0\.1 to 1000, not "0"/],
    [recording(ADA), "::1 --print", 2, /either --print what is in the file, or send it to a HOST/],
    [recording(ADA), "a:b", 2, /"a:b" is not HOST, HOST:PORT or/],
    [recording(ADA), "::1 more", 2, /"more" is one word too many/],
  ];
  for (const [text, words, code, line] of says) {
    const ended = await replay(text, words);
    assertEquals([ended.code, ended.out, ended.err.length], [code, [], 1], String(line));
    assertMatch(ended.err[0]!, line);
  }
  const no = await output([...DENO_RUN], ["replay", "none.jsonl"]);
  assertMatch(
    no.err.join(),
    /netsync replay needs to read none\.jsonl: .*--allow-read=none\.jsonl/,
  );
  const none = await output(using_("."), ["replay", "none.jsonl"]);
  assertEquals([none.code, none.err], [1, ["netsync: none.jsonl: there is no such file"]]);
  const nothing = await output(DENO_RUN, ["replay"]);
  assertMatch(nothing.err.join(), /which file\? For example: netsync replay game\.jsonl/);
  assertEquals([no.code, nothing.code], [1, 2]);
});

Deno.test({
  name: "netsync replay FILE HOST lets the recorded players join a server that runs",
  ignore: WITHOUT_SIGNALS,
}, async () => {
  await withFolder(async (folder) => {
    const { path } = await record(folder, "sync", PLAYS.sync!);
    await using server = await ServerProgram.start(DENO_RUN);
    const words = ["replay", path, `127.0.0.1:${server.port}`, "--speed", "5", "--json"];
    const { code, out, err } = await output(using_(folder), words);
    assertEquals([code, err], [0, []]);
    // She and three bots, from a socket each.
    await until("all to be there", () => server.events("joined").length === 4);
    const { address, sockets, sent, received, recorded } = objectOf(out.at(-1)!) as
      & Record<
        string,
        number
      >
      & { recorded: Record<string, number> };
    assertEquals([address as unknown, sockets], [`127.0.0.1:${server.port}`, 4]);
    assert(sent! > 20 && received! > 10 && recorded!.received! > 10, out.at(-1));
    const ports = new Set(server.events("joined").map(({ address }) => address));
    assertEquals(ports.size, 4);
  });
});

Deno.test("netsync replay FILE HOST sends what one client said from one socket", async () => {
  const said = ADA.map((entry): RecordingEntry =>
    entry.kind === "in"
      ? { ...entry, kind: "out" }
      : entry.kind === "out"
      ? { ...entry, kind: "in" }
      : entry
  );
  await using server = await ServerProgram.start(DENO_RUN);
  const text = recording(said, { role: "client" });
  const { code, out, err } = await replay(text, `localhost:${server.port} --speed 1000`);
  assertEquals([code, err], [0, []]);
  await until("her to be there", () => server.events("joined").length === 1);
  assertMatch(out[0]!, /^recorded: a client of sync \(SimpleNetSync\), from /);
  assertMatch(out[3]!, /^ {2}sent {6}3 datagrams, 30 bytes, from 1 socket, [\d.]+ a second$/);
  assertMatch(out[5]!, /^ {2}then {6}1 datagrams, 16 bytes came back when it was recorded$/);
});

Deno.test("netsync replay FILE HOST ends with status 1 where nobody answers", async () => {
  using silent = new SilentServer();
  const entries: RecordingEntry[] = [ADA[0]!, { ...ADA[1]!, kind: "out" } as RecordingEntry];
  const { code, out, err } = await replay(recording(entries), `127.0.0.1:${silent.port}`);
  assertEquals([code, err], [1, [
    `netsync: nothing came back from 127.0.0.1:${silent.port}: is the server running?`,
  ]]);
  assert(out.includes("  back      0 datagrams, 0 bytes"), out.join("\n"));
});

class SilentServer implements Disposable {
  readonly #conn = Deno.listenDatagram({ transport: "udp", hostname: "127.0.0.1", port: 0 });

  get port(): number {
    return (this.#conn.addr as Deno.NetAddr).port;
  }

  [Symbol.dispose](): void {
    this.#conn.close();
  }
}

const LONG: RecordingEntry = { kind: "end", timeMs: 300 * 86_400_000, reason: "stopped" };
const STOPS: Record<string, [header: Partial<RecordingHeader>, words: (port: number) => string[]]> =
  {
    "an engine": [{ service: "world", options: { statistics: 0 } }, () => []],
    "a server": [{}, (port) => [`127.0.0.1:${port}`, "--speed", "1"]],
  };
for (const [where, [header, words]] of Object.entries(STOPS)) {
  Deno.test({
    name: `netsync replay into ${where} ends at a signal with a summary`,
    ignore: WITHOUT_SIGNALS,
  }, async () => {
    await withFolder(async (folder) => {
      const path = `${folder}/long.jsonl`;
      const last = heard(LONG.timeMs, "192.0.2.7:5000", new Uint8Array(1));
      await Deno.writeTextFile(path, recording([...ADA.slice(0, 1), last, LONG], header));
      using silent = new SilentServer();
      await using program = new Program(using_(folder), ["replay", path, ...words(silent.port)]);
      await program.next("its start", (line) => line.startsWith("options:") || undefined);
      program.kill("SIGINT");
      assertEquals([await program.end(), program.errorLines], [0, []]);
      const [replayed] = program.lines.filter((line) => line.startsWith("replayed "));
      assertMatch(replayed!, /, then stopped$/);
    });
  });
}

Deno.test("recordedValues() takes what the engine needs, and leaves out the rest", () => {
  const kind = SERVICES.get("arena")!;
  const given = {
    ...{ tickRate: 30, statistics: 0, host: "::1", json: true, logLevel: "debug" },
    ...{ simulate: { lossShare: 0.5 }, record: "x.jsonl", dashboard: { hostname: "::1", port: 1 } },
  };
  assertEquals(recordedValues(kind, given) as Record<string, unknown>, {
    ...{ tickRate: 30, timeout: 35, maxPlayers: 512, maxPerIp: 64, statistics: 0 },
  });
  for (const wrong of [{ tickRate: 0 }, { tickRate: null }, { rate: 5 }, { toString: 1 }]) {
    assertThrows(() => recordedValues(kind, wrong), CommandFailure, Object.keys(wrong)[0]);
  }
});
