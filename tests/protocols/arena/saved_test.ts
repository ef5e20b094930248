import { assert, assertEquals, assertThrows } from "@std/assert";
import type { Peer, Saved } from "../../../lib/protocols/engine.ts";
import type { ArenaServerOptions } from "../../../lib/protocols/arena/server.ts";
import { seededRandom } from "../../../lib/parts/random.ts";
import { peerAt } from "../../support/recorder.ts";
import { inShort, namesIn, Table } from "./table.ts";

const A = "10.0.0.1:5000";
const B = "10.0.0.2:5000";
const C = "10.0.0.3:5000";

/** Another arena that goes on from this one, at the beginning of its own time; its peers are the same. */
function next(
  before: Table,
  peers: readonly Peer[],
  options: Partial<ArenaServerOptions> = {},
): Table {
  return resumed(JSON.parse(JSON.stringify(before.server.save(before.now))), peers, options);
}

function resumed(
  saved: Saved,
  peers: readonly Peer[],
  options: Partial<ArenaServerOptions> = {},
): Table {
  const at = (ip: string, port: number): Peer =>
    peers.find((peer) => peer.ip === ip && peer.port === port) ?? peerAt(`${ip}:${port}`);
  const table = new Table(options);
  table.server.resume(saved, 0, at, table.out);
  return table;
}

Deno.test("createArenaServer() goes on with its players where they were, on their way", () => {
  const before = new Table({ random: seededRandom(3) });
  const [a, b] = [before.join(A), before.join(B)];
  before.steer(a, 1, 0);
  before.steer(b, 0, -0.5);
  before.wait(200);
  const table = next(before, [a, b]);
  assertEquals(table.server.players(), before.server.players());
  // Time begins when somebody is heard.
  assert(table.server.nextDeadline() > 0, `${table.server.nextDeadline()}`);
  assertEquals(table.server.members(), [{ peer: a, name: "1" }, { peer: b, name: "2" }]);
  const [x] = table.positionOf(1);
  const [, y] = table.positionOf(2);
  table.beat(a);
  table.wait(500);
  assert(table.positionOf(1)[0] > x && table.positionOf(2)[1] < y, "nobody moves");
  // It fires where it looked.
  table.steer(b, 0, 0);
  table.fire(b);
  table.wait(100);
  const bullets = table.take(a).flatMap((message) =>
    message.kind === "bullets" ? message.bullets : []
  );
  assertEquals(bullets.at(-1)!.rotation, -1_570);
});

Deno.test("createArenaServer() that goes on tells whom it hears who is there, and others nothing", () => {
  const before = new Table();
  const [a, b] = [before.join(A), before.join(B)];
  before.steer(a, 1, 0);
  const table = next(before, [a, b]);
  table.wait(5_000);
  assertEquals(table.out.takeSent(), []);
  table.beat(a);
  assertEquals(inShort(table.take(a)), ["players 1 2", "bullets 0"]);
  table.steer(a, 0, 0);
  const heard = table.waitWith([a], 5_000);
  assert(heard.get(a)!.filter((message) => namesIn(message).includes(2)).length >= 2);
  assert(heard.get(a)!.every(({ kind }) => kind === "updates" || kind === "bullets"), "news");
  assertEquals(table.take(b), []);
});

Deno.test("createArenaServer() that goes on numbers messages and newcomers as before", () => {
  const before = new Table();
  const [a, b] = [before.join(A), before.join(B)];
  before.steer(a, 1, 0);
  before.wait(100);
  const last = before.answer(a).findLast(({ needsAck }) => !needsAck)!.sequence;
  before.server.expel(b, before.now, before.out);
  before.answer(a);
  const table = next(before, [a]);
  table.beat(a);
  const [first] = table.take(a);
  // What the old one said after it was saved is not taken for what this one says.
  const ahead = first!.sequence - last;
  assert(ahead > 2_000 && ahead < 2_005, `${first!.sequence} after ${last}`);
  const c = table.join(C);
  assertEquals(table.server.members().map(({ name }) => name), ["1", "3"]);
  assertEquals(table.stateOf(3)?.number, 3);
  assert(table.server.remembers(c));
});

Deno.test("createArenaServer() that goes on tells what was not acked, until it is", () => {
  const before = new Table();
  const [a, b, c] = [before.join(A), before.join(B), before.join(C)];
  before.server.expel(b, before.now, before.out);
  before.server.expel(c, before.now, before.out);
  // A player that acts before it acks: its welcome and the world are due too.
  const d = peerAt("10.0.0.4:5000");
  before.steer(d, 0, 0);
  before.steer(d, 0, 0);
  const table = next(before, [a, d]);
  table.beat(a);
  table.beat(d);
  const told = inShort(table.take(a)).filter((words) => words.endsWith("!"));
  assertEquals(told, ["left 2!", "left 3!"]);
  table.wait(600);
  const again = table.take(a).filter(({ needsAck }) => needsAck);
  assertEquals(inShort(again), ["left 2!", "left 3!"]);
  table.ack(a, ...again.map(({ sequence }) => sequence));
  assertEquals(inShort(table.answer(d)).filter((words) => words.endsWith("!")).slice(0, 2), [
    ...["welcome 4!", "world!"],
  ]);
  table.wait(10_000);
  assertEquals(inShort(table.take(a)).filter((words) => words.endsWith("!")), []);
  assertEquals(table.server.census().undelivered, 0);
});

Deno.test("createArenaServer() saves nothing as owed that was acked", () => {
  const table = new Table();
  const [a, b] = [table.join(A), table.join(B)];
  const owed = (): unknown => {
    const { players } = table.server.save(table.now) as { players: Record<string, unknown>[] };
    const { isWelcomeDue, isWorldDue, leftDue } = players[0]!;
    return { isWelcomeDue, isWorldDue, leftDue };
  };
  table.server.expel(b, table.now, table.out);
  assertEquals(owed(), { isWelcomeDue: false, isWorldDue: false, leftDue: [2] });
  table.answer(a);
  assertEquals(owed(), { isWelcomeDue: false, isWorldDue: false, leftDue: [] });
});

Deno.test("createArenaServer() that goes on knows whom it welcomed and who did not answer yet", () => {
  const before = new Table();
  const a = peerAt(A);
  before.ask(a);
  assertEquals(before.server.census().unproved, 1);
  const table = next(before, [a]);
  assertEquals([table.server.members(), table.server.census().unproved], [[], 1]);
  table.wait(5_000);
  assertEquals(table.take(a), []);
  table.steer(a, 0, 0); // It got the welcome of before.
  assertEquals(table.takeEvents(), ["joined 1"]);
  const forgotten = next(before, [a]);
  forgotten.wait(10_100);
  assert(!forgotten.server.remembers(a));
  assertEquals(forgotten.takeEvents(), []);
});

Deno.test("createArenaServer() that goes on welcomes a player that was started anew meanwhile", () => {
  const before = new Table();
  const a = before.join(A);
  const table = next(before, [a]);
  table.ask(a);
  const heard = inShort(table.answer(a));
  assert(heard.includes("welcome 1!") && heard.includes("world!"), `${heard}`);
  assertEquals(table.takeEvents(), ["continued 1"]);
});

Deno.test("createArenaServer() that goes on finds those silent who are not heard any more", () => {
  const before = new Table({ silenceMs: 6_000 });
  const [a, b] = [before.join(A), before.join(B)];
  before.wait(4_000);
  const table = next(before, [a, b], { silenceMs: 6_000 });
  const heard = table.waitWith([a], 6_500);
  assertEquals(table.takeEvents(), ["continued 1", "left 2 silent"]);
  assert(inShort(heard.get(a)!).includes("left 2!"));
});

Deno.test("createArenaServer() that goes on has no more places than it says, and tells who has none", () => {
  const before = new Table();
  const peers = ["10.0.0.1:1", "10.0.0.1:2", "10.0.0.2:1", "10.0.0.3:1"].map((at) =>
    before.join(at)
  );
  const few = next(before, peers, { playersMax: 2 });
  assertEquals(few.server.members().map(({ name }) => name), ["1", "2"]);
  few.beat(peers[0]!);
  const told = inShort(few.answer(peers[0]!));
  assert(told.includes("left 3!") && told.includes("left 4!"), `${told}`);
  const oneEach = next(before, peers, { playersPerNetworkMax: 1 });
  assertEquals(oneEach.server.members().map(({ name }) => name), ["1", "3", "4"]);
});

Deno.test("createArenaServer() says what is wrong with what was saved", () => {
  const before = new Table();
  before.join(A);
  before.join(B);
  type Arena = { players: Record<string, unknown>[]; nextNumber: unknown; sequence: unknown };
  const faults: [change: (saved: Arena) => void, message: string][] = [
    [(saved) => saved.nextNumber = 2, "players[1].number is a whole number from 1 to 1, not 2"],
    [(saved) => saved.sequence = 10_001, "sequence is a whole number from 0 to 10000, not 10001"],
    [({ players }) => players[1]!.number = 1, "players[1].number is a number that no other has"],
    [({ players }) => players[1]!.ip = "10.0.0.1", "players[1].ip is of an address that no other"],
    [
      ({ players }) => players[0]!.red = 256,
      "players[0].red is a whole number from 0 to 255, not 256",
    ],
    [({ players }) => players[0]!.x = 19.01, "players[0].x is a number from -19 to 19, not 19.01"],
    [({ players }) => players[0]!.y = -9.01, "players[0].y is a number from -9 to 9, not -9.01"],
    [({ players }) => players[0]!.dx = 2, "players[0].dx is a number from -1 to 1, not 2"],
    [({ players }) => players[0]!.facingY = null, "players[0].facingY is a number from -1 to 1"],
    [
      ({ players }) => players[0]!.leftDue = [3],
      "players[0].leftDue is a list of whole numbers from",
    ],
    [
      ({ players }) => delete players[0]!.isBelieved,
      "players[0].isBelieved is true or false, not miss",
    ],
  ];
  for (const [change, message] of faults) {
    const saved = JSON.parse(JSON.stringify(before.server.save(0)));
    change(saved);
    assertThrows(() => resumed(saved, []), TypeError, message);
  }
});
