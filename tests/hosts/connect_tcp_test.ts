import { assert, assertEquals, assertRejects } from "@std/assert";
import { connectTcp } from "../../lib/hosts/connect_tcp.ts";
import { until, within } from "../support/wait.ts";

/** A port on which nobody listens. */
function closedPort(hostname: string): number {
  const listener = Deno.listen({ hostname, port: 0 });
  const { port } = listener.addr;
  listener.close();
  return port;
}

/** Lets `connect` stand for the system while `work` runs, for what no loopback does on request. */
async function withSystem(
  connect: (hostname: string) => Promise<Deno.TcpConn>,
  work: () => Promise<void>,
): Promise<void> {
  const real = Deno.connect;
  const fake = ({ hostname }: Deno.ConnectOptions): Promise<Deno.TcpConn> => connect(hostname!);
  Deno.connect = fake as typeof Deno.connect;
  try {
    await work();
  } finally {
    Deno.connect = real;
  }
}

/** A connection of which only its closing matters. */
function fakeConn(): { conn: Deno.TcpConn; isClosed: () => boolean } {
  let isClosed = false;
  const conn = { close: () => isClosed = true } as unknown as Deno.TcpConn;
  return { conn, isClosed: () => isClosed };
}

Deno.test("connectTcp() connects to an address of either family, and to localhost on either", async () => {
  for (const local of ["127.0.0.1", "::1"]) {
    using listener = Deno.listen({ hostname: local, port: 0 });
    for (const hostname of [local, "localhost", "LOCALHOST"]) {
      const { port } = listener.addr;
      using conn = await within("it", connectTcp({ hostname, port }, 5_000));
      assertEquals([conn.remoteAddr.hostname, conn.remoteAddr.port], [local, port]);
      (await listener.accept()).close();
    }
  }
});

Deno.test("connectTcp() says that nobody listens", async () => {
  for (const hostname of ["127.0.0.1", "::1", "localhost"]) {
    const port = closedPort(hostname === "::1" ? "::1" : "127.0.0.1");
    const error = await assertRejects(
      () => connectTcp({ hostname, port }, 5_000),
      Error,
      `nobody listens on TCP port ${port} of ${hostname}: is the server running?`,
    );
    assert(error.cause instanceof Deno.errors.ConnectionRefused);
  }
});

Deno.test("connectTcp() says that a name is unknown", async () => {
  // Too long for a name: nothing is asked.
  const hostname = "x".repeat(64);
  await assertRejects(
    () => connectTcp({ hostname, port: 1 }, 5_000),
    Error,
    `no address is known for the host "${hostname}"`,
  );
});

Deno.test("connectTcp() gives up in time, and closes what comes about later", async () => {
  const late = Promise.withResolvers<Deno.TcpConn>();
  await withSystem(() => late.promise, async () => {
    const start = performance.now();
    await assertRejects(
      () => connectTcp({ hostname: "192.0.2.1", port: 80 }, 50),
      Error,
      "no answer from 192.0.2.1 on TCP port 80 within 0.05 s: does a firewall let it through?",
    );
    assert(performance.now() - start >= 45);
  });
  const { conn, isClosed } = fakeConn();
  late.resolve(conn);
  await until("it to be closed", isClosed);
});

Deno.test("connectTcp() takes no harm from a connection that fails after it gave up", async () => {
  const late = Promise.withResolvers<Deno.TcpConn>();
  await withSystem(() => late.promise, async () => {
    await assertRejects(() => connectTcp({ hostname: "192.0.2.1", port: 80 }, 5), Error);
  });
  late.reject(new Error("late"));
  await new Promise((resolve) => setTimeout(resolve)); // Nobody is told of it.
});

Deno.test("connectTcp() shares its time among the addresses of a name", async () => {
  const { conn } = fakeConn();
  const tried: string[] = [];
  const start = performance.now();
  const connect = (hostname: string): Promise<Deno.TcpConn> => {
    tried.push(hostname);
    return tried.length === 1 ? new Promise(() => {}) : Promise.resolve(conn);
  };
  await withSystem(connect, async () => {
    assertEquals(await connectTcp({ hostname: "localhost", port: 80 }, 400), conn);
  });
  const ms = performance.now() - start;
  assert(ms >= 195 && ms < 395, `it took ${ms} ms`);
  assertEquals(tried, ["127.0.0.1", "::1"]);
});

Deno.test("connectTcp() tells other failures in the words of the system, and a missing permission in ours", async () => {
  const failures: [unknown, string][] = [
    [new Error("no route"), "192.0.2.1 cannot be reached on TCP port 80: no route"],
    ["odd", "192.0.2.1 cannot be reached on TCP port 80: odd"],
    [
      new Deno.errors.NotCapable("net"),
      "this program may not use the network: run it with --allow-net",
    ],
  ];
  for (const [failure, message] of failures) {
    await withSystem(() => Promise.reject(failure), async () => {
      const error = await assertRejects(
        () => connectTcp({ hostname: "192.0.2.1", port: 80 }, 1_000),
        Error,
      );
      assertEquals([error.message, error.cause], [message, failure]);
    });
  }
});
