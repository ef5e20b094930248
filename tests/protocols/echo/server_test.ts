import { assert, assertEquals } from "@std/assert";
import type { Peer } from "../../../lib/protocols/engine.ts";
import {
  createEchoServer,
  type EchoEvent,
  type EchoServer,
  type EchoServerOptions,
} from "../../../lib/protocols/echo/server.ts";
import type { Random } from "../../../lib/parts/random.ts";
import { peerAt, Play } from "../../support/recorder.ts";
import { arenaTranscripts, arenaVectors } from "../../support/vectors.ts";
import { testEngineContract } from "../engine_suite.ts";

const utf8 = new TextEncoder();
const ADA = "198.51.100.1:1";
const BEN = "198.51.100.2:1";

/** A server and what happens to it. */
class Table {
  readonly server: EchoServer;
  readonly play: Play<EchoEvent>;

  constructor(options: EchoServerOptions = {}) {
    this.server = createEchoServer(options);
    this.play = new Play(this.server);
  }

  receive(datagram: Uint8Array | string, from: Peer): void {
    this.play.receive(typeof datagram === "string" ? utf8.encode(datagram) : datagram, from);
  }

  /** Says a payload as a client does. */
  say(payload: unknown, from: Peer): void {
    this.receive(JSON.stringify({ t: "message", p: payload }), from);
  }

  takeTo(peer: Peer): string[] {
    return this.play.out.takeSentTo(peer).map((bytes) => new TextDecoder().decode(bytes));
  }

  takeEvents(): string[] {
    return this.play.out.takeEvents().map((event) => {
      if (event.kind === "refused") return `refused ${event.reason}`;
      const to = event.kind === "echoed" ? ` to ${event.listeners}` : "";
      return `${event.kind} ${event.number} ${event.peer.address}${to}`;
    });
  }
}

function vector(name: string): Uint8Array {
  return arenaVectors.find((vector) => vector.name === name)!.bytes;
}

// ---- as the original

Deno.test("createEchoServer() replies as the original does", () => {
  const pairs = [["echo_message", "echo_reply"], ["echo_object", "echo_object_reply"]] as const;
  for (const [message, reply] of pairs) {
    const [table, ada] = [new Table(), peerAt(ADA)];
    table.receive(vector(message), ada);
    assertEquals(table.play.out.takeSentTo(ada), [vector(reply)], message);
  }
});

Deno.test("createEchoServer() answers nothing that the original does not answer", () => {
  for (const name of ["echo_no_p", "echo_other_event", "echo_junk"]) {
    const [table, ada] = [new Table(), peerAt(ADA)];
    table.receive(vector(name), ada);
    assertEquals([table.play.out.sent, table.server.remembers(ada)], [[], false], name);
  }
});

Deno.test("createEchoServer() plays the recorded conversation of two clients", () => {
  const table = new Table();
  const names: Record<string, Peer> = { player1: peerAt(ADA), player2: peerAt(BEN) };
  const [said, expected]: [string[], string[]] = [[], []];
  for (const { at, from, to, bytes } of arenaTranscripts.get("echo_two_clients")!) {
    if (from === "server") {
      expected.push(`${to} ${new TextDecoder().decode(bytes)}`);
      continue;
    }
    // The original had answered by then; the order of the answers is the order of coming.
    assertEquals(said, expected);
    table.play.waitUntil(at);
    table.receive(bytes, names[from]!);
    for (const sent of table.play.out.takeSent()) {
      const name = Object.keys(names).find((name) => names[name] === sent.to)!;
      said.push(`${name} ${new TextDecoder().decode(sent.bytes)}`);
    }
  }
  assertEquals([said, said.length], [expected, 15]);
});

Deno.test("createEchoServer() encodes any payload once more", () => {
  const payloads = ["", "hello", '"hello"', null, 0, -1.5, true, [], {}, [[{ a: "é" }], "\n"]];
  for (const payload of payloads) {
    const [table, ada] = [new Table(), peerAt(ADA)];
    table.say(payload, ada);
    const [reply] = table.takeTo(ada);
    assert(/^\{"t": "message", "p": ".*"\}\n$/.test(reply!), reply);
    assertEquals(JSON.parse(JSON.parse(reply!).p), payload);
  }
});

Deno.test("createEchoServer() repeats to all whom it knows, in the order of their coming", () => {
  const table = new Table();
  const [ada, ben, cyd] = [ADA, BEN, "203.0.113.1:1"].map(peerAt) as [Peer, Peer, Peer];
  for (const [index, peer] of [ada, ben, cyd].entries()) {
    table.say(index, peer);
    const listeners = [ada, ben, cyd].slice(0, index + 1);
    assertEquals(table.play.out.takeSent().map(({ to }) => to), listeners);
    const name = `${index + 1} ${peer.address}`;
    assertEquals(table.takeEvents(), [`joined ${name}`, `echoed ${name} to ${index + 1}`]);
  }
  assertEquals([...table.server.clients].map(({ peer }) => peer), [ada, ben, cyd]);
});

// ---- refusals

Deno.test("createEchoServer() refuses what is no message, and lists nobody for it", () => {
  const refused: [string, string][] = [
    ["", "syntax"],
    ["junk", "syntax"],
    ["null", "syntax"],
    ['["message"]', "syntax"],
    ["{}", "shape"],
    ['{"t":"message"}', "shape"],
    ['{"p":"x"}', "shape"],
    ['{"t":1,"p":"x"}', "shape"],
    ['{"t":"message","p":1e400}', "shape"],
    ['{"t":"other","p":1}', "event"],
    ['{"t":"Message","p":1}', "event"],
    ['{"t":"connected","p":1}', "event"],
    ['{"t":"disconnected","p":1}', "event"],
    ['{"t":"join","p":1}', "event"],
    ['{"t":"heartbeat","p":1}', "event"],
    ['{"t":"ack","p":[0]}', "event"],
    ['{"t":"welcome","p":[1,2]}', "event"],
    ['{"t":"message","p":1}'.padEnd(8_193), "oversize"],
  ];
  const [table, ada, ben] = [new Table(), peerAt(ADA), peerAt(BEN)];
  table.say(1, ben);
  table.takeEvents();
  table.play.out.takeSent();
  for (const [text, reason] of refused) {
    table.receive(text, ada);
    assertEquals(table.takeEvents(), [`refused ${reason}`], text);
    table.receive(text, ben);
    assertEquals(table.takeEvents(), [`refused ${reason}`], text);
  }
  assertEquals([table.play.out.sent, table.server.remembers(ada)], [[], false]);
  assertEquals(table.server.clients.size, 1);
});

Deno.test("createEchoServer() takes junk for no sign of life", () => {
  const [table, ada] = [new Table(), peerAt(ADA)];
  table.say(1, ada);
  table.play.wait(29_000);
  for (const text of ["junk", '{"t":"heartbeat"}', '{"t":"message"}']) table.receive(text, ada);
  table.play.wait(1_000);
  assertEquals(table.takeEvents().at(-1), `left 1 ${ADA}`);
});

Deno.test("createEchoServer() does not repeat what would be longer than clients read", () => {
  const [table, ada] = [new Table(), peerAt(ADA)];
  const around = '{"t": "message", "p": "\\"\\""}\n'.length;
  table.say("x".repeat(8_192 - around), ada);
  assertEquals(table.takeTo(ada).map(({ length }) => length), [8_192]);
  table.takeEvents();
  for (const payload of ["x".repeat(8_193 - around), '"'.repeat(3_000), "é".repeat(2_000)]) {
    table.say(payload, ada);
    assertEquals([table.takeEvents(), table.play.out.sent], [["refused too-long"], []]);
  }
});

Deno.test("createEchoServer() repeats payloads nested 32 deep, and refuses deeper ones", () => {
  const nested = (depth: number): string => "[".repeat(depth) + "]".repeat(depth);
  const [table, ada] = [new Table(), peerAt(ADA)];
  table.receive(`{"t":"message","p":${nested(32)}}`, ada);
  assertEquals(JSON.parse(table.takeTo(ada)[0]!).p, nested(32));
  table.takeEvents();
  table.receive(`{"t":"message","p":${nested(33)}}`, ada);
  assertEquals(table.takeEvents(), ["refused syntax"]);
});

// ---- silence and limits

Deno.test("createEchoServer() forgets who said nothing for 30 s", () => {
  const [table, ada, ben] = [new Table(), peerAt(ADA), peerAt(BEN)];
  table.say(1, ada);
  table.play.wait(20_000);
  table.say(2, ben);
  table.takeEvents();
  table.play.wait(9_999);
  assert(table.server.remembers(ada));
  table.play.wait(1);
  assertEquals([table.takeEvents(), table.server.remembers(ada)], [[`left 1 ${ADA}`], false]);
  table.play.out.takeSent();
  table.say(3, ben);
  assertEquals(table.play.out.takeSent().map(({ to }) => to), [ben]);
  table.say(4, ada);
  assertEquals(table.takeEvents().slice(1), [`joined 3 ${ADA}`, `echoed 3 ${ADA} to 2`]);
  table.play.wait(30_000);
  assertEquals([table.server.clients.size, table.server.nextDeadline()], [0, Infinity]);
  const quick = new Table({ silenceMs: 100 });
  quick.say(1, ada);
  quick.play.wait(100);
  assertEquals(quick.server.clients.size, 0);
});

Deno.test("createEchoServer() never sends anything but replies", () => {
  const [table, ada] = [new Table(), peerAt(ADA)];
  table.say(1, ada);
  table.play.out.takeSent();
  table.play.wait(60_000);
  assertEquals(table.play.out.sent, []);
});

Deno.test("createEchoServer() has places for 512 clients, 64 of one network, and displaces nobody", () => {
  const table = new Table();
  const last = (): string => table.takeEvents().at(-1)!;
  for (let count = 0; count < 64; count++) table.say(1, peerAt(`192.0.2.1:${1_000 + count}`));
  table.say(1, peerAt("192.0.2.1:1"));
  assertEquals(last(), "refused full-network");
  table.play.wait(6_000);
  for (let count = 64; count < 512; count++) {
    table.say(1, peerAt(`10.0.${count}.1:1`));
    table.play.wait(30);
  }
  table.takeEvents();
  table.say(1, peerAt(ADA));
  assertEquals([table.takeEvents(), table.server.clients.size], [["refused full"], 512]);
  const small = new Table({ clientsMax: 2, clientsPerNetworkMax: 1 });
  for (const address of [ADA, ADA, BEN, "203.0.113.1:1"]) small.say(1, peerAt(address));
  const kinds = small.takeEvents().filter((line) => line.startsWith("refused"));
  assertEquals(kinds, ["refused full-network", "refused full"]);
});

Deno.test("createEchoServer() takes 100 messages a second of one network, 200 at once", () => {
  const table = new Table();
  const [ada, neighbour, ben] = [ADA, "198.51.100.1:2", BEN].map(peerAt) as [Peer, Peer, Peer];
  for (let count = 0; count < 150; count++) {
    table.say(count, ada);
    table.say(count, neighbour);
  }
  const counts = (): [number, number] => {
    const events = table.takeEvents();
    const echoed = events.filter((line) => line.startsWith("echoed")).length;
    return [echoed, events.filter((line) => line === "refused rate").length];
  };
  assertEquals(counts(), [200, 100]);
  table.say(1, ben);
  assertEquals(counts(), [1, 0]);
  table.play.wait(1_000);
  for (let count = 0; count < 150; count++) table.say(count, ada);
  assertEquals(counts(), [100, 50]);
});

Deno.test("createEchoServer() takes a message now and then however few it may", () => {
  const [table, ada] = [new Table({ messagesPerSecond: 0.1 }), peerAt(ADA)];
  table.say(1, ada);
  table.say(2, ada);
  table.play.wait(10_000);
  table.say(3, ada);
  assertEquals(table.takeTo(ada).map((text) => JSON.parse(text).p), ["1", "3"]);
});

Deno.test("createEchoServer() counts junk for no message, but what is too long", () => {
  const [table, ada] = [new Table({ messagesPerSecond: 1 }), peerAt(ADA)];
  for (let count = 0; count < 10; count++) table.receive("junk", ada);
  table.say("x".repeat(8_170), ada);
  table.say(1, ada);
  table.say(2, ada);
  const told = table.takeEvents().slice(10);
  const expected = ["refused too-long", `echoed 1 ${ADA} to 1`, "refused rate"];
  assertEquals(told, [`joined 1 ${ADA}`, ...expected]);
});

Deno.test("createEchoServer() does not even read what comes too fast from who is in", () => {
  const [table, ada, ben] = [new Table({ messagesPerSecond: 1 }), peerAt(ADA), peerAt(BEN)];
  table.say(1, ada);
  for (let count = 0; count < 30; count++) table.receive("{junk", ada);
  const refused = table.takeEvents().slice(-30);
  assertEquals(refused.filter((event) => event === "refused syntax").length, 20);
  assertEquals(refused.filter((event) => event === "refused rate").length, 10);
  table.say(1, ben); // Another network.
  assertEquals(table.takeEvents().at(-1), `echoed 2 ${BEN} to 2`);
});

Deno.test("createEchoServer() makes nobody known who says too much", () => {
  const table = new Table({ messagesPerSecond: 1 });
  for (let port = 1; port <= 3; port++) table.say(1, peerAt(`192.0.2.1:${port}`));
  assertEquals([table.server.clients.size, table.takeEvents().at(-1)], [2, "refused rate"]);
});

Deno.test("createEchoServer() repeats to so many a second at most, all or none", () => {
  const table = new Table({ repliesPerSecond: 10 });
  const peers = [1, 2, 3].map((index) => peerAt(`192.0.2.${index}:1`));
  for (const peer of peers) table.say(0, peer); // 1 + 2 + 3
  table.say(1, peers[0]!); // 9 in all.
  table.takeEvents();
  table.say(2, peers[1]!);
  assertEquals(table.takeEvents(), ["refused rate"]);
  table.play.wait(200);
  table.say(3, peers[2]!);
  assertEquals(table.takeEvents(), ["echoed 3 192.0.2.3:1 to 3"]);
  table.play.wait(60_000);
  assertEquals(table.play.out.sent.length, 12);
});

Deno.test("createEchoServer() sends 20,000 datagrams a second at most", () => {
  const table = new Table();
  const peers = Array.from({ length: 500 }, (_, index) => peerAt(`10.0.${index}.1:1`));
  for (const peer of peers) {
    table.say(0, peer);
    table.play.wait(50);
  }
  table.play.wait(1_000);
  table.play.out.takeSent();
  table.takeEvents();
  for (const peer of peers) for (let count = 0; count < 2; count++) table.say(count, peer);
  assertEquals(table.play.out.takeSent().length, 20_000);
  assertEquals(table.takeEvents().filter((line) => line === "refused rate").length, 960);
});

// ---- the contract of all engines

testEngineContract("createEchoServer()", () => {
  const engine = createEchoServer({ clientsMax: 5, clientsPerNetworkMax: 3 });
  return {
    engine,
    membership: engine,
    datagram: anyMessage,
    peers: Array.from({ length: 12 }, (_, index) => peerAt(`192.0.2.${index % 3}:${index}`)),
    checkLimits: () => assert(engine.clients.size <= 5),
    endsInSilence: true,
  };
});

function anyMessage(random: Random): Uint8Array {
  const names = ["message", "message", "message", "connected", "other", "ack", "join"];
  const name = names[Math.floor(random() * names.length)];
  const payload = random() < 0.5 ? [random()] : "é".repeat(random() * 50);
  return utf8.encode(JSON.stringify({ t: name, p: payload }));
}
