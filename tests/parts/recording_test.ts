import { assert, assertEquals, assertThrows } from "@std/assert";
import { seededRandom } from "../../lib/parts/random.ts";
import {
  entryLine,
  headerLine,
  RECORDING_LINE_MAX,
  type RecordingEntry,
  RecordingError,
  type RecordingHeader,
  RecordingReader,
} from "../../lib/parts/recording.ts";
import { forEachSeed } from "../support/seeds.ts";

const HEADER: RecordingHeader = {
  service: "sync",
  role: "server",
  version: "0.1.0",
  startedAt: "2026-01-02T03:04:05.678Z",
  options: { rate: 20, host: null, ban: ["192.0.2.0/24"], name: "Zoë" },
  seed: 7,
  os: "linux x86_64",
};
const FIRST = headerLine(HEADER);

/** What is read from pieces of text. */
function read(...pieces: string[]): { reader: RecordingReader; entries: RecordingEntry[] } {
  const reader = new RecordingReader();
  const entries = pieces.flatMap((piece) => reader.push(piece));
  return { reader, entries: entries.concat(reader.end()) };
}

function datagram(timeMs: number, data = new Uint8Array([104, 105])): RecordingEntry {
  return { kind: "in", timeMs, address: "192.0.2.7:5000", data };
}

Deno.test("entryLine() and headerLine() write the lines that the format promises", () => {
  assert(FIRST.startsWith('{"netsync":"recording","format":1,"service":"sync","role":"server",'));
  assert(FIRST.endsWith("}\n"));
  assertEquals(
    entryLine(datagram(12.5)),
    '{"t":12.500,"in":"192.0.2.7:5000","data":"aGk="}\n',
  );
  assertEquals(
    entryLine({ kind: "out", timeMs: 0, address: "[2001:db8::7]:9", data: new Uint8Array(0) }),
    '{"t":0.000,"out":"[2001:db8::7]:9","data":""}\n',
  );
  assertEquals(
    entryLine({ kind: "missing", timeMs: 1e7, datagrams: 3 }),
    '{"t":10000000.000,"missing":3}\n',
  );
  assertEquals(
    entryLine({ kind: "end", timeMs: 1, reason: 'é "' }),
    '{"t":1.000,"end":"\\u00e9 \\""}\n',
  );
});

Deno.test("entryLine() writes base64 as everybody reads it", () => {
  const all = Uint8Array.from({ length: 256 }, (_, index) => (index * 37) & 255);
  for (let length = 0; length <= all.length; length++) {
    const data = all.subarray(0, length);
    const line = entryLine(datagram(0, data));
    assertEquals(JSON.parse(line).data, btoa(String.fromCharCode(...data)), `${length} bytes`);
  }
});

Deno.test("headerLine() refuses a header that no reader would take", () => {
  const options = { text: "x".repeat(RECORDING_LINE_MAX) };
  assertThrows(() => headerLine({ ...HEADER, options }), RangeError, "too long");
});

Deno.test("RecordingReader reads what was written, in pieces of any size", () => {
  forEachSeed(50, (seed) => {
    const random = seededRandom(seed);
    let timeMs = 0;
    const written = Array.from({ length: 30 }, (): RecordingEntry => {
      timeMs = Math.round((timeMs + 10 * random()) * 1_000) / 1_000;
      const which = random();
      if (which < 0.1) return { kind: "missing", timeMs, datagrams: Math.floor(random() * 1e6) };
      if (which < 0.15) return { kind: "end", timeMs, reason: "ünd\n" };
      const length = Math.floor(random() * (which < 0.2 ? 65_508 : 100));
      const data = Uint8Array.from({ length }, () => random() * 256);
      const address = random() < 0.5 ? "[fe80::1%eth0]:65535" : "192.0.2.7:0";
      return { kind: random() < 0.5 ? "in" : "out", timeMs, address, data };
    });
    const text = FIRST + written.map(entryLine).join("");
    const end = random() < 0.5 ? "\n" : "\r\n"; // As an editor on Windows leaves it.
    let rest = text.replaceAll("\n", end);
    const pieces: string[] = [];
    while (rest !== "") {
      const length = 1 + Math.floor(random() * 5_000);
      pieces.push(rest.slice(0, length));
      rest = rest.slice(length);
    }
    const { reader, entries } = read(...pieces);
    assertEquals(entries, written);
    assertEquals(reader.header, HEADER);
    assertEquals(reader.isCut, false);
  });
});

Deno.test("RecordingReader reads a largest datagram, and no larger one", () => {
  const largest = entryLine(datagram(1, new Uint8Array(65_507)));
  assertEquals(read(FIRST, largest).entries.length, 1);
  assertFails(FIRST + entryLine(datagram(1, new Uint8Array(65_508))), "line 2: no datagram has");
});

Deno.test("RecordingReader takes a last line that a crash cut off, wherever it did", () => {
  const [whole, last] = [FIRST + entryLine(datagram(1)), entryLine(datagram(2))];
  for (let length = 0; length <= last.length; length++) {
    const { reader, entries } = read(whole + last.slice(0, length));
    const isWhole = length >= last.length - 1; // It may lack its end.
    assertEquals(entries.length, isWhole ? 2 : 1, `${length} characters`);
    assertEquals(reader.isCut, !isWhole && length > 0, `${length} characters`);
  }
  assertEquals(read(FIRST.trimEnd()).reader.header, HEADER);
});

function assertFails(text: string, message: string): void {
  assertThrows(() => read(text), RecordingError, message);
}

function headerWith(facts: object): string {
  return JSON.stringify({ ...JSON.parse(FIRST), ...facts }) + "\n";
}

Deno.test("RecordingReader says of what is no recording that it is none", () => {
  const none = "line 1: this is no recording of netsync";
  const others = ["", "\n", "hello\n", "{}\n", "[]\n", "null\n", '{"netsync":"state"}\n', "\0\xff"];
  for (const text of others) assertFails(text, none);
  for (let length = 0; length < FIRST.length - 1; length++) {
    assertFails(FIRST.slice(0, length), none);
  }
  assertFails("[".repeat(50_000), none);
});

Deno.test("RecordingReader says what is wrong with the first line", () => {
  assertFails(headerWith({ format: 2 }), "line 1: a recording of format 2; this program reads");
  assertFails(headerWith({ format: "1" }), 'line 1: a recording has a format, not "1"');
  assertFails(headerWith({ service: 1 }), "line 1: service is a text, not 1");
  assertFails(headerWith({ startedAt: null }), "line 1: startedAt is a text, not null");
  assertFails(headerWith({ role: "peer" }), 'line 1: role is server or client, not "peer"');
  assertFails(headerWith({ options: [] }), "line 1: options are an object, not []");
  assertFails(headerWith({ seed: "x" }), 'line 1: seed is a number, not "x"');
  assertEquals(read(headerWith({ seed: undefined, more: 1 })).reader.header!.seed, undefined);
});

Deno.test("RecordingReader names the line that is wrong, and says how", () => {
  const good = FIRST + entryLine(datagram(5));
  const fails = (line: string, problem: string): void =>
    assertFails(`${good}${line}\n${entryLine(datagram(9))}`, `line 3: ${problem}`);
  fails("", "not JSON");
  fails('{"t":6,"in":"192.0.2.7:5000","da', "not JSON");
  fails("7", "not an object, but 7");
  fails("null", "not an object, but null");
  fails("{}", "t is a number of ms from 0, not nothing");
  fails('{"t":-1,"missing":1}', "t is a number of ms from 0, not -1");
  fails('{"t":1e999,"missing":1}', "t is a number of ms from 0, not null");
  fails('{"t":6}', "a datagram came in or went out");
  fails('{"t":6,"in":"1.2.3.4:5","out":"1.2.3.4:5","data":""}', "a datagram came in or went out");
  fails('{"t":6,"missing":1.5}', "missing is a whole number, not 1.5");
  for (const address of ["192.0.2.7", "192.0.2.7:70000", "::1:5", "", " 1.2.3.4:5"]) {
    fails(
      JSON.stringify({ t: 6, in: address, data: "" }),
      "an address is like 192.0.2.7:5000 or [2001:db8::7]:5000, not ",
    );
  }
  for (const data of ["a", "aGk", "aG k", "aGk=====", "=aGk", "a-_k", 7, undefined]) {
    fails(JSON.stringify({ t: 6, out: "1.2.3.4:5", data }), "data is base64, not ");
  }
  fails(entryLine(datagram(4.999)).trim(), "time goes back, from 5.000 to 4.999 ms");
});

Deno.test("RecordingReader keeps no line without end", () => {
  const tooLong = `longer than ${RECORDING_LINE_MAX} characters`;
  assertFails(FIRST + " ".repeat(RECORDING_LINE_MAX + 1), `line 2: ${tooLong}`);
  assertFails("x".repeat(RECORDING_LINE_MAX + 1), `line 1: ${tooLong}`);
  assertFails(`${FIRST}${" ".repeat(RECORDING_LINE_MAX + 1)}\n`, `line 2: ${tooLong}`);
});
