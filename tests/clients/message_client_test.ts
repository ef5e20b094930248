/** MessageClient over real sockets, with netsync's server and with bare connections. */
import { assert, assertEquals } from "@std/assert";
import { MessageClient, type MessageClientOptions } from "../../lib/clients/message_client.ts";
import { MessageServer, type MessageServerOptions } from "../../lib/clients/message_server.ts";
import { NetworkMessage } from "../../lib/protocols/messages/message.ts";
import { Caller, setUpTcp, type StreamRig } from "../hosts/tcp_probe.ts";
import { until, within } from "../support/wait.ts";

async function serve(options: MessageServerOptions = {}): Promise<MessageServer> {
  const server = new MessageServer("localhost", 0, options);
  await server.startAsync();
  return server;
}

async function connected(port: number, options?: MessageClientOptions): Promise<MessageClient> {
  const client = new MessageClient(options);
  assertEquals(await client.connect("127.0.0.1", port), { ok: true });
  return client;
}

/** The next message, however long it takes. */
async function next(client: MessageClient): Promise<NetworkMessage> {
  let message: NetworkMessage | undefined;
  await until("a message", () => (message = client.read()) !== undefined);
  return message!;
}

/** A server that is no netsync: it says what the test says. */
async function original(): Promise<StreamRig & { say(text: string): void }> {
  const rig = await setUpTcp();
  const say = (text: string): void =>
    rig.host.act((_, out) => out.send(rig.engine.peers.at(-1)!, new TextEncoder().encode(text)));
  return { ...rig, say };
}

Deno.test("MessageClient and MessageServer shake hands as in the documentation", async () => {
  await using server = await serve();
  server.onMessage.addListener((client, message) => {
    if (!message.hasHeader("handshake")) return;
    client.send(new NetworkMessage("Hello from the server!").addHeader("handshake", "example"));
  });
  for (const host of ["localhost", "127.0.0.1", "::1"]) {
    await using client = new MessageClient();
    assertEquals([client.isConnected, client.isFramed], [false, false]);
    assertEquals(await client.connect(host, server.port!), { ok: true });
    assertEquals([client.isConnected, client.read()], [true, undefined]);
    assertEquals(client.send(new NetworkMessage("Hello server!").addHeader("handshake")), {
      ok: true,
    });
    const message = await next(client);
    assertEquals(message.getHeader("handshake")?.value, "example");
    assertEquals([message.body, client.read()], ["Hello from the server!", undefined]);
    assertEquals(client.isFramed, true);
  }
});

Deno.test("MessageClient and MessageServer agree on frames: any text, and bytes, both ways", async () => {
  await using server = await serve();
  server.onMessage.addListener((client, message) => client.send(message));
  await using client = await connected(server.port!);
  const binary = (): NetworkMessage => new NetworkMessage(Uint8Array.of(0, 255, 36, 37));
  assertEquals(client.send(binary()).failure, "unsendable", "before anything is agreed on");
  client.send("first");
  assertEquals((await next(client)).body, "first");
  await until("the server", () => server.clients[0]!.isFramed);
  const bodies = ["$%", "a$%b", "$a:1|%c", "100%", "", "ü".repeat(100_000)];
  for (const body of bodies) client.send(new NetworkMessage(body).addHeader("n", "a:b"));
  for (const body of bodies) {
    const message = await next(client);
    assertEquals([message.body === body, message.getHeader("n")?.value], [true, "a:b"]);
  }
  assertEquals(client.send(binary()), { ok: true });
  const message = await next(client);
  assertEquals([message.binary, message.body], [Uint8Array.of(0, 255, 36, 37), ""]);
});

Deno.test("MessageClient and MessageServer stay with the original's form if told to", async () => {
  for (const end of ["client", "server"] as const) {
    await using server = await serve(end === "server" ? { framing: "never" } : {});
    server.onMessage.addListener((client, message) => client.send(message));
    await using client = await connected(
      server.port!,
      end === "client" ? { framing: "never" } : {},
    );
    for (const text of ["1", "2"]) {
      client.send(text);
      assertEquals((await next(client)).body, text);
    }
    assertEquals([client.isFramed, server.clients[0]!.isFramed], [false, false]);
  }
});

Deno.test("MessageClient sends text as it is with sendRaw(), of any length", async () => {
  await using rig = await original();
  await using client = await connected(rig.port, { gapMs: 0 });
  for (const text of ["raw", "", "$a:|%b"]) assertEquals(client.sendRaw(text), { ok: true });
  client.send("c");
  await until("all of it", () => rig.engine.receivedBytes >= 9);
  assertEquals(rig.engine.calls.slice(1).join("").replaceAll("$|||||||", "$"), "raw$a:|%b$%c");
});

Deno.test("MessageClient keeps messages to an original server apart", async () => {
  await using rig = await original();
  const times: number[] = [];
  rig.engine.onReceive = () => times.push(performance.now());
  await using client = await connected(rig.port);
  for (const text of ["1", "2", "3", "4"]) client.send(text);
  await until("all of them", () => rig.engine.calls.join("").includes("4"));
  assert(times.at(-1)! - times[0]! >= 20, "three gaps of 10 ms, with some slack for the timer");
});

Deno.test("MessageClient.connect() says in plain words why there is no connection", async () => {
  const closed = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const { port } = closed.addr;
  closed.close();
  const client = new MessageClient();
  let told = 0;
  client.onDisconnect.addListener(() => told++);
  const refused = await client.connect("127.0.0.1", port);
  assertEquals(refused, {
    ok: false,
    reason: `nobody listens on TCP port ${port} of 127.0.0.1: is the server running?`,
  });
  for (const bad of [0, -1, 65_536, 1.5, NaN]) {
    const { ok, reason } = await client.connect("127.0.0.1", bad);
    assertEquals([ok, reason], [false, `${bad} is no port: it is a whole number from 1 to 65535`]);
  }
  // Too long for a name: nothing is asked.
  const name = "x".repeat(64);
  const unknown = await client.connect(name, 1);
  assertEquals(unknown, { ok: false, reason: `no address is known for the host "${name}"` });
  assertEquals([client.isConnected, told], [false, 0]);
  // None of it stands in the way of the next try.
  await using server = await serve();
  assertEquals(await client.connect("127.0.0.1", server.port!), { ok: true });
  await client.close();
});

Deno.test("MessageClient.connect() refuses while there is a connection, or one on its way", async () => {
  await using server = await serve();
  const client = new MessageClient();
  const both = await Promise.all([
    client.connect("127.0.0.1", server.port!),
    client.connect("127.0.0.1", server.port!),
  ]);
  const refused = { ok: false, reason: "it is connected already" } as const;
  assertEquals(both, [{ ok: true }, refused]);
  assertEquals(await client.connect("127.0.0.1", server.port!), refused);
  await client.close();
  assertEquals(await client.connect("127.0.0.1", server.port!), { ok: true });
  await client.close();
  await until("both to be gone", () => server.clients.length === 0);
  assertEquals(server.counters!.accepted, 2);
});

Deno.test("MessageClient.close() ends an attempt to connect, and leaves the next one alone", async () => {
  await using first = await original();
  await using second = await serve();
  const client = new MessageClient();
  let told = 0;
  client.onDisconnect.addListener(() => told++);
  const toFirst = client.connect("127.0.0.1", first.port);
  const closing = client.close();
  const toSecond = client.connect("127.0.0.1", second.port!);
  assertEquals(await within("all", Promise.all([toFirst, closing, toSecond])), [
    { ok: false, reason: "it was closed meanwhile" },
    undefined,
    { ok: true },
  ]);
  await until("the second", () => second.clients.length === 1);
  // The first has heard of it briefly or not at all.
  const { calls } = first.engine;
  await until("the first to be left", () => calls.length === 2 * first.host.counters.accepted);
  assertEquals([client.isConnected, told], [true, 0]);
  assertEquals(client.send("x"), { ok: true });
  await client.close();
  assertEquals(told, 1);
});

Deno.test("MessageClient.close() ends an attempt that gets no answer at once", async () => {
  const real = Deno.connect;
  const asked = Promise.withResolvers<void>();
  const silent = ({ signal }: Deno.ConnectOptions): Promise<never> => {
    asked.resolve();
    return new Promise((_, reject) =>
      signal!.addEventListener("abort", () => reject(signal!.reason))
    );
  };
  Deno.connect = silent as unknown as typeof Deno.connect;
  const client = new MessageClient();
  try {
    const connecting = client.connect("192.0.2.1", 80);
    await asked.promise;
    await client.close();
    const answer = await within("the answer", connecting, 5_000); // By itself after 10 s.
    assertEquals(answer, { ok: false, reason: "it was closed meanwhile" });
  } finally {
    Deno.connect = real;
  }
  await using server = await serve();
  assertEquals(await client.connect("127.0.0.1", server.port!), { ok: true });
  await client.close();
});

Deno.test("MessageClient without a connection sends and reads nothing, and is closed at once", async () => {
  const client = new MessageClient();
  for (const sent of [client.send("x"), client.sendRaw("x")]) {
    assertEquals([sent.ok, sent.failure, sent.reason], [false, "gone", "there is no connection"]);
  }
  assertEquals(client.read(), undefined);
  for await (const _ of client) throw new Error("there is nothing to read");
  await client.close();
});

Deno.test("MessageClient gives all messages in order, and ends after the last", async () => {
  await using server = await serve();
  server.onConnection.addListener((client) => {
    for (let i = 0; i < 10; i++) client.send(String(i));
  });
  const client = await connected(server.port!, { framing: "always" });
  const reasons: unknown[] = [];
  client.onDisconnect.addListener((reason) => reasons.push(reason));
  client.send("so that it is framed");
  const bodies: string[] = [];
  for await (const { body } of client) {
    bodies.push(body);
    if (bodies.length === 10) server.clients[0]!.disconnect();
  }
  assertEquals(bodies, Array.from({ length: 10 }, (_, i) => String(i)));
  assertEquals([reasons, client.isConnected], [["closed"], false]);
  assertEquals(client.send("late").failure, "gone");
});

Deno.test("MessageClient reads what came before the end, after the end", async () => {
  await using rig = await original();
  const client = await connected(rig.port);
  await until("the connection", () => rig.engine.peers.length === 1);
  rig.host.act((_, out) => {
    out.send(rig.engine.peers[0]!, new TextEncoder().encode("$%1$%2$%3"));
    out.close(rig.engine.peers[0]!);
  });
  await until("the end", () => !client.isConnected);
  assertEquals(client.read()?.body, "1");
  const rest: string[] = [];
  for await (const { body } of client) rest.push(body);
  assertEquals([rest, client.read()], [["2", "3"], undefined]);
});

Deno.test("MessageClient wakes those who wait for a message when it is closed", async () => {
  await using rig = await original();
  const client = await connected(rig.port);
  const waiting = Array.fromAsync(client);
  const also = Array.fromAsync(client);
  const reasons: unknown[] = [];
  client.onDisconnect.addListener((reason) => reasons.push(reason));
  await client.close();
  assertEquals(await within("the end", Promise.all([waiting, also])), [[], []]);
  await client.close();
  assertEquals(reasons, ["left"]);
});

Deno.test("MessageClient forgets what it did not read of an earlier connection", async () => {
  await using rig = await original();
  rig.engine.onOpened = (peer, out) => out.send(peer, new TextEncoder().encode("$%x"));
  const client = await connected(rig.port);
  await until("the message", () => rig.host.counters.sent === 1);
  assertEquals((await next(client)).body, "x");
  rig.say("$%unread");
  await until("it to leave", () => rig.host.counters.sent === 2);
  await client.close();
  rig.engine.onOpened = () => {};
  await client.connect("127.0.0.1", rig.port);
  assertEquals(client.read(), undefined);
  await client.close();
});

Deno.test("MessageClient reads on a new connection although much was left of the last", async () => {
  await using rig = await original();
  const client = await connected(rig.port);
  await until("the connection", () => rig.engine.peers.length === 1);
  for (let i = 0; i < 5; i++) rig.say(`$%${"x".repeat(1_000_000)}`);
  await until("all to have left", () => rig.host.counters.sent === 5);
  await client.close();
  assertEquals(await client.connect("127.0.0.1", rig.port), { ok: true });
  await until("the connection", () => rig.engine.peers.length === 2);
  for (const text of ["1", "2", "3"]) {
    rig.say(`$%${text}`);
    assertEquals((await next(client)).body, text);
  }
  await client.close();
});

Deno.test("MessageClient.close() delivers what was sent", async () => {
  await using server = await serve();
  const bodies: string[] = [];
  server.onMessage.addListener((_, { body }) => bodies.push(body));
  // Not one of them waits for the gap that an original server needs, or all do.
  const client = await connected(server.port!);
  const sent = ["1", "2", "3", "x".repeat(100_000), "5"];
  for (const text of sent) client.send(text);
  await client.close();
  await until("the end", () => server.clients.length === 0);
  assertEquals(bodies, sent);
});

Deno.test("MessageClient hands over what a listener throws, and goes on", async () => {
  await using rig = await original();
  const errors: unknown[] = [];
  const fault = new Error("of a listener");
  const client = await connected(rig.port, { onError: (error) => errors.push(error) });
  client.onDisconnect.addListener(() => {
    throw fault;
  });
  await client.close();
  assertEquals([errors, client.isConnected], [[fault], false]);
});

Deno.test("MessageClient prints what a listener throws, at once or later, unless it is told where to", async () => {
  await using rig = await original();
  const client = await connected(rig.port);
  const faults = [new Error("at once"), new Error("later")];
  client.onDisconnect.addListener(() => {
    throw faults[0];
  });
  client.onDisconnect.addListener(() => Promise.reject(faults[1]));
  const { error } = console;
  const lines: unknown[] = [];
  console.error = (...args) => lines.push(...args);
  try {
    await client.close();
    await until("both", () => lines.length === 2);
  } finally {
    console.error = error;
  }
  assertEquals(lines, faults);
});

Deno.test("MessageClient.send() takes no more when too much waits, and keeps the connection", async () => {
  await using server = await serve();
  const bodies: string[] = [];
  server.onMessage.addListener((_, { body }) => bodies.push(body));
  const client = await connected(server.port!, { queueBytesMax: 10_000 });
  const sent: string[] = [];
  let refused = 0;
  for (let i = 0; i < 100; i++) {
    const body = `${i} ${"x".repeat(1_000)}`;
    const { ok, failure, reason } = client.send(body);
    if (ok) sent.push(body);
    else {
      assertEquals([failure, typeof reason], ["full", "string"]);
      refused++;
    }
  }
  assert(sent.length >= 10 && refused > 0, `${sent.length} were taken, ${refused} refused`);
  assertEquals([client.sendRaw("x".repeat(1_000)).failure, client.isConnected], ["full", true]);
  await until("what was taken", () => bodies.length === sent.length);
  assertEquals(client.send("more"), { ok: true });
  await until("the rest", () => bodies.length === sent.length + 1);
  assertEquals([bodies, client.isConnected], [[...sent, "more"], true]);
  await client.close();
});

Deno.test("MessageClient lets a server wait while nobody reads, and loses nothing", async () => {
  await using server = await serve({ queueBytesMax: 2 ** 30, gapMs: 0 });
  const client = await connected(server.port!);
  const padding = "x".repeat(1_000);
  client.send("so that it is framed");
  await until("frames", () => client.isFramed);
  const count = 40_000;
  for (let i = 0; i < count; i++) {
    server.broadcast(new NetworkMessage().addHeader("n", `${i}`).addHeader("padding", padding));
  }
  let seen = -1;
  await until("the server to wait", async () => {
    const { sentBytes } = server.counters!;
    const stands = sentBytes > 0 && sentBytes === seen;
    seen = sentBytes;
    await new Promise((resolve) => setTimeout(resolve, 20));
    return stands;
  });
  assert(seen < count * 1_000, "all of it has left");
  for (let i = 0; i < count; i++) {
    const message = client.read() ?? await next(client);
    if (message.getHeader("n")?.value !== `${i}`) throw new Error(`${i} is missing`);
  }
  await client.close();
});

Deno.test("MessageClient keeps little of long messages that nobody reads", async () => {
  await using server = await serve({ queueBytesMax: 2 ** 30 });
  const client = await connected(server.port!);
  client.send("so that it is framed");
  await until("frames", () => client.isFramed);
  const binary = new Uint8Array(1_000_000);
  for (let i = 0; i < 40; i++) server.broadcast(new NetworkMessage(binary));
  let seen = -1;
  await until("the server to wait", async () => {
    const { sentBytes } = server.counters!;
    const stands = sentBytes > 0 && sentBytes === seen;
    seen = sentBytes;
    await new Promise((resolve) => setTimeout(resolve, 20));
    return stands;
  });
  assert(seen < 30_000_000, `${seen} bytes have left`);
  for (let i = 0; i < 40; i++) assertEquals((await next(client)).binary?.length, binary.length);
  await client.close();
});

Deno.test("MessageClient can be closed while a server has to wait for it", async () => {
  await using rig = await original();
  const client = await connected(rig.port);
  await until("the connection", () => rig.engine.peers.length === 1);
  rig.say("$%unread".repeat(5_000));
  await until("some to arrive", () => rig.host.counters.sent === 1);
  client.send("bye");
  await client.close();
  await until("the end", () => rig.engine.calls.includes("closed"));
  assert(rig.engine.calls.join("").endsWith("%byeclosed"));
});

Deno.test("MessageClient ends a connection on which it cannot read any further", async () => {
  await using rig = await original();
  const client = await connected(rig.port, { messageBytesMax: 100 });
  const reasons: unknown[] = [];
  client.onDisconnect.addListener((reason) => reasons.push(reason));
  await until("the connection", () => rig.engine.peers.length === 1);
  rig.say(`$%${"x".repeat(1_000)}`);
  await until("the end", () => reasons.length === 1);
  assertEquals([reasons, client.isConnected], [["too-long"], false]);
  await until("the server to know", () => rig.engine.calls.includes("closed"));
});

Deno.test("MessageClient takes another client's message from the server in the order of sending", async () => {
  await using server = await serve();
  server.onMessage.addListener((client, message) => server.broadcast(message, [client]));
  await using ada = await connected(server.port!);
  using bob = await Caller.call(server.port!);
  await until("both", () => server.clients.length === 2);
  ada.send("from ada");
  assertEquals(await bob.readText(10), "$%from ada");
  await bob.send("$who:bob|%hi");
  const message = await next(ada);
  assertEquals([message.getHeader("who")?.value, message.body], ["bob", "hi"]);
});
