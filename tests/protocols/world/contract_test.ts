import { assert, assertEquals } from "@std/assert";
import type { Engine } from "../../../lib/protocols/engine.ts";
import { createWorldClient } from "../../../lib/protocols/world/client.ts";
import {
  createWorldServer,
  type WorldServerEngine,
  type WorldServerEvent,
  type WorldServerOptions,
} from "../../../lib/protocols/world/server.ts";
import { encodeAck, encodeMessage } from "../../../lib/protocols/world/wire.ts";
import { World } from "../../../lib/protocols/world/world.ts";
import type { Random } from "../../../lib/parts/random.ts";
import { peerAt } from "../../support/recorder.ts";
import { testEngineContract } from "../engine_suite.ts";

const CLIENTS_MAX = 6;
const PER_NETWORK_MAX = 3;
/** All numbers are near this one, so that many ACKs are right. */
const FIRST = 65_500;
const OBJECTS_MAX = 30;
const SERVERS = [peerAt("192.0.2.1:25005"), peerAt("[2001:db8::1]:25005")];
const PEERS = Array.from({ length: 12 }, (_, i) => peerAt(`192.0.2.${i % 3}:${5_000 + i}`));

function pick<T>(random: Random, choices: readonly T[]): T {
  return choices[Math.floor(random() * choices.length)]!;
}

function packet(random: Random, message: unknown): Uint8Array {
  const json = new TextEncoder().encode(JSON.stringify(message));
  return encodeMessage(Math.floor(random() * 65_536), json);
}

function clientDatagram(random: Random): Uint8Array {
  if (random() < 0.6) return encodeAck((FIRST + Math.floor(random() * 100)) % 65_536);
  return packet(
    random,
    pick<unknown>(random, [
      { type: "knock" },
      { type: "knock", diffs: true },
      { type: "knock", diffs: random() < 0.5, more: [1, "é", null] },
      { type: "stop" },
      {},
      { type: "debug", action: "gc" },
      { type: ["knock"] },
    ]),
  );
}

/** Things that move, come, change in shape and go, by the world's own time. */
function live(world: World): void {
  const { time } = world;
  const ids = [...world.objects.keys()];
  const id = ids[time % Math.max(1, ids.length)];
  if (ids.length < 8 || time % 5 === 0 && ids.length < 20) world.spawn({ name: `n${time}` });
  if (id === undefined) return;
  world.update(id, { position: [time / 3, 0, 0], [`t${time % 3}`]: time % 2 ? time : undefined });
  if (time % 7 === 0) world.remove(id);
}

function serverSubject(
  options: Partial<WorldServerOptions>,
  wrap: (server: WorldServerEngine) => Engine<WorldServerEvent> = (server) => server,
): ReturnType<Parameters<typeof testEngineContract<WorldServerEvent>>[1]> {
  const world = new World({ objectsMax: OBJECTS_MAX });
  for (let objects = 0; objects < 5; objects++) world.spawn();
  world.tick();
  const server = createWorldServer({
    world,
    unixMs: () => 1_795_230_171_890,
    random: () => FIRST / 65_536,
    clientsMax: CLIENTS_MAX,
    unprovedMax: CLIENTS_MAX,
    clientsPerNetworkMax: PER_NETWORK_MAX,
    ...options,
  });
  return {
    engine: wrap(server),
    membership: server,
    datagram: clientDatagram,
    peers: PEERS,
    checkLimits(): void {
      const { clients, unproved } = server.census();
      assert(clients <= CLIENTS_MAX, `${clients} clients`);
      assert(unproved <= CLIENTS_MAX, `${unproved} unproved`);
      assertEquals(server.clients().length, clients);
      const remembered = PEERS.filter((peer) => server.remembers(peer));
      assertEquals(remembered.length, clients + unproved);
      const proved = server.clients().map(({ peer }) => peer);
      for (const some of [proved, remembered.filter((peer) => !proved.includes(peer))]) {
        for (const { network } of some) {
          const count = some.filter((peer) => peer.network === network).length;
          assert(count <= PER_NETWORK_MAX, `${count} of ${network}`);
        }
      }
    },
    endsInSilence: options.tickRateHz === 0,
  };
}

testEngineContract("createWorldServer()", () => serverSubject({ step: live }));

testEngineContract(
  "createWorldServer() without ticks",
  () => serverSubject({ tickRateHz: 0 }),
);

testEngineContract(
  "createWorldServer() that is told to tick",
  () =>
    serverSubject({ tickRateHz: 0, silenceMs: 2_000, bytesPerSecond: 5_000 }, (server) => ({
      receive(datagram, from, now, out): void {
        if (datagram.length % 3 === 0) {
          live(server.world);
          server.tick(now, out);
        }
        server.receive(datagram, from, now, out);
      },
      advance: (now, out) => server.advance(now, out),
      nextDeadline: () => server.nextDeadline(),
      remembers: (peer) => server.remembers(peer),
    })),
);

function serverDatagram(random: Random): Uint8Array {
  const integer = (max: number): number => Math.floor(random() * max);
  const vector = (): number[] => [random(), -random() * 1e9, integer(3)];
  const universe = random() < 0.2 ? undefined : random() < 0.9 ? 7 : integer(5);
  const [id, time] = [integer(60), integer(500)];
  const common = { time, universe };
  const kind = random();
  if (kind < 0.1) return encodeAck(integer(random() < 0.5 ? 200 : 65_536));
  if (kind < 0.4) {
    const snapshot = [vector(), vector(), [1, 0, 0, random()], vector(), integer(9)];
    const traits = random() < 0.5 ? { name: `n${id}`, hp: integer(3) } : undefined;
    const initial = random() < 0.3 || undefined;
    return packet(random, { type: "snap", id, snapshot, total: 60, initial, traits, ...common });
  }
  if (kind < 0.7) {
    const diff = { [id]: { position: vector(), hp: integer(3) }, [integer(60)]: { mass: time } };
    return packet(random, { type: random() < 0.8 ? "diff" : undefined, diff, ...common });
  }
  if (kind < 0.8) return packet(random, { type: "remove", ids: [id, integer(60)], ...common });
  if (kind < 0.82) return packet(random, { type: "full" });
  if (kind < 0.83) return packet(random, { type: "stop" });
  const tickRate = pick(random, [0, 100, undefined]);
  const synced = random() < 0.5 ? integer(500) : undefined;
  return packet(random, { type: "heartbeat", time: 1.5, tick: time, tickRate, synced, universe });
}

testEngineContract("createWorldClient()", () => {
  const engine = createWorldClient({ random: () => 0, objectsMax: OBJECTS_MAX, silenceMs: 2_000 });
  const peers = [...SERVERS, PEERS[0]!];
  return {
    engine,
    datagram: serverDatagram,
    peers,
    begin: (now, out): void => engine.connect(SERVERS, now, out),
    checkLimits(): void {
      assert(engine.objects.size <= OBJECTS_MAX, `${engine.objects.size} objects`);
      assert(engine.loss === undefined || engine.loss >= 0 && engine.loss <= 1, `${engine.loss}`);
      for (const peer of peers) assertEquals(engine.remembers(peer), SERVERS.includes(peer));
    },
    endsInSilence: false,
  };
});

testEngineContract("createWorldClient() before connect()", () => ({
  engine: createWorldClient({ random: () => 0 }),
  datagram: serverDatagram,
  peers: [SERVERS[0]!, PEERS[0]!],
  checkLimits(): void {},
  endsInSilence: true,
}));
