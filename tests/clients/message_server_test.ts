/** MessageServer over real sockets, with clients that are bare connections. */
import { assert, assertEquals, assertRejects, assertThrows } from "@std/assert";
import { type ConnectedClient, MessageServer } from "../../lib/clients/message_server.ts";
import type { MessageServerOptions } from "../../lib/clients/message_server.ts";
import { NetworkMessage } from "../../lib/protocols/messages/message.ts";
import { Caller } from "../hosts/tcp_probe.ts";
import { until, within } from "../support/wait.ts";

/** A server that listens, and what it told its listeners. */
async function setUp(
  options: MessageServerOptions = {},
): Promise<{ server: MessageServer; log: string[] }> {
  const server = new MessageServer("127.0.0.1", 0, options);
  const log: string[] = [];
  server.onConnection.addListener(({ port }) => log.push(`${port} came`));
  server.onMessage.addListener(({ port }, { body }) => log.push(`${port} says ${body}`));
  server.onDisconnect.addListener(({ port }, reason) => log.push(`${port} left: ${reason}`));
  await server.startAsync();
  return { server, log };
}

/** A connection, and what the server knows of it. */
async function join(server: MessageServer): Promise<{ caller: Caller; client: ConnectedClient }> {
  const caller = await Caller.call(server.port!);
  const find = (): ConnectedClient | undefined =>
    server.clients.find(({ port }) => port === caller.port);
  await until("the client", () => find() !== undefined);
  return { caller, client: find()! };
}

/** What is printed while `work` runs, by the method of the console. */
async function printed(work: () => Promise<void>): Promise<Record<"log" | "warn", string[]>> {
  const lines: Record<"log" | "warn", string[]> = { log: [], warn: [] };
  const { log, warn } = console;
  console.log = (...args) => lines.log.push(args.join(" "));
  console.warn = (...args) => lines.warn.push(args.join(" "));
  try {
    await work();
  } finally {
    console.log = log;
    console.warn = warn;
  }
  return lines;
}

Deno.test("MessageServer tells who comes, what they say and who goes", async () => {
  const { server, log } = await setUp();
  await using _ = server;
  const { caller, client } = await join(server);
  assertEquals([client.ip, client.address], ["127.0.0.1", `127.0.0.1:${caller.port}`]);
  assertEquals(client.isFramed, false);
  let message: NetworkMessage | undefined;
  server.onMessage.addListener((_, said) => message = said);
  await caller.send("$handshake:|from:ada|%Hello server!");
  await until("the message", () => message !== undefined);
  assertEquals([message!.hasHeader("handshake"), message!.getHeader("from")?.value], [true, "ada"]);
  await caller.send("no message at all");
  await until("the bare text", () => log.length === 3);
  caller.close();
  await until("the end", () => log.length === 4);
  assertEquals(log, [
    `${caller.port} came`,
    `${caller.port} says Hello server!`,
    `${caller.port} says no message at all`,
    `${caller.port} left: closed`,
  ]);
  assertEquals(server.clients, []);
  const gone = client.send("late");
  assertEquals([gone.ok, gone.failure], [false, "gone"]);
  client.disconnect(); // Nothing is left to end.
});

Deno.test("MessageServer sends to one client, to some, and to all but some", async () => {
  const { server } = await setUp({ gapMs: 0 });
  await using _ = server;
  const joined = [await join(server), await join(server), await join(server)];
  const [ada, bob, eve] = joined.map(({ client }) => client);
  assertEquals(server.clients, joined.map(({ client }) => client));
  const message = new NetworkMessage("m").addHeader("a", "1");
  assertEquals(ada!.send(message), { ok: true });
  assertEquals(bob!.send("text"), { ok: true });
  assertEquals(server.messageClients([ada!, eve!], message), { ok: true });
  assertEquals(server.messageClients(new Set([bob!]), "some"), { ok: true });
  assertEquals(server.messageClients([], "nobody"), { ok: true });
  assertEquals(server.broadcast(message), { ok: true });
  assertEquals(server.broadcast("but", [bob!]), { ok: true });
  assertEquals(server.broadcast("set", new Set([ada!, eve!])), { ok: true });
  for (const { client } of joined) client.disconnect();
  const texts: string[] = [];
  for (const { caller } of joined) {
    texts.push(await caller.readToEnd());
    caller.close();
  }
  const whole = "$a:1|%m";
  assertEquals(texts, [
    `${whole}${whole}${whole}$%but`,
    `$%text$%some${whole}$%set`,
    `${whole}${whole}$%but`,
  ]);
});

Deno.test("MessageServer says why something cannot be sent", async () => {
  const { server } = await setUp({ messageBytesMax: 100 });
  await using _ = server;
  const { caller, client } = await join(server);
  assertEquals(client.send("x".repeat(200)).failure, "unsendable");
  assertEquals(client.send(new NetworkMessage(new Uint8Array(3))).failure, "unsendable");
  caller.close();
  await server.stop();
  const { failure, reason } = server.broadcast("x");
  assertEquals([failure, reason], ["gone", "the server does not run"]);
});

Deno.test("ConnectedClient.disconnect() sends first what was sent before it", async () => {
  const { server, log } = await setUp();
  await using _ = server;
  const { caller, client } = await join(server);
  await caller.send("unread");
  for (const text of ["1", "2", "3"]) client.send(text);
  client.disconnect();
  client.disconnect();
  assertEquals(await caller.readToEnd(), "$%1$%2$%3");
  caller.close();
  await until("the end", () => log.some((line) => line.includes("left")));
  assertEquals(log.at(-1), `${caller.port} left: dropped`);
});

Deno.test("MessageServer.start() runs until it is stopped, and may be called again", async () => {
  const server = new MessageServer("127.0.0.1", 0);
  assertEquals([server.port, server.counters, server.clients], [undefined, undefined, []]);
  for (let round = 0; round < 2; round++) {
    let isOver = false;
    const running = server.start().then(() => isOver = true);
    await until("it to listen", () => server.port !== undefined);
    const { port } = server;
    const { caller, client } = await join(server);
    await assertRejects(() => server.start(), Error, "runs already");
    await assertRejects(() => server.startAsync(), Error, "runs already");
    assertEquals([isOver, server.counters!.accepted], [false, 1]);
    client.send("bye");
    const stopping = server.stop();
    assertEquals(await caller.readToEnd(), "$%bye");
    caller.close();
    await within("the stop", stopping);
    await within("the start", running);
    assertEquals([server.port, server.clients], [undefined, []]);
    Deno.listen({ hostname: "127.0.0.1", port: port! }).close(); // It is free.
    await server.stop();
  }
});

Deno.test("MessageServer.stop() called twice at once settles when everything has ended", async () => {
  const { server } = await setUp();
  const { port } = server;
  const { caller, client } = await join(server);
  client.send("bye"); // It never says that it is done, so the end takes a while.
  const start = performance.now();
  const settled: number[] = [];
  await within(
    "both",
    Promise.all([1, 2].map(async (call) => {
      await server.stop();
      settled.push(call);
      assert(performance.now() - start > 300, `${call} came back too early`);
      Deno.listen({ hostname: "127.0.0.1", port: port! }).close(); // It is free.
    })),
  );
  assertEquals(settled, [1, 2]);
  caller.close();
});

Deno.test("MessageServer is started once, although it was told so twice at the same time", async () => {
  const server = new MessageServer("127.0.0.1", 0);
  const starts = await Promise.allSettled([server.startAsync(), server.startAsync()]);
  await server.stop();
  assertEquals(starts.map(({ status }) => status), ["fulfilled", "rejected"]);
});

Deno.test("MessageServer refuses a port that is taken, a foreign address and a tick rate of none", async () => {
  const { server } = await setUp();
  await using _ = server;
  const other = new MessageServer("127.0.0.1", server.port!);
  await assertRejects(() => other.start(), Deno.errors.AddrInUse);
  const foreign = new MessageServer("192.0.2.1", 0);
  await assertRejects(() => foreign.startAsync(), Deno.errors.AddrNotAvailable);
  for (const tickRate of [0, -1, NaN]) {
    assertThrows(() => new MessageServer("localhost", 0, { tickRate }), RangeError, "tickRate");
  }
});

Deno.test("MessageServer on localhost is reached by both address families, and without a host too", async () => {
  for (const host of ["localhost", "LocalHost", undefined]) {
    await using server = new MessageServer(host, 0);
    await server.startAsync();
    for (const hostname of ["127.0.0.1", "::1"]) {
      using _ = await Caller.call(server.port!, hostname);
      await until(
        `a client of ${hostname}`,
        () => server.clients.some(({ ip }) => ip === hostname),
      );
    }
  }
});

Deno.test("MessageServer tells onUpdate as often as told, 120 times a second by default", async () => {
  for (const tickRate of [undefined, 25]) {
    const { server } = await setUp(tickRate === undefined ? {} : { tickRate });
    const times: number[] = [];
    server.onUpdate.addListener(() => times.push(performance.now()));
    const wanted = tickRate === undefined ? 36 : 8;
    await until("some ticks", () => times.length >= wanted);
    await server.stop();
    const { length } = times;
    const rate = (length - 1) / (times.at(-1)! - times[0]!) * 1_000;
    // A busy machine is late, but no tick is made up for.
    assert(rate < (tickRate ?? 120) * 1.25, `${rate} a second`);
    assert(rate > (tickRate ?? 120) / 3, `${rate} a second`);
    await new Promise((resolve) => setTimeout(resolve, 20));
    assertEquals(times.length, length, "none after the stop");
  }
});

Deno.test("MessageServer may be stopped by its own listeners", async () => {
  for (const event of ["onConnection", "onMessage", "onDisconnect", "onUpdate"] as const) {
    const { server } = await setUp();
    let stopping: Promise<void> | undefined;
    server[event].addListener(() => stopping ??= server.stop());
    using caller = await Caller.call(server.port!);
    if (event === "onMessage" || event === "onDisconnect") await caller.send("1");
    caller.close();
    await until(`the stop in ${event}`, () => stopping !== undefined);
    await within("the stop", stopping!);
    assertEquals(server.clients, []);
  }
});

Deno.test("MessageServer hands over what listeners throw, at once or later, and goes on", async () => {
  const errors: unknown[] = [];
  const { server, log } = await setUp({ onError: (error) => errors.push(error) });
  await using _ = server;
  const fault = new Error("of a listener");
  server.onConnection.addListener(() => {
    throw fault;
  });
  server.onMessage.addListener(() => Promise.reject(fault));
  const { caller } = await join(server);
  await caller.send("1");
  await until("the errors", () => errors.length === 2);
  assertEquals([errors, log.at(-1)], [[fault, fault], `${caller.port} says 1`]);
  caller.close();
});

Deno.test("MessageServer prints what listeners throw unless it is told where to", async () => {
  const { server } = await setUp();
  await using _ = server;
  const { error } = console;
  const lines: unknown[] = [];
  console.error = (...args) => lines.push(...args);
  try {
    const fault = new Error("of a listener");
    server.onMessage.addListener(() => {
      throw fault;
    });
    const { caller } = await join(server);
    await caller.send("1");
    await until("the line", () => lines.length > 0);
    assertEquals(lines, [fault]);
    caller.close();
  } finally {
    console.error = error;
  }
});

Deno.test("MessageServer tells a removed listener nothing", async () => {
  const { server, log } = await setUp();
  await using _ = server;
  let count = 0;
  const listener = (): void => void count++;
  server.onMessage.addListener(listener);
  const { caller } = await join(server);
  await caller.send("1");
  await until("the first", () => count === 1);
  server.onMessage.removeListener(listener);
  await caller.send("2");
  await until("the second", () => log.length === 3);
  assertEquals(count, 1);
  caller.close();
});

Deno.test("MessageServer with manualUpdate tells everything in update(), and only there", async () => {
  const { server, log } = await setUp({ manualUpdate: true });
  await using _ = server;
  let updates = 0;
  server.onUpdate.addListener(() => log.push(`update ${++updates}`));
  using caller = await Caller.call(server.port!);
  await caller.send("1");
  await until("it to arrive", () => server.counters!.receivedBytes === 1);
  caller.close();
  assertEquals([log, server.clients], [[], []]);
  server.update();
  await until("the end", () => {
    server.update();
    return log.some((line) => line.includes("left"));
  });
  assertEquals(log.filter((line) => !line.startsWith("update")), [
    `${caller.port} came`,
    `${caller.port} says 1`,
    `${caller.port} left: closed`,
  ]);
  assert(updates >= 2);
  const before = updates;
  await new Promise((resolve) => setTimeout(resolve, 30)); // No tick is its own.
  assertEquals(updates, before);
});

Deno.test("MessageServer.start() with manualUpdate only starts", async () => {
  await using server = new MessageServer("127.0.0.1", 0, { manualUpdate: true });
  await within("the start", server.start());
  assert(server.port! > 0);
});

Deno.test("MessageServer with manualUpdate tells nothing more once a listener stopped it", async () => {
  const { server, log } = await setUp({ manualUpdate: true });
  const callers = [await Caller.call(server.port!), await Caller.call(server.port!)];
  await until("both", () => server.counters!.accepted === 2);
  for (const caller of callers) await caller.send("1");
  await until("both texts", () => server.counters!.receivedBytes === 2);
  let stopping: Promise<void> | undefined;
  server.onConnection.addListener(() => stopping ??= server.stop());
  server.update();
  for (const caller of callers) caller.close();
  await within("the stop", stopping!);
  assertEquals([server.clients.length, log.length], [0, 1]);
  server.update(); // Nothing is left of it.
  assertEquals(log.length, 1);
});

Deno.test("MessageServer with manualUpdate lets clients wait, and loses nothing", async () => {
  const { server, log } = await setUp({ manualUpdate: true, messagesHzMax: Infinity });
  await using _ = server;
  using caller = await Caller.call(server.port!);
  const count = 200_000;
  const texts = Array.from({ length: count }, (_, i) => `$%message number ${i} of many`).join("");
  // More than the system keeps, so it cannot be sent before update() is called.
  const filler = new TextEncoder().encode(texts);
  let isSent = false;
  const sending = caller.send(filler).then(() => isSent = true);
  let seen = -1;
  await until("it to stand", async () => {
    const { receivedBytes } = server.counters!;
    const stands = receivedBytes > 0 && receivedBytes === seen;
    seen = receivedBytes;
    await new Promise((resolve) => setTimeout(resolve, 20));
    return stands;
  });
  assert(seen < 1_000_000, `${seen} bytes were read`);
  await until("all", () => {
    server.update();
    return isSent && log.length >= count;
  });
  await sending;
  await caller.end();
  await until("the end", () => {
    server.update();
    return log.length === count + 2;
  });
  for (let i = 0; i < count; i += 997) {
    assertEquals(log[i + 1], `${caller.port} says message number ${i} of many`);
  }
});

Deno.test("MessageServer with manualUpdate lets new clients wait as well once much is to be told", async () => {
  const { server, log } = await setUp({ manualUpdate: true, messagesHzMax: Infinity });
  await using _ = server;
  using flooding = await Caller.call(server.port!);
  await flooding.send("$%x".repeat(3_000));
  await until("the flood", () => server.counters!.receivedBytes > 3_500);
  const others: Caller[] = [];
  while (others.length < 5) others.push(await Caller.call(server.port!));
  await new Promise((resolve) => setTimeout(resolve, 50));
  // The system had been asked for one of them before.
  assert(server.counters!.accepted <= 2, `${server.counters!.accepted} were taken`);
  await until("all", () => {
    server.update();
    return server.clients.length === 6 && log.length === 6 + 3_000;
  });
  for (const other of others) other.close();
});

Deno.test("MessageServer with manualUpdate tells of a refusal at once, and keeps nothing of it", async () => {
  let log: string[] = [];
  const lines = await printed(async () => {
    const rig = await setUp({ manualUpdate: true, connectionsMax: 1 });
    await using server = rig.server;
    log = rig.log;
    using _ = await Caller.call(server.port!);
    await until("the first", () => server.counters!.accepted === 1);
    using refused = await Caller.call(server.port!);
    assertEquals(await refused.readToEnd(), "");
    assertEquals(log, []);
    server.update();
  });
  assertEquals(lines.warn.length, 1);
  assertEquals(log.map((line) => line.replace(/^\d+ /, "")), ["came"]);
});

Deno.test("MessageServer with manualUpdate lets a client go in time although others have to wait", async () => {
  const { server } = await setUp({ manualUpdate: true, messagesHzMax: Infinity });
  await using _ = server;
  const leaving = await Caller.call(server.port!);
  await until("the first", () => server.counters!.accepted === 1);
  await until("it to be told", () => (server.update(), server.clients.length === 1));
  const [client] = server.clients;
  using flooding = await Caller.call(server.port!);
  await flooding.send("$%x".repeat(3_000));
  await until("the flood", () => server.counters!.receivedBytes > 3_500);
  await leaving.send("one");
  await leaving.send("two");
  client!.send("bye");
  client!.disconnect();
  assertEquals(await leaving.readToEnd(), "$%bye");
  leaving.close();
  const start = performance.now();
  await server.stop();
  assert(performance.now() - start < 1_950);
});

/** Takes up the program for a while. */
function block(ms: number): void {
  for (const end = performance.now() + ms; performance.now() < end;);
}

Deno.test("MessageServer gives the program and other clients their turns although listeners take long", async () => {
  const { server, log } = await setUp({ messagesHzMax: Infinity });
  await using _ = server;
  server.onMessage.addListener((client, { body }) => {
    if (body === "flood") block(5);
    else if (body === "question") client.send("answer");
  });
  const { caller: flooding } = await join(server);
  const { caller: asking } = await join(server);
  const count = 400;
  let heard = 0;
  server.onMessage.addListener((_, { body }) => heard += body === "flood" ? 1 : 0);
  let turns = 0;
  const timer = setInterval(() => turns++, 1);
  await flooding.send("$%flood".repeat(count));
  await until("the flood to begin", () => heard > 0);
  // With the beginning of the next message, so that its end is certain at once.
  await asking.send("$%question");
  assertEquals(await asking.readText(8), "$%answer");
  assert(heard < count / 4, `${heard} were told before the other client`);
  // Somebody who comes only now does not wait for its end either.
  const { caller: late } = await join(server);
  assert(heard < count / 2, `${heard} were told before the one who came late`);
  await until("the end", () => heard === count);
  clearInterval(timer);
  assert(turns > count / 20, `${turns} turns`);
  assertEquals(log.filter((line) => line.endsWith("says flood")).length, count, "none is lost");
  for (const caller of [flooding, asking, late]) caller.close();
});

Deno.test("MessageServer hears clients in turns when listeners take long", async () => {
  const { server } = await setUp({ messagesHzMax: Infinity });
  await using _ = server;
  const said: number[] = [];
  server.onMessage.addListener(({ port }) => {
    said.push(port);
    block(5);
  });
  const { caller: ada } = await join(server);
  const { caller: bob } = await join(server);
  const count = 100;
  for (const caller of [ada, bob]) await caller.send("$%x".repeat(count));
  await until("all", () => said.length === 2 * count);
  const isHeard = (caller: Caller): number => said.filter((port) => port === caller.port).length;
  assertEquals([ada, bob].map(isHeard), [count, count]);
  // From the moment that both are heard until one has said all.
  const start = Math.max(said.indexOf(ada.port), said.indexOf(bob.port));
  const end = Math.min(said.lastIndexOf(ada.port), said.lastIndexOf(bob.port));
  assert(start < count / 2, `the second was first heard after ${start} messages`);
  let longest = 0;
  for (let at = start, run = 0; at <= end; at++) {
    run = said[at] === said[at - 1] ? run + 1 : 1;
    longest = Math.max(longest, run);
  }
  assert(longest <= 10, `${longest} messages of one client in a row`);
  for (const caller of [ada, bob]) caller.close();
});

Deno.test("MessageServer may be stopped by a listener that takes long, and started again", async () => {
  const { server, log } = await setUp();
  server.onMessage.addListener((_, { body }) => {
    block(20);
    if (body === "stop") void server.stop();
  });
  const { caller } = await join(server);
  await caller.send("$%stop$%unheard");
  await until("the stop", () => server.port === undefined);
  caller.close();
  await within("the end", server.stop());
  await server.startAsync();
  const { caller: next } = await join(server);
  await next.send("$%a$%b");
  await until("both", () => log.at(-1)!.endsWith("says b"));
  assertEquals(log.filter((line) => line.includes("unheard")), []);
  next.close();
  await server.stop();
});

Deno.test("MessageServer sends a flooding client away in time, with what it was sent", async () => {
  const { server } = await setUp({ messagesHzMax: 10 });
  server.onMessage.addListener((client) => {
    if (!server.clients.includes(client)) return;
    client.send("enough");
    client.disconnect();
  });
  const { caller } = await join(server);
  await caller.send("$%x".repeat(100));
  assertEquals(await caller.readToEnd(), "$%enough");
  caller.close();
  await within("the stop", server.stop());
});

Deno.test("MessageServer prints nothing by default but refusals, and all with verboseLogging", async () => {
  for (const verboseLogging of [undefined, false, true]) {
    const options = verboseLogging === undefined ? {} : { verboseLogging };
    let port = 0;
    const lines = await printed(async () => {
      const { server, log } = await setUp({ ...options, connectionsMax: 1 });
      await using _ = server;
      const { caller, client } = await join(server);
      port = caller.port;
      for (let i = 0; i < 3; i++) {
        using refused = await Caller.call(server.port!);
        assertEquals(await refused.readToEnd(), "");
      }
      for (let i = 0; i < 3; i++) client.send("100% of it");
      await caller.send('say "hi"');
      await until("the message", () => log.length === 2);
      caller.close();
      await until("the end", () => log.length === 3);
    });
    const refusal = /^refused from 127\.0\.0\.1:\d+: full; more of it is not told for a while$/;
    const refusals = lines.warn.filter((line) => refusal.test(line));
    assertEquals(refusals.length, 1, "however many there were in ten seconds");
    const isVerbose = verboseLogging === true;
    assertEquals(lines.warn.length, isVerbose ? 2 : 1, "one caution, however often it is due");
    if (isVerbose) assert(lines.warn.some((line) => line.includes("cuts the body at its first %")));
    assertEquals(
      lines.log.map((line) => line.replaceAll(String(port), "PORT").replace(/on .*/, "on")),
      !isVerbose ? [] : [
        "listening on",
        "127.0.0.1:PORT connected",
        '127.0.0.1:PORT says "say \\"hi\\""',
        "127.0.0.1:PORT is gone: closed",
      ],
    );
  }
});
