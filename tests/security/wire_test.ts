/** On real sockets as much arrives as the tables say: bytes of engines are bytes on the wire. */
import { assert, assertEquals } from "@std/assert";
import { openUdp, UdpHost } from "../../lib/hosts/udp.ts";
import { seededRandom } from "../../lib/parts/random.ts";
import { createArenaServer } from "../../lib/protocols/arena/server.ts";
import { createEchoServer } from "../../lib/protocols/echo/server.ts";
import type { Engine } from "../../lib/protocols/engine.ts";
import { createRendezvousServer } from "../../lib/protocols/rendezvous/server.ts";
import { createSyncServer } from "../../lib/protocols/sync/server.ts";
import { createWorldServer } from "../../lib/protocols/world/server.ts";
import { World } from "../../lib/protocols/world/world.ts";
import { encodeIdRequest } from "../../lib/protocols/sync/wire.ts";
import { until } from "../support/wait.ts";
import { accountOf, stageOf } from "./attack.ts";
import type { Load } from "./ledger.ts";
import { packet, played, registration, said, UNIX_MS } from "./speakers.ts";

const LOOPBACK = "127.0.0.1";

/** The same server twice, and what to say to it: all that is answered is answered within two seconds. */
const CASES: Record<string, { make: () => Engine<never>; words: readonly Uint8Array[] }> = {
  "sync": {
    make: () => createSyncServer({ firstSnapshotNumber: UNIX_MS * 1_000 }) as never,
    words: [encodeIdRequest(), encodeIdRequest()],
  },
  "rendezvous": {
    make: () => createRendezvousServer() as never,
    words: [registration(1, "host"), registration(2, "host")],
  },
  "arena": {
    make: () => createArenaServer({ random: seededRandom(31) }) as never,
    words: [played({ kind: "join" })],
  },
  "echo": { make: () => createEchoServer() as never, words: [said(0), said("hello")] },
  "world": {
    make: () =>
      createWorldServer({
        ...{ world: new World(), unixMs: () => UNIX_MS, random: seededRandom(32) },
      }) as never,
    words: [packet({ type: "stop" }), packet({ type: "x" }), packet({})],
  },
};

type Case = (typeof CASES)[string];

/** What an address gets by the engine's account. */
function accounted({ make, words }: Case, address: string): Load {
  const { toForged } = accountOf({
    set: (isForging) => stageOf(make(), isForging),
    act: (stage) => {
      for (const word of words) stage.forge(word, address);
      stage.waitForSilence();
    },
  });
  return toForged;
}

/** A socket in whose name something is said, and which says nothing itself to what it hears. */
async function counted(
  { make, words }: Case,
  isShutOut: boolean,
): Promise<{ expected: Load; heard: Load; sent: Load }> {
  const socket = await openUdp({ port: 0, hostname: LOOPBACK });
  const host = new UdpHost(make(), socket, { isShutOut: () => isShutOut });
  const victim = Deno.listenDatagram({ transport: "udp", hostname: LOOPBACK, port: 0 });
  const heard: Load = { datagrams: 0, bytes: 0 };
  const listening = (async (): Promise<void> => {
    for await (const [bytes] of victim) {
      heard.datagrams++;
      heard.bytes += bytes.length;
    }
  })();
  const to = { transport: "udp", hostname: LOOPBACK, port: socket.port } as const;
  for (const word of words) await victim.send(word, to);
  // Its address may be a part of what it is told.
  const expected = accounted({ make, words }, `${LOOPBACK}:${(victim.addr as Deno.NetAddr).port}`);
  await until("all has arrived", () => host.counters.received === words.length);
  await until("all has come back", () => isShutOut || heard.datagrams >= expected.datagrams);
  const { sent: datagrams, sentBytes: bytes } = host.counters;
  await host.close();
  victim.close();
  await listening;
  return { expected, heard, sent: { datagrams, bytes } };
}

for (const [name, each] of Object.entries(CASES)) {
  Deno.test(`${name}: an address gets as many bytes as its server's engine says`, async () => {
    const { expected, heard, sent } = await counted(each, false);
    assert(expected.datagrams > 0, "nothing was said");
    assertEquals([heard, sent], [expected, expected]);
  });

  Deno.test(`${name}: an address that is banned gets nothing`, async () => {
    const { heard, sent } = await counted(each, true);
    const nothing = { datagrams: 0, bytes: 0 };
    assertEquals([heard, sent], [nothing, nothing]);
  });
}
