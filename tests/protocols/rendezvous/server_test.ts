/** The rendezvous server, judged by the datagrams of its page: none here is written by our encoder. */
import { assert, assertEquals } from "@std/assert";
import type { Peer } from "../../../lib/protocols/engine.ts";
import {
  createRendezvousServer,
  type RendezvousEvent,
  type RendezvousServer,
  type RendezvousServerOptions,
} from "../../../lib/protocols/rendezvous/server.ts";
import { peerAt, Play } from "../../support/recorder.ts";
import { bytesOf, type Fields, signed } from "./datagrams.ts";

type Dialect = 1 | 2;

const DIALECTS = [1, 2] as const;
/** The session key that a peer made up, unless a test says another. */
const KEY = "Xk3vB9qLmZ";
const HOST = "203.0.113.5:4001";
const PLAYER = "198.51.100.9:4002";
const STRANGER = "192.0.2.77:999";
const HOST_LOCAL = ["192.168.1.5", 4001];
const PLAYER_LOCAL = ["10.0.0.9", 4002];
const REPEAT_MS = 150;

const utf8 = new TextEncoder();

// ---- datagrams

function envelope(sender: string | null): Fields {
  return {
    "__sender-name": sender,
    "__destination-name": "_HANDSHAKE_SERVER",
    "__destination-address": ["192.0.2.1", 5160],
  };
}

/** A request as the dialect's peer says it; `more` changes and adds fields, undefined removes one. */
function request(dialect: Dialect, type: string, sender: string | null, body: Fields): Fields {
  return dialect === 1
    ? { type, ...body, sender, "intended-recipient": "" }
    : { ...body, "__type": type, ...envelope(sender) };
}

function closed(dialect: Dialect, fields: Fields, key: string): Fields {
  const present = Object.fromEntries(
    Object.entries(fields).filter(([, value]) => value !== undefined),
  );
  return dialect === 1 ? present : signed(present, key);
}

function register(dialect: Dialect, name: string, more: Fields = {}, key = KEY): Fields {
  const own = dialect === 1 ? {} : { "password": key, "password-required": false };
  const body = { "local-address": HOST_LOCAL, "seconds-before-expiry": 60, ...own };
  const fields = request(dialect, "registering-server", name, body);
  return closed(dialect, { ...fields, ...more }, key);
}

function join(
  dialect: Dialect,
  name: string,
  host: string,
  more: Fields = {},
  key = "player-key",
): Fields {
  const own = dialect === 1 ? {} : { "password": key };
  const body = { "local-address": PLAYER_LOCAL, "server-name": host, ...own };
  const fields = request(dialect, "requesting-to-join-server", name, body);
  return closed(dialect, { ...fields, ...more }, key);
}

function refresh(name: string, more: Fields = {}, key = KEY): Fields {
  const body = { "seconds-before-expiry": 60 };
  const fields = request(2, "refreshing-server-registration", name, body);
  return closed(2, { ...fields, ...more }, key);
}

function list(name: string | null, more: Fields = {}, key = "list-key"): Fields {
  const fields = request(2, "requesting-server-list", name, { "password": key });
  return closed(2, { ...fields, ...more }, key);
}

function drop(name: string, more: Fields = {}, key = KEY): Fields {
  return closed(2, { ...request(2, "drop-me", name, { name }), ...more }, key);
}

/** What the server is to say; `key` is the receiver's. */
function reply(
  dialect: Dialect,
  type: string,
  to: Peer,
  name: string | null,
  body: Fields = {},
  key = KEY,
): Fields {
  if (dialect === 1) return { type, "intended-recipient": name, ...body };
  return signed({
    ...body,
    "__type": type,
    "__sender-name": null,
    "__destination-name": name,
    "__destination-address": [to.ip, to.port],
  }, key);
}

// ---- the server and what happens to it

class Table {
  readonly server: RendezvousServer;
  readonly play: Play<RendezvousEvent>;

  constructor(options: RendezvousServerOptions = {}) {
    this.server = createRendezvousServer(options);
    this.play = new Play(this.server);
  }

  say(fields: Fields | Uint8Array | string, from: Peer): void {
    const bytes = typeof fields === "string" ? utf8.encode(fields) : fields;
    this.play.receive(bytes instanceof Uint8Array ? bytes : bytesOf(bytes), from);
  }

  /** Says it, and gives what comes back to the sender at once. */
  ask(fields: Fields | Uint8Array | string, from: Peer): Fields[] {
    this.say(fields, from);
    return this.takeTo(from);
  }

  takeTo(peer: Peer): Fields[] {
    return this.play.out.takeSentTo(peer).map((bytes) =>
      JSON.parse(new TextDecoder().decode(bytes))
    );
  }

  /** The events since the last call, in short. */
  takeEvents(): string[] {
    return this.play.out.takeEvents().map((event) => {
      if (event.kind === "refused") return `refused ${event.reason}`;
      const { kind, name, dialect, peer } = event;
      const host = event.kind === "introduced" ? ` to ${event.host}` : "";
      return `${kind} ${name}${host} ${dialect} ${peer.address}`;
    });
  }

  /** Registers a name, which is to succeed without a word to anybody else. */
  host(dialect: Dialect, name: string, peer: Peer, more: Fields = {}, key = KEY): void {
    const said = this.ask(register(dialect, name, more, key), peer);
    assertEquals(said, [reply(dialect, "confirming-registration", peer, name, {}, key)]);
    assertEquals(this.play.out.takeSent(), []);
  }

  /** Where a name leads: the type of the answer to a join, with the address. */
  find(dialect: Dialect, name: string): string {
    const player = peerAt("198.51.100.250:7000");
    const [said] = this.ask(join(dialect, "finder", name), player);
    this.play.out.takeSent();
    this.play.out.takeEvents();
    return String(said?.["global-address"] ?? said?.message);
  }
}

function error(dialect: Dialect, to: Peer, name: string, message: string, key = KEY): Fields {
  return reply(dialect, "server-error", to, name, { message }, key);
}

// ---- registering

Deno.test("createRendezvousServer() confirms a registration to its sender alone", () => {
  for (const dialect of DIALECTS) {
    for (const address of [HOST, "[2001:db8::5]:4001"]) {
      const [table, host] = [new Table(), peerAt(address)];
      table.host(dialect, "host", host);
      assertEquals(table.takeEvents(), [`registered host ${dialect} ${address}`]);
      assertEquals([table.server.registrations, table.server.remembers(host)], [1, true]);
    }
  }
});

Deno.test("createRendezvousServer() reads what the originals and their documentation write", () => {
  const d1 = register(1, "host");
  const plain = { "type": "registering-server", "sender": "h", "seconds-before-expiry": 1.5 };
  const accepted: [string, string | Fields][] = [
    ["Python's white space", JSON.stringify(d1, null, 1)],
    ["keys in another order", Object.fromEntries(Object.entries(d1).toReversed())],
    ["a port as a float", JSON.stringify(d1).replace("4001]", "4001.0]")],
    ["escaped letters", JSON.stringify(d1).replace("host", "h\\u00f6st")],
    ["separate address and port", { ...plain, "local-ip": "10.0.0.1", "local-port": 1 }],
    ["fields nobody knows", { ...d1, "extra": { "deep": [1, null] }, "password": 5 }],
    ["no address known", { ...d1, "local-address": ["0.0.0.0", 65_535] }],
    ["an IPv6 address", { ...d1, "local-address": ["fe80::1", 1] }],
  ];
  for (const [what, fields] of accepted) {
    const said = new Table().ask(fields, peerAt(HOST));
    assertEquals(said.map(({ type }) => type), ["confirming-registration"], what);
  }
});

Deno.test("createRendezvousServer() hashes text by code point, whatever it contains", () => {
  const table = new Table();
  for (const name of ["höst", "\u{1f600}", "\uffee", "a b", '"q"\\']) {
    table.host(2, name, peerAt(HOST), { "\u{10000}key": "\uffee", "\uffeekey": "\u{10000}" });
  }
});

Deno.test("createRendezvousServer() replaces a registration from the same address", () => {
  for (const dialect of DIALECTS) {
    const [table, host, player] = [new Table(), peerAt(HOST), peerAt(PLAYER)];
    table.host(dialect, "host", host);
    table.play.wait(50_000);
    table.host(dialect, "host", host, { "local-address": ["10.1.1.1", 9] }, "another");
    assertEquals(table.takeEvents(), [`registered host ${dialect} ${HOST}`]);
    table.play.wait(59_999);
    assertEquals([table.server.registrations, table.takeEvents()], [1, []]);
    const [said] = table.ask(join(dialect, "alice", "host"), player);
    assertEquals(said!["local-address"], ["10.1.1.1", 9]);
    const introduction = {
      "peer-name": "alice",
      "global-address": [player.ip, player.port],
      "local-address": PLAYER_LOCAL,
    };
    const type = "providing-peer-handshake-info";
    assertEquals(table.takeTo(host), [reply(dialect, type, host, "host", introduction, "another")]);
  }
});

/** After how long which address and key get the name that HOST registered with KEY. */
const SUCCESSORS: [Dialect, string, string, number, boolean][] = [
  [1, "203.0.113.5:9", "", 0, false],
  [1, "203.0.113.5:9", "", 13_499, false],
  [1, "203.0.113.5:9", "", 13_500, true],
  [1, "203.0.113.6:4001", "", 59_999, false],
  [2, "203.0.113.5:9", KEY, 13_499, false],
  [2, "203.0.113.5:9", KEY, 13_500, true],
  [2, "203.0.113.6:4001", KEY, 13_499, false],
  [2, "203.0.113.6:4001", KEY, 13_500, true],
  [2, "203.0.113.5:9", "guess", 59_999, false],
];

Deno.test("createRendezvousServer() gives a name to another address only once a refresh is missed", () => {
  for (const [dialect, address, key, afterMs, isSame] of SUCCESSORS) {
    const [table, host, other] = [new Table(), peerAt(HOST), peerAt(address)];
    const what = `dialect ${dialect} from ${address} after ${afterMs} ms`;
    table.host(dialect, "host", host);
    table.play.wait(1);
    table.host(dialect, "host", host); // Heard again: it counts from here.
    table.takeEvents();
    table.play.wait(afterMs);
    const said = table.ask(register(dialect, "host", {}, key), other);
    const confirmed = reply(dialect, "confirming-registration", other, "host", {}, key);
    const taken = error(dialect, other, "host", "server already exists", key);
    assertEquals(said, [isSame ? confirmed : taken], what);
    assertEquals(table.takeEvents(), [
      isSame ? `moved host ${dialect} ${address}` : "refused taken",
    ]);
    const remembered = [host, other].map((peer) => table.server.remembers(peer));
    assertEquals(remembered, [!isSame, isSame], what);
    assertEquals(table.find(dialect, "host"), (isSame ? address : HOST).replace(":", ","), what);
    table.play.waitUntil(60_001);
    assertEquals(table.server.registrations, isSame && afterMs > 0 ? 1 : 0, what);
  }
});

Deno.test("createRendezvousServer() takes no neighbour of an IPv6 network for the host", () => {
  const [table, host] = [new Table(), peerAt("[2001:db8::5]:4001")];
  table.host(1, "host", host);
  table.play.wait(13_500);
  for (const neighbour of ["[2001:db8::6]:4001", "[2001:db8::5:0]:4001"].map(peerAt)) {
    const taken = error(1, neighbour, "host", "server already exists");
    assertEquals(table.ask(register(1, "host"), neighbour), [taken]);
  }
  assertEquals(table.ask(register(1, "host"), peerAt("[2001:db8::5]:9")).length, 1);
});

Deno.test("createRendezvousServer() refreshes by the registered key and keeps the rest", () => {
  const [table, host] = [new Table(), peerAt(HOST)];
  table.host(2, "host", host, { "password-required": true });
  table.play.wait(59_999);
  const refreshed = reply(2, "confirming-registration-refresh", host, "host");
  assertEquals(table.ask(refresh("host", { "seconds-before-expiry": 100 }), host), [refreshed]);
  table.play.wait(99_999);
  assertEquals(table.takeEvents(), [`registered host 2 ${HOST}`]);
  const [said] = table.ask(join(2, "alice", "host"), peerAt(PLAYER));
  assertEquals(said!["local-address"], HOST_LOCAL);
  const [listed] = table.ask(list(null), peerAt(PLAYER));
  assertEquals(listed!.servers, [{ "name": "host", "password-required": true }]);
  table.takeEvents();
  table.play.wait(1);
  assertEquals(table.takeEvents(), [`expired host 2 ${HOST}`]);
});

/** A refresh of the host that HOST registered with KEY so long ago, and what becomes of it. */
const REFRESHES: [string, Fields, string, number, string][] = [
  ["nobody", refresh("nobody"), HOST, 0, "refused unknown"],
  ["in another spelling", refresh("Host"), HOST, 0, "refused unknown"],
  ["a wrong key", refresh("host", {}, "guess"), HOST, 0, "refused hash"],
  ["a key of its own", refresh("host", { "password": "own" }, "own"), HOST, 0, "refused hash"],
  [
    "a key of its own, elsewhere",
    refresh("host", { "password": "own" }),
    STRANGER,
    20_000,
    "refused hash",
  ],
  ["no key", refresh("host", { "password": null }), HOST, 0, "refused hash"],
  ["changed after hashing", { ...refresh("host"), "x": "y" }, HOST, 0, "refused hash"],
  ["replayed elsewhere", refresh("host"), STRANGER, 13_499, "refused elsewhere"],
  ["from a new port", refresh("host"), "203.0.113.5:9", 13_500, "moved host 2 203.0.113.5:9"],
  ["from a new IP", refresh("host"), "203.0.113.6:4001", 13_500, "moved host 2 203.0.113.6:4001"],
];

Deno.test("createRendezvousServer() refreshes for nobody but the host", () => {
  for (const [what, datagram, address, afterMs, event] of REFRESHES) {
    const [table, host, from] = [new Table(), peerAt(HOST), peerAt(address)];
    table.host(2, "host", host);
    table.takeEvents();
    table.play.wait(afterMs);
    const sender = address === HOST ? host : from;
    const moved = event.startsWith("moved");
    const refreshed = reply(2, "confirming-registration-refresh", sender, "host");
    assertEquals(table.ask(datagram, sender), moved ? [refreshed] : [], what);
    assertEquals(table.takeEvents(), [event], what);
    assertEquals(table.server.remembers(host), !moved, what);
    assertEquals(table.find(2, "host"), (moved ? address : HOST).replace(":", ","), what);
    table.play.waitUntil(60_000);
    assertEquals(table.server.registrations, moved ? 1 : 0, what);
  }
});

Deno.test("createRendezvousServer() counts a refresh as heard, also of a host that moved", () => {
  const table = new Table();
  const [host, moved, thief] = [peerAt(HOST), peerAt("203.0.113.5:9"), peerAt(STRANGER)];
  table.host(2, "host", host);
  for (let refreshes = 0; refreshes < 5; refreshes++) {
    table.play.wait(13_000);
    table.say(refresh("host"), host);
    table.play.wait(1_000);
    assertEquals(table.ask(refresh("host"), thief), []);
  }
  table.play.wait(14_000);
  table.say(refresh("host"), moved);
  table.play.wait(13_499);
  assertEquals(table.ask(refresh("host"), thief), []);
  assert(table.server.remembers(moved));
});

// ---- expiring

const CLAMPED: [unknown, number][] = [
  [60, 60_000],
  [1, 1_000],
  [1.5, 1_500],
  [0.5, 1_000],
  [0, 1_000],
  [-7, 1_000],
  [-1e300, 1_000],
  [3_600, 3_600_000],
  [3_601, 3_600_000],
  [1e300, 3_600_000],
];

Deno.test("createRendezvousServer() lets a name expire after 1 to 3600 s and tells nobody", () => {
  for (const dialect of DIALECTS) {
    for (const [seconds, ms] of CLAMPED) {
      const [table, host] = [new Table(), peerAt(HOST)];
      table.host(dialect, "host", host, { "seconds-before-expiry": seconds });
      table.takeEvents();
      assertEquals(table.server.nextDeadline(), ms, `${seconds} s`);
      table.play.wait(ms - 1);
      assertEquals([table.server.registrations, table.takeEvents()], [1, []]);
      table.play.wait(1);
      assertEquals(table.takeEvents(), [`expired host ${dialect} ${HOST}`]);
      assertEquals([table.server.registrations, table.server.remembers(host)], [0, false]);
      assertEquals([table.server.nextDeadline(), table.play.out.sent], [Infinity, []]);
      assertEquals(table.find(dialect, "host"), "host not found");
    }
  }
});

Deno.test("createRendezvousServer() takes the newest word on when a name expires", () => {
  for (const dialect of DIALECTS) {
    const [table, host] = [new Table(), peerAt(HOST)];
    table.host(dialect, "host", host, { "seconds-before-expiry": 3_000 });
    table.host(dialect, "host", host, { "seconds-before-expiry": 5 });
    assertEquals(table.server.nextDeadline(), 5_000);
    if (dialect === 2) table.say(refresh("host", { "seconds-before-expiry": 9_999 }), host);
    assertEquals(table.server.nextDeadline(), dialect === 2 ? 3_600_000 : 5_000);
  }
  const table = new Table({ validSecondsMax: 30 });
  table.host(1, "host", peerAt(HOST));
  assertEquals(table.server.nextDeadline(), 30_000);
});

Deno.test("createRendezvousServer() gives hosts 20 s to be heard when it slept", () => {
  const [table, host, silent] = [new Table(), peerAt(HOST), peerAt("203.0.113.6:4001")];
  table.host(1, "host", host);
  table.host(1, "silent", silent);
  table.takeEvents();
  table.play.advance(300_000);
  assertEquals([table.takeEvents(), table.server.nextDeadline()], [[], 320_000]);
  table.play.wait(19_999);
  table.host(1, "host", host);
  table.play.wait(1);
  assertEquals(table.takeEvents(), [`expired silent 1 ${silent.address}`]);
  assertEquals(table.server.nextDeadline(), 379_999);
});

Deno.test("createRendezvousServer() takes a timer late by a second for a timer", () => {
  for (const [lateMs, left] of [[1_000, 0], [1_001, 1]] as const) {
    const table = new Table();
    table.host(1, "host", peerAt(HOST));
    table.play.advance(60_000 + lateMs);
    assertEquals(table.server.registrations, left);
  }
});

// ---- names

Deno.test("createRendezvousServer() tells names apart by their letters and their dialect", () => {
  const table = new Table();
  const hosts = new Map<string, [Dialect, string]>();
  for (const dialect of DIALECTS) {
    for (const name of ["host", "Host", "host ", "höst", "1host"]) {
      hosts.set(`203.0.113.${hosts.size}:4001`, [dialect, name]);
    }
  }
  for (const [address, [dialect, name]] of hosts) table.host(dialect, name, peerAt(address));
  for (const [address, [dialect, name]] of hosts) {
    assertEquals(table.find(dialect, name), address.replace(":", ","));
  }
  assertEquals(table.server.registrations, 10);
  assertEquals([table.find(1, "HOST"), table.find(2, "HOST")], Array(2).fill("HOST not found"));
});

Deno.test("createRendezvousServer() remembers exactly the addresses of registrations", () => {
  const [table, host, other, player] = [new Table(), peerAt(HOST), peerAt(HOST), peerAt(PLAYER)];
  table.host(1, "one", host, { "seconds-before-expiry": 10 });
  table.host(2, "two", host, { "seconds-before-expiry": 20 });
  table.host(2, "three", host, { "seconds-before-expiry": 30 });
  table.say(join(1, "alice", "one"), player);
  table.say(list(null), player);
  assertEquals([table.server.remembers(player), table.server.remembers(other)], [false, false]);
  table.play.wait(20_000);
  assertEquals([table.server.registrations, table.server.remembers(host)], [1, true]);
  table.say(drop("three"), host);
  assertEquals([table.server.registrations, table.server.remembers(host)], [0, false]);
});

// ---- joining

Deno.test("createRendezvousServer() introduces host and player to each other, the host first", () => {
  for (const dialect of DIALECTS) {
    for (const [hostAt, playerAt] of [[HOST, PLAYER], ["[2001:db8::5]:4001", "[2001:db8::9]:9"]]) {
      const [table, host, player] = [new Table(), peerAt(hostAt!), peerAt(playerAt!)];
      table.host(dialect, "höst", host, { "local-address": ["fd00:0:0::1", 65_535] });
      table.takeEvents();
      table.play.wait(5_000);
      const wanted = join(dialect, "alice", "höst", { "filler": "x".repeat(100) });
      table.say(wanted, player);
      assertEquals(table.server.nextDeadline(), 5_000 + REPEAT_MS);
      table.play.wait(50_000);
      const type = "providing-peer-handshake-info";
      const toHost = reply(dialect, type, host, "höst", {
        "peer-name": "alice",
        "global-address": [player.ip, player.port],
        "local-address": PLAYER_LOCAL,
      });
      const toPlayer = reply(dialect, type, player, "alice", {
        "peer-name": "höst",
        "global-address": [host.ip, host.port],
        "local-address": ["fd00:0:0::1", 65_535],
      }, "player-key");
      const sent = table.play.out.takeSent().map(({ at, to, bytes }) => {
        return [at, to, JSON.parse(new TextDecoder().decode(bytes))];
      });
      const [first, second] = [5_000, 5_000 + REPEAT_MS];
      assertEquals(sent, [
        ...[[first, host, toHost], [first, player, toPlayer]],
        ...[[second, host, toHost], [second, player, toPlayer]],
      ]);
      assertEquals(table.takeEvents(), [`introduced alice to höst ${dialect} ${playerAt}`]);
    }
  }
});

Deno.test("createRendezvousServer() introduces as often as it is asked", () => {
  for (const dialect of DIALECTS) {
    const [table, host, player] = [new Table(), peerAt(HOST), peerAt(PLAYER)];
    table.host(dialect, "host", host);
    for (let attempt = 0; attempt < 3; attempt++) {
      table.say(join(dialect, "alice", "host", { "filler": "x".repeat(100) }), player);
      table.play.wait(1_000);
    }
    assertEquals([table.takeTo(host).length, table.takeTo(player).length], [6, 6]);
  }
});

Deno.test("createRendezvousServer() introduces two behind one NAT", () => {
  const [table, host, player] = [new Table(), peerAt(HOST), peerAt("203.0.113.5:4002")];
  table.host(1, "host", host);
  const [said] = table.ask(join(1, "alice", "host"), player);
  assertEquals(said!["local-address"], HOST_LOCAL);
  assertEquals(table.takeTo(host)[0]!["local-address"], PLAYER_LOCAL);
});

Deno.test("createRendezvousServer() says that a name is not found", () => {
  for (const dialect of DIALECTS) {
    const [table, player] = [new Table(), peerAt(PLAYER)];
    const said = table.ask(join(dialect, "alice", 'n "o"'), player);
    assertEquals(said, [error(dialect, player, "alice", 'n "o" not found', "player-key")]);
    table.play.wait(1_000);
    assertEquals([table.takeEvents(), table.play.out.sent], [["refused not-found"], []]);
  }
});

Deno.test("createRendezvousServer() is silent to who asks for itself", () => {
  for (const dialect of DIALECTS) {
    const [table, host] = [new Table(), peerAt(HOST)];
    table.host(dialect, "host", host);
    table.takeEvents();
    table.say(join(dialect, "alice", "host"), host);
    table.say(join(dialect, "host", "host"), peerAt(PLAYER));
    table.play.wait(1_000);
    assertEquals([table.play.out.sent, table.takeEvents()], [[], Array(2).fill("refused self")]);
  }
});

Deno.test("createRendezvousServer() repeats an introduction when three times the request allow it", () => {
  // Only the shortest requests of dialect 1 do not.
  const long = "2001:db8:1111:2222:3333:4444:5555:";
  for (const longLocal of ["host", "player"]) {
    const local = (who: string): Fields => ({
      "local-address": [who === longLocal ? `${long}6666` : "::", 1],
    });
    const sentFor = (filler: number | undefined): { request: number; sizes: number[] } => {
      const [table, host] = [new Table(), peerAt(`[${long}1]:10000`)];
      table.host(1, "h", host, local("host"));
      const padding = filler === undefined ? {} : { "": "x".repeat(filler) };
      const more = { ...local("player"), "intended-recipient": undefined, ...padding };
      const datagram = bytesOf(join(1, "p", "h", more));
      table.say(datagram, peerAt(`[${long}2]:10000`));
      table.play.wait(1_000);
      const sizes = table.play.out.takeSent().map(({ bytes }) => bytes.length);
      return { request: datagram.length, sizes };
    };
    const { request, sizes } = sentFor(undefined);
    assertEquals(sizes.length, 2);
    const needed = Math.ceil(2 * Math.max(...sizes) / 3) - request - ',"":""'.length;
    assertEquals([sentFor(needed).sizes.length, sentFor(needed - 1).sizes.length], [4, 2]);
  }
});

Deno.test("createRendezvousServer() keeps 4096 repeats at most, both of a pair or none", () => {
  const table = new Table({ requestsPerSecond: 1e6, introductionsPerSecond: 1e6 });
  const host = peerAt(HOST);
  const players = [1, 2, 3].map((network) => peerAt(`198.51.100.${network}:1`));
  table.host(1, "host", host);
  // What is sent to hosts is not rationed.
  for (const player of players) table.host(1, `another ${player.ip}`, player);
  const datagram = bytesOf(join(1, "alice", "host", { "filler": "x".repeat(100) }));
  for (let count = 0; count < 2_050; count++) {
    table.say(datagram, players[count % 3]!);
    if (count === 1_500) table.play.wait(REPEAT_MS / 2);
  }
  table.play.out.takeSent();
  table.play.wait(REPEAT_MS);
  const toPlayers = (): number =>
    players.reduce((sum, player) => sum + table.takeTo(player).length, 0);
  assertEquals([table.takeTo(host).length, toPlayers()], [2_048, 2_048]);
  table.say(datagram, players[0]!);
  table.play.wait(REPEAT_MS);
  assertEquals([table.takeTo(host).length, toPlayers()], [2, 2]);
});

// ---- errors and silence

const LOCAL = { "local-address": PLAYER_LOCAL };

/** Requests of dialect 1 with something missing, and what the error names; undefined for silence. */
const INCOMPLETE: [Fields, string | undefined][] = [
  [{}, undefined],
  [{ "type": "registering-server", ...LOCAL, "seconds-before-expiry": 60 }, undefined],
  [{ "type": "requesting-to-join-server", ...LOCAL, "server-name": "x" }, undefined],
  [{ "sender": "alice" }, "type"],
  [{ "sender": "alice", ...LOCAL, "seconds-before-expiry": 60 }, "type"],
  [{ "sender": "alice", "type": "registering-server" }, "local-address"],
  [{ "sender": "alice", "type": "requesting-to-join-server" }, "local-address"],
  [{ "sender": "alice", "type": "no-such-type" }, "local-address"],
  [{ "sender": "alice", "type": 7 }, "local-address"],
  [{ "sender": "alice", "type": "registering-server", "local-ip": "::1" }, "local-address"],
  [{ "sender": "alice", "type": "registering-server", "local-port": 9 }, "local-address"],
  [{ "sender": "alice", "type": "registering-server", ...LOCAL }, "seconds-before-expiry"],
  [{ "sender": "alice", "type": "requesting-to-join-server", ...LOCAL }, "server-name"],
  [{ "sender": "alice", "type": "no-such-type", ...LOCAL }, undefined],
];

Deno.test("createRendezvousServer() names the first key that a request of dialect 1 lacks", () => {
  for (const [fields, missing] of INCOMPLETE) {
    const [table, player] = [new Table(), peerAt(PLAYER)];
    const said = table.ask({ ...fields, "filler": "x".repeat(40) }, player);
    const message = `missing info from packet data: ${missing}`;
    assertEquals(said, missing ? [error(1, player, "alice", message)] : [], JSON.stringify(fields));
    if (missing) assertEquals(table.takeEvents(), ["refused incomplete"]);
  }
});

Deno.test("createRendezvousServer() answers no request of dialect 2 that lacks a field", () => {
  const complete = { register: register(2, "host"), refresh: refresh("host") };
  const requests = { ...complete, join: join(2, "a", "host"), list: list("a"), drop: drop("host") };
  for (const [kind, fields] of Object.entries(requests)) {
    for (const field of Object.keys(fields)) {
      const [table, host] = [new Table(), peerAt(HOST)];
      table.host(2, "host", host);
      table.takeEvents();
      const { [field]: _, ["__hash-string"]: __, ...rest } = fields;
      const key = kind === "join" ? "player-key" : kind === "list" ? "list-key" : KEY;
      table.say(field === "__hash-string" ? rest : signed(rest, key), host);
      table.play.wait(1_000);
      assertEquals([table.play.out.sent, table.server.registrations], [[], 1], `${kind} ${field}`);
      assertEquals(table.takeEvents().length, 1, `${kind} ${field}`);
    }
  }
});

/** Values that a field of a request must not have. */
const NAMES = [
  "",
  "_HANDSHAKE_SERVER",
  "x".repeat(65),
  "a\nb",
  "a\u007fb",
  "\ud800",
  7,
  null,
  [],
  {},
];
const ADDRESSES = [
  ...["10.0.0.9", "10.0.0.9:4001", null, 7, {}, [], ["10.0.0.9"], ["10.0.0.9", 1, 2]],
  ...["localhost", "10.0.0.256", "10.0.0", "010.0.0.1", "", "fe80::1%eth0", "224.0.0.1"].map((
    ip,
  ) => [
    ip,
    4001,
  ]),
  ...["255.255.255.255", "ff02::1", "[::1]", 7, null].map((ip) => [ip, 4001]),
  ...[0, -1, 65_536, 1.5, "4001", null, true].map((port) => ["10.0.0.9", port]),
];
const SECONDS = ["60", "", null, true, [60], {}];

Deno.test("createRendezvousServer() is silent about values that cannot be", () => {
  for (const dialect of DIALECTS) {
    const sender = dialect === 1 ? "sender" : "__sender-name";
    const cases: [Fields, string][] = [
      ...NAMES.map((
        name,
      ): [Fields, string] => [register(dialect, "h", { [sender]: name }), "name"]),
      ...NAMES.map((
        name,
      ): [Fields, string] => [join(dialect, "p", "h", { [sender]: name }), "name"]),
      ...NAMES.map((name): [Fields, string] => [
        join(dialect, "p", "h", { "server-name": name }),
        "name",
      ]),
      ...ADDRESSES.flatMap((address): [Fields, string][] => [
        [register(dialect, "h", { "local-address": address }), "address"],
        [join(dialect, "p", "h", { "local-address": address }), "address"],
      ]),
      ...SECONDS.map((seconds): [Fields, string] => [
        register(dialect, "h", { "seconds-before-expiry": seconds }),
        "fields",
      ]),
    ];
    for (const [fields, reason] of cases) {
      const [table, player, host] = [new Table(), peerAt(PLAYER), peerAt(HOST)];
      table.host(dialect, "h", host);
      table.takeEvents();
      table.say(fields, player);
      table.play.wait(1_000);
      const what = JSON.stringify(fields);
      assertEquals(table.play.out.sent, [], what);
      const [event, ...others] = table.takeEvents();
      // In dialect 2 a name that is no text is no envelope.
      assert(event === `refused ${reason}` || event === "refused fields", `${event} for ${what}`);
      assertEquals([others, table.find(dialect, "h")], [[], HOST.replace(":", ",")], what);
    }
  }
});

Deno.test("createRendezvousServer() lets names expire after a registration with seconds as text", () => {
  for (const dialect of DIALECTS) {
    const table = new Table();
    table.host(dialect, "host", peerAt(HOST));
    table.say(register(dialect, "other", { "seconds-before-expiry": "60" }), peerAt(PLAYER));
    assertEquals(table.server.registrations, 1);
    table.play.wait(60_000);
    assertEquals(table.server.registrations, 0);
  }
});

const d2 = (type: string, body: Fields = {}): Fields => closed(2, request(2, type, "p", body), KEY);
const d1 = (type: string, body: Fields = {}): Fields =>
  request(1, type, "p", { ...LOCAL, ...body });
const RELAY = { "from": "p", "to": "host", "message": 1, "is-broadcast": false };
const HANDSHAKE = { "peer-name": "p", "global-address": PLAYER_LOCAL, ...LOCAL };
const D1_CONFIRMED = { "type": "confirming-registration", "intended-recipient": "host" };
const D1_ERROR = { "type": "server-error", "intended-recipient": "host", "message": "no" };
const D1_INFO = { "type": "providing-peer-handshake-info", ...HANDSHAKE };

/** What a server has nothing to say to, and the reason it gives. */
const SILENCED: [string, (string | Uint8Array | Fields)[]][] = [
  ["json", [
    "",
    "{",
    "[]",
    "7",
    "null",
    '"text"',
    "true",
    "not json",
    new Uint8Array([0xff, 0xfe]),
  ]],
  ["json", [`{"type":"registering-server"}x`, "[".repeat(5_000), "\ufeff{}", new Uint8Array(100)]],
  ["json", [Uint8Array.of(...utf8.encode('{"sender":"'), 0xc3, ...utf8.encode('"}'))]],
  ["oversize", [register(1, "p", { "x": "x".repeat(8_192) }), new Uint8Array(8_193)]],
  ["no-request", [D1_CONFIRMED, { ...D1_INFO, "intended-recipient": "host" }, D1_ERROR]],
  ["fields", [D1_CONFIRMED, D1_ERROR, D1_INFO].map((fields) => ({ ...fields, "sender": "p" }))],
  ["no-request", ["peer-check", "peer-check-response"].map((type) => d1(type))],
  ["no-request", [d1("local-global-inqury", { "used-global": true })]],
  ["no-request", [d1("local-global-inquiry-response", { "used-global": true })]],
  ["no-request", [d1("unreliable-peer-message", RELAY)]],
  ["no-request", [d1("reliable-peer-message", { ...RELAY, "message-id": 0 })]],
  ["no-request", [d1("reliable-peer-message-response", { ...RELAY, "message-id": 0 })]],
  ["no-request", [d2("confirming-registration"), d2("confirming-registration-refresh")]],
  ["no-request", [d2("providing-peer-handshake-info", HANDSHAKE), d2("peer-check")]],
  ["no-request", [d2("providing-server-list", { "servers": [] }), d2("peer-check-response")]],
  ["no-request", [d2("server-error", { "message": "no" }), d2("update-peer-list-response")]],
  ["no-request", [d2("address-inquiry", { "used-global": true })]],
  ["no-request", [d2("address-inquiry-response", { "used-global": true })]],
  ["no-request", [d2("update-peer-list", { "action": "add", "peer-infos": {} })]],
  ["no-request", [d2("unreliable-peer-message", RELAY)]],
  ["no-request", [d2("reliable-peer-message", { ...RELAY, "message-id": 0 })]],
  ["type", [d2("no-such-type"), d2("local-global-inqury"), { "__type": null }, d1("drop-me")]],
  ["type", [d1("refreshing-server-registration"), d1("requesting-server-list"), d1("__proto__")]],
  ["fields", [
    register(2, "p", { "__sender-name": null }),
    join(2, "p", "h", { "__sender-name": null }),
  ]],
  ["fields", [refresh("p", { "__sender-name": null }), drop("p", { "__sender-name": null })]],
  ["fields", [refresh("host", { "seconds-before-expiry": "60" })]],
  ["fields", [register(2, "p", { "password": 7 }), register(2, "p", { "password-required": 1 })]],
  [
    "fields",
    ["", 7, null].flatMap((password) => [list("p", { password }), join(2, "p", "h", { password })]),
  ],
  ["fields", [{ ...register(2, "p"), "__hash-string": 7 }, {
    ...register(1, "p"),
    "__type": "drop-me",
  }]],
  ["name", [drop("host", { "name": "" }), drop("host", { "name": 7 }), list("")]],
  ["hash", [{ ...register(2, "p"), "seconds": 1 }, { ...join(2, "p", "host"), "x": 1 }]],
  ["hash", [{ ...list("p"), "x": "" }, { ...register(2, "p"), "__hash-string": "" }]],
  ["hash", [{ ...list("p"), "__hash-string": String(list("p")["__hash-string"]).toUpperCase() }]],
];

Deno.test("createRendezvousServer() is silent to everything else", () => {
  for (const [reason, datagrams] of SILENCED) {
    for (const datagram of datagrams) {
      const [table, host, from] = [new Table(), peerAt(HOST), peerAt(PLAYER)];
      table.host(1, "host", host);
      table.host(2, "host", host);
      table.takeEvents();
      for (const peer of [from, host]) table.say(datagram, peer);
      const what = JSON.stringify(datagram).slice(0, 200);
      assertEquals(table.takeEvents(), Array(2).fill(`refused ${reason}`), what);
      table.play.wait(1_000);
      assertEquals([table.play.out.sent, table.server.registrations], [[], 2], what);
      assertEquals([table.server.remembers(from), table.server.nextDeadline()], [false, 60_000]);
    }
  }
});

// ---- listing

Deno.test("createRendezvousServer() lists the hosts of dialect 2, also to who has no name", () => {
  for (const name of [null, "alice"]) {
    const [table, player] = [new Table(), peerAt(PLAYER)];
    const listed = (servers: Fields[]): Fields[] => {
      return [reply(2, "providing-server-list", player, name, { servers }, "list-key")];
    };
    assertEquals(table.ask(list(name), player), listed([]));
    table.host(1, "one", peerAt(HOST));
    table.host(2, "two", peerAt(HOST));
    table.host(2, "drei", peerAt(STRANGER), { "password-required": true });
    assertEquals(
      table.ask(list(name), player),
      listed([
        { "name": "two", "password-required": false },
        { "name": "drei", "password-required": true },
      ]),
    );
    table.say(drop("two"), peerAt(HOST));
    assertEquals(table.ask(list(name), player).length, 1);
    assertEquals(table.server.registrations, 2);
  }
});

Deno.test("createRendezvousServer() cuts a list and shows everybody in turn", () => {
  for (const filler of [0, 200, 5_000]) {
    const table = new Table({ requestsPerSecond: 1e4, registrationsPerNetworkMax: 100 });
    const names = Array.from({ length: 90 }, (_, index) => `${"h".repeat(index % 7)}-${index}`);
    for (const name of names) table.host(2, name, peerAt(HOST));
    const player = peerAt(PLAYER);
    const datagram = bytesOf(list("alice", { "padding": "x".repeat(filler) }));
    const room = Math.min(3 * datagram.length, 1_400);
    const shown: string[] = [];
    for (let count = 0; count < 40; count++) {
      table.say(datagram, player);
      const [bytes] = table.play.out.takeSentTo(player);
      assert(bytes!.length <= room, `${bytes!.length} bytes of ${room}`);
      const { servers } = JSON.parse(new TextDecoder().decode(bytes));
      const isEnd = servers.at(-1)!.name === names.at(-1);
      // An entry is up to 52 bytes long with its comma: there was no room for another one.
      if (!isEnd) assert(bytes!.length > room - 53, `only ${bytes!.length} bytes of ${room}`);
      shown.push(...servers.map(({ name }: { name: string }) => name));
    }
    for (const name of names) assert(shown.includes(name), `${name} is never shown`);
    // One round shows everybody once, or the last answer of it goes on from the beginning.
    const again = shown.indexOf(shown[0]!, 1);
    assertEquals(new Set(shown.slice(0, again)).size, names.length);
  }
});

Deno.test("createRendezvousServer() counts a list's room in bytes and uses it up", () => {
  for (const letter of ["h", "\u{1f600}"]) {
    const [table, player] = [new Table({ requestsPerSecond: 1e4 }), peerAt(PLAYER)];
    for (let index = 10; index < 30; index++) table.host(2, `${letter}${index}`, peerAt(HOST));
    const entry = `{"name":"${letter}10","password-required":false},`;
    const needed = utf8.encode(entry).length;
    for (let filler = 0; filler < needed; filler++) {
      const datagram = bytesOf(list("alice", { "padding": "x".repeat(filler) }));
      table.say(datagram, player);
      const [bytes] = table.play.out.takeSentTo(player);
      const left = 3 * datagram.length - bytes!.length;
      // The first entry is counted with a comma, too.
      assert(left >= 0 && left < needed + 1, `${left} bytes are left for ${needed}`);
    }
  }
});

// ---- dropping

/** Who asks to drop the name that HOST registered with KEY, and what becomes of it. */
const DROPS: [string, Fields, string, string][] = [
  ["the host", drop("host"), HOST, `dropped host 2 ${HOST}`],
  ["the host from another port", drop("host"), "203.0.113.5:9", `dropped host 2 ${HOST}`],
  ["its key elsewhere", drop("host"), STRANGER, "refused elsewhere"],
  ["another spelling", drop("HOST"), HOST, "refused unknown"],
  ["a wrong key", drop("host", {}, "guess"), HOST, "refused hash"],
  ["changed after hashing", { ...drop("other"), "name": "host" }, HOST, "refused hash"],
  ["a stranger's password", drop("host", { "__sender-name": "eve" }, "eve"), HOST, "refused hash"],
  ["its own password", drop("host", { "password": "eve" }, "eve"), HOST, "refused hash"],
  ["no password", drop("host", { "password": null }), HOST, "refused hash"],
  ["the password told", drop("host", { "password": KEY }), HOST, `dropped host 2 ${HOST}`],
  ["its own password elsewhere", drop("host", { "password": "eve" }), STRANGER, "refused hash"],
];

Deno.test("createRendezvousServer() drops a name for nobody but its host, and answers nothing", () => {
  for (const [what, datagram, address, event] of DROPS) {
    const [table, host] = [new Table(), peerAt(HOST)];
    table.host(1, "host", host);
    table.host(2, "host", host);
    table.takeEvents();
    table.say(datagram, address === HOST ? host : peerAt(address));
    table.play.wait(1_000);
    assertEquals([table.takeEvents(), table.play.out.sent], [[event], []], what);
    const isDropped = event.startsWith("dropped");
    assertEquals(
      table.find(2, "host"),
      isDropped ? "host not found" : HOST.replace(":", ","),
      what,
    );
    assertEquals(table.find(1, "host"), HOST.replace(":", ","), what);
  }
});

Deno.test("createRendezvousServer() lets no stranger with a registration of its own drop a host", () => {
  // What the original allowed: the hash is right for the sender, the name is another's.
  const [table, host, eve] = [new Table(), peerAt(HOST), peerAt("203.0.113.5:666")];
  table.host(2, "host", host);
  table.host(2, "eve", eve, {}, "eve-key");
  table.takeEvents();
  table.say(drop("host", { "__sender-name": "eve" }, "eve-key"), eve);
  assertEquals(table.takeEvents(), ["refused hash"]);
  assertEquals(table.server.registrations, 2);
});

// ---- limits

Deno.test("createRendezvousServer() is silent when all places are taken, until one is free", () => {
  for (const dialect of DIALECTS) {
    const table = new Table({ registrationsMax: 2 });
    const hosts = [1, 2, 3].map((index) => peerAt(`203.0.113.${index}:4001`));
    table.host(1, "a", hosts[0]!, { "seconds-before-expiry": 30 });
    table.host(2, "b", hosts[1]!);
    table.takeEvents();
    assertEquals(table.ask(register(dialect, "c", {}), hosts[2]!), []);
    assertEquals(table.takeEvents(), ["refused full"]);
    assert(!table.server.remembers(hosts[2]!));
    table.host(1, "a", hosts[0]!, { "seconds-before-expiry": 30 });
    table.play.wait(30_000);
    table.host(dialect, "c", hosts[2]!);
    assertEquals(table.server.registrations, 2);
  }
});

Deno.test("createRendezvousServer() gives each network so many names", () => {
  const table = new Table({ registrationsPerNetworkMax: 2 });
  const at = ["203.0.113.5:1", "203.0.113.5:2", "203.0.113.5:3", "203.0.113.6:1"].map(peerAt);
  const v6 = ["[2001:db8:0:1::1]:1", "[2001:db8:0:1::2]:1", "[2001:db8:0:1:f::]:1"].map(peerAt);
  const next = peerAt("[2001:db8:0:2::1]:1");
  [at, [...v6, next]].forEach(([first, second, third, other], index) => {
    table.host(1, `a${index}`, first!);
    table.host(2, `b${index}`, second!);
    table.takeEvents();
    assertEquals(table.ask(register(1, `c${index}`), third!), []);
    assertEquals(table.ask(register(2, `c${index}`), first!), []);
    assertEquals(table.takeEvents(), Array(2).fill("refused full-network"));
    table.host(1, `c${index}`, other!);
    table.host(1, `a${index}`, first!); // Replaced, not one more.
    table.say(drop(`b${index}`), second!);
    table.host(1, `d${index}`, third!);
  });
});

Deno.test("createRendezvousServer() counts a host that moved where it is now", () => {
  for (const again of [refresh("host"), register(2, "host")]) {
    const table = new Table({ registrationsPerNetworkMax: 2 });
    const [home, away] = [peerAt("203.0.113.5:1"), peerAt("203.0.113.6:1")];
    table.host(2, "host", home);
    table.host(1, "neighbour", home);
    table.play.wait(13_500);
    assertEquals(table.ask(again, away).length, 1);
    table.host(1, "newcomer", home);
    assertEquals(table.ask(register(1, "one too many"), home), []);
    table.host(1, "another", away);
    assertEquals(table.ask(register(1, "one too many"), away), []);
    table.play.wait(60_000);
    for (const name of ["a", "b"]) table.host(1, name, home);
    for (const name of ["c", "d"]) table.host(1, name, away);
  }
});

Deno.test("createRendezvousServer() lets no host move to a network whose places are taken", () => {
  // Otherwise names would be gathered without end: register in one network, move to the other.
  for (const again of [refresh("host"), register(2, "host")]) {
    const table = new Table({ registrationsPerNetworkMax: 1, registrationsMax: 2 });
    const [home, away] = [peerAt("203.0.113.5:1"), peerAt("203.0.113.6:1")];
    table.host(2, "host", home);
    table.host(2, "other", away);
    table.takeEvents();
    table.play.wait(13_500);
    assertEquals([table.ask(again, away), table.takeEvents()], [[], ["refused full-network"]]);
    assertEquals(table.find(2, "host"), "203.0.113.5,1");
    // All places are taken, too, but this is none more.
    const neighbour = peerAt("203.0.113.5:9");
    assertEquals(table.ask(again, neighbour).length, 1);
    assert(table.server.remembers(neighbour));
  }
});

Deno.test("createRendezvousServer() holds 64 names of a network and 16384 in all", () => {
  const table = new Table({ requestsPerSecond: 1e6 });
  for (let index = 0; index < 16_384; index++) {
    const peer = peerAt(`10.${index >> 14}.0.${index >> 6}:${index}`);
    table.say(register(1, String(index)), peer);
    if (index === 63) table.say(register(1, "one too many"), peer);
    if (index % 100 === 99) table.play.wait(50); // Not a flood.
  }
  table.say(register(1, "one too many"), peerAt("10.9.9.9:9"));
  assertEquals(table.server.registrations, 16_384);
  const refused = table.takeEvents().filter((event) => event.startsWith("refused"));
  assertEquals(refused, ["refused full-network", "refused full"]);
});

Deno.test("createRendezvousServer() takes 30 requests of a network a second, and 90 at once", () => {
  const requests = [join(1, "a", "x"), join(2, "a", "x"), list(null), { "sender": "a", ...LOCAL }];
  for (const datagram of requests) {
    const table = new Table();
    const peers = [5, 6].map((port) => peerAt(`[2001:db8:0:1::${port}]:${port}`));
    const answers = (count: number): number => {
      for (let index = 0; index < count; index++) table.say(datagram, peers[index % 2]!);
      return table.play.out.takeSent().length;
    };
    for (let count = 0; count < 500; count++) table.say("rubbish", peers[0]!); // Costs nothing.
    assertEquals(answers(100), 90);
    assertEquals(table.takeEvents().at(-1), "refused rate");
    assertEquals(table.ask(datagram, peerAt("[2001:db8:0:2::1]:1")).length, 1);
    table.play.wait(1_000);
    assertEquals(answers(100), 30);
    table.play.wait(600_000);
    assertEquals(answers(100), 90);
  }
});

Deno.test("createRendezvousServer() answers a host however much others of its network ask", () => {
  const table = new Table();
  const host = peerAt("203.0.113.5:1");
  table.host(1, "host", host);
  for (let port = 2; port < 1_000; port++) {
    table.say(join(1, "a", "x"), peerAt(`203.0.113.5:${port}`));
  }
  assertEquals(table.takeEvents().at(-1), "refused rate");
  table.takeTo(host);
  assertEquals(table.ask(register(1, "host"), host).length, 1);
});

Deno.test("createRendezvousServer() sends strangers 64 KiB at once and 256 KiB a second in all", () => {
  const table = new Table();
  const sent = (round: number): number => {
    for (let index = 0; index < 1_500; index++) {
      table.say(join(1, "a", "nobody"), peerAt(`10.${round}.${index >> 8}.${index & 255}:1`));
    }
    assertEquals(table.takeEvents().at(-1), "refused busy");
    return table.play.out.takeSent().reduce((sum, { bytes }) => sum + bytes.length, 0);
  };
  const first = sent(1);
  assert(first > 65_000 && first <= 65_536, `${first} bytes`);
  table.play.wait(125);
  const second = sent(2);
  assert(second > 32_000 && second <= 32_868, `${second} bytes`);
});

Deno.test("createRendezvousServer() introduces the hosts of a network 20 times a second, 60 at once", () => {
  const table = new Table();
  const [host, neighbour, other] = ["203.0.113.5:1", "203.0.113.5:2", "203.0.113.6:1"].map(peerAt);
  table.host(1, "host", host!);
  table.host(2, "neighbour", neighbour!);
  table.host(1, "other", other!);
  table.takeEvents();
  const introduced = (count: number): number => {
    for (let index = 0; index < count; index++) {
      const player = peerAt(`198.51.${index >> 8}.${index & 255}:1`);
      table.say(index % 2 === 0 ? join(1, "a", "host") : join(2, "a", "neighbour"), player);
    }
    const refused = table.takeEvents().filter((event) => event === "refused host-rate").length;
    table.play.out.takeSent();
    return count - refused;
  };
  assertEquals(introduced(100), 60);
  assertEquals(table.ask(join(1, "a", "other"), peerAt(PLAYER)).length, 1);
  table.play.wait(1_000);
  assertEquals(introduced(100), 20);
  assertEquals(table.ask(join(1, "a", "nobody"), peerAt(PLAYER))[0]!.message, "nobody not found");
});

Deno.test("createRendezvousServer() has limits that can be set", () => {
  const table = new Table({ requestsPerSecond: 2, introductionsPerSecond: 1 });
  table.host(1, "host", peerAt(HOST));
  table.takeEvents();
  const player = peerAt(PLAYER);
  for (let count = 0; count < 8; count++) table.say(join(1, "alice", "host"), player);
  assertEquals(table.takeEvents(), [
    ...Array(3).fill(`introduced alice to host 1 ${PLAYER}`),
    ...Array(3).fill("refused host-rate"),
    ...Array(2).fill("refused rate"),
  ]);
});
