import { assert, assertEquals, assertThrows } from "@std/assert";
import type { Peer, Saved } from "../../../lib/protocols/engine.ts";
import type { Message } from "../../../lib/protocols/rendezvous/message.ts";
import {
  createRendezvousServer,
  type RendezvousEvent,
  type RendezvousServer,
  type RendezvousServerOptions,
} from "../../../lib/protocols/rendezvous/server.ts";
import { decode, encode } from "../../../lib/protocols/rendezvous/wire.ts";
import { peerAt, Play } from "../../support/recorder.ts";

const LOCAL = { ip: "10.0.0.1", port: 4001 };
const KEY = "session-key";
const HOST = peerAt("192.0.2.1:5000");
const OTHER = peerAt("192.0.2.2:5000");
const PLAYER = peerAt("192.0.2.3:5000");

class Table {
  readonly server: RendezvousServer;
  readonly play: Play<RendezvousEvent>;

  constructor(options: RendezvousServerOptions = {}, saved?: Saved) {
    this.server = createRendezvousServer(options);
    this.play = new Play(this.server);
    const peers = [HOST, OTHER, PLAYER];
    const at = (ip: string, port: number): Peer =>
      peers.find((peer) => peer.ip === ip && peer.port === port) ?? peerAt(`${ip}:${port}`);
    if (saved) this.server.resume(saved, 0, at, this.play.out);
  }

  say(from: Peer, sender: string, message: Message, dialect: 1 | 2 = 2, password = KEY): void {
    const envelope = { dialect, sender, recipient: "", to: LOCAL, password };
    this.play.receive(encode(message, envelope), from);
  }

  register(from: Peer, name: string, dialect: 1 | 2 = 2, validSeconds = 60): void {
    const secrets = { password: KEY, passwordRequired: true };
    this.say(from, name, { kind: "register", local: LOCAL, validSeconds, ...secrets }, dialect);
  }

  /** What it said, in short, and the events. */
  take(): { said: string[]; events: string[] } {
    const said = this.play.out.takeSent().map(({ to, bytes }) => {
      const letter = decode(bytes);
      return `${to.address} ${letter.kind === "letter" ? letter.message.kind : letter.kind}`;
    });
    const events = this.play.out.takeEvents().map((event) =>
      `${event.kind} ${event.kind === "refused" ? event.reason : event.name}`
    );
    return { said, events };
  }

  /** What it saves, as a file gives it back. */
  saved(): Saved {
    return JSON.parse(JSON.stringify(this.server.save(this.play.now)));
  }

  /** Another server that goes on from this one. */
  next(options: RendezvousServerOptions = {}): Table {
    return new Table(options, this.saved());
  }
}

Deno.test("createRendezvousServer() goes on with its names, so that refreshes and joins work", () => {
  const before = new Table();
  before.register(HOST, "é game");
  before.register(OTHER, "old", 1);
  before.play.wait(1_000);
  const table = before.next();
  assertEquals(table.server.members().map(({ name, peer }) => [name, peer]), [
    ["é game", HOST],
    ["old", OTHER],
  ]);
  assertEquals(table.take(), { said: [], events: [] });
  table.say(HOST, "é game", { kind: "refresh", validSeconds: 60 });
  assertEquals(table.take(), { said: ["192.0.2.1:5000 refreshed"], events: ["continued é game"] });
  table.say(HOST, "é game", { kind: "refresh", validSeconds: 60 }, 2, "another key");
  assertEquals(table.take().events, ["refused hash"]);
  table.say(HOST, "é game", { kind: "refresh", validSeconds: 60 });
  table.register(OTHER, "old", 1);
  table.register(OTHER, "old", 1);
  assertEquals(table.take().events, ["continued old"]); // Once.
  for (const [host, dialect] of [["é game", 2], ["old", 1]] as const) {
    table.say(PLAYER, "eve", { kind: "join", local: LOCAL, host, password: "pw" }, dialect, "pw");
    const { said, events } = table.take();
    assertEquals(said.length, 2);
    assert(said.every((words) => words.endsWith(" introduction")), `${said}`);
    assertEquals(events, ["introduced eve"]);
  }
  table.say(PLAYER, "eve", { kind: "list", password: "p", padding: "x".repeat(200) }, 2, "p");
  assertEquals(table.take().said, ["192.0.2.3:5000 servers"]);
});

Deno.test("createRendezvousServer() that goes on gives nobody's name to others, nor forgets it at once", () => {
  const before = new Table();
  before.register(HOST, "game", 2, 20);
  before.play.wait(19_999);
  const table = before.next();
  table.play.wait(19_000);
  table.register(OTHER, "game");
  table.say(OTHER, "game", { kind: "refresh", validSeconds: 60 });
  assertEquals(table.take().events, ["refused taken", "refused elsewhere"]);
  table.play.wait(1_100);
  assertEquals(table.take().events, ["expired game"]);
  assertEquals(table.play.now, 20_100);
});

Deno.test("createRendezvousServer() that goes on lets names hold for as long as they would have", () => {
  const before = new Table();
  before.register(HOST, "long", 2, 100);
  before.register(HOST, "short", 2, 50);
  before.play.wait(10_000);
  const table = before.next();
  const gone: [string, number][] = [];
  while (table.server.registrations > 0) {
    table.play.waitUntil(table.server.nextDeadline());
    for (const event of table.take().events) gone.push([event, table.play.now]);
  }
  assertEquals(gone, [["expired short", 40_000], ["expired long", 90_000]]);
  const hasty = before.next({ validSecondsMax: 30 });
  hasty.play.wait(30_000);
  assertEquals(hasty.server.registrations, 0);
});

Deno.test("createRendezvousServer() that goes on has no more places than it says, and keeps the first", () => {
  const before = new Table();
  for (const name of ["a", "b", "c"]) before.register(HOST, name);
  before.register(OTHER, "d");
  const names = (options: RendezvousServerOptions): string[] =>
    before.next(options).server.members().map(({ name }) => name);
  assertEquals(names({ registrationsMax: 2 }), ["a", "b"]);
  assertEquals(names({ registrationsPerNetworkMax: 1 }), ["a", "d"]);
  assertEquals(names({}), ["a", "b", "c", "d"]);
});

Deno.test("createRendezvousServer() says what is wrong with what was saved", () => {
  const before = new Table();
  before.register(HOST, "game");
  before.register(HOST, "other");
  before.register(OTHER, "game", 1);
  type Hosts = { hosts: Record<string, unknown>[] };
  const faults: [change: (saved: Hosts) => void, message: string][] = [
    [
      ({ hosts }) => hosts[1]!.name = "game",
      'hosts[1].name is a name that no other has, not "game"',
    ],
    [({ hosts }) => hosts[0]!.name = "", "hosts[0].name is the name of a host"],
    [({ hosts }) => hosts[0]!.name = "x".repeat(65), "hosts[0].name is the name of a host"],
    [({ hosts }) => hosts[0]!.name = "a\nb", "hosts[0].name is the name of a host"],
    [({ hosts }) => hosts[0]!.dialect = 3, "hosts[0].dialect is a whole number from 1 to 2, not 3"],
    [({ hosts }) => hosts[2]!.dialect = 2, "hosts[2].name is a name that no other has"],
    [({ hosts }) => hosts[0]!.password = "", "hosts[0].password is a session key"],
    [({ hosts }) => delete hosts[0]!.password, "hosts[0].password is a text "],
    [({ hosts }) => hosts[0]!.passwordRequired = 1, "hosts[0].passwordRequired is true or false"],
    [({ hosts }) => hosts[0]!.ip = "0.0.0.0", "hosts[0].ip is the IP address of one host"],
    [({ hosts }) => hosts[0]!.local = { ip: "224.0.0.1", port: 1 }, "hosts[0].local.ip is the IP "],
    [
      ({ hosts }) => hosts[0]!.local = { ip: "10.0.0.1", port: 0 },
      "hosts[0].local.port is a whole",
    ],
    [({ hosts }) => hosts[0]!.validMs = -1, "hosts[0].validMs is a number from 0 to "],
    [(saved) => saved.hosts = [7 as never], "hosts[0] is an object, not 7"],
  ];
  for (const [change, message] of faults) {
    const saved = before.saved() as Hosts & Saved;
    change(saved);
    assertThrows(() => new Table({}, saved), TypeError, message);
  }
});
