import { assert, assertEquals } from "@std/assert";
import { createEchoServer } from "../../lib/protocols/echo/server.ts";
import { type Metered, metricsText, type ProcessFacts } from "../../lib/home/metrics.ts";
import { hostService } from "../../lib/home/hosted.ts";
import { openUdp, UdpHost } from "../../lib/hosts/udp.ts";
import { Durations } from "../../lib/observe/durations.ts";
import { PYTHON } from "../interop/programs.ts";
import { until } from "../support/wait.ts";

const facts: ProcessFacts = {
  ...{ version: "0.1.0", deno: "2.9.6", os: "linux", arch: "x86_64" },
  startedAt: 1_700_000_000_500,
  memoryBytes: 58_720_256,
};

/** A service at which something happened. */
function service(parts: Partial<Metered> = {}): Metered {
  const lateness = new Durations();
  for (const ms of [0.05, 0.6, 0.6, 3, 9_000]) lateness.record(ms);
  return {
    ...{ name: "sync", kind: "sync", transport: "UDP", port: 55_555, members: 2 },
    counters: {
      ...{ received: 7, receivedBytes: 700, sent: 9, sentBytes: 1_234_567_890_123 },
      ...{ shutOut: 1, failed: 2, faults: 0 },
    },
    counts: { happened: { joined: 3, left: 1 }, refused: { short: 4, "state-size": 0 } },
    ...{ lateness, handling: undefined, roundTrips: new Durations() },
    ...parts,
  };
}

/** The lines about one name, without what explains it. */
function linesOf(text: string, name: string): string[] {
  return text.split("\n").filter((line) => line.startsWith(name));
}

Deno.test("metricsText() tells each counter of each service", () => {
  const text = metricsText([service(), service({ name: "sync:55556", port: 55_556 })], facts);
  assertEquals(linesOf(text, "netsync_sent_"), [
    'netsync_sent_packets_total{service="sync"} 9',
    'netsync_sent_packets_total{service="sync:55556"} 9',
    'netsync_sent_bytes_total{service="sync"} 1234567890123',
    'netsync_sent_bytes_total{service="sync:55556"} 1234567890123',
  ]);
  assertEquals(linesOf(text, "netsync_send_errors_total"), [
    'netsync_send_errors_total{service="sync"} 2',
    'netsync_send_errors_total{service="sync:55556"} 2',
  ]);
  assertEquals(linesOf(text, "netsync_service_info"), [
    'netsync_service_info{service="sync",kind="sync",transport="udp",port="55555"} 1',
    'netsync_service_info{service="sync:55556",kind="sync",transport="udp",port="55556"} 1',
  ]);
});

Deno.test("metricsText() tells reasons and events that never came", () => {
  const text = metricsText([service()], facts);
  assertEquals(linesOf(text, "netsync_refused_total"), [
    'netsync_refused_total{service="sync",reason="short"} 4',
    'netsync_refused_total{service="sync",reason="state-size"} 0',
  ]);
  assertEquals(linesOf(text, "netsync_events_total"), [
    'netsync_events_total{service="sync",event="joined"} 3',
    'netsync_events_total{service="sync",event="left"} 1',
  ]);
});

Deno.test("metricsText() adds up the buckets of a histogram, in seconds", () => {
  const lines = linesOf(metricsText([service()], facts), "netsync_tick_lateness_seconds");
  const labels = (le: string): string =>
    `netsync_tick_lateness_seconds_bucket{service="sync",${le}}`;
  assertEquals(lines.slice(0, 6), [
    `${labels('le="0.0001"')} 1`,
    `${labels('le="0.00025"')} 1`,
    `${labels('le="0.0005"')} 1`,
    `${labels('le="0.001"')} 3`,
    `${labels('le="0.0025"')} 3`,
    `${labels('le="0.005"')} 4`,
  ]);
  assertEquals(lines.slice(-4), [
    `${labels('le="2.5"')} 4`,
    `${labels('le="+Inf"')} 5`,
    `netsync_tick_lateness_seconds_sum{service="sync"} ${9.00425}`,
    'netsync_tick_lateness_seconds_count{service="sync"} 5',
  ]);
});

Deno.test("metricsText() leaves out what is not measured", () => {
  const text = metricsText([service()], { ...facts, memoryBytes: undefined });
  for (const name of ["netsync_handling", "process_resident", "netsync_accepted"]) {
    assert(!text.includes(name), name);
  }
  const handling = new Durations();
  assert(metricsText([service({ handling })], facts).includes("netsync_handling_seconds_count"));
  assert(metricsText([service()], facts).includes('netsync_members{service="sync"} 2'));
});

Deno.test("metricsText() tells what JavaScript uses of the memory, where somebody looked", () => {
  const text = metricsText([], { ...facts, heapBytes: 12_345_678 });
  assertEquals(linesOf(text, "netsync_heap_bytes"), ["netsync_heap_bytes 12345678"]);
  assert(!metricsText([], facts).includes("netsync_heap_bytes"));
});

Deno.test("metricsText() tells of the process, even without a service", () => {
  assertEquals(metricsText([], facts).split("\n").filter((line) => !line.startsWith("#")), [
    'netsync_build_info{version="0.1.0",deno="2.9.6",os="linux",arch="x86_64"} 1',
    "process_start_time_seconds 1700000000.5",
    "process_resident_memory_bytes 58720256",
    "",
  ]);
});

Deno.test("metricsText() explains every name once, before its samples", () => {
  const text = metricsText([service(), service({ name: "echo" })], facts);
  const seen = new Set<string>();
  let current = "";
  for (const line of text.trimEnd().split("\n")) {
    const [, word, name = ""] = /^# (HELP|TYPE) (\w+) ./.exec(line) ?? [];
    if (word === "HELP") {
      assert(!seen.has(name), `${name} comes twice`);
      seen.add(current = name);
    } else if (word === "TYPE") {
      assertEquals(name, current);
    } else {
      assert(new RegExp(`^${current}(_bucket|_sum|_count)?[{ ]`).test(line), line);
    }
  }
  assert(seen.size > 10);
});

Deno.test("metricsText() escapes what a label cannot hold", () => {
  const text = metricsText([service({ name: 'a"b\\c\nd' })], facts);
  assertEquals(linesOf(text, "netsync_members"), ['netsync_members{service="a\\"b\\\\c\\nd"} 2']);
});

Deno.test("metricsText() has a name for all that a real host counts", async () => {
  const socket = await openUdp({ port: 0, hostname: "127.0.0.1" });
  const engine = createEchoServer();
  const host = new UdpHost(engine, socket);
  const { name, kind, transport, port, counts, lateness, handling, roundTrips } = service();
  const hosted = hostService({
    ...{ name, kind, transport, port, counts, lateness, handling, roundTrips, engine, host },
    ...{ title: "", addresses: [], figures: () => [], logStopped: (): void => {} },
    ...{ tellStatistics: undefined, sayFarewell: undefined },
  });
  const guest = Deno.listenDatagram({ transport: "udp", hostname: "127.0.0.1", port: 0 });
  try {
    const to = { transport: "udp", hostname: "127.0.0.1", port: socket.port } as const;
    await guest.send(new Uint8Array(5), to);
    await until("the datagram is counted", () => hosted.counters.received === 1);
    const text = metricsText([hosted], facts);
    assertEquals(linesOf(text, "netsync_received_bytes_total"), [
      'netsync_received_bytes_total{service="sync"} 5',
    ]);
    const counters = text.match(/^netsync_\w+_total\{service="sync"\}/gm) ?? [];
    assertEquals(counters.length, Object.keys(hosted.counters).length);
  } finally {
    guest.close();
    await hosted.close();
  }
});

/** Reads a page as Prometheus' own client library does, and gives back what it saw. */
const READER = `
import json, sys
from prometheus_client.parser import text_string_to_metric_families
print(json.dumps([
    [family.name, family.type, [[s.name, s.labels, s.value] for s in family.samples]]
    for family in text_string_to_metric_families(sys.stdin.read())
]))`;

type Read = [name: string, type: string, samples: [string, Record<string, string>, number][]][];

const reader = await pythonWithLibrary();
if (!reader) {
  console.log("skipped: no Python here has prometheus_client, so no other parser reads it");
}

/** The first Python that has the library: that of a Debian package is for the system's own one only. */
async function pythonWithLibrary(): Promise<string | undefined> {
  for (const python of [PYTHON, "/usr/bin/python3"]) {
    const args = ["-c", "import prometheus_client.parser"];
    const command = new Deno.Command(python, { args, stdout: "null", stderr: "null" });
    const result = await command.output().catch(() => undefined);
    if (result?.success) return python;
  }
  return undefined;
}

Deno.test({
  name: "metricsText() is read by Prometheus' client library as it was meant",
  ignore: reader === undefined,
}, async () => {
  const name = 'a"b\\c\nd';
  const handling = new Durations();
  handling.record(0.02);
  const families = await readByLibrary(
    metricsText([service({ name, handling }), service()], facts),
  );
  const family = (wanted: string): Read[number] => families.find(([name]) => name === wanted)!;
  // The library leaves out the suffix of a counter.
  assertEquals(family("netsync_refused").slice(1), ["counter", [
    ["netsync_refused_total", { service: name, reason: "short" }, 4],
    ["netsync_refused_total", { service: name, reason: "state-size" }, 0],
    ["netsync_refused_total", { service: "sync", reason: "short" }, 4],
    ["netsync_refused_total", { service: "sync", reason: "state-size" }, 0],
  ]]);
  assertEquals(
    family("process_start_time_seconds"),
    [
      ...["process_start_time_seconds", "gauge"],
      [["process_start_time_seconds", {}, 1_700_000_000.5]],
    ] as unknown as Read[number],
  );
  const [, type, samples] = family("netsync_handling_seconds");
  assertEquals([type, samples.length], ["histogram", 17]);
  assertEquals(samples[14], [
    "netsync_handling_seconds_bucket",
    { service: name, le: "+Inf" },
    1,
  ]);
  assertEquals(families.filter(([, type]) => type === "unknown"), []);
});

async function readByLibrary(text: string): Promise<Read> {
  const command = new Deno.Command(reader!, {
    args: ["-c", READER],
    stdin: "piped",
    stdout: "piped",
  });
  const child = command.spawn();
  const input = child.stdin.getWriter();
  await input.write(new TextEncoder().encode(text));
  await input.close();
  const { success, stdout } = await child.output();
  assert(success);
  return JSON.parse(new TextDecoder().decode(stdout));
}
