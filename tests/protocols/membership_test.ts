/** What servers tell of who is in, and what becomes of whom they send away; what is common is in the suite. */
import { assert, assertEquals } from "@std/assert";
import type { Peer } from "../../lib/protocols/engine.ts";
import { encodeClientMessage } from "../../lib/protocols/arena/wire.ts";
import { createEchoServer, type EchoEvent } from "../../lib/protocols/echo/server.ts";
import { jsonFormat } from "../../lib/protocols/events/json.ts";
import { createEventServer, type EventServerEvent } from "../../lib/protocols/events/server.ts";
import { NetworkMessage } from "../../lib/protocols/messages/message.ts";
import {
  createMessageServer,
  type MessageServerEvent,
} from "../../lib/protocols/messages/server.ts";
import {
  createRendezvousServer,
  type RendezvousEvent,
} from "../../lib/protocols/rendezvous/server.ts";
import { encode } from "../../lib/protocols/rendezvous/wire.ts";
import { peerAt, Play } from "../support/recorder.ts";
import { StreamRecorder } from "../support/stream_recorder.ts";
import { inShort, Table as ArenaTable } from "./arena/table.ts";
import { Table as SyncTable } from "./sync/server_table.ts";

const A = "192.0.2.1:5000";
const B = "192.0.2.2:5000";
const C = "192.0.2.3:5000";

Deno.test("createSyncServer() has the players as members, with the length of what they sent", () => {
  const table = new SyncTable();
  const [a, b] = [table.join(A, 'é"'), table.join(B, "")];
  table.ask(peerAt(C));
  assertEquals(table.server.members(), [
    { peer: a, name: "0", stateBytes: 3 },
    { peer: b, name: "1", stateBytes: 0 },
  ]);
  table.say(a, 1, "e\\"); // As long as before, once it is escaped.
  table.say(b, 1, "x".repeat(100));
  assertEquals(table.server.members().map(({ stateBytes }) => stateBytes), [2, 100]);
  table.say(a, 2, new Uint8Array([0xff, 0xff, 0xff])); // Refused.
  assertEquals(table.server.members()[0]!.stateBytes, 2);
});

Deno.test("createSyncServer() shows the others at once that somebody was sent away", () => {
  const table = new SyncTable();
  const [a, b] = [table.join(A, "a"), table.join(B, "b")];
  table.wait(100);
  table.takeEvents();
  table.takeSnapshots(a);
  table.server.expel(b, table.play.now, table.out);
  assertEquals(table.out.takeEvents(), [{ kind: "left", peer: b, id: 1, reason: "expelled" }]);
  assertEquals(table.takeView(a), { 0: "a" });
  assertEquals(table.server.census(), {
    ...{ players: 1, unverified: 0, departed: 0 },
    snapshotBytes: 8 + '{"0":"a"}'.length,
  });
  // It is a stranger now, and when it asks a new player.
  table.out.takeSent();
  table.say(b, 5, "b");
  table.ask(b);
  assertEquals([table.takeEvents(), table.takeIds(b)], [["refused stranger"], [2n]]);
});

Deno.test("createSyncServer() sends the rest of a round to those who stay", () => {
  const table = new SyncTable({ rateHz: 10, clientsPerNetworkMax: 1_000 });
  const peers = Array.from({ length: 300 }, (_, at) => table.join(`192.0.2.1:${at + 1}`, `${at}`));
  table.waitWith(peers, 1_000);
  table.out.takeSent();
  // A round of three slices: between them somebody of each part goes.
  table.say(peers[0]!, 9, "new");
  while (table.out.sent.length === 0) table.wait(1);
  for (const gone of [0, 150, 299]) table.server.expel(peers[gone]!, table.play.now, table.out);
  table.wait(99);
  const counts = peers.map((peer) => table.out.sent.filter(({ to }) => to === peer).length);
  assertEquals([counts[150], counts[299]], [0, 0]);
  for (const [at, count] of counts.entries()) {
    if (![0, 150, 299].includes(at)) assert(count >= 1, `${at} was left out`);
  }
});

Deno.test("createSyncServer() takes away ids of those who are no players too", () => {
  const table = new SyncTable({ silenceMs: 1_000 });
  const [a, b] = [table.join(A, "a"), peerAt(B)];
  table.wait(1_000);
  table.ask(b);
  assertEquals(table.server.census().departed, 1);
  table.takeEvents();
  for (const peer of [a, b, peerAt(C)]) table.server.expel(peer, table.play.now, table.out);
  assertEquals(table.takeEvents(), []);
  assertEquals([table.server.remembers(a), table.server.remembers(b)], [false, false]);
  table.out.takeSent();
  table.ask(a);
  assertEquals(table.takeIds(a), [2n]);
});

Deno.test("createRendezvousServer() takes away all names of an address, and no other", () => {
  const server = createRendezvousServer();
  const play = new Play<RendezvousEvent>(server);
  const [a, b] = [peerAt(A), peerAt(B)];
  const local = { ip: "10.0.0.1", port: 4001 };
  const register = (peer: Peer, name: string, dialect: 1 | 2): void => {
    const envelope = { dialect, sender: name, recipient: "", to: local, password: "key" };
    const secrets = { password: "key", passwordRequired: false };
    play.receive(
      encode({ kind: "register", local, validSeconds: 60, ...secrets }, envelope),
      peer,
    );
  };
  register(a, "one", 2);
  register(b, "two", 2);
  register(a, "three", 1);
  assertEquals(server.members(), [
    { peer: a, name: "one" },
    { peer: b, name: "two" },
    { peer: a, name: "three" },
  ]);
  play.out.takeEvents();
  play.out.takeSent();
  server.expel(a, play.now, play.out);
  server.expel(peerAt(C), play.now, play.out);
  assertEquals(play.out.takeEvents(), [
    { kind: "expelled", peer: a, name: "one", dialect: 2 },
    { kind: "expelled", peer: a, name: "three", dialect: 1 },
  ]);
  assertEquals(play.out.takeSent(), []);
  assertEquals(server.members(), [{ peer: b, name: "two" }]);
  register(b, "one", 2); // The name is free.
  assertEquals(play.out.takeEvents().map(({ kind }) => kind), ["registered"]);
});

Deno.test("createArenaServer() tells the others of whom it sends away, who may come again", () => {
  const table = new ArenaTable();
  const [a, b, c] = [table.join(A), table.join(B), peerAt(C)];
  table.ask(c);
  table.fire(b);
  table.wait(100);
  assertEquals(table.server.members(), [{ peer: a, name: "1" }, { peer: b, name: "2" }]);
  table.takeEvents();
  table.answer(a);
  for (const peer of [b, c, peerAt(C)]) table.server.expel(peer, table.now, table.out);
  assertEquals(table.takeEvents(), ["left 2 closed"]);
  assertEquals(inShort(table.answer(a)).filter((words) => words.startsWith("left")), ["left 2!"]);
  assertEquals([table.server.remembers(b), table.server.remembers(c)], [false, false]);
  assertEquals(table.server.census().bullets, 1);
  table.join(B);
  assertEquals(table.server.members().map(({ name }) => name), ["1", "4"]);
});

Deno.test("createEchoServer() repeats nothing more to whom it sends away", () => {
  const server = createEchoServer();
  const play = new Play<EchoEvent>(server);
  const [a, b] = [peerAt(A), peerAt(B)];
  const message = jsonFormat().encode({ kind: "event", name: "message", payload: "hello" });
  play.receive(message, a);
  play.receive(message, b);
  assertEquals(server.members(), [{ peer: a, name: "1" }, { peer: b, name: "2" }]);
  play.out.takeEvents();
  play.out.takeSent();
  server.expel(a, play.now, play.out);
  assertEquals(play.out.takeEvents(), [{ kind: "left", peer: a, number: 1, reason: "closed" }]);
  play.receive(message, b);
  assertEquals(play.out.takeSent().map(({ to }) => to), [b]);
});

Deno.test("createEventServer() is disconnected from whom it sends away", () => {
  const format = jsonFormat();
  const server = createEventServer({ format, random: () => 0.5 });
  const play = new Play<EventServerEvent>(server);
  const a = peerAt(A);
  play.receive(format.encode({ kind: "event", name: "say", payload: 1 }), a);
  assertEquals(server.members(), [{ peer: a, name: "1" }]);
  play.out.takeEvents();
  server.expel(a, play.now, play.out);
  const [event] = play.out.takeEvents();
  assert(event?.kind === "disconnected" && event.reason === "closed");
  assert(!server.remembers(a) && server.nextDeadline() === Infinity);
});

Deno.test("createMessageServer() sends away at once, also whom it still has something to say", () => {
  const server = createMessageServer();
  const out = new StreamRecorder<MessageServerEvent>();
  const [a, b, c] = [peerAt(A), peerAt(B), peerAt(C)];
  for (const peer of [a, b, c]) server.opened(peer, 0, out);
  assertEquals(server.members().map(({ name, peer }) => [name, peer]), [[A, a], [B, b], [C, c]]);
  for (const peer of [a, b]) {
    for (let sent = 0; sent < 3; sent++) server.send(peer, new NetworkMessage("x"), 0, out);
  }
  server.drop(b, 0, out); // It leaves as soon as all has left, and is no member any more.
  assertEquals(server.members().map(({ name }) => name), [A, C]);
  out.takeEvents();
  for (const peer of [a, b, peerAt(A)]) server.expel(peer, 0, out);
  assertEquals(out.closed, [a, b]);
  assertEquals(server.members().map(({ name }) => name), [C]);
  assertEquals(server.nextDeadline(), -Infinity);
  server.advance(0, out);
  assertEquals(out.takeEvents(), [
    { kind: "disconnected", peer: a, reason: "dropped" },
    { kind: "disconnected", peer: b, reason: "dropped" },
  ]);
  server.advance(1_000, out);
  assertEquals([out.afterEnd, server.nextDeadline()], [[], Infinity]);
});

Deno.test("createArenaServer() does the steps that were due before it sends somebody away", () => {
  const table = new ArenaTable();
  const [a, b] = [table.join(A), table.join(B)];
  table.play.receive(encodeClientMessage({ kind: "input", dx: 1, dy: 0 }), b);
  table.fire(b);
  table.out.now += 200; // Late: nobody has called advance meanwhile.
  const { steps } = table.server.census();
  table.server.expel(b, table.now, table.out);
  assert(table.server.census().steps >= steps + 11, "the steps are missing");
  assert(table.server.remembers(a));
});
