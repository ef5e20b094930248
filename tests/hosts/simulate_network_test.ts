import { assert, assertEquals, assertThrows } from "@std/assert";
import { type BadNetwork, simulateNetwork } from "../../lib/hosts/simulate_network.ts";
import { openUdp } from "../../lib/hosts/udp.ts";
import { Client, FakeConn, setUp } from "./probe.ts";

const ADA: Deno.NetAddr = { transport: "udp", hostname: "192.0.2.7", port: 5000 };

function bytes(text: string): Uint8Array {
  return new TextEncoder().encode(text);
}

/** Which of the datagrams 0, 1, 2... of two sockets in turn got through. */
async function survivors(network: BadNetwork): Promise<string[]> {
  const inners = [new FakeConn(), new FakeConn()];
  const through = simulateNetwork(network);
  const conns = inners.map((inner) => through(inner as unknown as Deno.DatagramConn));
  for (let i = 0; i < 40; i++) await conns[i % 2]!.send(bytes(`${i}`), ADA);
  const sent = inners.map((inner) => inner.sent.map((line) => line.split(" ")[2]!));
  for (const conn of conns) conn.close();
  return sent.flat();
}

Deno.test("simulateNetwork() gives all sockets one sequence of fates, the same for the same seed", async () => {
  const lossShare = 0.5;
  const first = await survivors({ lossShare, seed: 1 });
  assertEquals(await survivors({ lossShare, seed: 1 }), first);
  assert(first.length > 5 && first.length < 35, `${first.length}`);
  const other = await survivors({ lossShare, seed: 2 });
  assert(other.join() !== first.join());
  // With a sequence of its own each socket would lose the same ones.
  const [even, odd] = [0, 1].map((rest) =>
    first.map(Number).filter((i) => i % 2 === rest).map((i) => i >> 1).join()
  );
  assert(even !== odd, even);
});

Deno.test("simulateNetwork() without a seed does not do the same each time", async () => {
  const runs = new Set<string>();
  for (let i = 0; i < 4; i++) runs.add((await survivors({ lossShare: 0.5 })).join());
  assertEquals(runs.size, 4);
});

Deno.test("simulateNetwork() leaves alone what is not to be bad, and delays what is", async () => {
  assertEquals((await survivors({})).length, 40);
  assertEquals((await survivors({ duplicateShare: 1 })).length, 80);
  const socket = await openUdp({ port: 0, through: simulateNetwork({ lagMs: 25 }) });
  await using rig = await setUp(socket);
  rig.engine.onReceive = (from, datagram, out) => out.send(from, datagram);
  using client = new Client("127.0.0.1", rig.port);
  const askedAt = performance.now();
  await client.ask(bytes("hi"));
  assert(performance.now() - askedAt >= 50);
});

Deno.test("simulateNetwork() refuses what no network is", () => {
  for (const network of [{ lossShare: 1.1 }, { lagMs: -1 }, { jitterMs: 1e9 }]) {
    assertThrows(() => simulateNetwork(network), RangeError, Object.keys(network)[0]);
  }
});
