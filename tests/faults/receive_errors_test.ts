/** Errors as Windows gives them where other systems give none: when a datagram or a connection is awaited. */
import { assert, assertEquals, assertMatch } from "@std/assert";
import { SyncClient } from "../../lib/clients/sync.ts";
import { TcpHost } from "../../lib/hosts/tcp.ts";
import { WrappedConn } from "../../lib/hosts/wrapped_conn.ts";
import { Incidents } from "../../lib/commands/hosting/incidents.ts";
import { loggerOf } from "../../lib/observe/log.ts";
import { run } from "../home/running.ts";
import { FakeConn, setUp } from "../hosts/probe.ts";
import { setUpTcp } from "../hosts/tcp_probe.ts";
import { LogBook } from "../support/log.ts";
import { until } from "../support/wait.ts";

/** As Rust names them there; those that have no class of their own are plain errors. */
const ERRORS: readonly Error[] = [
  new Deno.errors.ConnectionReset("An existing connection was forcibly closed (os error 10054)"),
  new Error("The network connection was aborted by the local system (os error 10052)"),
  new Error("The specified network name is no longer available. (os error 64)"),
  new Error("A message sent on a datagram socket was larger than the buffer (os error 10040)"),
];

/** A socket that fails so many times before each datagram that really arrives. */
class FailingConn extends WrappedConn {
  failures = 0;
  readonly #errors: readonly Error[];
  readonly #each: number;
  #left: number;

  constructor(inner: Deno.DatagramConn, errors: readonly Error[], each: number) {
    super(inner);
    this.#errors = errors;
    this.#each = each;
    this.#left = each;
  }

  override async receive(buffer?: Uint8Array): ReturnType<Deno.DatagramConn["receive"]> {
    if (this.#left > 0) {
      this.#left--;
      await Promise.resolve();
      throw this.#errors[this.failures++ % this.#errors.length]!;
    }
    this.#left = this.#each;
    return await this.inner.receive(buffer);
  }
}

Deno.test("UdpHost hears a player between thousands of errors, and keeps its time", async () => {
  const conn = new FakeConn();
  await using rig = await setUp(conn.asSocket());
  const storm = (): void => {
    for (let error = 0; error < 3_000; error++) conn.arrive(ERRORS[error % ERRORS.length]!);
  };
  const startedAt = performance.now();
  rig.host.act((now) => rig.engine.deadline = now + 50);
  for (let datagram = 1; datagram <= 4; datagram++) {
    storm();
    conn.arrive({ bytes: Uint8Array.of(datagram), hostname: "192.0.2.7", port: 5_000 });
    await until(`datagram ${datagram}`, () => rig.engine.received.length === datagram);
  }
  await until("the timer", () => rig.engine.advances.length > 0);
  // A pause for each error would take twenty minutes.
  assert(performance.now() - startedAt < 10_000);
  assertEquals([rig.host.counters.receiveErrors, rig.faults], [12_000, []]);
});

Deno.test("TcpHost does not spin where all connections that it takes are gone already", async () => {
  const gone = [...ERRORS.slice(0, 1), ERRORS[2]!];
  const listener = new FailingListener(gone);
  const rig = await setUpTcp(listener.asListener());
  const { host } = rig;
  await until("many errors", () => host.counters.acceptErrors > 4_096);
  // It pauses by now: the test's own timers run.
  const before = listener.accepts;
  await new Promise((resolve) => setTimeout(resolve));
  assert(listener.accepts - before < 5, `${listener.accepts - before} calls`);
  assertEquals(host.counters.faults, 0);
  await host.close();
});

Deno.test("A service counts errors of players who are gone, says nothing of them, and plays on", async () => {
  const book = new LogBook();
  await using sync = await run("sync", {
    through: (conn) => new FailingConn(conn, ERRORS.slice(0, 3), 20),
  });
  await using client = await SyncClient.connect(`127.0.0.1:${sync.port}`);
  client.send("here");
  await until("her state", () => client.states.size === 1);
  const { receiveErrors } = sync.counters as unknown as { receiveErrors: number };
  assert(receiveErrors >= 40, `${receiveErrors} errors`);
  assertEquals(book.lines.filter((line) => /receiv/.test(line)), []);
});

Deno.test("A service says once that the system fails to receive, and that it works again", async () => {
  const book = new LogBook();
  let isBroken = true;
  class Breaking extends WrappedConn {
    override async receive(buffer?: Uint8Array): ReturnType<Deno.DatagramConn["receive"]> {
      if (isBroken) {
        await Promise.resolve();
        throw new Error("The network is down (os error 10050)");
      }
      return await this.inner.receive(buffer);
    }
  }
  await using sync = await run("sync", { through: (conn) => new Breaking(conn) });
  const said = (): string[] => book.lines.filter((line) => /receive|receiving/.test(line));
  await until("word of it", () => said().length > 0);
  isBroken = false;
  await using client = await SyncClient.connect(`127.0.0.1:${sync.port}`);
  await until("word of its end", () => {
    client.send(`${performance.now()}`);
    return said().length > 1;
  });
  assertEquals(said().length, 2);
  assertMatch(
    said()[0]!,
    /^warning: the system failed to receive: The network is down .*10050\); it /,
  );
  assertMatch(said()[1]!, /^info: receiving works again: it failed \d+ times in [\d.]+ s$/);
});

Deno.test("SyncClient goes on playing between errors of its own socket", async () => {
  new LogBook();
  await using sync = await run("sync");
  await using client = await SyncClient.connect(`127.0.0.1:${sync.port}`, {
    through: (conn) => new FailingConn(conn, ERRORS, 50),
  });
  client.send("here");
  await until("her state", () => client.states.size === 1);
});

Deno.test("Incidents says of failed sends what is wrong once, and when it is over", async () => {
  const book = new LogBook();
  const counters = { received: 0, sent: 0 };
  using incidents = new Incidents(loggerOf("sync"), () => counters);
  const away = new Deno.errors.NetworkUnreachable("Network is unreachable (os error 101)");
  for (let datagram = 0; datagram < 500; datagram++) incidents.onSendFailure(away, 100);
  incidents.onSendFailure(new Error("Message too long (os error 90)"), 70_000);
  await until("its end", () => {
    counters.sent++;
    return book.lines.some((line) => line.includes("works again"));
  });
  incidents.onSendFailure(away, 100); // So soon it is the same again.
  assertEquals(book.lines.map((line) => line.replace(/[\d.]+ s$/, "N s")), [
    "warning: a datagram of 100 bytes could not be sent: Network is unreachable (os error 101); " +
    "is this computer's network up? Whoever is heard again in time is still in",
    "warning: a datagram of 70000 bytes could not be sent: Message too long (os error 90)",
    "info: sending works again: 501 datagrams were lost in N s",
  ]);
});

/** A listener that only fails. */
class FailingListener {
  readonly addr: Deno.NetAddr = { transport: "tcp", hostname: "::", port: 8_080 };
  accepts = 0;
  readonly #errors: readonly Error[];
  #isClosed = false;

  constructor(errors: readonly Error[]) {
    this.#errors = errors;
  }

  async accept(): Promise<Deno.TcpConn> {
    await Promise.resolve();
    if (this.#isClosed) throw new Deno.errors.BadResource("closed");
    throw this.#errors[this.accepts++ % this.#errors.length]!;
  }

  close(): void {
    this.#isClosed = true;
  }

  /** What a host listens to. */
  asListener(): Parameters<TcpHost<string>["listen"]>[0] {
    const listener = this as unknown as Deno.TcpListener; // With all that a host uses of one.
    return { listeners: [listener], port: this.addr.port, addresses: ["[::]:8080"] };
  }
}
