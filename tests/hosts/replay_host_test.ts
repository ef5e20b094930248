import { assert, assertEquals } from "@std/assert";
import { ReplayHost } from "../../lib/hosts/replay_host.ts";
import type { Engine, Peer } from "../../lib/protocols/engine.ts";
import { ProbeEngine } from "./probe.ts";

const ADA = "192.0.2.7:5000";

function setUp(engine: Engine<string> = new ProbeEngine()): {
  host: ReplayHost<string>;
  events: string[];
  faults: unknown[];
} {
  const events: string[] = [];
  const faults: unknown[] = [];
  const host = new ReplayHost(engine, {
    onEvent: (event) => events.push(event),
    onFault: (error) => faults.push(error),
  });
  return { host, events, faults };
}

Deno.test("ReplayHost lets time jump from deadline to deadline, and be what it is told", () => {
  const engine = new ProbeEngine();
  const { host } = setUp(engine);
  engine.deadline = -Infinity;
  engine.onAdvance = (now) => engine.deadline = now + 400;
  assert(host.waitUntil(1_000));
  assertEquals([engine.advances, host.now], [[0, 400, 800], 1_000]);
  host.receive(Uint8Array.of(1, 2), ADA);
  const { from, now, bytes } = engine.received[0]!;
  assertEquals([now, bytes, from.ip, from.port, from.address, from.network], [
    1_000,
    Uint8Array.of(1, 2),
    "192.0.2.7",
    5_000,
    ADA,
    "192.0.2.7",
  ]);
  host.receive(new Uint8Array(0), "[2001:db8::7]:9");
  const { ip, port, network } = engine.received[1]!.from;
  assertEquals([ip, port, network], ["2001:db8::7", 9, "2001:db8:0:0::/64"]);
  // It never goes back.
  host.waitUntil(500);
  assertEquals(host.now, 1_000);
});

Deno.test("ReplayHost pauses where it is told to, and goes on there", () => {
  const engine = new ProbeEngine();
  const { host } = setUp(engine);
  engine.deadline = 0;
  engine.onAdvance = (now) => engine.deadline = now + 100;
  assertEquals([host.waitUntil(250, () => true), host.now], [false, 0]);
  assertEquals([host.waitUntil(250, () => true), host.now], [false, 100]);
  assertEquals([host.waitUntil(250), host.now], [true, 250]);
});

Deno.test("ReplayHost counts what leaves at once, and passes events on", () => {
  const engine = new ProbeEngine();
  const { host, events } = setUp(engine);
  engine.onReceive = (from, bytes, out): void => {
    out.send(from, bytes);
    out.broadcast([from, from], bytes);
    assertEquals([out.backlog, out.unsent], [0, 0]);
    out.emit("heard");
  };
  host.receive(new Uint8Array(10), ADA);
  const { received, receivedBytes, sent, sentBytes, faults } = host.counters;
  assertEquals([received, receivedBytes, sent, sentBytes, faults], [1, 10, 3, 30, 0]);
  assertEquals(events, ["heard"]);
});

Deno.test("ReplayHost keeps one object for an address while the engine remembers it, and no longer", () => {
  const engine = new ProbeEngine();
  const { host } = setUp(engine);
  engine.onReceive = (from): void => void engine.remembered.add(from);
  const heard = (address: string): Peer => {
    host.receive(new Uint8Array(1), address);
    return engine.received.at(-1)!.from;
  };
  const ada = heard(ADA);
  assert(heard(ADA) === ada);
  engine.onReceive = (): void => {};
  assert(heard("192.0.2.8:5000") !== heard("192.0.2.8:5000"), "a stranger leaves no trace");
  engine.remembered.clear();
  engine.onReceive = (from): void => void engine.remembered.add(from);
  for (let port = 1; port <= 100; port++) heard(`192.0.2.9:${port}`);
  assert(heard(ADA) !== ada);
});

Deno.test("ReplayHost goes on after an engine's error, and is not stuck at one", () => {
  const engine = new ProbeEngine();
  const { host, faults } = setUp(engine);
  engine.onReceive = () => {
    throw new Error("in receive");
  };
  engine.onAdvance = (now) => {
    engine.deadline = 0;
    throw new Error(`at ${now}`);
  };
  host.receive(new Uint8Array(1), ADA);
  engine.deadline = 0;
  assert(host.waitUntil(250));
  assertEquals(
    faults.map(String),
    ["in receive", "at 0", "at 100", "at 200"].map((text) => `Error: ${text}`),
  );
  assertEquals([host.counters.faults, host.now], [4, 250]);
});
