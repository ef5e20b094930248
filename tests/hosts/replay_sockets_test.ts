import { assert, assertEquals } from "@std/assert";
import { ReplaySockets } from "../../lib/hosts/replay_sockets.ts";
import { openUdp } from "../../lib/hosts/udp.ts";
import { until } from "../support/wait.ts";
import { setUp } from "./probe.ts";

for (const ip of ["127.0.0.1", "0:0:0:0:0:0:0:1"]) {
  Deno.test(`ReplaySockets speaks from a socket for each, and counts what comes back: ${ip}`, async () => {
    await using rig = await setUp(await openUdp({ port: 0 }));
    rig.engine.onReceive = (from, bytes, out): void => {
      out.send(from, bytes);
      out.send(from, new Uint8Array(10));
    };
    const sockets = new ReplaySockets({ ip, port: rig.port }, 2);
    try {
      for (const speaker of ["ada", "bob", "ada", "eve", "eve", "bob"]) {
        await sockets.send(speaker, new TextEncoder().encode(speaker));
      }
      await until("all answers", () => sockets.counters.received === 8);
      assertEquals(sockets.counters, {
        ...{ sent: 4, sentBytes: 12, failed: 0, leftOut: 2, received: 8, receivedBytes: 52 },
      });
      assertEquals(
        [sockets.size, sockets.has("ada"), sockets.has("eve")],
        [2, true, false],
      );
      const ports = rig.engine.received.map(({ from, bytes }) => ({
        port: from.port,
        speaker: new TextDecoder().decode(bytes),
      }));
      for (const { port, speaker } of ports) {
        const same = ports.filter((other) => other.port === port);
        assert(same.length === 2 && same.every((other) => other.speaker === speaker));
      }
    } finally {
      await sockets.close();
    }
  });
}

Deno.test("ReplaySockets counts only what the server says", async () => {
  await using rig = await setUp();
  const sockets = new ReplaySockets({ ip: "127.0.0.1", port: rig.port }, 1);
  using stranger = new StrangerSocket();
  try {
    await sockets.send("ada", new Uint8Array(1));
    await until("it to arrive", () => rig.engine.received.length === 1);
    const { from } = rig.engine.received[0]!;
    await stranger.send(new Uint8Array(5), from.port);
    rig.host.act((_now, out) => out.send(from, new Uint8Array(3)));
    await until("the answer", () => sockets.counters.received === 1);
    assertEquals(sockets.counters.receivedBytes, 3);
  } finally {
    await sockets.close();
  }
});

Deno.test("ReplaySockets counts what the system does not take", async () => {
  const sockets = new ReplaySockets({ ip: "127.0.0.1", port: 9 }, 1);
  await sockets.send("ada", new Uint8Array(65_536));
  await sockets.close();
  assertEquals([sockets.counters.sent, sockets.counters.failed], [0, 1]);
});

class StrangerSocket implements Disposable {
  readonly #conn = Deno.listenDatagram({ transport: "udp", hostname: "127.0.0.1", port: 0 });

  async send(bytes: Uint8Array, port: number): Promise<void> {
    await this.#conn.send(bytes, { transport: "udp", hostname: "127.0.0.1", port });
  }

  [Symbol.dispose](): void {
    this.#conn.close();
  }
}
