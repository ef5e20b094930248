import { assert, assertEquals, assertRejects, assertStrictEquals } from "@std/assert";
import { connectTcp } from "../../lib/hosts/connect_tcp.ts";
import { openTcp, TcpHost, type TcpListener } from "../../lib/hosts/tcp.ts";
import { until, within } from "../support/wait.ts";
import { Caller, callFated, pattern, setUpTcp, StreamProbe, type StreamRig } from "./tcp_probe.ts";

const LOOPBACKS = ["127.0.0.1", "::1"] as const;
/** More than the system keeps for a connection that is not read, on both ends together. */
const MUCH_BYTES = 32 * 2 ** 20;

function bytes(text: string): Uint8Array {
  return new TextEncoder().encode(text);
}

/** Lets a probe return to its sender what it receives. */
function echoing(rig: StreamRig): StreamRig {
  rig.engine.onReceive = (from, chunk, out) => out.send(from, chunk.slice());
  return rig;
}

/** Returns when the host has answered new connections. */
async function assertServed(rig: StreamRig): Promise<void> {
  for (const hostname of LOOPBACKS) {
    using caller = await Caller.call(rig.port, hostname);
    await caller.send("still there?");
    assertEquals(await caller.readText(12), "still there?");
  }
}

function closeAll({ listeners }: TcpListener): void {
  for (const listener of listeners) listener.close();
}

/** The time that passes until a promise settles. */
async function elapsedMs(promise: Promise<unknown>): Promise<number> {
  const start = performance.now();
  await within("something that takes a while", promise);
  return performance.now() - start;
}

Deno.test("openTcp() serves both address families on one port", async () => {
  const listener = await openTcp({ port: 0 });
  await using rig = echoing(await setUpTcp(listener));
  await assertServed(rig);
  const { port, addresses } = listener;
  assert(port > 0);
  assertEquals([...addresses].sort(), [`0.0.0.0:${port}`, `[::]:${port}`]);
});

Deno.test("openTcp() listens on one address if told to", async () => {
  for (const hostname of LOOPBACKS) {
    const listener = await openTcp({ port: 0, hostname });
    await using rig = echoing(await setUpTcp(listener));
    using caller = await Caller.call(rig.port, hostname);
    await caller.send("hi");
    assertEquals(await caller.readText(2), "hi");
    assertEquals(listener.addresses.length, 1);
    // The other family's port is free for another program.
    const other = LOOPBACKS.find((loopback) => loopback !== hostname)!;
    closeAll(await openTcp({ port: listener.port, hostname: other }));
  }
});

Deno.test("openTcp() rejects a port that another program has, in either family or both", async () => {
  for (const hostname of [undefined, "0.0.0.0", "::"]) {
    const taken = await openTcp({ port: 0, hostname });
    await assertRejects(() => openTcp({ port: taken.port }), Deno.errors.AddrInUse);
    closeAll(taken);
    closeAll(await openTcp({ port: taken.port })); // A refusal leaves nothing open.
  }
});

Deno.test("openTcp() rejects an address that is not this machine's", async () => {
  // 192.0.2.0/24 is kept for documentation: no machine has it.
  await assertRejects(
    () => openTcp({ port: 0, hostname: "192.0.2.1" }),
    Deno.errors.AddrNotAvailable,
  );
});

Deno.test("TcpHost gives the engine peers with plain addresses", async () => {
  await using rig = await setUpTcp();
  using ada = await Caller.call(rig.port, "127.0.0.1");
  await until("ada", () => rig.engine.peers.length === 1);
  using bob = await Caller.call(rig.port, "::1");
  await until("bob", () => rig.engine.peers.length === 2);
  assertEquals(
    rig.engine.peers.map(({ ip, port, address, network }) => [ip, port, address, network]),
    [
      ["127.0.0.1", ada.port, `127.0.0.1:${ada.port}`, "127.0.0.1"],
      ["::1", bob.port, `[::1]:${bob.port}`, "0:0:0:0::/64"],
    ],
  );
});

Deno.test("TcpHost tells the engine what happens to a connection in order, of the same peer", async () => {
  await using rig = await setUpTcp();
  const peers = new Set<unknown>();
  rig.engine.onReceive = (peer, chunk, out) => {
    peers.add(peer);
    out.send(peer, chunk.slice());
  };
  rig.engine.onEnded = (peer) => peers.add(peer);
  using caller = await Caller.call(rig.port);
  for (const text of ["one", "two"]) {
    await caller.send(text);
    await caller.readText(3);
  }
  await caller.end();
  await until("the end", () => rig.engine.calls.length === 4);
  assertEquals(rig.engine.calls, ["opened", "one", "two", "closed"]);
  assertEquals([...peers], rig.engine.peers);
  assertEquals(await caller.read(), null);
});

Deno.test("TcpHost tells the engine of a connection that says nothing, and of its end", async () => {
  await using rig = await setUpTcp();
  const caller = await Caller.call(rig.port);
  await until("the connection", () => rig.engine.calls.length === 1);
  caller.close();
  await until("the end", () => rig.engine.calls.length === 2);
  assertEquals(rig.engine.calls, ["opened", "closed"]);
});

Deno.test("TcpHost tells a reset from an end, and hands on what came before it", async () => {
  await using rig = await setUpTcp();
  rig.engine.onOpened = (peer, out) => {
    out.send(peer, bytes("not all of it is read"));
    out.setReading(peer, false);
  };
  const kill = await callFated(rig.port, "said before");
  await kill();
  rig.host.act((_, out) => out.setReading(rig.engine.peers[0]!, true));
  await until("the end", () => rig.engine.calls.length === 3);
  assertEquals(rig.engine.calls, ["opened", "said before", "reset"]);
});

Deno.test("TcpHost takes bytes of any number, in order", async () => {
  await using rig = await setUpTcp();
  const sent = pattern(3_000_000);
  const received = new Uint8Array(sent.length);
  let longest = 0;
  rig.engine.onReceive = (_peer, chunk) => {
    longest = Math.max(longest, chunk.length);
    received.set(chunk, rig.engine.receivedBytes - chunk.length);
  };
  using caller = await Caller.call(rig.port);
  for (const [start, end] of [[0, 1], [1, 2_048], [2_048, 4_097], [4_097, sent.length]] as const) {
    await caller.send(sent.subarray(start, end));
    await until("it to arrive", () => rig.engine.receivedBytes === end);
  }
  assertEquals(received, sent);
  // Who sends much is read in large pieces, but not in any size.
  assertEquals(longest, 65_536);
});

Deno.test("TcpHost sends bytes of any number, in order, to an end that reads them late", async () => {
  await using rig = await setUpTcp();
  const sent = pattern(MUCH_BYTES + 12_345);
  using caller = await Caller.call(rig.port);
  await until("the connection", () => rig.engine.peers.length === 1);
  const [peer] = rig.engine.peers;
  const unsent: number[] = [];
  // One piece that the system does not take at once, and many.
  const whole = MUCH_BYTES / 2;
  rig.host.act((_, out) => {
    out.send(peer!, sent.subarray(0, whole));
    unsent.push(out.unsentBytes(peer!));
    for (let at = whole; at < sent.length; at += 10_000) {
      out.send(peer!, sent.subarray(at, Math.min(sent.length, at + 10_000)));
    }
    unsent.push(out.unsentBytes(peer!));
  });
  const pieces = 1 + Math.ceil((sent.length - whole) / 10_000);
  const all = sent.length + 64 * pieces; // Each takes something besides its bytes.
  assertEquals(unsent, [whole + 64, all]);
  const unsentNow = (): number => {
    rig.host.act((_, out) => unsent.push(out.unsentBytes(peer!)));
    return unsent.at(-1)!;
  };
  await until("a part to leave", () => unsentNow() < all);
  assert(unsentNow() > 0, "the system took all that was to wait");
  assertEquals(await caller.readBytes(sent.length), sent);
  await until("all to have left", () => unsentNow() === 0);
  const falling = unsent.slice(1);
  assertEquals(falling, falling.toSorted((a, b) => b - a));
  const { counters } = rig.host;
  assertEquals([counters.sent, counters.sentBytes, counters.failed], [pieces, sent.length, 0]);
});

Deno.test("TcpHost sends in both directions at the same time", async () => {
  await using rig = echoing(await setUpTcp());
  using caller = await Caller.call(rig.port);
  const sent = pattern(4_000_000);
  const sending = caller.send(sent);
  assertEquals(await caller.readBytes(sent.length), sent);
  await sending;
});

Deno.test("TcpHost writes each piece by itself, at once", async () => {
  const engine = new StreamProbe();
  const host = new TcpHost(engine);
  const conn = new FakeConn();
  engine.onOpened = (peer, out) => {
    for (const text of ["a", "bc", "", "def"]) out.send(peer, bytes(text));
  };
  host.adopt(conn.asConn());
  await until("the pieces", () => conn.written.length === 3);
  assertEquals([conn.isNoDelay, conn.isKeptAlive], [true, true]);
  assertEquals(conn.written, ["a", "bc", "def"]);
  await host.close();
});

/** The lengths of what a host writes that is given pieces of these lengths at once. */
async function writes(lengths: readonly number[], writeBytesMax = Infinity): Promise<number[]> {
  const engine = new StreamProbe();
  const host = new TcpHost(engine);
  const conn = new FakeConn();
  conn.writeBytesMax = writeBytesMax;
  const letters = lengths.map((length, i) => String.fromCharCode(97 + i % 26).repeat(length));
  engine.onOpened = (peer, out) => {
    for (const text of letters) out.send(peer, bytes(text));
  };
  host.adopt(conn.asConn());
  await until("all of it", () => host.counters.sent === lengths.length);
  const text = letters.join("");
  assertEquals([host.counters.sentBytes, conn.written.join("") === text], [text.length, true]);
  let unsent: number | undefined;
  host.act((_, out) => unsent = out.unsentBytes(engine.peers[0]!));
  assertEquals(unsent, 0);
  await host.close();
  return conn.written.map(({ length }) => length);
}

Deno.test("TcpHost writes pieces together when many of them wait, up to 64 KiB", async () => {
  const repeat = (count: number, length: number): number[] => new Array(count).fill(length);
  assertEquals(await writes(repeat(60, 3)), repeat(60, 3), "few: each by itself");
  // The first is on its way before there is another one.
  assertEquals(await writes(repeat(201, 3)), [3, 600]);
  // Once few are left, each is by itself again.
  const [first, ...rest] = await writes(repeat(81, 10_000));
  assertEquals([first, ...rest.slice(0, 3)], [10_000, 60_000, 60_000, 60_000]);
  assertEquals(rest.slice(3), repeat(62, 10_000));
  // A long one is not copied, and what would be longer than 64 KiB is parted between the pieces.
  assertEquals((await writes([1, 32_769, ...repeat(100, 1)])).slice(0, 3), [1, 32_769, 100]);
  assertEquals((await writes([1, 2, 65_534, ...repeat(100, 1)])).slice(0, 3), [1, 65_536, 100]);
  assertEquals((await writes([1, 3, 65_534, ...repeat(100, 1)])).slice(0, 4), [1, 3, 65_534, 100]);
});

Deno.test("TcpHost goes on within pieces that it writes together where the system stopped", async () => {
  assertEquals(await writes(new Array(101).fill(5), 200), [5, 200, 200, 100]);
});

Deno.test("TcpHost sends on after it was given nothing to send", async () => {
  await using rig = await setUpTcp();
  rig.engine.onOpened = (peer, out) => {
    out.send(peer, new Uint8Array(0));
    out.send(peer, bytes("1"));
  };
  rig.engine.onReceive = (peer, _chunk, out) => {
    out.send(peer, new Uint8Array(0));
    out.send(peer, new Uint8Array(0));
    out.send(peer, bytes("2"));
  };
  using caller = await Caller.call(rig.port);
  assertEquals(await caller.readText(1), "1");
  await caller.send("?");
  assertEquals(await caller.readText(1), "2");
});

Deno.test("TcpHost goes on writing where the system stopped", async () => {
  const engine = new StreamProbe();
  const host = new TcpHost(engine);
  const conn = new FakeConn();
  conn.writeBytesMax = 2;
  engine.onOpened = (peer, out) => {
    out.send(peer, bytes("abcde"));
    out.send(peer, bytes("fg"));
  };
  host.adopt(conn.asConn());
  await until("all of it", () => conn.written.join("") === "abcdefg");
  assertEquals(conn.written, ["ab", "cd", "e", "fg"]);
  await until("the count", () => host.counters.sent === 2);
  assertEquals(host.counters.sentBytes, 7);
  await host.close();
});

Deno.test("TcpHost gives the engine views of a buffer that it uses again", async () => {
  await using rig = await setUpTcp();
  const buffers = new Set<ArrayBufferLike>();
  rig.engine.onReceive = (from, chunk, out) => {
    buffers.add(chunk.buffer);
    out.send(from, bytes("."));
  };
  using caller = await Caller.call(rig.port);
  for (let round = 0; round < 20; round++) {
    await caller.send("short");
    await caller.readText(1);
  }
  const [buffer] = buffers;
  assertEquals([buffers.size, buffer!.byteLength], [1, 2_048]);
});

Deno.test("TcpHost reads nothing from a connection while it is told not to", async () => {
  await using rig = await setUpTcp();
  rig.engine.onOpened = (peer, out) => {
    if (rig.engine.peers.length === 1) out.setReading(peer, false);
  };
  using paused = await Caller.call(rig.port);
  await until("the first", () => rig.engine.peers.length === 1);
  await paused.send("later");
  using other = await Caller.call(rig.port);
  await other.send("now");
  await until("the other", () => rig.engine.receivedBytes === 3);
  await paused.send("!");
  assertEquals(rig.engine.calls, ["opened", "opened", "now"]);
  rig.host.act((_, out) => {
    out.setReading(rig.engine.peers[0]!, true);
    out.setReading(rig.engine.peers[0]!, true);
  });
  await until("the rest", () => rig.engine.receivedBytes === 9);
  assertEquals(rig.engine.calls.slice(3).join(""), "later!");
});

Deno.test("TcpHost slows the other end of a paused connection down, and loses nothing", async () => {
  await using rig = await setUpTcp();
  const sent = pattern(MUCH_BYTES);
  const received = new Uint8Array(sent.length);
  rig.engine.onReceive = (_peer, chunk) => {
    received.set(chunk, rig.engine.receivedBytes - chunk.length);
  };
  rig.engine.onOpened = (peer, out) => out.setReading(peer, false);
  using caller = await Caller.call(rig.port);
  let isSent = false;
  const sending = caller.send(sent).then(() => isSent = true);
  await until("the connection", () => rig.engine.peers.length === 1);
  // It has to stop somewhere: the system keeps no such amount.
  await until("the buffers to be full", () => stands(rig));
  assertEquals([rig.engine.receivedBytes, isSent], [0, false]);
  rig.host.act((_, out) => out.setReading(rig.engine.peers[0]!, true));
  await sending;
  await until("all of it", () => rig.engine.receivedBytes === sent.length);
  assertEquals(received, sent);
});

/** Whether nothing was read for a moment. */
async function stands({ host }: StreamRig): Promise<boolean> {
  const before = host.counters.receivedBytes;
  await new Promise((resolve) => setTimeout(resolve, 20));
  return host.counters.receivedBytes === before;
}

Deno.test("TcpHost sends what is queued before it ends a connection", async () => {
  await using rig = await setUpTcp();
  const sent = pattern(MUCH_BYTES);
  rig.engine.onOpened = (peer, out) => {
    out.send(peer, sent);
    out.send(peer, bytes("bye"));
    out.close(peer);
    out.close(peer);
  };
  using caller = await Caller.call(rig.port);
  assertEquals(await caller.readBytes(sent.length), sent);
  assertEquals(await caller.readToEnd(), "bye");
  caller.close();
  // The engine hears no more of it.
  await until("the connection to be gone", () => rig.host.counters.sent === 2);
  assertEquals(rig.engine.calls, ["opened"]);
});

Deno.test("TcpHost loses nothing that is queued when the other end has sent something unread", async () => {
  await using rig = await setUpTcp();
  rig.engine.onOpened = (peer, out) => out.setReading(peer, false);
  using caller = await Caller.call(rig.port);
  await until("the connection", () => rig.engine.peers.length === 1);
  await caller.send(pattern(100_000));
  rig.host.act((_, out) => {
    out.send(rig.engine.peers[0]!, pattern(500_000));
    out.send(rig.engine.peers[0]!, bytes("bye"));
    out.close(rig.engine.peers[0]!);
  });
  await caller.send(pattern(100_000));
  assertEquals(await caller.readBytes(500_000), pattern(500_000));
  assertEquals(await caller.readToEnd(), "bye");
  assertEquals(rig.engine.calls, ["opened"]);
});

Deno.test("TcpHost cuts a connection that it ended when the other end has much more to say", async () => {
  await using rig = await setUpTcp();
  rig.engine.onOpened = (peer, out) => {
    out.send(peer, bytes("bye")); // Or it would be cut at once.
    out.close(peer);
  };
  using caller = await Caller.call(rig.port);
  const start = performance.now();
  await assertRejects(async () => {
    for (;;) await caller.send(new Uint8Array(65_536));
  });
  assert(performance.now() - start < 1_950, "before its patience ends, which is 2 s");
  assert(rig.host.counters.receivedBytes < 1_000_000);
});

Deno.test("TcpHost cuts a connection at once that it ends and that was sent nothing", async () => {
  const engine = new StreamProbe();
  const host = new TcpHost(engine);
  const conns = [new FakeConn(), new FakeConn(), new FakeConn()];
  for (const conn of conns) host.adopt(conn.asConn());
  host.act((_, out) => {
    const [silent, empty, spoken] = engine.peers;
    out.close(silent!);
    out.send(empty!, new Uint8Array(0));
    out.close(empty!);
    out.send(spoken!, bytes("bye"));
    out.close(spoken!);
  });
  assertEquals(conns.map(({ isClosed }) => isClosed), [true, true, false]);
  await until("the other to be told", () => conns[2]!.isClosed);
  assertEquals(conns.map(({ written }) => written), [[], [], ["bye"]]);
  assertEquals(engine.calls, ["opened", "opened", "opened"]);
  await host.close();
});

Deno.test("TcpHost ends a connection in time although its engine does not read it", async () => {
  await using rig = await setUpTcp();
  rig.engine.onOpened = (peer, out) => out.setReading(peer, false);
  using caller = await Caller.call(rig.port);
  await until("the connection", () => rig.engine.peers.length === 1);
  await caller.send("unread");
  rig.host.act((_, out) => {
    const [peer] = rig.engine.peers;
    out.send(peer!, bytes("bye"));
    out.close(peer!);
    out.setReading(peer!, false); // What pauses a connection may come after what ends it.
  });
  assertEquals(await caller.readToEnd(), "bye");
  caller.close();
  const ms = await elapsedMs(rig.host.close());
  assert(ms < 1_500, `it took ${ms} ms`); // Its patience with the other end is 2 s.
});

Deno.test("TcpHost cuts a connection that it ended when the other end does not read, or say that it is done", async () => {
  await using rig = await setUpTcp();
  rig.engine.onOpened = (peer, out) => {
    if (rig.engine.peers.length === 1) out.send(peer, new Uint8Array(MUCH_BYTES));
    out.send(peer, bytes("bye"));
    out.close(peer);
  };
  using deaf = await Caller.call(rig.port);
  await until("the first", () => rig.engine.peers.length === 1);
  using mute = await Caller.call(rig.port);
  assertEquals(await mute.readToEnd(), "bye");
  const start = performance.now();
  await until("the second to be cut", async () => {
    try {
      await mute.send("anybody?"); // What it says is read, and thrown away.
      return false;
    } catch {
      return true;
    }
  });
  const ms = performance.now() - start;
  assert(ms > 1_000, `after ${ms} ms`);
  await assertRejects(() => deaf.readBytes(MUCH_BYTES), Error);
  await until("what was lost", () => rig.host.counters.failed > 0);
  assertEquals(rig.engine.calls, ["opened", "opened"]);
});

Deno.test("TcpHost sends what the engine says when the other end is done", async () => {
  await using rig = await setUpTcp();
  const much = pattern(MUCH_BYTES);
  rig.engine.onReceive = (peer, _chunk, out) => out.send(peer, much);
  rig.engine.onEnded = (peer, _end, out) => out.send(peer, bytes("last words"));
  using caller = await Caller.call(rig.port);
  await caller.send("?");
  await caller.end();
  assertEquals(await caller.readBytes(much.length), much);
  assertEquals(await caller.readToEnd(), "last words");
  assertEquals(rig.engine.calls, ["opened", "?", "closed"]);
});

Deno.test("TcpHost loses what it has to write to a connection that is reset, and nothing else", async () => {
  await using rig = await setUpTcp();
  rig.engine.onOpened = (peer, out) => {
    out.send(peer, new Uint8Array(MUCH_BYTES));
    out.send(peer, bytes("2"));
    out.send(peer, bytes("3"));
  };
  const kill = await callFated(rig.port, "said before");
  await until("the text", () => rig.engine.calls.length === 2);
  await kill();
  await until("the reset", () => rig.engine.calls.length === 3);
  assertEquals(rig.engine.calls, ["opened", "said before", "reset"]);
  await until("the count", () => rig.host.counters.failed === 3);
  assertEquals([rig.host.counters.sent, rig.host.counters.sentBytes], [0, 0]);
  rig.engine.onOpened = () => {};
  await assertServed(echoing(rig));
});

Deno.test("TcpHost hands on what it can read although it can write no more", async () => {
  const engine = new StreamProbe();
  const host = new TcpHost(engine);
  const conn = new FakeConn();
  conn.writeError = new Deno.errors.BrokenPipe("gone");
  let peer: StreamProbe["peers"][number];
  let unsent: number | undefined;
  engine.onOpened = (opened, out) => {
    peer = opened;
    out.send(peer, bytes("1"));
    out.send(peer, bytes("2"));
  };
  host.adopt(conn.asConn());
  await until("the failure", () => host.counters.failed === 2);
  host.act((_, out) => {
    out.send(peer, bytes("3"));
    unsent = out.unsentBytes(peer);
  });
  assertEquals(unsent, 0);
  assertEquals(host.counters.failed, 3);
  conn.arrive("said before");
  await until("the text", () => engine.calls.length === 2);
  conn.arrive(new Deno.errors.ConnectionReset("gone"));
  await until("the end", () => engine.calls.length === 3);
  assertEquals(engine.calls, ["opened", "said before", "reset"]);
  await host.close();
  assertEquals(conn.isClosed, true);
});

Deno.test("TcpHost takes nothing to be sent to a connection that is gone", async () => {
  await using rig = await setUpTcp();
  const caller = await Caller.call(rig.port);
  caller.close();
  await until("the end", () => rig.engine.calls.length === 2);
  await until("the connection to be given back", () => {
    rig.host.act((_, out) => out.send(rig.engine.peers[0]!, bytes("late")));
    return rig.host.counters.failed > 0;
  });
  rig.host.act((_, out) => {
    out.setReading(rig.engine.peers[0]!, false);
    out.close(rig.engine.peers[0]!);
  });
  assertEquals([rig.engine.calls, rig.faults], [["opened", "closed"], []]);
});

Deno.test("TcpHost.close() ends connections that read, write, or are paused, and frees the port", async () => {
  const rig = await setUpTcp();
  const { engine, host, port } = rig;
  const callers: Caller[] = [];
  for (let i = 0; i < 4; i++) {
    callers.push(await Caller.call(port));
    await until("the connection", () => engine.peers.length === i + 1);
  }
  const [, writing, paused, talking] = callers;
  await paused!.send("never read");
  await talking!.send("read");
  await until("what is said", () => engine.calls.includes("read"));
  const much = pattern(1_000_000);
  host.act((now, out) => {
    engine.deadline = now + 3_600_000;
    out.setReading(engine.peers[2]!, false);
    out.send(engine.peers[1]!, much);
    for (const peer of engine.peers) out.send(peer, bytes("bye"));
  });
  const { length } = engine.calls;
  const closing = host.close();
  await talking!.send("too late");
  assertEquals(await writing!.readBytes(much.length), much);
  for (const caller of callers) {
    assertEquals(await caller.readToEnd(), "bye");
    caller.close();
  }
  await within("the end", closing);
  assertEquals(engine.calls.slice(length), [], "the engine hears no more");
  closeAll(await openTcp({ port }));
});

Deno.test("TcpHost.close() does not wait for ever, and sends as much as is taken", async () => {
  const rig = await setUpTcp();
  using deaf = await Caller.call(rig.port);
  await until("the connection", () => rig.engine.peers.length === 1);
  rig.host.act((_, out) => out.send(rig.engine.peers[0]!, new Uint8Array(MUCH_BYTES)));
  const ms = await elapsedMs(rig.host.close());
  assert(ms > 300, `after ${ms} ms`);
  assert((await deaf.readBytes(10_000)).length === 10_000);
});

Deno.test("TcpHost.close() may be called again, before and after the first call has ended", async () => {
  const rig = await setUpTcp();
  const both = [rig.host.close(), rig.host.close()];
  await both[1];
  closeAll(await openTcp({ port: rig.port })); // Whoever waits finds the port free.
  await both[0];
  await rig.host.close();
  rig.host.act(() => rig.engine.deadline = 0);
  assertEquals(rig.engine.deadline, Infinity, "the engine is left alone");
});

Deno.test("TcpHost may be closed by its own engine's event", async () => {
  for (const event of ["onOpened", "onReceive", "onEnded", "onAdvance"] as const) {
    const rig = await setUpTcp();
    let closing: Promise<void> | undefined;
    rig.engine[event] = () => closing = rig.host.close();
    using caller = await Caller.call(rig.port);
    await caller.send("bye");
    if (event === "onEnded") await caller.end();
    if (event === "onAdvance") rig.host.act(() => rig.engine.deadline = 0);
    await until(`the close in ${event}`, () => closing !== undefined);
    assertEquals(await caller.readToEnd(), "");
    caller.close();
    await within("the end", closing!);
  }
});

Deno.test("TcpHost forgets connections that are gone", async () => {
  const rig = echoing(await setUpTcp());
  for (let i = 0; i < 50; i++) {
    await Promise.all(Array.from({ length: 10 }, async (_, j) => {
      using caller = await Caller.call(rig.port, LOOPBACKS[j % 2]);
      await caller.send("hi");
      assertEquals(await caller.readText(2), "hi");
    }));
  }
  await until("all to have ended", () => rig.engine.calls.length === 3 * 500);
  assertEquals(rig.host.counters.accepted, 500);
  const ms = await elapsedMs(rig.host.close());
  assert(ms < 1_500, `it took ${ms} ms`);
});

Deno.test("TcpHost takes its time for the end of each connection, however many there were", async () => {
  await using rig = await setUpTcp();
  const much = pattern(100_000);
  rig.engine.onOpened = (peer, out) => {
    out.send(peer, much);
    out.close(peer);
  };
  for (let i = 0; i < 300; i++) {
    using caller = await Caller.call(rig.port);
    assertEquals((await caller.readBytes(much.length)).length, much.length);
    assertEquals(await caller.read(), null);
  }
});

Deno.test("TcpHost.close() sends what is queued on many connections", async () => {
  const rig = await setUpTcp();
  const callers: Caller[] = [];
  while (callers.length < 300) callers.push(await Caller.call(rig.port));
  await until("all of them", () => rig.engine.peers.length === callers.length);
  rig.host.act((_, out) => {
    for (const peer of rig.engine.peers) out.send(peer, bytes("bye"));
  });
  const closing = rig.host.close();
  const texts = await Promise.all(callers.map((caller) => caller.readToEnd()));
  for (const caller of callers) caller.close();
  await closing;
  assertEquals(texts.filter((text) => text === "bye").length, callers.length);
});

Deno.test("TcpHost notices that a connection is gone also when it is not read", async () => {
  await using rig = await setUpTcp();
  rig.engine.onOpened = (peer, out) => {
    out.setReading(peer, false);
    out.send(peer, bytes("never read, so the system resets the connection"));
  };
  const caller = await Caller.call(rig.port);
  await caller.send(bytes("nor is this"));
  await until("what is sent", () => rig.host.counters.sent === 1);
  caller.close();
  await until("its end", () => {
    rig.host.act((_, out) => out.send(rig.engine.peers[0]!, bytes("x")));
    return rig.engine.calls.length > 1;
  });
  assertEquals(rig.engine.calls, ["opened", "reset"]);
});

Deno.test("TcpHost rests after sixteen connections: a flood of them keeps nobody from being heard", async () => {
  const listener = new FakeListener();
  await using rig = await setUpTcp(listener.asListener());
  const openedAt: number[] = [];
  rig.engine.onOpened = () => openedAt.push(performance.now());
  for (let count = 0; count < 40; count++) listener.arrive(new FakeConn().asConn());
  await until("all of them", () => openedAt.length === 40);
  for (const first of [16, 32]) {
    const restMs = openedAt[first]! - openedAt[first - 1]!;
    assert(restMs > 7, `${restMs} ms before number ${first}`);
  }
});

Deno.test("TcpHost does not end when it can take no connection for a while", async () => {
  const listener = new FakeListener();
  await using rig = await setUpTcp(listener.asListener());
  const error = new Error("too many open files");
  listener.arrive(error);
  listener.arrive(error);
  const conn = new FakeConn();
  listener.arrive(conn.asConn());
  await until("the first failure", () => rig.acceptFailures.length === 1);
  const failedAt = performance.now();
  assertEquals(rig.engine.peers.length, 0);
  await until("the connection", () => rig.engine.peers.length === 1);
  // With a pause after each failure, or it would do nothing else.
  assert(performance.now() - failedAt > 150);
  assertEquals(rig.acceptFailures, [error, error]);
  const { accepted, acceptErrors, faults } = rig.host.counters;
  assertEquals([accepted, acceptErrors, faults], [1, 2, 0]);
});

Deno.test("TcpHost.close() ends in time after an accept that failed, and a connection that came too late", async () => {
  const listener = new FakeListener();
  const rig = await setUpTcp(listener.asListener());
  listener.arrive(new Error("too many open files"));
  await until("the failure", () => rig.acceptFailures.length === 1);
  await within("the end", rig.host.close());
  assertEquals(rig.host.counters.acceptErrors, 1);

  const other = new FakeListener();
  const late = await setUpTcp(other.asListener());
  const conn = new FakeConn();
  other.arrive(conn.asConn());
  await within("the end", late.host.close());
  assertEquals([late.engine.calls, conn.isClosed], [[], true]);
});

Deno.test("TcpHost takes no connection while it is told not to, and those that waited then", async () => {
  const listener = new FakeListener();
  await using rig = await setUpTcp(listener.asListener());
  const { engine, host } = rig;
  listener.arrive(new FakeConn().asConn());
  await until("the first", () => engine.peers.length === 1);
  host.setAccepting(false);
  host.setAccepting(false);
  // The system was asked for the next one before.
  for (let i = 0; i < 4; i++) listener.arrive(new FakeConn().asConn());
  await until("the next", () => engine.peers.length === 2);
  await new Promise((resolve) => setTimeout(resolve, 20));
  assertEquals([engine.peers.length, host.counters.accepted], [2, 2]);
  host.setAccepting(true);
  await until("the others", () => engine.peers.length === 5);
});

Deno.test("TcpHost.close() ends in time although no connection is taken", async () => {
  const rig = await setUpTcp();
  rig.host.setAccepting(false);
  using _last = await Caller.call(rig.port);
  await until("the last", () => rig.host.counters.accepted === 1);
  using _waiting = await Caller.call(rig.port);
  await within("the end", rig.host.close());
  assertEquals(rig.host.counters.accepted, 1);
  closeAll(await openTcp({ port: rig.port }));
});

Deno.test("TcpHost closes a listener and a connection that it is given after its end", async () => {
  const engine = new StreamProbe();
  const host = new TcpHost(engine);
  await host.close();
  const listener = new FakeListener();
  host.listen(listener.asListener());
  const conn = new FakeConn();
  host.adopt(conn.asConn());
  assertEquals([listener.isClosed, conn.isClosed, engine.calls], [true, true, []]);
  await host.close();
});

Deno.test("TcpHost goes on when who is told of a failed accept throws", async () => {
  const listener = new FakeListener();
  const engine = new StreamProbe();
  const faults: unknown[] = [];
  const fault = new Error("bug");
  const host = new TcpHost(engine, {
    onFault: (error) => faults.push(error),
    onAcceptFailure: () => {
      throw fault;
    },
  });
  host.listen(listener.asListener());
  listener.arrive(new Error("too many open files"));
  listener.arrive(new FakeConn().asConn());
  await until("the connection", () => engine.peers.length === 1);
  assertEquals(faults, [fault]);
  await host.close();
});

Deno.test("TcpHost reports what an engine throws, and goes on", async () => {
  await using rig = echoing(await setUpTcp());
  const { engine, faults } = rig;
  const bug = new Error("bug");
  const fail = (): never => {
    throw bug;
  };
  engine.onOpened = fail;
  using caller = await Caller.call(rig.port);
  await caller.send("1");
  assertEquals(await caller.readText(1), "1");
  assertEquals(faults, [bug]);
  const echo = engine.onReceive;
  engine.onReceive = fail;
  await caller.send("2");
  await until("the fault of receive", () => faults.length === 2);
  engine.onReceive = echo;
  engine.onOpened = () => {};
  await caller.send("3");
  assertEquals(await caller.readText(1), "3");
  engine.onAdvance = fail;
  rig.host.act(() => engine.deadline = 0);
  await until("the fault of advance", () => faults.length === 3);
  engine.onEnded = fail;
  await caller.end();
  assertEquals(await caller.read(), null, "the connection is ended all the same");
  assertEquals(faults.length, 4);
  rig.host.act(fail);
  engine.nextDeadline = fail;
  rig.host.act(() => {});
  engine.nextDeadline = () => Infinity;
  engine.onEnded = () => {};
  assertEquals([faults.length, rig.host.counters.faults], [6, 6]);
  assertStrictEquals(faults[5], bug);
  await assertServed(rig);
});

Deno.test("TcpHost reports what a listener throws, and the engine goes on", async () => {
  const faults: unknown[] = [];
  const engine = new StreamProbe();
  const heard: string[] = [];
  engine.onReceive = (from, chunk, out) => {
    out.emit("heard");
    out.send(from, chunk.slice());
  };
  const listener = await openTcp({ port: 0 });
  const host = new TcpHost(engine, {
    onEvent: (event) => {
      heard.push(event);
      throw new Error("listener");
    },
    onFault: (fault) => faults.push(fault),
  });
  host.listen(listener);
  using caller = await Caller.call(listener.port);
  await caller.send("hi");
  assertEquals(await caller.readText(2), "hi");
  assertEquals([faults.length, heard], [1, ["heard"]]);
  caller.close();
  await host.close();
});

Deno.test("TcpHost needs nobody who listens", async () => {
  const engine = new StreamProbe();
  const host = new TcpHost(engine);
  host.act((_, out) => out.emit("to nobody"));
  host.act(() => {
    throw new Error("to nobody");
  });
  const listener = new FakeListener();
  host.listen(listener.asListener());
  listener.arrive(new Error("to nobody"));
  await until("the failure", () => host.counters.acceptErrors === 1);
  assertEquals(host.counters.faults, 1);
  await host.close();
});

Deno.test("TcpHost advances the engine at once when a deadline has come after what was read", async () => {
  await using rig = await setUpTcp();
  const order: string[] = [];
  rig.engine.onReceive = (_peer, chunk) => {
    order.push(`received ${chunk.length}`);
    rig.engine.deadline = performance.now();
    queueMicrotask(() => order.push("later"));
  };
  rig.engine.onAdvance = () => order.push("advanced");
  using caller = await Caller.call(rig.port);
  await caller.send("?");
  await until("the call", () => order.length === 3);
  assertEquals(order, ["received 1", "advanced", "later"]);
});

Deno.test("TcpHost advances the engine only when nothing more is to be read at once", async () => {
  const engine = new StreamProbe();
  const host = new TcpHost(engine);
  const conn = new FakeConn();
  const order: string[] = [];
  engine.onReceive = (_peer, chunk) => {
    order.push(`received ${chunk.length}`);
    engine.deadline = performance.now();
    queueMicrotask(() => order.push("later"));
  };
  engine.onAdvance = () => order.push("advanced");
  conn.arrive("x".repeat(2_048 + 100));
  host.adopt(conn.asConn());
  await until("both reads", () => order.includes("received 100"));
  await until("the call", () => order.length >= 5);
  assertEquals(order.slice(0, 5), ["received 2048", "later", "received 100", "advanced", "later"]);
  // But it does so although nothing follows.
  await until("the timer of the first read", () => order.length === 6);
  order.length = 0;
  conn.arrive("x".repeat(4_096));
  await until("the call", () => order.includes("advanced"));
  assertEquals(order, ["received 4096", "later", "advanced"]);
  await host.close();
});

Deno.test("TcpHost advances the engine at its deadline, also before anybody has come", async () => {
  const engine = new StreamProbe();
  engine.deadline = 0;
  const host = new TcpHost(engine);
  await until("the first call", () => engine.advances.length === 1);
  host.act((now) => engine.deadline = now + 20);
  const wanted = engine.deadline;
  await until("the second call", () => engine.advances.length === 2);
  assert(engine.advances[1]! >= wanted - 1, "not before");
  await host.close();
});

Deno.test("TcpHost sets its timer by what was read, said from outside, opened and ended", async () => {
  await using rig = await setUpTcp();
  const soon = (): void => void (rig.engine.deadline = performance.now() + 5);
  rig.host.act((now) => rig.engine.deadline = now + 3_600_000);
  for (const event of ["onOpened", "onReceive", "onEnded"] as const) rig.engine[event] = soon;
  using caller = await Caller.call(rig.port);
  await until("the timer after opened", () => rig.engine.advances.length > 0);
  await caller.send("?");
  await until("the timer after receive", () => rig.engine.advances.length > 1);
  await caller.end();
  await until("the timer after ended", () => rig.engine.advances.length > 2);
  rig.host.act(soon);
  await until("the timer after act", () => rig.engine.advances.length > 3);
});

Deno.test("TcpHost counts what it takes and sends", async () => {
  await using rig = echoing(await setUpTcp());
  using caller = await Caller.call(rig.port);
  for (let round = 0; round < 3; round++) {
    await caller.send("12345");
    await caller.readText(5);
  }
  await until("the last to be counted", () => rig.host.counters.sent === 3);
  assertEquals(rig.host.counters, {
    accepted: 1,
    acceptErrors: 0,
    received: 3,
    receivedBytes: 15,
    sent: 3,
    sentBytes: 15,
    shutOut: 0,
    failed: 0,
    faults: 0,
  });
});

Deno.test("TcpHost takes no connection from an address that is shut out, and counts it", async () => {
  const engine = new StreamProbe();
  const asked: [ip: string, port: number][] = [];
  let isShut = true;
  const listener = await openTcp({ port: 0 });
  const host = new TcpHost(engine, {
    isShutOut(ip, port): boolean {
      asked.push([ip, port]);
      return isShut;
    },
  });
  host.listen(listener);
  engine.onReceive = (from, chunk, out) => out.send(from, chunk.slice());
  for (const hostname of LOOPBACKS) {
    isShut = true;
    const before = host.counters;
    using refused = await Caller.call(listener.port, hostname);
    assertEquals(await refused.read(), null);
    assertEquals(asked.at(-1), [hostname, refused.port]);
    isShut = false;
    using caller = await Caller.call(listener.port, hostname);
    await caller.send("hi");
    assertEquals(await caller.readText(2), "hi");
    const { accepted, shutOut, received } = host.counters;
    assertEquals([accepted, shutOut], [before.accepted + 2, before.shutOut + 1]);
    assertEquals(received, before.received + 1);
  }
  assertEquals(engine.calls.filter((call) => call === "opened").length, LOOPBACKS.length);
  await within("the end", host.close());
});

Deno.test("TcpHost.trafficOf() is what went through one connection", async () => {
  await using rig = echoing(await setUpTcp());
  using ada = await Caller.call(rig.port);
  await until("ada", () => rig.engine.peers.length === 1);
  using _bob = await Caller.call(rig.port, "::1");
  await until("bob", () => rig.engine.peers.length === 2);
  const [adas, bobs] = rig.engine.peers.map((peer) => rig.host.trafficOf(peer));
  const bobHeardAt = bobs!.heardAt;
  for (let round = 0; round < 3; round++) {
    await ada.send("12345");
    await ada.readText(5);
  }
  await until("the last to be counted", () => adas!.sent === 3);
  const { received, receivedBytes, sent, sentBytes } = adas!;
  assertEquals([received, receivedBytes, sent, sentBytes], [3, 15, 3, 15]);
  assert(adas!.heardAt > bobHeardAt && adas!.heardAt <= performance.now());
  assertEquals([bobs!.received, bobs!.sent, bobs!.heardAt], [0, 0, bobHeardAt]);
  assert(bobHeardAt > 0, "it was heard when it connected");
});

Deno.test("TcpHost tells how late it was, and how long the engine took for what it read", async () => {
  const engine = new StreamProbe();
  const [lates, handled]: [number[], number[]] = [[], []];
  const listener = await openTcp({ port: 0 });
  const host = new TcpHost(engine, {
    onLate: (ms) => lates.push(ms),
    onHandled: (ms) => handled.push(ms),
  });
  host.listen(listener);
  engine.onReceive = (from, chunk, out) => {
    const end = performance.now() + 20;
    while (performance.now() < end);
    out.send(from, chunk.slice());
  };
  using caller = await Caller.call(listener.port);
  await caller.send("x");
  await caller.readText(1);
  assertEquals(handled.length, 1);
  assert(handled[0]! >= 20, handled.join());
  const due = performance.now() + 5;
  host.act(() => engine.deadline = due);
  while (performance.now() < due + 20); // The timer will be late.
  await until("the timer", () => lates.length > 0);
  assert(lates[0]! >= 15, lates.join());
  await within("the end", host.close());
});

Deno.test("TcpHost.adopt() takes over a connection that was opened elsewhere", async () => {
  await using server = echoing(await setUpTcp());
  const engine = new StreamProbe();
  const host = new TcpHost(engine);
  engine.onOpened = (peer, out) => out.send(peer, bytes("hello"));
  host.adopt(await connectTcp({ hostname: "127.0.0.1", port: server.port }, 5_000));
  assertEquals(engine.calls, ["opened"]); // At once.
  await until("the answer", () => engine.receivedBytes === 5);
  assertEquals(engine.peers[0]!.address, `127.0.0.1:${server.port}`);
  assertEquals(host.counters.accepted, 0);
  await within("the end", host.close());
  await until("the server to know", () => server.engine.calls.length === 3);
  assertEquals(server.engine.calls, ["opened", "hello", "closed"]);
});

/** A connection whose other end is made up, for what no real network does on request. */
class FakeConn {
  readonly remoteAddr: Deno.NetAddr = { transport: "tcp", hostname: "192.0.2.7", port: 5_000 };
  /** Each write that was more than nothing. */
  readonly written: string[] = [];
  isNoDelay = false;
  isKeptAlive = false;
  isClosed = false;
  /** How much a write takes. */
  writeBytesMax = Infinity;
  /** Answers `write`. */
  writeError: Error | undefined;
  readonly #arrivals: (Uint8Array | Error)[] = [];
  #waiting: PromiseWithResolvers<void> | undefined;
  #isWriteClosed = false;

  setNoDelay(isNoDelay = true): void {
    this.isNoDelay = isNoDelay;
  }

  setKeepAlive(isKeptAlive = true): void {
    this.isKeptAlive = isKeptAlive;
  }

  /** Lets something arrive. */
  arrive(arrival: string | Error): void {
    this.#arrivals.push(typeof arrival === "string" ? bytes(arrival) : arrival);
    this.#waiting?.resolve();
  }

  async read(buffer: Uint8Array): Promise<number | null> {
    await Promise.resolve();
    while (this.#arrivals.length === 0) {
      if (this.isClosed) throw new Deno.errors.BadResource("closed");
      if (this.#isWriteClosed) return null; // The other end answers an end with its own.
      this.#waiting = Promise.withResolvers();
      await this.#waiting.promise;
    }
    const arrival = this.#arrivals[0]!;
    if (arrival instanceof Error) throw arrival;
    const length = Math.min(arrival.length, buffer.length);
    buffer.set(arrival.subarray(0, length));
    if (length < arrival.length) this.#arrivals[0] = arrival.subarray(length);
    else this.#arrivals.shift();
    return length;
  }

  async write(piece: Uint8Array): Promise<number> {
    await Promise.resolve();
    if (this.writeError) throw this.writeError;
    const taken = piece.subarray(0, this.writeBytesMax);
    this.written.push(new TextDecoder().decode(taken));
    return taken.length;
  }

  async closeWrite(): Promise<void> {
    await Promise.resolve();
    if (this.writeError) throw this.writeError;
    this.#isWriteClosed = true;
    this.#waiting?.resolve();
  }

  close(): void {
    if (this.isClosed) throw new Deno.errors.BadResource("closed twice");
    this.isClosed = true;
    this.#waiting?.resolve();
  }

  /** With all that a host uses of one. */
  asConn(): Deno.TcpConn {
    return this as unknown as Deno.TcpConn;
  }
}

/** A listener whose connections and errors are made up. */
class FakeListener {
  readonly addr: Deno.NetAddr = { transport: "tcp", hostname: "::", port: 8_080 };
  readonly #arrivals: (Deno.TcpConn | Error)[] = [];
  #waiting: PromiseWithResolvers<void> | undefined;
  isClosed = false;

  /** Lets something arrive. */
  arrive(arrival: Deno.TcpConn | Error): void {
    this.#arrivals.push(arrival);
    this.#waiting?.resolve();
  }

  async accept(): Promise<Deno.TcpConn> {
    while (this.#arrivals.length === 0) {
      if (this.isClosed) throw new Deno.errors.BadResource("closed");
      this.#waiting = Promise.withResolvers();
      await this.#waiting.promise;
    }
    const arrival = this.#arrivals.shift()!;
    if (arrival instanceof Error) throw arrival;
    return arrival;
  }

  close(): void {
    this.isClosed = true;
    this.#waiting?.resolve();
  }

  /** What a host listens to. */
  asListener(): TcpListener {
    const listener = this as unknown as Deno.TcpListener; // With all that a host uses of one.
    return { listeners: [listener], port: this.addr.port, addresses: ["[::]:8080"] };
  }
}
