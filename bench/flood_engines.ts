/**
 * What each kind of rubbish costs a server's engine: CPU time and memory a datagram, without socket and host.
 *
 *     deno run -A --v8-flags=--expose-gc,--min-semi-space-size=64,--max-semi-space-size=64 \
 *       bench/flood_engines.ts [SERVICE...]
 *
 * The engines hear ten players and the floods of `bench/flood.ts` at 100,000 datagrams a second of their own
 * time, for a quarter of a second, several times over; the best one counts, for the machine may be busy. "ns a KiB" is
 * told where the datagrams are long. Prints Markdown. A bare receive takes the host about 3,000 ns.
 */
import process from "node:process";
import { createArenaServer } from "../lib/protocols/arena/server.ts";
import { createEchoServer } from "../lib/protocols/echo/server.ts";
import type { Engine, Outbox, Peer } from "../lib/protocols/engine.ts";
import { createRendezvousServer } from "../lib/protocols/rendezvous/server.ts";
import { createSyncServer } from "../lib/protocols/sync/server.ts";
import { createWorldServer } from "../lib/protocols/world/server.ts";
import { World } from "../lib/protocols/world/world.ts";
import { seededRandom } from "../lib/parts/random.ts";
import { FLOODS, TALKS } from "./flood_talks.ts";

const PLAYERS = 10;
const FLOOD_HZ = 100_000;
const RUN_DATAGRAMS = 25_000;
const RUNS = 5;
const ALLOCATION_DATAGRAMS = 1_000;
const ALLOCATION_TRIES = 9;

type Any = Engine<unknown, Outbox<unknown>>;

const ENGINES: Record<string, () => Any> = {
  sync: () => createSyncServer({ firstSnapshotNumber: 1 }) as Any,
  arena: () => createArenaServer({ random: seededRandom(1) }) as Any,
  echo: () => createEchoServer() as Any,
  rendezvous: () => createRendezvousServer() as Any,
  world: () =>
    createWorldServer({ world: new World(), unixMs: () => 0, random: seededRandom(1) }) as Any,
};

/** Everything leaves at once. What is sent to players is kept for them. */
class Outlet implements Outbox<unknown> {
  readonly backlog = 0;
  readonly unsent = 0;
  sent = 0;
  readonly heard = new Map<Peer, Uint8Array[]>();

  send(peer: Peer, bytes: Uint8Array): void {
    this.sent++;
    this.heard.get(peer)?.push(bytes);
  }

  broadcast(peers: Iterable<Peer>, bytes: Uint8Array): void {
    for (const peer of peers) this.send(peer, bytes);
  }

  emit(): void {}
}

function peerAt(ip: string, port: number): Peer {
  return { ip, port, address: `${ip}:${port}`, network: ip };
}

/** An engine with its players. */
class Scene {
  readonly out = new Outlet();
  readonly #engine: Any;
  readonly #players: { peer: Peer; talk: ReturnType<typeof TALKS[string]> }[];
  #now = 0;
  #playedAt = 0;
  #turn = 0;

  constructor(service: string) {
    this.#engine = ENGINES[service]!();
    this.#players = Array.from({ length: PLAYERS }, (_, index) => {
      const peer = peerAt(`127.0.0.${2 + index}`, 5_000);
      this.out.heard.set(peer, []);
      const talk = TALKS[service]!(index, PLAYERS);
      this.#engine.receive(talk.hello(), peer, this.#now, this.out);
      return { peer, talk };
    });
    for (let step = 0; step < 200; step++) this.pass(10);
  }

  pass(ms: number): void {
    this.#now += ms;
    while (this.#engine.nextDeadline() <= this.#now) this.#engine.advance(this.#now, this.out);
    if (this.#now - this.#playedAt < 50) return;
    this.#playedAt = this.#now;
    this.#turn++;
    for (const { peer, talk } of this.#players) {
      for (const bytes of this.out.heard.get(peer)!.splice(0)) {
        for (const reply of talk.hear(bytes).replies) this.receive(reply, peer);
      }
      this.receive(talk.play(this.#turn), peer);
    }
  }

  receive(bytes: Uint8Array, peer: Peer): void {
    this.#engine.receive(bytes, peer, this.#now, this.out);
  }
}

interface Cost {
  ns: number;
  bytes: number;
  repliesShare: number;
  datagramBytes: number;
}

function measure(service: string, kind: string): Cost {
  const { addresses, shapes, inTurn = false, counts = false } = FLOODS[service]![kind]!;
  // Not on the loopback: that is believed.
  const peers = Array.from(
    { length: addresses },
    (_, index) => peerAt(`10.${index >> 16}.${(index >> 8) & 255}.${index & 255}`, 6_000),
  );
  const scene = new Scene(service);
  let [turn, at] = [0, 0];
  const copies = shapes.map((shape) => shape.slice());
  const views = copies.map(({ buffer }) => new DataView(buffer));
  const flood = (datagrams: number): void => {
    for (let sent = 0; sent < datagrams; sent++, turn++) {
      const index = turn % shapes.length;
      if (counts && index > 0) views[index]!.setBigInt64(0, BigInt(turn), true);
      scene.receive(copies[index]!, peers[at % addresses]!);
      if (!inTurn || index === shapes.length - 1) at++;
      if (turn % 20 === 19) scene.pass(20_000 / FLOOD_HZ);
    }
  };
  flood(RUN_DATAGRAMS);
  const sentBefore = scene.out.sent;
  let ns = Infinity;
  for (let run = 0; run < RUNS; run++) {
    const before = process.cpuUsage();
    flood(RUN_DATAGRAMS);
    const { user, system } = process.cpuUsage(before);
    ns = Math.min(ns, 1_000 * (user + system) / RUN_DATAGRAMS);
  }
  const repliesShare = (scene.out.sent - sentBefore) / (RUNS * RUN_DATAGRAMS);
  return {
    ns,
    bytes: allocated(() => flood(ALLOCATION_DATAGRAMS)),
    repliesShare,
    datagramBytes: mean(shapes),
  };
}

/** Bytes a datagram, the median of some tries: memory may be freed meanwhile. NaN where there is no `gc`. */
function allocated(flood: () => void): number {
  const { gc } = globalThis as { gc?: () => void };
  if (!gc) return NaN;
  const tries = Array.from({ length: ALLOCATION_TRIES }, () => {
    gc();
    const before = Deno.memoryUsage();
    flood();
    const after = Deno.memoryUsage();
    return after.heapUsed - before.heapUsed + after.external - before.external;
  });
  tries.sort((one, other) => one - other);
  return tries[ALLOCATION_TRIES >> 1]! / ALLOCATION_DATAGRAMS;
}

function mean(shapes: readonly Uint8Array[]): number {
  return shapes.reduce((sum, { length }) => sum + length, 0) / shapes.length;
}

function print(cells: readonly string[]): void {
  console.log(`| ${cells.join(" | ")} |`);
}

const HEAD = [
  "service",
  "flood",
  "bytes",
  "ns",
  "ns a KiB",
  "bytes allocated",
  "datagrams sent for each",
];
print(HEAD);
print(HEAD.map((_, column) => column < 2 ? "---" : "---:"));
for (const service of Deno.args.length > 0 ? Deno.args : Object.keys(ENGINES)) {
  for (const kind of Object.keys(FLOODS[service]!)) {
    const { ns, bytes, repliesShare, datagramBytes } = measure(service, kind);
    print([
      service,
      kind,
      datagramBytes.toFixed(0),
      ns.toFixed(0),
      datagramBytes < 2_000 ? "-" : (1_024 * ns / datagramBytes).toFixed(0),
      Number.isNaN(bytes) ? "-" : bytes.toFixed(0),
      repliesShare.toFixed(2),
    ]);
  }
}
