import { assert, assertEquals, assertThrows } from "@std/assert";
import type { Peer } from "../../../lib/protocols/engine.ts";
import {
  createSyncClient,
  type SyncClientEngine,
  type SyncClientEvent,
  type SyncClientOptions,
} from "../../../lib/protocols/sync/client.ts";
import {
  decodeClientMessage,
  encodeIdReply,
  encodeIdRequest,
  encodeState,
  NUMBER_BYTES,
  STATE_BYTES_MAX,
} from "../../../lib/protocols/sync/wire.ts";
import { peerAt, Play, type Sent } from "../../support/recorder.ts";

const utf8 = new TextEncoder();
const text = new TextDecoder();

const SERVER = peerAt("192.0.2.1:55555");
const SECOND = peerAt("[2001:db8::1]:55555");
const FOREIGN = peerAt("192.0.2.9:55555");

/** A client, and what servers say to it. */
class Seat {
  readonly client: SyncClientEngine;
  readonly play: Play<SyncClientEvent>;
  /** What became of each event, copied while it was valid. */
  readonly #events: string[] = [];

  constructor(options: SyncClientOptions = {}) {
    this.client = createSyncClient(options);
    this.play = new Play(this.client);
    const { out } = this.play;
    out.emit = (event): void => void this.#events.push(inShort(event));
  }

  connect(...servers: Peer[]): void {
    this.client.connect(servers, this.play.now);
    this.play.waitUntil(this.play.now);
  }

  setState(state: string): void {
    this.client.setState(utf8.encode(state), this.play.now, this.play.out);
  }

  /** Connects to the server under an id, and forgets what was sent for it. */
  join(id = 0): void {
    this.connect(SERVER);
    this.hearId(id);
    this.takeSaid();
    this.takeEvents();
  }

  hearId(id: number | bigint, from = SERVER): void {
    this.play.receive(encodeIdReply(BigInt(id)), from);
    this.play.waitUntil(this.play.now);
  }

  hearSnapshot(number: number | bigint, json = "{}", from = SERVER): void {
    this.play.receive(encodeState(BigInt(number), utf8.encode(json)), from);
  }

  /** Time passes and a snapshot comes each second. */
  waitConnected(ms: number, firstNumber: number): void {
    for (const end = this.play.now + ms; this.play.now < end;) {
      this.hearSnapshot(firstNumber++);
      this.play.waitUntil(Math.min(end, this.play.now + 1_000));
    }
  }

  /** What the client sent, as `time ask` or `time number:state`. */
  takeSaid(): string[] {
    return this.takeSent().map(({ at, bytes }) => `${at} ${said(bytes)}`);
  }

  takeSent(): Sent[] {
    return this.play.out.takeSent();
  }

  takeEvents(): string[] {
    return this.#events.splice(0);
  }
}

function said(bytes: Uint8Array): string {
  const message = decodeClientMessage(bytes);
  assert(message.kind !== "refused", `the client said nothing known: ${bytes}`);
  return message.kind === "idRequest" ? "ask" : `${message.number}:${text.decode(message.state)}`;
}

function inShort(event: SyncClientEvent): string {
  switch (event.kind) {
    case "connected":
      return `connected ${event.id} ${event.server.address}`;
    case "snapshot":
      return `snapshot ${event.number} ${text.decode(event.json)}`;
    case "unanswered":
      return `unanswered ${event.askedMs}`;
    case "disconnected":
      return event.kind;
  }
}

// ---- before there is an id

Deno.test("createSyncClient() does nothing until it is told to connect", () => {
  const seat = new Seat();
  seat.setState("early");
  assertEquals(seat.client.nextDeadline(), Infinity);
  seat.play.advance(60_000);
  seat.hearId(3);
  assertEquals(seat.takeSaid(), []);
  assertEquals(seat.takeEvents(), []);
  assertEquals([seat.client.connected, seat.client.id], [false, undefined]);
});

Deno.test("createSyncClient() asks for an id at once and then every 200 ms", () => {
  const seat = new Seat();
  seat.connect(SERVER);
  assertEquals(seat.takeSent(), [{ at: 0, to: SERVER, bytes: encodeIdRequest() }]);
  seat.play.wait(1_000);
  assertEquals(seat.takeSaid(), ["200 ask", "400 ask", "600 ask", "800 ask", "1000 ask"]);
  assert(!seat.client.connected);
});

Deno.test("createSyncClient() asks the addresses of a server in turn", () => {
  const seat = new Seat();
  seat.connect(SERVER, SECOND);
  seat.play.wait(800);
  assertEquals(seat.takeSent().map(({ to }) => to), [SERVER, SECOND, SERVER, SECOND, SERVER]);
  seat.connect(SERVER, SECOND);
  assertEquals(seat.takeSent().map(({ to }) => to), [SERVER], "from the first one again");
});

Deno.test("createSyncClient() stays with the address that answers first", () => {
  const seat = new Seat();
  seat.connect(SERVER, SECOND);
  seat.hearId(4, SECOND);
  seat.takeSent();
  seat.hearId(5, SERVER);
  seat.hearSnapshot(9, "{}", SERVER);
  seat.play.wait(1_000);
  assertEquals(seat.takeEvents(), [`connected 4 ${SECOND.address}`]);
  assertEquals(seat.takeSent().map(({ to }) => to), [SECOND]);
  assertEquals(seat.client.id, 4n);
});

Deno.test("createSyncClient() is connected by an id reply and by nothing else", () => {
  const seat = new Seat();
  seat.connect(SERVER);
  const datagrams = [
    [],
    [0xff],
    new Array(8).fill(0xff), // An id reply without an id.
    [...new Array(8).fill(0xff), 1, 0, 0, 0],
    [...new Array(8).fill(0xff), ...new Array(8).fill(0xff)], // The id -1.
    [...new Array(8).fill(0xff), 1, 0, 0, 0, 0, 0, 0, 0, 0],
    [0xfe, ...new Array(7).fill(0xff), 1, 0, 0, 0, 0, 0, 0, 0],
    [...encodeState(1n, utf8.encode("{}"))],
  ];
  for (const datagram of datagrams) seat.play.receive(Uint8Array.from(datagram), SERVER);
  assertEquals(seat.takeEvents(), []);
  assert(!seat.client.connected);
  seat.hearId(2n ** 53n + 1n);
  assertEquals(seat.takeEvents(), [`connected ${2n ** 53n + 1n} ${SERVER.address}`]);
  assertEquals([seat.client.connected, seat.client.id], [true, 2n ** 53n + 1n]);
});

Deno.test("createSyncClient() ignores whoever is not its server", () => {
  const seat = new Seat();
  seat.connect(SERVER);
  seat.hearId(1, FOREIGN);
  assertEquals(seat.takeEvents(), []);
  seat.hearId(2);
  seat.takeEvents();
  seat.hearSnapshot(100, '{"0":"forged"}', FOREIGN);
  seat.hearSnapshot(1, '{"0":"true"}');
  assertEquals(seat.takeEvents(), ['snapshot 1 {"0":"true"}']);
  for (let second = 0; second < 20; second++) {
    seat.hearSnapshot(200 + second, "{}", FOREIGN);
    seat.play.wait(1_000);
  }
  assertEquals(seat.takeEvents().at(0), "disconnected", "strangers keep no connection alive");
});

Deno.test("createSyncClient() remembers its servers and nobody else", () => {
  const seat = new Seat();
  assert(!seat.client.remembers(SERVER));
  seat.connect(SERVER, SECOND);
  assertEquals([SERVER, SECOND, FOREIGN].map((peer) => seat.client.remembers(peer)), [
    true,
    true,
    false,
  ]);
});

Deno.test("createSyncClient() wants another port after 3 s without an answer, and goes on asking", () => {
  const seat = new Seat();
  seat.connect(SERVER);
  seat.play.wait(6_500);
  assertEquals(seat.takeEvents(), ["unanswered 3000", "unanswered 3000"]);
  const asked = seat.takeSaid();
  assertEquals(asked.length, 33);
  seat.connect(SERVER); // From the new port.
  assertEquals(seat.takeSaid(), ["6500 ask"]);
  seat.play.wait(2_800);
  assertEquals(seat.takeEvents(), []);
});

Deno.test("createSyncClient() takes its times from its options", () => {
  const seat = new Seat({ requestMs: 50, keepAliveMs: 300, silenceMs: 1_000 });
  seat.connect(SERVER);
  seat.play.wait(100);
  assertEquals(seat.takeSaid(), ["0 ask", "50 ask", "100 ask"]);
  seat.hearId(0);
  seat.play.wait(1_000);
  assertEquals(seat.takeSaid(), ["400 0:", "700 0:", "1000 0:", "1100 ask"]);
  assertEquals(seat.takeEvents().at(-1), "disconnected");
});

// ---- what it sends

Deno.test("createSyncClient() without a state keeps itself alive each second", () => {
  const seat = new Seat();
  seat.join();
  seat.play.wait(3_500);
  assertEquals(seat.takeSaid(), ["1000 0:", "2000 0:", "3000 0:"]);
});

Deno.test("createSyncClient() sends a state at once, with numbers that rise from 1", () => {
  const seat = new Seat();
  seat.join();
  seat.setState("a");
  seat.setState("b");
  seat.play.wait(100);
  seat.setState("");
  assertEquals(seat.takeSaid(), ["0 1:a", "0 2:b", "100 3:"]);
});

Deno.test("createSyncClient() repeats its state each second with a new number, as its keep-alive", () => {
  const seat = new Seat();
  seat.join();
  seat.setState("a");
  seat.play.wait(700);
  seat.setState("b");
  seat.play.wait(2_500);
  assertEquals(seat.takeSaid(), ["0 1:a", "700 2:b", "1700 3:b", "2700 4:b"]);
});

Deno.test("createSyncClient() sends a state that was set before the id as soon as there is one", () => {
  const seat = new Seat();
  seat.setState("before connect()");
  seat.connect(SERVER);
  seat.setState("before the id");
  seat.play.wait(50);
  assertEquals(seat.takeSaid(), ["0 ask"]);
  seat.hearId(0);
  assertEquals(seat.takeSaid(), ["50 1:before the id"]);
});

Deno.test("createSyncClient() keeps a copy of its state", () => {
  const seat = new Seat();
  seat.join();
  const state = utf8.encode("mine");
  seat.client.setState(state, seat.play.now, seat.play.out);
  state.fill(0x78);
  seat.play.wait(1_000);
  assertEquals(seat.takeSaid(), ["0 1:mine", "1000 2:mine"]);
});

Deno.test("createSyncClient() throws at a state that no datagram holds, and keeps the one before", () => {
  const seat = new Seat();
  seat.join();
  seat.setState("kept");
  const tooLong = new Uint8Array(STATE_BYTES_MAX + 1).fill(0x61);
  const set = (state: Uint8Array): void => {
    seat.client.setState(state, seat.play.now, seat.play.out);
  };
  assertThrows(() => set(tooLong), RangeError, "65499");
  seat.play.wait(1_000);
  assertEquals(seat.takeSaid(), ["0 1:kept", "1000 2:kept"]);
  set(tooLong.subarray(1));
  assertEquals(seat.takeSent().map(({ bytes }) => bytes.length), [STATE_BYTES_MAX + NUMBER_BYTES]);
});

// ---- what it hears

Deno.test("createSyncClient() hands on snapshots whose numbers rise, and no others", () => {
  const seat = new Seat();
  seat.join();
  for (const number of [5, 3, 5, 6, 0, 4, 100, 99]) seat.hearSnapshot(number, `"${number}"`);
  assertEquals(seat.takeEvents(), ['snapshot 5 "5"', 'snapshot 6 "6"', 'snapshot 100 "100"']);
});

Deno.test("createSyncClient() compares snapshot numbers to the last of 64 bits", () => {
  const seat = new Seat();
  seat.join();
  const numbers = [2n ** 53n, 2n ** 53n + 1n, 2n ** 53n, 2n ** 63n - 2n, 2n ** 63n - 1n];
  for (const number of numbers) seat.hearSnapshot(number);
  const seen = seat.takeEvents().map((event) => BigInt(event.split(" ")[1]!));
  assertEquals(seen, [2n ** 53n, 2n ** 53n + 1n, 2n ** 63n - 2n, 2n ** 63n - 1n]);
});

Deno.test("createSyncClient() hands on what a snapshot holds, whatever it is", () => {
  const seat = new Seat();
  seat.join();
  seat.hearSnapshot(1, '{"0":');
  seat.hearSnapshot(2, "");
  assertEquals(seat.takeEvents(), ['snapshot 1 {"0":', "snapshot 2 "]);
});

Deno.test("createSyncClient() ignores repeated id replies while it is connected", () => {
  const seat = new Seat();
  seat.join(7);
  seat.hearId(7);
  seat.hearId(8);
  assertEquals(seat.takeEvents(), []);
  assertEquals(seat.client.id, 7n);
});

// ---- when the server falls silent

Deno.test("createSyncClient() is disconnected after 10 s of silence, and asks for an id again", () => {
  const seat = new Seat();
  seat.join(7);
  seat.play.wait(9_999);
  assertEquals(seat.takeEvents(), []);
  seat.takeSaid();
  seat.play.wait(1);
  assertEquals(seat.takeEvents(), ["disconnected"]);
  assertEquals(seat.takeSaid(), ["10000 ask"]);
  assertEquals([seat.client.connected, seat.client.id], [false, 7n]);
  seat.play.wait(400);
  assertEquals(seat.takeSaid(), ["10200 ask", "10400 ask"]);
});

Deno.test("createSyncClient() stays connected by anything its server sends", () => {
  const signs: ((seat: Seat) => void)[] = [
    (seat): void => seat.hearId(0),
    (seat): void => seat.hearSnapshot(1), // An old number from the second time on.
    (seat): void => seat.play.receive(Uint8Array.of(1), SERVER),
  ];
  for (const sign of signs) {
    const seat = new Seat();
    seat.join();
    for (let time = 0; time < 5; time++) {
      seat.play.wait(9_000);
      sign(seat);
    }
    assert(seat.client.connected);
    assert(!seat.takeEvents().includes("disconnected"));
  }
});

Deno.test("createSyncClient() goes on under its id, or another, when the server answers again", () => {
  for (const id of [7, 3]) {
    const seat = new Seat();
    seat.join(7);
    seat.setState("a");
    seat.waitConnected(5_000, 1_000);
    seat.play.wait(12_000);
    seat.takeSaid();
    seat.takeEvents();
    seat.hearId(id);
    assertEquals(seat.takeEvents(), [`connected ${id} ${SERVER.address}`]);
    assertEquals(seat.client.id, BigInt(id));
    const [repeated] = seat.takeSaid();
    assert(/^17000 1\d:a$/.test(repeated!), `its state with the next number, not ${repeated}`);
    seat.hearSnapshot(1, "{}"); // A server that was started again may count from 1.
    assertEquals(seat.takeEvents(), ["snapshot 1 {}"]);
  }
});

Deno.test("createSyncClient() waits longer for a server that gave it an id before it wants another port", () => {
  const seat = new Seat();
  seat.join();
  seat.play.wait(10_000 + 14_999);
  assertEquals(seat.takeEvents(), ["disconnected"]);
  seat.play.wait(201);
  assertEquals(seat.takeEvents(), ["unanswered 15000"]);
});

Deno.test("createSyncClient() can be sent to another server while it is connected", () => {
  const seat = new Seat();
  seat.join(1);
  seat.setState("a");
  seat.takeSaid();
  seat.connect(SECOND);
  assertEquals(seat.takeSaid(), ["0 ask"]);
  seat.hearSnapshot(5);
  assertEquals(seat.takeEvents(), []);
  assert(!seat.client.remembers(SERVER));
  seat.hearId(0, SECOND);
  seat.hearSnapshot(1, "{}", SECOND);
  assertEquals(seat.takeEvents(), [`connected 0 ${SECOND.address}`, "snapshot 1 {}"]);
  assertEquals(seat.takeSaid(), ["0 2:a"]);
});
