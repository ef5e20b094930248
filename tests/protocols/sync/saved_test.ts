import { assert, assertEquals, assertThrows } from "@std/assert";
import type { Peer, Saved } from "../../../lib/protocols/engine.ts";
import type { SyncServerOptions } from "../../../lib/protocols/sync/server.ts";
import { decodeServerMessage } from "../../../lib/protocols/sync/wire.ts";
import { FIRST, Table } from "./server_table.ts";

const A = "192.0.2.1:5000";
const B = "192.0.2.2:5000";
const C = "[2001:db8::3]:5000";
const MARGIN = 100_000;

/** Another server that goes on from this one, at the beginning of its own time. */
function next(
  table: Table,
  options: Partial<SyncServerOptions> = {},
  change: (saved: Record<string, unknown>) => void = (): void => {},
): { table: Table; peerOf: (peer: Peer) => Peer } {
  const saved = JSON.parse(JSON.stringify(table.server.save(table.play.now)));
  change(saved);
  return resumed(saved, options);
}

function resumed(
  saved: Saved,
  options: Partial<SyncServerOptions> = {},
): { table: Table; peerOf: (peer: Peer) => Peer } {
  const peers = new Map<string, Peer>();
  const peerAt = (ip: string, port: number): Peer => {
    const key = `${ip} ${port}`;
    const address = ip.includes(":") ? `[${ip}]:${port}` : `${ip}:${port}`;
    const known = peers.get(key) ?? { ip, port, address, network: ip };
    peers.set(key, known);
    return known;
  };
  const after = new Table(options);
  after.server.resume(saved, 0, peerAt, after.out);
  return { table: after, peerOf: ({ ip, port }) => peerAt(ip, port) };
}

Deno.test("createSyncServer() goes on with ids, states and numbers, in order", () => {
  const before = new Table();
  const [a, b] = [before.join(A, 'é"\\\n\u{1f600}'), before.join(B, "")];
  before.ask(before.join(C, "c"));
  before.say(a, 7, "\u007f/a");
  before.wait(100);
  const { table, peerOf } = next(before);
  assertEquals(
    table.server.members().map(({ name, peer, stateBytes }) => [name, peer.address, stateBytes]),
    [
      ["0", A, 3],
      ["1", B, 0],
      ["2", C, 1],
    ],
  );
  table.keepAlive(peerOf(b));
  table.wait(20);
  const [snapshot] = table.takeSnapshots(peerOf(b));
  assertEquals(snapshot!.states, { 0: "\u007f/a", 1: "", 2: "c" });
  assert(snapshot!.number > FIRST + MARGIN);
  // And the next one to come gets the next id.
  const d = table.join("192.0.2.9:1", "d");
  assertEquals(table.takeIds(d), [1_003n]);
  assertEquals(table.takeEvents(), ["continued 1", "joined 1003"]);
});

Deno.test("createSyncServer() that goes on leaves out ids that may have been given after it was saved", () => {
  const before = new Table();
  before.join(A);
  for (const [isFinal, id] of [[undefined, 1_001], [false, 1_001], [true, 1]] as const) {
    const { table } = next(before, {}, (saved) => {
      if (isFinal !== undefined) saved.isFinal = isFinal;
    });
    table.join(B);
    assertEquals(table.takeEvents(), [`joined ${id}`]);
  }
});

Deno.test("createSyncServer() that goes on sends snapshots only to whom it hears", () => {
  const before = new Table();
  const [a, b] = [before.join(A), before.join(B)];
  const { table, peerOf } = next(before);
  table.wait(500);
  assertEquals(table.out.takeSent(), []);
  table.ask(peerOf(a));
  assertEquals(table.takeIds(peerOf(a)), [0n]);
  table.say(peerOf(a), 1, "new");
  table.wait(500);
  assertEquals(table.takeView(peerOf(a)), { 0: "new", 1: "x" });
  assertEquals(table.out.takeSentTo(peerOf(b)), []);
});

Deno.test("createSyncServer() that goes on takes what a running client says next, if it is higher", () => {
  const before = new Table();
  const a = before.join(A);
  before.say(a, 41, "saved");
  const { table, peerOf } = next(before);
  table.say(peerOf(a), 41, "late");
  assertEquals(table.takeView(peerOf(a)), { 0: "saved" });
  table.say(peerOf(a), 42, "next");
  table.wait(100);
  assertEquals(table.takeView(peerOf(a)), { 0: "next" });
  table.say(peerOf(a), 40, "late");
  table.say(peerOf(a), 41, "late too");
  table.wait(100);
  assertEquals(table.takeView(peerOf(a)), undefined);
  assertEquals(table.takeEvents(), ["continued 0"]); // Once.
});

Deno.test("createSyncServer() that goes on believes a client that was started anew meanwhile", () => {
  for (const first of [0, 3, 500]) {
    const before = new Table();
    const a = before.join(A);
    before.say(a, 1_000, "saved");
    const { table, peerOf } = next(before);
    // One low number may be something late, two in a row are not.
    table.say(peerOf(a), first, "first");
    table.wait(10);
    assertEquals(table.takeEvents(), ["continued 0"]);
    table.say(peerOf(a), first + 1, "second");
    assertEquals(table.takeEvents(), ["restarted 0"]);
    table.wait(100);
    assertEquals(table.takeView(peerOf(a)), { 0: "second" });
    table.say(peerOf(a), first + 1, "again");
    table.say(peerOf(a), first + 2, "third");
    table.wait(100);
    assertEquals(table.takeView(peerOf(a)), { 0: "third" });
  }
});

Deno.test("createSyncServer() that goes on finds those silent who are not heard any more", () => {
  const before = new Table({ silenceMs: 5_000 });
  const [a] = [before.join(A, "a"), before.join(B, "b")];
  before.wait(4_000);
  const { table, peerOf } = next(before, { silenceMs: 5_000 });
  table.waitWith([peerOf(a)], 4_990);
  assertEquals(table.server.members().length, 2);
  table.waitWith([peerOf(a)], 20);
  assertEquals(table.takeEvents(), ["continued 0", "left 1"]);
  assertEquals(table.takeView(peerOf(a)), { 0: "a" });
});

Deno.test("createSyncServer() that goes on lets the departed come back for as long as they could", () => {
  const options = { silenceMs: 1_500, returnMs: 10_000 };
  const before = new Table(options);
  const [a, b, c] = [before.join(A, "a"), before.join(B, "bé"), before.join(C, "c")];
  before.waitWith([a], 5_500);
  assertEquals(before.server.census().departed, 2);
  const { table, peerOf } = next(before, options);
  table.waitWith([peerOf(a)], 4_500);
  table.keepAlive(peerOf(b));
  assertEquals(table.takeEvents(), ["continued 0", "continued 1"]);
  table.wait(50);
  assertEquals(table.takeView(peerOf(b)), { 0: "a", 1: "bé" });
  table.waitWith([peerOf(a)], 2_000);
  assert(!table.server.remembers(peerOf(c)));
  // With less patience than before they have less time.
  const hasty = next(before, { ...options, returnMs: 1_000 });
  hasty.table.wait(1_100);
  assertEquals(hasty.table.server.census().departed, 0);
});

Deno.test("createSyncServer() can be saved while somebody's time is over and nobody looked yet", () => {
  const before = new Table({ silenceMs: 1_500, returnMs: 10_000 });
  const [a, b] = [before.join(A), before.join(B)];
  before.waitWith([a], 5_000);
  before.out.now += 60_000; // Without a call of advance.
  const { table, peerOf } = next(before);
  assertEquals(table.server.census().players, 1);
  table.wait(0);
  assert(!table.server.remembers(peerOf(b)));
});

Deno.test("createSyncServer() that goes on knows whom it gave an id that never was a player", () => {
  const before = new Table({ silenceMs: 2_000 });
  const a = before.join(A);
  const b = { ...a, ip: "192.0.2.2", address: B, network: "192.0.2.2" };
  before.ask(b);
  const { table, peerOf } = next(before, { silenceMs: 2_000 });
  assertEquals(table.server.members().length, 1);
  table.ask(peerOf(b));
  table.say(peerOf(b), 0, "b");
  assertEquals([table.takeIds(peerOf(b)), table.takeEvents()], [[1n], ["joined 1"]]);
});

Deno.test("createSyncServer() that goes on numbers its snapshots above all before, and by the clock", () => {
  const before = new Table({ rateHz: 0, eagerPacketsPerSecond: 0 });
  const a = before.join(A);
  for (let number = 1; number < 100; number++) before.say(a, number, `${number}`);
  const last = before.takeSnapshots(a).at(-1)!.number;
  for (const firstSnapshotNumber of [1, last, last + 2 * MARGIN]) {
    const { table, peerOf } = next(before, { firstSnapshotNumber });
    table.say(peerOf(a), 100, "x");
    const [snapshot] = table.takeSnapshots(peerOf(a));
    assertEquals(snapshot!.number, Math.max(last + MARGIN + 1, firstSnapshotNumber));
  }
});

Deno.test("createSyncServer() that goes on has no more places than it says, and keeps the first", () => {
  const before = new Table();
  for (let at = 0; at < 6; at++) before.join(`192.0.2.${at >> 1}:${at}`, `${at}`);
  const names = (options: Partial<SyncServerOptions>): string[] =>
    next(before, options).table.server.members().map(({ name }) => name);
  assertEquals(names({ clientsMax: 4 }), ["0", "1", "2", "3"]);
  assertEquals(names({ clientsPerNetworkMax: 1 }), ["0", "2", "4"]);
  assertEquals(names({}).length, 6);
  before.wait(10_000);
  const departed = (options: Partial<SyncServerOptions>): number =>
    next(before, options).table.server.census().departed;
  assertEquals([departed({ clientsMax: 4 }), departed({ returnMs: 0 }), departed({})], [4, 0, 6]);
});

Deno.test("createSyncServer() that goes on leaves out states it would refuse", () => {
  const before = new Table();
  const [a, b] = [before.join(A, "long enough"), before.join(B, "short")];
  const { table, peerOf } = next(before, { stateBytesMax: 5 });
  table.keepAlive(peerOf(b));
  table.wait(50);
  assertEquals(table.takeView(peerOf(b)), { 1: "short" });
  assertEquals(table.server.members().map(({ stateBytes }) => stateBytes), [0, 5]);
  assert(table.server.remembers(peerOf(a)));
  // More than fits into a snapshot is no state either.
  const full = next(before, {}, (saved) => {
    const sessions = saved.sessions as { state: string }[];
    sessions[0]!.state = "\u007f".repeat(20_000);
  });
  full.table.keepAlive(full.peerOf(b));
  full.table.wait(50);
  assertEquals(full.table.takeView(full.peerOf(b)), { 1: "short" });
});

Deno.test("createSyncServer() says what is wrong with what was saved", () => {
  const before = new Table();
  before.join(A);
  before.join(B);
  before.ask({ ip: "192.0.2.7", port: 1, address: "192.0.2.7:1", network: "192.0.2.7" });
  const faults: [change: (saved: Changed) => void, message: string][] = [
    [(saved) => saved.nextId = 2, "sessions[2].id is a whole number from 0 to 1, not 2"],
    [(saved) => saved.nextId = 2 ** 53, "nextId is a whole number from 0 to "],
    [(saved) => saved.sessions![1]!.id = 0, "sessions[1].id is a number that no other has, not 0"],
    [
      (saved) => saved.sessions![1]!.ip = "192.0.2.1",
      'sessions[1].ip is of an address that no other has, not "192.0.2.1"',
    ],
    [
      (saved) => saved.sessions![1]!.ip = "::ffff:192.0.2.1",
      "sessions[1].ip is of an address that ",
    ],
    [
      (saved) => saved.sessions![0]!.ip = "host",
      'sessions[0].ip is the IP address of one host, not "',
    ],
    [
      (saved) => saved.sessions![0]!.ip = "224.0.0.1",
      "sessions[0].ip is the IP address of one host",
    ],
    [
      (saved) => saved.sessions![0]!.port = 65_536,
      "sessions[0].port is a whole number from 0 to 65535",
    ],
    [
      (saved) => saved.sessions![0]!.stage = "king",
      "sessions[0].stage is player, unverified, departed",
    ],
    [
      (saved) => saved.sessions![0]!.state = "\udc00",
      "sessions[0].state is a text of at most 65499",
    ],
    [(saved) => saved.sessions![0]!.number = 5, "sessions[0].number is a whole number from -1 to "],
    [
      (saved) => saved.snapshotNumber = "9".repeat(19),
      "snapshotNumber is a whole number from 0 to",
    ],
    [(saved) => delete saved.sessions, "sessions is a list, not missing"],
    [(saved) => saved.version = 2, "version is 1 in what this program reads, not 2"],
    [(saved) => saved.isFinal = "yes", 'isFinal is true or false, not "yes"'],
  ];
  for (const [change, message] of faults) {
    const saved = JSON.parse(JSON.stringify(before.server.save(0)));
    change(saved);
    assertThrows(() => resumed(saved), TypeError, message);
  }
});

/** What was saved, and may be changed. */
interface Changed {
  version: number;
  nextId: number;
  snapshotNumber: unknown;
  isFinal?: unknown;
  sessions?: Record<string, unknown>[];
}

Deno.test("createSyncServer() saves a player whose state never fitted, and who says so again", () => {
  const before = new Table({ stateBytesMax: 3 });
  const a = before.join(A, "much too long");
  assertEquals(before.server.members()[0]!.stateBytes, 0);
  const { table, peerOf } = next(before, { stateBytesMax: 3 });
  table.say(peerOf(a), 1, "ok");
  table.wait(50);
  assertEquals(table.takeView(peerOf(a)), { 0: "ok" });
});

Deno.test("createSyncServer() says nothing that is no message after it went on", () => {
  const before = new Table();
  const a = before.join(A, "a");
  const { table, peerOf } = next(before);
  table.waitWith([peerOf(a)], 3_000);
  const sent = table.out.takeSent();
  assert(sent.length > 1);
  for (const { bytes } of sent) assert(decodeServerMessage(bytes).kind === "snapshot");
});
