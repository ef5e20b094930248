import { assert, assertEquals } from "@std/assert";
import { type OutboxPeer, PumpedOutbox } from "../../lib/hosts/outbox.ts";
import { peerAt } from "../support/recorder.ts";
import { until } from "../support/wait.ts";

interface SetUp {
  outbox: PumpedOutbox<string, OutboxPeer>;
  events: string[];
  /** `peer:text` of each send, in the order in which they began. */
  begun: string[];
  /** How often `onLeft` was called, with the backlog it saw. */
  left: number[];
  failures: string[];
  /** Lets the oldest send that waits succeed, or fail with this error. */
  finish(error?: Error): Promise<void>;
  peer(name: string): OutboxPeer;
}

/** An outbox over sends that last until a test finishes them. */
function setUp(options: { lettersMax?: number; onLeft?: () => void } = {}): SetUp {
  const events: string[] = [];
  const begun: string[] = [];
  const left: number[] = [];
  const failures: string[] = [];
  const waiting: PromiseWithResolvers<unknown>[] = [];
  const outbox = new PumpedOutbox<string, OutboxPeer>(
    (event) => events.push(event),
    () => {
      left.push(outbox.backlog);
      options.onLeft?.();
    },
    (error, bytes) => failures.push(`${(error as Error).message}, ${bytes} bytes`),
    options.lettersMax,
  );
  return {
    outbox,
    events,
    begun,
    left,
    failures,
    async finish(error?: Error): Promise<void> {
      await until("a send", () => waiting.length > 0);
      assertEquals(waiting.length, 1, "one send at a time");
      const send = waiting.shift()!;
      if (error) send.reject(error);
      else send.resolve(0);
    },
    peer(name: string): OutboxPeer {
      return {
        ...peerAt(`${name}:5000`),
        queued: undefined,
        transmit(bytes: Uint8Array): Promise<unknown> {
          begun.push(`${name}:${text(bytes)}`);
          const send = Promise.withResolvers<unknown>();
          waiting.push(send);
          return send.promise;
        },
      };
    },
  };
}

function bytes(text: string): Uint8Array {
  return new TextEncoder().encode(text);
}

function text(bytes: Uint8Array): string {
  return new TextDecoder().decode(bytes);
}

Deno.test("PumpedOutbox keeps the order and begins a send when the one before has ended", async () => {
  const { outbox, begun, finish, peer } = setUp();
  const [ada, bob] = [peer("ada"), peer("bob")];
  outbox.send(ada, bytes("1"));
  outbox.send(bob, bytes("2"));
  outbox.send(ada, bytes("3"));
  await until("the first send", () => begun.length > 0);
  assertEquals(begun, ["ada:1"]);
  await finish();
  await until("the second send", () => begun.length > 1);
  assertEquals(begun, ["ada:1", "bob:2"]);
  await finish();
  await finish();
  await outbox.close();
  assertEquals(begun, ["ada:1", "bob:2", "ada:3"]);
});

Deno.test("PumpedOutbox puts a newer broadcast in the place of one that still waits", async () => {
  const { outbox, begun, finish, peer } = setUp();
  const [ada, bob, eve] = [peer("ada"), peer("bob"), peer("eve")];
  outbox.broadcast([ada, bob, eve], bytes("old"));
  await until("the first send", () => begun.length === 1);
  outbox.broadcast(new Set([eve, ada, bob]), bytes("new"));
  assertEquals(outbox.counters.replaced, 2, "only ada's had left the queue");
  for (let sends = 0; sends < 4; sends++) await finish();
  await outbox.close();
  assertEquals(begun, ["ada:old", "bob:new", "eve:new", "ada:new"]);
  assertEquals(outbox.counters.sent, 4);
  assertEquals(outbox.counters.sentBytes, 12);
});

Deno.test("PumpedOutbox reads the recipients before broadcast() returns", async () => {
  const { outbox, begun, finish, peer } = setUp();
  const recipients = [peer("ada")];
  outbox.broadcast(recipients, bytes("1"));
  recipients.pop();
  await finish();
  await outbox.close();
  assertEquals(begun, ["ada:1"]);
});

Deno.test("PumpedOutbox drops and counts single datagrams beyond its bound", async () => {
  const { outbox, begun, finish, peer } = setUp({ lettersMax: 3 });
  const ada = peer("ada");
  for (const word of ["1", "2", "3", "4", "5"]) outbox.send(ada, bytes(word));
  assertEquals(outbox.counters.dropped, 2);
  outbox.broadcast([ada], bytes("b"));
  for (let sends = 0; sends < 4; sends++) await finish();
  await outbox.close();
  assertEquals(begun, ["ada:1", "ada:b", "ada:2", "ada:3"]);
});

Deno.test("PumpedOutbox takes turns, so that a flood of single datagrams holds up no broadcast", async () => {
  const { outbox, begun, finish, peer } = setUp();
  const [ada, bob] = [peer("ada"), peer("bob")];
  for (const word of ["1", "2", "3"]) outbox.send(ada, bytes(word));
  outbox.broadcast([ada, bob], bytes("b"));
  for (let sends = 0; sends < 5; sends++) await finish();
  await outbox.close();
  assertEquals(begun, ["ada:1", "ada:b", "ada:2", "bob:b", "ada:3"]);
});

Deno.test("PumpedOutbox counts in backlog the broadcasts that have not left, the one under way too", async () => {
  const { outbox, begun, finish, left, peer } = setUp();
  assertEquals(outbox.backlog, 0);
  outbox.broadcast([peer("ada"), peer("bob")], bytes("b"));
  assertEquals(outbox.backlog, 2);
  await until("the first send", () => begun.length === 1);
  assertEquals(outbox.backlog, 2);
  await finish();
  await until("the second send", () => begun.length === 2);
  assertEquals(outbox.backlog, 1);
  assertEquals(left, []);
  await finish();
  await until("the queue to be empty", () => left.length === 1);
  assertEquals(left, [0], "once, when nothing is left");
  await outbox.close();
});

Deno.test("PumpedOutbox sends what onLeft queues", async () => {
  let rounds = 0;
  const { outbox, begun, finish, left, peer } = setUp({
    onLeft: () => {
      if (++rounds < 3) outbox.broadcast([ada], bytes(String(rounds)));
    },
  });
  const ada = peer("ada");
  outbox.broadcast([ada], bytes("0"));
  for (let sends = 0; sends < 3; sends++) await finish();
  await until("three rounds", () => left.length === 3);
  await outbox.close();
  assertEquals(begun, ["ada:0", "ada:1", "ada:2"]);
});

Deno.test("PumpedOutbox goes on after a send that failed, counts and reports it", async () => {
  const { outbox, begun, failures, finish, left, peer } = setUp();
  const [ada, bob] = [peer("ada"), peer("bob")];
  outbox.send(ada, bytes("1"));
  outbox.send(bob, bytes("2"));
  outbox.broadcast([ada], bytes("b"));
  await finish(new Deno.errors.NetworkUnreachable("no route"));
  await finish(new TypeError("port 0"));
  await finish();
  await outbox.close();
  assertEquals(begun, ["ada:1", "ada:b", "bob:2"]);
  assertEquals(outbox.counters, {
    sent: 1,
    sentBytes: 1,
    failed: 2,
    dropped: 0,
    replaced: 0,
  });
  assertEquals(failures, ["no route, 1 bytes", "port 0, 1 bytes"]);
  assertEquals(left, [0], "a broadcast that failed has left, too");
});

Deno.test("PumpedOutbox goes on after a send that throws at once", async () => {
  const { outbox, begun, finish, peer } = setUp();
  const broken = peer("broken");
  broken.transmit = (): Promise<unknown> => {
    throw new TypeError("no such port");
  };
  outbox.send(broken, bytes("1"));
  outbox.send(peer("ada"), bytes("2"));
  await finish();
  await outbox.close();
  assertEquals(begun, ["ada:2"]);
  assertEquals(outbox.counters.failed, 1);
});

Deno.test("PumpedOutbox begins again after it was idle", async () => {
  const { outbox, begun, finish, peer } = setUp();
  const ada = peer("ada");
  for (const word of ["1", "2", "3"]) {
    outbox.send(ada, bytes(word));
    await finish();
    await until("that it is sent", () => outbox.counters.sent === Number(word));
  }
  await outbox.close();
  assertEquals(begun, ["ada:1", "ada:2", "ada:3"]);
});

Deno.test("PumpedOutbox.close() ends when all has left, and takes no more", async () => {
  const { outbox, begun, finish, peer } = setUp();
  const ada = peer("ada");
  outbox.send(ada, bytes("1"));
  outbox.broadcast([ada], bytes("b"));
  let isClosed = false;
  const closing = outbox.close().then(() => isClosed = true);
  outbox.send(ada, bytes("2"));
  outbox.broadcast([ada], bytes("c"));
  assertEquals(outbox.counters.dropped, 1);
  await finish();
  await until("the broadcast", () => begun.length === 2);
  assert(!isClosed);
  await finish();
  await closing;
  assertEquals(begun, ["ada:1", "ada:b"]);
});

Deno.test("PumpedOutbox.close() of one that never sent ends at once", async () => {
  await setUp().outbox.close();
});

Deno.test("PumpedOutbox hands events on at once", () => {
  const { outbox, events } = setUp();
  outbox.emit("joined");
  assertEquals(events, ["joined"]);
});

Deno.test("PumpedOutbox keeps the order of more than any inner buffer holds", async () => {
  const sent: number[] = [];
  const outbox = new PumpedOutbox<string, OutboxPeer>(() => {}, () => {}, () => {}, 30_000);
  const ada: OutboxPeer = {
    ...peerAt("ada:5000"),
    queued: undefined,
    transmit(bytes: Uint8Array): Promise<unknown> {
      sent.push(new DataView(bytes.buffer).getUint32(0));
      return Promise.resolve();
    },
  };
  for (let i = 0; i < 30_000; i++) {
    const datagram = new Uint8Array(4);
    new DataView(datagram.buffer).setUint32(0, i);
    outbox.send(ada, datagram);
  }
  await outbox.close();
  assertEquals(sent, Array.from({ length: 30_000 }, (_, i) => i));
});
