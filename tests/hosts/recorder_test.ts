import { assert, assertEquals } from "@std/assert";
import { ImpairedConn } from "../../lib/hosts/impaired.ts";
import { Recorder, type RecorderOptions } from "../../lib/hosts/recorder.ts";
import { openUdp } from "../../lib/hosts/udp.ts";
import { type RecordingEntry, RecordingReader } from "../../lib/parts/recording.ts";
import { Client, FakeConn, setUp } from "./probe.ts";

const ADA: Deno.NetAddr = { transport: "udp", hostname: "192.0.2.7", port: 5000 };
const HEADER = {
  service: "echo",
  role: "server",
  version: "0.1.0",
  options: { rate: 20 },
  seed: undefined,
} as const;

function bytes(text: string): Uint8Array {
  return new TextEncoder().encode(text);
}

/** A recorder, what it wrote, and what it said; `takes` answers each time that it writes. */
function setUpRecorder(options: Partial<RecorderOptions> = {}, takes = (): boolean => true): {
  recorder: Recorder;
  written: () => string;
  problems: string[];
} {
  const problems: string[] = [];
  let text = "";
  const recorder = new Recorder(HEADER, {
    write(line): boolean {
      if (!takes()) return false;
      text += line;
      return true;
    },
    onProblem: (problem) => problems.push(problem),
    ...options,
  });
  return { recorder, written: () => text, problems };
}

function read(text: string): { reader: RecordingReader; entries: RecordingEntry[] } {
  const reader = new RecordingReader();
  const entries = reader.push(text);
  return { reader, entries: entries.concat(reader.end()) };
}

/** Each entry in short: `in 192.0.2.7:5000 hi`. */
function inShort(text: string): string[] {
  return read(text).entries.map((entry) => {
    if (entry.kind === "missing") return `missing ${entry.datagrams}`;
    if (entry.kind === "end") return `end ${entry.reason}`;
    return `${entry.kind} ${entry.address} ${new TextDecoder().decode(entry.data)}`;
  });
}

Deno.test("Recorder writes down what comes and what goes, on all sockets of a port", async () => {
  const before = Date.now();
  const { recorder, written, problems } = setUpRecorder();
  const ports: string[] = [];
  {
    const socket = await openUdp({ port: 0, through: recorder.through });
    await using rig = await setUp(socket);
    rig.engine.onReceive = (from, datagram, out) =>
      out.send(from, bytes(`${new TextDecoder().decode(datagram)}!`));
    for (const hostname of ["127.0.0.1", "::1"] as const) {
      using client = new Client(hostname, rig.port);
      assertEquals(await client.ask(bytes("hi")), bytes("hi!"));
      ports.push(hostname === "::1" ? `[::1]:${client.port}` : `127.0.0.1:${client.port}`);
    }
  }
  const { reader, entries } = read(written());
  const { startedAt, os, ...header } = reader.header!;
  assertEquals(header, HEADER);
  assertEquals(os, `${Deno.build.os} ${Deno.build.arch}`);
  const at = Date.parse(startedAt);
  assert(at >= before && at <= Date.now(), startedAt);
  assertEquals(
    inShort(written()),
    ports.flatMap((address) => [`in ${address} hi`, `out ${address} hi!`]),
  );
  assert(entries.every(({ timeMs }) => timeMs < 10_000));
  assertEquals(recorder.counters, { recorded: 4, missing: 0 });
  assertEquals(problems, []);
});

Deno.test("Recorder writes addresses plainly, and closes the socket it is in front of", async () => {
  const { recorder, written } = setUpRecorder();
  const inner = new FakeConn();
  const conn = recorder.through(inner as unknown as Deno.DatagramConn);
  inner.arrive({ bytes: bytes("hi"), hostname: "::ffff:192.0.2.7", port: 5000 });
  const [datagram, from] = await conn.receive(new Uint8Array(10));
  assertEquals(datagram, bytes("hi"));
  assertEquals(await conn.send(bytes("hi yourself"), from), 11);
  assertEquals(inner.sent, ["::ffff:192.0.2.7 5000 hi yourself"]);
  assertEquals(inShort(written()), ["in 192.0.2.7:5000 hi", "out 192.0.2.7:5000 hi yourself"]);
  let isClosed = false;
  inner.close = () => void (isClosed = true);
  conn.close();
  assert(isClosed);
});

Deno.test("Recorder tells how many datagrams found no room, where they are missing", () => {
  const room = [true, true, false, false, false, true, false, true];
  const { recorder, written, problems } = setUpRecorder({}, () => room.shift() ?? true);
  for (const text of ["1", "2", "3", "4", "5", "6", "7"]) recorder.record("in", ADA, bytes(text));
  assertEquals(inShort(written()), [
    "in 192.0.2.7:5000 1",
    "missing 3",
    "in 192.0.2.7:5000 5",
    "missing 1",
    "in 192.0.2.7:5000 7",
  ]);
  assertEquals(recorder.counters, { recorded: 3, missing: 4 });
  assertEquals(problems.length, 1);
});

Deno.test("Recorder ends before its limit, says so once, and the service goes on", async () => {
  const bytesMax = 2_000;
  const { recorder, written, problems } = setUpRecorder({ bytesMax });
  const inner = new FakeConn();
  const conn = recorder.through(inner as unknown as Deno.DatagramConn);
  for (let i = 0; i < 100; i++) await conn.send(bytes(`datagram ${i}`), ADA);
  assertEquals(inner.sent.length, 100);
  const lines = inShort(written());
  assert(written().length <= bytesMax && written().length > bytesMax - 400, `${written().length}`);
  assertEquals(lines.at(-1), "end the recording reached its limit of 2000 bytes");
  assert(lines.slice(0, -1).every((line, i) => line === `out 192.0.2.7:5000 datagram ${i}`));
  const recorded = lines.length - 1;
  assertEquals(recorder.counters, { recorded, missing: 100 - recorded });
  assertEquals(problems, [
    "the recording reached its limit of 2000 bytes: nothing is recorded any more",
  ]);
  recorder.close();
  assertEquals(inShort(written()), lines);
});

Deno.test("Recorder.begin() is the time from which it counts, until there is something to count", () => {
  const { recorder, written } = setUpRecorder();
  recorder.begin(performance.now() - 5_000);
  recorder.record("in", ADA, bytes("hi"));
  recorder.begin(performance.now() + 60_000);
  recorder.record("out", ADA, bytes("hi"));
  for (const { timeMs } of read(written()).entries) {
    assert(timeMs >= 5_000 && timeMs < 30_000, `${timeMs} ms`);
  }
  assertEquals(inShort(written()).length, 2);
});

Deno.test("Recorder.close() ends the recording, with what is missing until then", () => {
  let hasRoom = true;
  const { recorder, written } = setUpRecorder({}, () => hasRoom);
  recorder.record("in", ADA, bytes("1"));
  hasRoom = false;
  recorder.record("in", ADA, bytes("2"));
  hasRoom = true;
  recorder.close();
  recorder.close();
  recorder.record("in", ADA, bytes("3"));
  assertEquals(inShort(written()), ["in 192.0.2.7:5000 1", "missing 1", "end stopped"]);
  assertEquals(recorder.counters, { recorded: 1, missing: 2 });
});

Deno.test("Recorder in front of a bad network writes down what got through it", async () => {
  const { recorder, written } = setUpRecorder();
  const inner = new FakeConn();
  const fates = [[], [0], []];
  const bad = new ImpairedConn(inner as unknown as Deno.DatagramConn, () => fates.shift() ?? [0]);
  const conn = recorder.through(bad);
  inner.arrive({ bytes: bytes("lost"), ...ADA });
  inner.arrive({ bytes: bytes("here"), ...ADA });
  await conn.receive(new Uint8Array(10));
  await conn.send(bytes("sent, and lost on its way"), ADA);
  assertEquals(inShort(written()), [
    "in 192.0.2.7:5000 here",
    "out 192.0.2.7:5000 sent, and lost on its way",
  ]);
  assertEquals(inner.sent, []);
  conn.close();
});
