import { assert, assertEquals, assertRejects } from "@std/assert";
import { connectTcp } from "../../lib/hosts/connect_tcp.ts";
import { within } from "../support/wait.ts";

/** A port on which nobody listens. */
function closedPort(hostname: string): number {
  const listener = Deno.listen({ hostname, port: 0 });
  const { port } = listener.addr;
  listener.close();
  return port;
}

/** Answers a call for a connection, which is given up by the signal. */
type Connect = (hostname: string, signal: AbortSignal) => Promise<Deno.TcpConn>;

/** Lets `connect` stand for the system while `work` runs, for what no loopback does on request. */
async function withSystem(connect: Connect, work: () => Promise<void>): Promise<void> {
  const real = Deno.connect;
  const fake = ({ hostname, signal }: Deno.ConnectOptions): Promise<Deno.TcpConn> =>
    connect(hostname!, signal!);
  Deno.connect = fake as typeof Deno.connect;
  try {
    await work();
  } finally {
    Deno.connect = real;
  }
}

/** No answer, until it is given up. */
function silence(signal: AbortSignal): Promise<never> {
  return new Promise((_, reject) => {
    const end = (): void => reject(signal.reason);
    if (signal.aborted) end();
    else signal.addEventListener("abort", end);
  });
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

Deno.test("connectTcp() gives up in time, and calls off what the system was to do", async () => {
  const signals: AbortSignal[] = [];
  const connect: Connect = (_, signal) => {
    signals.push(signal);
    return silence(signal);
  };
  await withSystem(connect, async () => {
    const start = performance.now();
    await assertRejects(
      () => connectTcp({ hostname: "192.0.2.1", port: 80 }, 50),
      Error,
      "no answer from 192.0.2.1 on TCP port 80 within 0.05 s: does a firewall let it through?",
    );
    assert(performance.now() - start >= 45);
  });
  assertEquals(signals.map(({ aborted }) => aborted), [true]);
});

Deno.test("connectTcp() calls nothing off once there is a connection", async () => {
  const conn = {} as Deno.TcpConn;
  let signal: AbortSignal | undefined;
  const connect: Connect = (_, given) => {
    signal = given;
    return Promise.resolve(conn);
  };
  await withSystem(connect, async () => {
    assertEquals(await connectTcp({ hostname: "192.0.2.1", port: 80 }, 5), conn);
  });
  await new Promise((resolve) => setTimeout(resolve, 20));
  assertEquals(signal!.aborted, false);
});

Deno.test("connectTcp() gives up when it is told to, and tries no other address", async () => {
  const tried: string[] = [];
  const connect: Connect = (hostname, signal) => {
    tried.push(hostname);
    return silence(signal);
  };
  const fault = new Error("changed my mind");
  for (const moment of ["before", "meanwhile"]) {
    tried.length = 0;
    const controller = new AbortController();
    if (moment === "before") controller.abort(fault);
    else setTimeout(() => controller.abort(fault), 20);
    await withSystem(connect, async () => {
      const error = await assertRejects(
        () =>
          within("it", connectTcp({ hostname: "localhost", port: 80 }, 60_000, controller.signal)),
        Error,
        "localhost cannot be reached on TCP port 80: changed my mind",
      );
      assertEquals(error.cause, fault);
    });
    assertEquals(tried, ["127.0.0.1"]);
  }
});

Deno.test("connectTcp() gives up what the system itself is about", async () => {
  const controller = new AbortController();
  controller.abort();
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const { port } = listener.addr;
  const target = { hostname: "127.0.0.1", port };
  await assertRejects(() => connectTcp(target, 5_000, controller.signal), Error, "aborted");
  using conn = await connectTcp(target, 5_000, new AbortController().signal);
  assertEquals(conn.remoteAddr.port, port);
});

Deno.test("connectTcp() shares its time among the addresses of a name", async () => {
  const conn = {} as Deno.TcpConn;
  const tried: string[] = [];
  const start = performance.now();
  const connect: Connect = (hostname, signal) => {
    tried.push(hostname);
    return tried.length === 1 ? silence(signal) : Promise.resolve(conn);
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
