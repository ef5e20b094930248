/** Worlds as they are mirrored: netsync on one side, Python programs on the other. */
import { assert, assertEquals, assertNotEquals } from "@std/assert";
import type { Traits } from "../../lib/protocols/world/traits.ts";
import { worldVectors } from "../support/vectors.ts";
import { until, within } from "../support/wait.ts";
import { type Command, EventProgram, portToOpenTwice, ServerProgram } from "./programs.ts";
import {
  assertNoComplaints,
  followsExactly,
  mirrors,
  Orbits,
  testTogether,
} from "./world_mirrors.ts";
import { flood, OriginalWorldServer, WorldPeer } from "./world_programs.ts";

/** What one knock may cost its victim, with the 28 bytes of the headers of IP and UDP. */
const KNOCK_BYTES_MAX = 2_000;
const PACKET_OVERHEAD_BYTES = 28;
/** What an address that never acks gets ends long before this. */
const PROBES_SECONDS = 8.5;

/** A socket of somebody who sends bare datagrams. */
class Stranger implements Disposable {
  readonly #conn = Deno.listenDatagram({ transport: "udp", hostname: "127.0.0.1", port: 0 });
  readonly #server: Deno.NetAddr;

  constructor(serverPort: number) {
    this.#server = { transport: "udp", hostname: "127.0.0.1", port: serverPort };
  }

  async send(name: string): Promise<void> {
    await this.#conn.send(vector(name), this.#server);
  }

  async answer(name: string): Promise<Uint8Array> {
    const [datagram] = await within(`an answer to ${name}`, this.#conn.receive());
    return datagram;
  }

  [Symbol.dispose](): void {
    this.#conn.close();
  }
}

function vector(name: string): Uint8Array {
  const found = worldVectors.find((vector) => vector.name === name);
  if (!found) throw new RangeError(`no vector is called ${name}`);
  return found.bytes;
}

/** Kinds of packets that nobody gets before the first ACK. A heartbeat only before the first tick. */
function unexpected(kinds: object): string[] {
  return Object.keys(kinds).filter((kind) => !["ack", "snap", "heartbeat"].includes(kind));
}

/** Registers the tests of the server for one way to start netsync. */
export function testWorld(name: string, command: Command): void {
  const start = (...words: string[]): Promise<ServerProgram> =>
    ServerProgram.start([...command, "world"], { words });

  /** An attack, while somebody honest is there and stays, and somebody else comes. */
  const attack = async (
    kind: Parameters<typeof flood>[1],
    addresses = 20,
  ): Promise<Awaited<ReturnType<typeof flood>>> => {
    const words = ["--bodies", "3", "--tick-rate", "50", "--max-clients", "64"];
    await using server = await start(...words);
    const orbits = new Orbits({ bodies: 3, hz: 50 });
    await using ada = await WorldPeer.join(server.port);
    await followsExactly(ada, orbits);
    const attacking = flood(server.port, kind, { seconds: 1.5, addresses, rate: 1_500 });
    await using bob = await WorldPeer.join(server.port);
    const { time } = await followsExactly(bob, orbits);
    const report = await attacking;
    for (const peer of [ada, bob]) await followsExactly(peer, orbits, time!);
    assertEquals(server.events("left").filter((facts) => ada.isAt(facts.address)), []);
    assertEquals(server.events("fault"), []);
    assertNoComplaints(ada, bob);
    return report;
  };

  testTogether(`${name} world`, {
    "shows the original client and one with diffs the same, by the rules": async () => {
      const world = { bodies: 4, seed: 7, hz: 50 };
      await using server = await start("--bodies", "4", "--seed", "7", "--tick-rate", "50");
      await using ada = await WorldPeer.join(server.port, { client: "original" });
      await using bob = await WorldPeer.join(server.port);
      await using eve = await WorldPeer.join(server.port, { host: "::1" });
      const orbits = new Orbits(world);
      await Promise.all([bob, eve].map(async (peer) => {
        const { time, total } = await followsExactly(peer, orbits);
        assertEquals(total, 5);
        await followsExactly(peer, orbits, time! + 50);
      }));
      const whole = await mirrors("all of them", ada, ({ objects }) => {
        return Object.keys(objects).length === 5;
      });
      assertEquals(whole.total, 5);
      const later = await mirrors("time to go by", ada, ({ time }) => time! > whole.time! + 20);
      assert(orbits.lags(later).every((ticks) => ticks < 50), `behind by ${orbits.lags(later)}`);
      const [snapsOnly, both] = [await ada.statistics(), await bob.statistics()];
      assertEquals(snapsOnly.in.diff, undefined);
      assert(both.in.diff!.packets > both.in.snap!.packets);
      const joined = await server.event(
        "joined",
        (facts) => ada.isAt(facts.address) ? facts : undefined,
      );
      assertEquals(joined.hasDiffs, false);
      assertNoComplaints(ada, bob, eve);
    },

    "follows nature also where a fifth is lost each way": async () => {
      await using server = await start("--bodies", "6", "--tick-rate", "50");
      await using ada = await WorldPeer.join(server.port, { client: "original", loss: 0.2 });
      await using bob = await WorldPeer.join(server.port, { loss: 0.2 });
      const orbits = new Orbits({ bodies: 6, hz: 50 });
      await Promise.all([ada, bob].map(async (peer) => {
        const whole = await mirrors("all of them", peer, ({ objects }) => {
          return Object.keys(objects).length === 7;
        });
        await mirrors("it to be up to date later on", peer, (mirror) => {
          return mirror.time! > whole.time! + 50 &&
            orbits.lags(mirror).every((ticks) => ticks < 50);
        });
      }));
      assertNoComplaints(ada, bob);
    },

    "answers what was recorded of the original as the original did": async () => {
      await using server = await start("--log-level", "debug");
      using stranger = new Stranger(server.port);
      const unanswered = worldVectors.filter(({ direction, decoded: { error }, name }) =>
        direction === "client->server" &&
        (error || /^(ack_|awesome_ack|json_|nan|too_large)/.test(name))
      );
      assert(unanswered.length >= 15);
      for (const { name } of unanswered) await stranger.send(name);
      const acked = worldVectors.filter(({ direction, name, decoded: { error } }) =>
        direction === "client->server" && !error && !unanswered.some((other) =>
          other.name === name
        ) &&
        !/^(knock|stop)/.test(name)
      );
      assert(acked.length >= 7);
      for (const { name, decoded: { seq } } of acked) {
        await stranger.send(name);
        const answer = await stranger.answer(name);
        assertEquals([answer.length, (answer[0]! << 8) | answer[1]!], [23, seq], name);
      }
      for (const name of ["knock", "knock_typed"]) {
        await stranger.send(name);
        // The snapshots of the one before are still coming.
        let answer = await stranger.answer(name);
        while (answer.length !== 23) answer = await stranger.answer(name);
        assertEquals(answer, vector("ack_of_0"), name);
      }
      await server.event("refused");
      assertEquals(server.events("joined"), []);
    },

    "begins anew with each knock, and ends with a stop": async () => {
      await using server = await start("--bodies", "3", "--keyframe", "0");
      await using ada = await WorldPeer.join(server.port, { words: ["--verbose"] });
      const orbits = new Orbits({ bodies: 3, hz: 100 });
      await followsExactly(ada, orbits);
      let syncedAt = -1;
      /** Waits until it has everything as of a later tick than before, and is told so. */
      const synced = async (from: number): Promise<void> => {
        const ids = new Set<number>();
        await ada.event("snap", ({ payload }) => {
          const { id, initial } = payload as { id: number; initial?: boolean };
          if (initial) ids.add(id);
          return ids.size === 4 || undefined;
        }, { from });
        syncedAt = await ada.event("heartbeat", ({ payload }) => {
          const { synced = -1 } = payload as { synced?: number };
          return synced > syncedAt ? synced : undefined;
        }, { from });
      };
      await synced(0);
      for (let time = 0; time < 2; time++) {
        const from = ada.lines.length;
        await ada.knock();
        await synced(from);
      }
      await ada.do("stop");
      const left = await server.event("left");
      assertEquals([left.reason, left.clients, ada.isAt(left.address)], ["stopped", 0, true]);
      // What comes from now on would be a violation.
      const afterStop = ada.lines.length;
      await ada.do("ping");
      await ada.event("acked", undefined, { from: afterStop });
      const { time } = await ada.mirror();
      const from = server.lines.length;
      await ada.knock();
      await server.event("joined", undefined, { from });
      await followsExactly(ada, orbits, time!);
      assertNoComplaints(ada);
    },

    "forgets who acks nothing any more, and takes them back": async () => {
      await using server = await start("--timeout", "3", "--bodies", "2");
      await using ada = await WorldPeer.join(server.port);
      await using bob = await WorldPeer.join(server.port);
      for (const _ of [ada, bob]) {
        await server.event("joined", ({ clients }) => clients === 2 || undefined);
      }
      await ada.do("mute");
      // Sooner than after the ten seconds that are the rule.
      const left = await server.event("left", undefined, { timeoutMs: 9_000 });
      assertEquals([left.reason, left.clients, ada.isAt(left.address)], ["silent", 1, true]);
      await ada.do("unmute");
      const from = server.lines.length;
      await ada.knock();
      await server.event("joined", (facts) => ada.isAt(facts.address) || undefined, { from });
      const orbits = new Orbits({ bodies: 2, hz: 100 });
      for (const peer of [ada, bob]) await followsExactly(peer, orbits);
      assertEquals(server.events("left").length, 1);
      assertNoComplaints(bob);
    },

    "has a place for one, and tells the next one so": async () => {
      await using server = await start("--max-clients", "1");
      await using ada = await WorldPeer.join(server.port);
      await server.event("joined");
      await using bob = await WorldPeer.start(server.port);
      await bob.knock();
      await bob.event("full");
      await using eve = await WorldPeer.start(server.port, { client: "original" });
      await eve.knock();
      await eve.event("warning", ({ what }) => what === "the type full" || undefined);
      await ada.do("stop");
      await server.event("left");
      await bob.knock();
      await followsExactly(bob, new Orbits({ bodies: 12, hz: 100 }));
      assertNoComplaints(ada, bob, eve);
    },

    "is another one when it is started again": async () => {
      const port = portToOpenTwice();
      const again = (seed: string): Promise<ServerProgram> => {
        const words = ["--bodies", "2", "--seed", seed];
        return ServerProgram.start([...command, "world"], { port, words });
      };
      const first = await again("1");
      await using ada = await WorldPeer.join(port);
      const { universe } = await followsExactly(ada, new Orbits({ bodies: 2, hz: 100 }));
      await first[Symbol.asyncDispose]();
      await using _second = await again("2");
      await ada.knock();
      const next = await followsExactly(ada, new Orbits({ bodies: 2, seed: 2, hz: 100 }));
      assertNotEquals(next.universe, universe);
      await ada.event("universe", ({ before }) => before === universe || undefined);
      assertNoComplaints(ada);
    },
    "one knock from an address that never acks gets less than 2,000 bytes": async () => {
      await using server = await start();
      await using empty = await start("--bodies", "0");
      const linger = PROBES_SECONDS;
      await Promise.all([server, empty].map(async ({ port }) => {
        const options = { seconds: 0.2, addresses: 3, rate: 100, linger };
        const { received, kinds } = await flood(port, "knock", options);
        const { bytes_max, datagrams_max, last_s } = received;
        const bytes = bytes_max + PACKET_OVERHEAD_BYTES * datagrams_max;
        assert(bytes < KNOCK_BYTES_MAX, `${bytes} bytes in ${datagrams_max} datagrams`);
        assert(last_s! < 8, `the last one came after ${last_s} s`);
        const probe = port === server.port ? "snap" : "heartbeat";
        assertEquals(kinds.ack, 3);
        assert(kinds[probe]! >= 2 * 3);
        assertEquals(unexpected(kinds), []);
      }));
      assertEquals([server.events("joined"), empty.events("joined")], [[], []]);
    },
    "a client that only listens gets one snap a few times, and everything with its first ACK":
      async () => {
        await using server = await start("--bodies", "3");
        await using ada = await WorldPeer.start(server.port);
        await ada.do("mute");
        await ada.do("knock");
        await until("three snaps", async () => (await ada.statistics()).in.snap?.packets === 3);
        const { in: received, out } = await ada.statistics();
        assertEquals([unexpected(received), out.ack], [[], undefined]);
        assertEquals(server.events("joined"), []);
        await ada.do("unmute");
        await ada.knock();
        await followsExactly(ada, new Orbits({ bodies: 3, hz: 100 }));
        assertNoComplaints(ada);
      },
    "rubbish gets nothing that it could not have had for itself": async () => {
      const { amplification } = await attack("rubbish");
      assert(amplification.max <= 1, `${amplification.max} bytes for each`);
    },
    "ACKs from strangers get nothing": async () => {
      assertEquals((await attack("acks")).received.datagrams, 0);
    },
    "ACKs of all numbers are guesses, and make nobody a client": async () => {
      const { kinds } = await attack("guesses");
      assertEquals([kinds.diff, kinds.remove], [undefined, undefined]);
    },
    "a flood of knocks keeps nobody out": async () => {
      const { kinds } = await attack("knocks", 200);
      assertEquals([kinds.diff, kinds.remove], [undefined, undefined]);
    },
    "those who never ack keep nobody out": async () => {
      const { kinds } = await attack("never-acks", 200);
      assertEquals(kinds.diff, undefined);
    },
  });
}

/** Registers the tests of the program that shows a world. */
export function testWorldWatch(name: string, command: Command): void {
  Deno.test(`${name} watch world shows the world of an original server`, async () => {
    await using server = await OriginalWorldServer.start(["--bodies", "3"]);
    const words = ["watch", "world", `127.0.0.1:${server.port}`, "--json"];
    await using watch = new EventProgram(command, words);
    const ids = new Set<unknown>();
    await watch.event("spawned", ({ id }) => ids.add(id).size === 3 || undefined);
    await server.create([1, 2, 3], 4);
    const spawned = await watch.event("spawned", (facts) => facts.id === 3 ? facts : undefined);
    const { position, mass } = spawned.traits as Traits;
    assertEquals([position, mass], [[1, 2, 3], 4]);
    const latency = await watch.event("latency");
    assert(Number(latency.roundTripMs) > 0 && !("loss" in latency));
    await watch.event("heartbeat");
    assertEquals([watch.events("disconnected"), watch.errorLines], [[], []]);
    if (Deno.build.os !== "windows") { // Where Deno ends a process instead of sending it a signal.
      watch.kill("SIGINT");
      assertEquals(await watch.end(), 0);
      await server.hears("stop");
    }
  });
}
