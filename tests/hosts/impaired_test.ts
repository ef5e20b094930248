import { assert, assertEquals, assertRejects, assertStrictEquals, assertThrows } from "@std/assert";
import { ImpairedConn, type ImpairedLimits } from "../../lib/hosts/impaired.ts";
import { openUdp } from "../../lib/hosts/udp.ts";
import { until, within } from "../support/wait.ts";
import { Client, FakeConn, setUp } from "./probe.ts";

const { BadResource, Interrupted } = Deno.errors;
const ADA: Deno.NetAddr = { transport: "udp", hostname: "192.0.2.7", port: 5000 };

function bytes(text: string): Uint8Array {
  return new TextEncoder().encode(text);
}

function textOf([datagram]: [Uint8Array, Deno.Addr]): string {
  return new TextDecoder().decode(datagram);
}

/** A made-up socket behind a network on which the fates are these, in turn; then all arrive at once. */
function impair(
  fates: number[][],
  limits?: ImpairedLimits,
): { conn: ImpairedConn; inner: FakeConn; arrive: (text: string) => void } {
  const inner = new FakeConn();
  const fate = (): number[] => fates.shift() ?? [0];
  const conn = new ImpairedConn(inner as unknown as Deno.DatagramConn, fate, limits);
  const arrive = (text: string): void => inner.arrive({ bytes: bytes(text), ...ADA });
  return { conn, inner, arrive };
}

function sentTexts(inner: FakeConn): string[] {
  return inner.sent.map((line) => line.split(" ").slice(2).join(" "));
}

Deno.test("ImpairedConn makes a round trip longer by twice the lag", async () => {
  const socket = await openUdp({
    port: 0,
    through: (conn) => new ImpairedConn(conn, () => [25]),
  });
  await using rig = await setUp(socket);
  rig.engine.onReceive = (from, datagram, out) => out.send(from, datagram);
  for (const hostname of ["127.0.0.1", "::1"] as const) {
    using client = new Client(hostname, rig.port);
    const askedAt = performance.now();
    assertEquals(await client.ask(bytes("hi")), bytes("hi"));
    const tookMs = performance.now() - askedAt;
    assert(tookMs >= 50, `${tookMs} ms`);
  }
});

Deno.test("openUdp() puts what it is told to in front of each socket, once", async () => {
  const behind: Deno.DatagramConn[] = [];
  const socket = await openUdp({
    port: 0,
    through: (conn) => {
      behind.push(conn);
      return new ImpairedConn(conn, () => [0]);
    },
  });
  assertEquals(socket.conns.length, behind.length);
  for (const [index, conn] of socket.conns.entries()) {
    assert(conn instanceof ImpairedConn);
    assertEquals(conn.addr, behind[index]!.addr);
    conn.close();
    assertThrows(() => behind[index]!.close(), BadResource);
  }
});

Deno.test("ImpairedConn loses, repeats and delays what is sent, each datagram by its fate", async () => {
  const { conn, inner } = impair([[], [0, 0], [20], [0]]);
  for (const text of ["lost", "twice", "late", "soon"]) {
    assertEquals(await conn.send(bytes(text), ADA), text.length);
  }
  await until("four datagrams", () => inner.sent.length >= 4);
  assertEquals(sentTexts(inner), ["twice", "twice", "soon", "late"]);
  assertEquals(inner.sent[0], "192.0.2.7 5000 twice");
  assertEquals(conn.counters, { lost: 1, duplicated: 1, crowdedOut: 0, sendErrors: 0 });
  conn.close();
});

Deno.test("ImpairedConn loses, repeats and delays what is received", async () => {
  const { conn, arrive } = impair([[], [0, 0], [20], [0]]);
  for (const text of ["lost", "twice", "late", "soon"]) arrive(text);
  const received: string[] = [];
  while (received.length < 4) {
    const arrival = await within("a datagram", conn.receive());
    assertEquals(arrival[1], ADA);
    received.push(textOf(arrival));
  }
  assertEquals(received, ["twice", "twice", "soon", "late"]);
  assertEquals(conn.counters, { lost: 1, duplicated: 1, crowdedOut: 0, sendErrors: 0 });
  conn.close();
});

Deno.test("ImpairedConn keeps the order of datagrams with the same lag, both ways", async () => {
  const texts = Array.from({ length: 500 }, (_, index) => `${index}`);
  const { conn, inner, arrive } = impair(texts.concat(texts).map(() => [5]));
  for (const text of texts) void conn.send(bytes(text), ADA);
  texts.forEach(arrive);
  const received: string[] = [];
  for (const _ of texts) received.push(textOf(await within("a datagram", conn.receive())));
  await until("all sent", () => inner.sent.length === texts.length);
  assertEquals(received, texts);
  assertEquals(sentTexts(inner), texts);
  conn.close();
});

Deno.test("ImpairedConn keeps that order where the clock tells the same time for long", async () => {
  const { now } = performance;
  performance.now = (): number => Math.floor(now.call(performance) / 16) * 16;
  try {
    const texts = Array.from({ length: 500 }, (_, index) => `${index}`);
    const { conn, inner } = impair(texts.map(() => [5]));
    for (const text of texts) void conn.send(bytes(text), ADA);
    await until("all sent", () => inner.sent.length === texts.length);
    assertEquals(sentTexts(inner), texts);
    conn.close();
  } finally {
    performance.now = now;
  }
});

Deno.test("ImpairedConn gives the system one datagram at a time", async () => {
  const { conn, inner } = impair([[0], [0], [5], [5], [0]]);
  const sent: string[] = [];
  let sending = 0;
  inner.send = async (datagram): Promise<number> => {
    assertEquals(++sending, 1);
    await new Promise((resolve) => setTimeout(resolve, 1));
    sending--;
    return sent.push(new TextDecoder().decode(datagram));
  };
  for (const text of ["1", "2", "4", "5", "3"]) await conn.send(bytes(text), ADA);
  await until("all sent", () => sent.length === 5);
  assertEquals([sent.toSorted(), conn.counters.sendErrors], [["1", "2", "3", "4", "5"], 0]);
  assertEquals(sent.filter((text) => text !== "3"), ["1", "2", "4", "5"]);
  conn.close();
});

Deno.test("ImpairedConn has one timer for all that is under way", async () => {
  const { conn, inner } = impair(Array.from({ length: 1_000 }, () => [30]));
  const set = globalThis.setTimeout;
  let timers = 0;
  globalThis.setTimeout = ((...args: Parameters<typeof set>) => {
    timers++;
    return set(...args);
  }) as typeof set;
  try {
    for (let i = 0; i < 1_000; i++) void conn.send(bytes("x"), ADA);
    assertEquals(timers, 1);
  } finally {
    globalThis.setTimeout = set;
  }
  await until("all sent", () => inner.sent.length === 1_000);
  conn.close();
});

Deno.test("ImpairedConn looks earlier for what is due earlier", async () => {
  const { conn, inner } = impair([[60_000], [5]]);
  for (const text of ["late", "soon"]) void conn.send(bytes(text), ADA);
  await until("the soon one", () => inner.sent.length === 1);
  assertEquals(sentTexts(inner), ["soon"]);
  conn.close();
});

Deno.test("ImpairedConn copies: buffers may be used again at once", async () => {
  const { conn, inner, arrive } = impair([[5], [5], [5], [5]]);
  const out = bytes("one");
  void conn.send(out, ADA);
  out.set(bytes("two"));
  void conn.send(out, ADA);
  out.fill(0);
  await until("both", () => inner.sent.length === 2);
  assertEquals(sentTexts(inner), ["one", "two"]);
  arrive("one");
  arrive("two"); // Into the buffer in which the first one came.
  const buffer = new Uint8Array(100);
  const first = await within("the first", conn.receive(buffer));
  assertStrictEquals(first[0].buffer, buffer.buffer);
  assertEquals(textOf(first), "one");
  assertEquals(textOf(await within("the second", conn.receive(buffer))), "two");
  conn.close();
});

Deno.test("ImpairedConn cuts what is longer than the buffer, as the system does", async () => {
  const { conn, arrive } = impair([]);
  arrive("longer");
  assertEquals(textOf(await within("a datagram", conn.receive(new Uint8Array(4)))), "long");
  conn.close();
});

Deno.test("ImpairedConn loses what is beyond its limits, and takes more when there is room", async () => {
  for (const limits of [{ datagramsMax: 3 }, { bytesMax: 30 }]) {
    const { conn, inner, arrive } = impair([], limits);
    // Arrived, but not taken yet: that is under way as well.
    for (const text of ["in 1......", "in 2......", "in 3......"]) arrive(text);
    await until("all three", () => inner.receives === 4);
    await conn.send(bytes("too much.."), ADA);
    assertEquals(conn.counters.crowdedOut, 1);
    assertEquals(textOf(await conn.receive()), "in 1......");
    await conn.send(bytes("fits......"), ADA);
    await until("the one that fits", () => inner.sent.length === 1);
    assertEquals(sentTexts(inner), ["fits......"]);
    assertEquals(conn.counters.crowdedOut, 1);
    conn.close();
  }
});

Deno.test("ImpairedConn counts what the system does not send, and goes on", async () => {
  const { conn, inner } = impair([[1], [1]]);
  const send = inner.send.bind(inner);
  inner.send = (datagram, to): Promise<number> =>
    datagram.length === 3 ? Promise.reject(new Error("unreachable")) : send(datagram, to);
  assertEquals(await conn.send(bytes("bad"), ADA), 3);
  await conn.send(bytes("good"), ADA);
  await until("the good one", () => inner.sent.length === 1);
  assertEquals(conn.counters.sendErrors, 1);
  conn.close();
});

Deno.test("ImpairedConn hands errors of receiving on one by one, and goes on", async () => {
  const { conn, inner, arrive } = impair([]);
  inner.persistentError = new Error("closed port");
  for (let i = 0; i < 3; i++) {
    await assertRejects(() => within("an error", conn.receive()), Error, "closed port");
  }
  await until("the next one was seen", () => inner.receives >= 4);
  assertEquals(inner.receives, 4); // The fifth when somebody has heard of the fourth.
  inner.persistentError = undefined;
  await assertRejects(() => within("an error", conn.receive()), Error, "closed port");
  arrive("hi");
  assertEquals(textOf(await within("a datagram", conn.receive())), "hi");
  conn.close();
});

Deno.test("ImpairedConn loses all that is under way when it is closed", async () => {
  const { conn, inner, arrive } = impair([[20], [20]]);
  void conn.send(bytes("farewell"), ADA);
  arrive("late");
  await until("both under way", () => inner.receives === 2);
  conn.close();
  const other = impair([[20]]);
  void other.conn.send(bytes("later"), ADA);
  await until("what left later", () => other.inner.sent.length === 1);
  other.conn.close();
  assertEquals(inner.sent, []);
});

for (const kind of ["the system", "ImpairedConn"]) {
  Deno.test(`${kind}: closing rejects who waits, then every call`, async () => {
    const real = Deno.listenDatagram({ transport: "udp", hostname: "127.0.0.1", port: 0 });
    const conn = kind === "ImpairedConn" ? new ImpairedConn(real, () => [10]) : real;
    const waiting = conn.receive(new Uint8Array(10));
    const rejected = assertRejects(() => waiting, Interrupted);
    conn.close();
    await rejected;
    await assertRejects(() => conn.receive(), BadResource);
    await assertRejects(() => conn.send(bytes("hi"), ADA), BadResource);
    assertThrows(() => conn.close(), BadResource);
  });

  Deno.test(`${kind}: closing ends a loop over what comes`, async () => {
    const real = Deno.listenDatagram({ transport: "udp", hostname: "127.0.0.1", port: 0 });
    const conn = kind === "ImpairedConn" ? new ImpairedConn(real, () => [1]) : real;
    const texts: string[] = [];
    const ended = (async () => {
      for await (const arrival of conn) texts.push(textOf(arrival));
    })();
    await conn.send(bytes("to myself"), conn.addr);
    await until("it arrived", () => texts.length === 1);
    conn.close();
    await within("the end", ended);
    assertEquals(texts, ["to myself"]);
  });
}
