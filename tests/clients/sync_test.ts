/** SyncClient over real sockets: on our server, on the original's behaviour, on bare datagrams. */
import { assert, assertEquals, assertRejects, assertThrows } from "@std/assert";
import { ConnectTimeoutError } from "../../lib/clients/reach.ts";
import {
  SyncClient,
  type SyncClientConnectOptions,
  type SyncClientEvents,
} from "../../lib/clients/sync.ts";
import { openUdp, UdpHost } from "../../lib/hosts/udp.ts";
import { createSyncServer } from "../../lib/protocols/sync/server.ts";
import { OriginalServer } from "../interop/original_server.ts";
import { Player, portToOpenTwice } from "../interop/programs.ts";
import { PATIENCE_MS, until, within } from "../support/wait.ts";

const IP = "127.0.0.1";

Deno.test("SyncClient tells who joins, what changes and who leaves", async () => {
  await using server = await openServer({ silenceMs: 3_000 });
  await using ada = await connect(server);
  const told = listen(ada, ["joined", "changed", "left"]);
  ada.send("ada");
  await until("the own state", () => ada.states.has("0"));
  const bob = await connect(server);
  assertEquals([ada.id, bob.id, ada.connected, bob.connected], ["0", "1", true, true]);
  bob.send("one");
  await until("bob", () => ada.states.get("1") === "one");
  bob.send("two");
  await until("bob's change", () => ada.states.get("1") === "two");
  assertEquals([...ada.states], [["0", "ada"], ["1", "two"]]);
  await bob.close();
  await until("bob's leaving", () => !ada.states.has("1"));
  assertEquals(told.filter(([, event]) => "id" in event && event.id === "1"), [
    ["joined", { id: "1", state: "one" }],
    ["changed", { id: "1", state: "two" }],
    ["left", { id: "1" }],
  ]);
});

Deno.test("SyncClient gives a new map with each snapshot, the one of the event", async () => {
  await using server = await openServer();
  await using ada = await connect(server);
  const maps: ReadonlyMap<string, string>[] = [];
  ada.on("states", (states) => {
    assertEquals(states, ada.states);
    maps.push(states);
  });
  ada.send("one");
  await until("the first state", () => maps.length === 1);
  ada.send("two");
  await until("the second state", () => maps.length === 2);
  assertEquals(maps.map((states) => states.get("0")), ["one", "two"]);
});

Deno.test("SyncClient carries any text both ways", async () => {
  await using server = await openServer();
  await using ada = await connect(server);
  await using bob = await connect(server);
  for (const text of ["", "été 日本語 \u{1f600}", `"\\\b\f\n\r\t\0\u007f\u0080`, `{"x":1}`]) {
    ada.send(text);
    bob.send("here");
    await until(JSON.stringify(text), () => bob.states.get(ada.id) === text);
  }
});

Deno.test("SyncClient.send() takes 65,499 bytes and refuses one more", async () => {
  await using server = await openServer();
  await using ada = await connect(server);
  assertThrows(() => ada.send("x".repeat(65_500)), RangeError, "65499 bytes, this one is 65500");
  assertThrows(() => ada.send("é".repeat(32_750)), RangeError);
  ada.send("small");
  await until("the small one", () => ada.states.get("0") === "small");
  ada.send("x".repeat(65_499)); // Leaves, though no snapshot can hold it.
  await until("the large one to be refused", () => server.refused.includes("world-full"));
  assertEquals(ada.states.get("0"), "small");
});

Deno.test("SyncClient sends the newest state again every second", async () => {
  using server = openSocket();
  const connecting = SyncClient.connect(`${IP}:${server.port}`);
  const { from } = await server.receive();
  await server.send(reply(0n), from);
  await using ada = await connecting;
  ada.send("still");
  // Each with a number of its own.
  const nextState = async (): Promise<string> => {
    for (;;) {
      const { bytes } = await server.receive();
      if (bytes.length > 8) return new TextDecoder().decode(bytes.subarray(8));
    }
  };
  assertEquals(await nextState(), "still");
  const startedAt = performance.now();
  assertEquals(await nextState(), "still");
  const afterMs = performance.now() - startedAt;
  assert(afterMs > 800, `after ${afterMs} ms`);
});

Deno.test("SyncClient.on() returns what ends it", async () => {
  await using server = await openServer();
  await using ada = await connect(server);
  let ended = 0;
  let going = 0;
  const end = ada.on("states", () => {
    ended++;
    end();
  });
  ada.on("states", () => going++);
  ada.send("one");
  await until("one", () => ada.states.get("0") === "one");
  ada.send("two");
  await until("two", () => ada.states.get("0") === "two");
  assertEquals([ended, going], [1, 2]);
});

Deno.test("SyncClient reports what a listener throws and goes on", async () => {
  await using server = await openServer();
  await using ada = await connect(server);
  const reported: unknown[] = [];
  const onError = (event: ErrorEvent): void => {
    event.preventDefault();
    reported.push(event.error);
  };
  const fault = new Error("of a listener");
  globalThis.addEventListener("error", onError);
  try {
    ada.on("joined", () => {
      throw fault;
    });
    const told = listen(ada, ["joined", "states"]);
    ada.send("one");
    await until("the other listeners", () => told.length === 2);
    assertEquals(reported, [fault]);
    ada.send("two");
    await until("the next state", () => ada.states.get("0") === "two");
  } finally {
    globalThis.removeEventListener("error", onError);
  }
});

Deno.test("SyncClient.connect() throws a ConnectTimeoutError where nobody answers", async () => {
  using silent = openSocket();
  const error = await assertRejects(
    () => SyncClient.connect(`${IP}:${silent.port}`, { timeoutMs: 250 }),
    ConnectTimeoutError,
    `no answer from ${IP} on UDP port ${silent.port} within 0.25 s`,
  );
  assertEquals(error.name, "ConnectTimeoutError");
  // It asked more than once, 0.2 s apart.
  const requests = [await silent.receive(), await silent.receive()].map(({ bytes }) => bytes);
  assertEquals(requests, Array(2).fill(new Uint8Array(8).fill(0xff)));
});

Deno.test("SyncClient.connect() throws a TypeError for what is no address", async () => {
  for (const text of ["", "a b", "host:0", "host:65536", "[::1", "::1:x"]) {
    await assertRejects(() => SyncClient.connect(text), TypeError, "is not an address");
  }
});

Deno.test("SyncClient.connect() says when a host is unknown", async () => {
  const nobody = "x".repeat(70); // Too long for a name, so that nobody is asked for it.
  await assertRejects(() => SyncClient.connect(nobody), Error, "no address is known");
});

Deno.test("SyncClient.connect() tries every address of a name", async () => {
  await using server = await openServer(); // 127.0.0.1 only; localhost may be ::1 first.
  await using ada = await SyncClient.connect(`localhost:${server.port}`);
  await using bob = await SyncClient.connect({ hostname: "localhost", port: server.port });
  assertEquals([ada.id, bob.id], ["0", "1"]);
});

Deno.test("SyncClient comes back to a server that is started again on its port", async () => {
  const port = portToOpenTwice();
  await using ada = await withServer(port, async () => {
    const ada = await SyncClient.connect(`${IP}:${port}`, { silenceMs: 1_400 });
    ada.send("kept");
    await until("the state", () => ada.states.has("0"));
    return ada;
  });
  const told = listen(ada, ["disconnected", "reconnected", "left"]);
  // Somebody else takes the id before.
  await withServer(port, async () => {
    await using bob = await SyncClient.connect(`${IP}:${port}`);
    bob.send("new");
    await until("the connection again", () => told.length >= 2);
    assertEquals([ada.id, ada.connected], ["1", true]);
    await until("both", () => ada.states.size === 2);
    assertEquals([...ada.states].sort(), [["0", "new"], ["1", "kept"]]);
  });
  assertEquals(told, [
    ["disconnected", { reconnecting: true }],
    ["reconnected", { id: "1" }],
  ]);
});

Deno.test("SyncClient keeps a state that is sent while there is no connection", async () => {
  const port = portToOpenTwice();
  await using ada = await withServer(
    port,
    () => SyncClient.connect(`${IP}:${port}`, { silenceMs: 300 }),
  );
  await until("the loss", () => !ada.connected);
  ada.send("meanwhile");
  await withServer(port, () => until("the state", () => ada.states.get("0") === "meanwhile"));
});

Deno.test("SyncClient closes after a loss if it shall not reconnect", async () => {
  using server = openSocket();
  const connecting = SyncClient.connect(`${IP}:${server.port}`, {
    silenceMs: 200,
    reconnect: false,
  });
  const { from } = await server.receive();
  await server.send(reply(0n), from);
  const ada = await connecting; // No `using`: it must release all by itself.
  const told = listen(ada, ["disconnected", "reconnected"]);
  await until("the loss", () => told.length === 1);
  assertEquals(told, [["disconnected", { reconnecting: false }]]);
  assertEquals(ada.connected, false);
  ada.send("to nobody");
  await ada.close();
});

Deno.test("SyncClient.close() may come twice, and ends all events", async () => {
  await using server = await openServer();
  const ada = await connect(server);
  ada.send("ada");
  await until("the state", () => ada.states.has("0"));
  const told = listen(ada, ["states"]);
  await Promise.all([ada.close(), ada.close()]);
  await ada.close();
  assertEquals(ada.connected, false);
  ada.send("more");
  await using bob = await connect(server);
  bob.send("bob");
  await until("bob", () => bob.states.has("1"));
  assertEquals([told.length, bob.states.get("0")], [0, "ada"]);
});

Deno.test("SyncClient ignores what is no answer, old numbers, and what comes from elsewhere", async () => {
  using server = openSocket();
  using stranger = openSocket();
  const connecting = SyncClient.connect(`${IP}:${server.port}`);
  const { from } = await server.receive();
  await stranger.send(reply(5n), from);
  await server.send(snapshot(7n, `{"0":"too early"}`), from);
  await server.send(reply(5n).subarray(0, 15), from);
  await server.send(reply(2n ** 63n - 1n), from);
  await using ada = await connecting;
  assertEquals(ada.id, "9223372036854775807");
  const told = listen(ada, ["states", "malformed"]);
  await stranger.send(snapshot(50n, `{"0":"forged"}`), from);
  await server.send(new Uint8Array(0), from);
  await server.send(snapshot(7n, `{"0":"seven"}`), from);
  await server.send(snapshot(6n, `{"0":"late"}`), from);
  await server.send(snapshot(7n, `{"0":"again"}`), from);
  await server.send(snapshot(8n, `{"0":1}`), from);
  await server.send(snapshot(9n, `{"0":"nine"`), from);
  await server.send(snapshot(2n ** 53n + 1n, `{"0":"ten"}`), from);
  await server.send(snapshot(2n ** 53n, `{"0":"not above"}`), from);
  await server.send(snapshot(2n ** 53n + 2n, `{"0":"last"}`), from);
  await until("the last one", () => ada.states.get("0") === "last");
  assertEquals(told, [
    ["states", new Map([["0", "seven"]])],
    ["malformed", { bytes: 7 }],
    ["malformed", { bytes: 11 }],
    ["states", new Map([["0", "ten"]])],
    ["states", new Map([["0", "last"]])],
  ]);
});

Deno.test("SyncClient plays on the original server, with the Python client, in both families", async () => {
  await using original = await OriginalServer.start();
  await using ada = await SyncClient.connect(`${IP}:${original.port}`);
  await using bob = await SyncClient.connect(`[::1]:${original.port}`);
  await using eve = await Player.join(original.port);
  assertEquals([ada.id, bob.id, eve.id], ["0", "1", "2"]);
  ada.send("ada");
  bob.send("bob");
  await eve.play("eve ");
  // The original does not pass on a first state: the repeated one makes the player visible.
  const isWhole = (states: ReadonlyMap<string, string>): boolean =>
    states.get("0") === "ada" && states.get("1") === "bob" && states.has("2");
  await until("all three", () => isWhole(ada.states) && isWhole(bob.states));
  await eve.sees("all three", (states) => isWhole(new Map(Object.entries(states))));
  ada.send("next");
  await until("the next state", () => bob.states.get("0") === "next");
});

Deno.test("SyncClient is heard by the original server also if its keep-alive came first", async () => {
  await using original = await OriginalServer.start();
  await using ada = await SyncClient.connect(`${IP}:${original.port}`);
  await using bob = await SyncClient.connect(`${IP}:${original.port}`);
  const timer = setInterval(() => bob.send("bob"), 50);
  try {
    await until("ada's keep-alive, a state to the original", () => bob.states.get("0") === "");
    const sentAt = performance.now();
    ada.send("ada");
    await until("ada's state", () => bob.states.get("0") === "ada");
    const afterMs = performance.now() - sentAt;
    assert(afterMs < 950, `not at once, but with its repetition, after ${afterMs} ms`);
  } finally {
    clearInterval(timer);
  }
});

Deno.test("SyncClient asks the original server from another port if the id reply was lost", async () => {
  await using original = await OriginalServer.start(["--lose-replies", "1"]);
  await using ada = await SyncClient.connect(`${IP}:${original.port}`);
  // The lost one was 0, and is not given again to the same address.
  assertEquals(ada.id, "1");
  ada.send("one");
  ada.send("two");
  await until("the own state", () => ada.states.get("1") === "two");
});

type Told = [kind: keyof SyncClientEvents, event: SyncClientEvents[keyof SyncClientEvents]];

/** What a client tells, in order. */
function listen(client: SyncClient, kinds: (keyof SyncClientEvents)[]): Told[] {
  const told: Told[] = [];
  for (const kind of kinds) {
    client.on(kind, (event) => told.push([kind, event]));
  }
  return told;
}

interface Server extends AsyncDisposable {
  readonly port: number;
  readonly refused: string[];
}

/** Our server on 127.0.0.1, in this process. */
async function openServer({ port = 0, silenceMs = 10_000 } = {}): Promise<Server> {
  const refused: string[] = [];
  const engine = createSyncServer({ firstSnapshotNumber: Date.now() * 1_000, silenceMs });
  const host = new UdpHost(engine, await openUdp({ port, hostname: IP }), {
    onEvent: (event) => event.kind === "refused" && refused.push(event.reason),
    onFault: reportError,
  });
  return { port: host.socket.port, refused, [Symbol.asyncDispose]: () => host.close() };
}

async function withServer<T>(port: number, play: () => Promise<T>): Promise<T> {
  await using _server = await openServer({ port });
  return await play();
}

function connect({ port }: Server, options?: SyncClientConnectOptions): Promise<SyncClient> {
  return SyncClient.connect(`${IP}:${port}`, options);
}

interface Socket extends Disposable {
  readonly port: number;
  receive(): Promise<{ bytes: Uint8Array; from: Deno.NetAddr }>;
  send(bytes: Uint8Array, to: Deno.NetAddr): Promise<number>;
}

/** A server that does what the test does. */
function openSocket(): Socket {
  const conn = Deno.listenDatagram({ transport: "udp", hostname: IP, port: 0 });
  return {
    port: (conn.addr as Deno.NetAddr).port,
    async receive(): Promise<{ bytes: Uint8Array; from: Deno.NetAddr }> {
      const [bytes, from] = await within("a datagram", conn.receive(), PATIENCE_MS);
      return { bytes, from: from as Deno.NetAddr };
    },
    send: (bytes, to) => conn.send(bytes, to),
    [Symbol.dispose]: () => conn.close(),
  };
}

function reply(id: bigint): Uint8Array {
  const bytes = new Uint8Array(16).fill(0xff, 0, 8);
  new DataView(bytes.buffer).setBigInt64(8, id, true);
  return bytes;
}

function snapshot(number: bigint, json: string): Uint8Array {
  const bytes = new Uint8Array(8 + json.length);
  new DataView(bytes.buffer).setBigInt64(0, number, true);
  bytes.set(new TextEncoder().encode(json), 8);
  return bytes;
}
