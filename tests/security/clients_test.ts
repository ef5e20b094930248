/** A client says nothing to an address that is not its server's, whatever comes from there. */
import { assert, assertEquals } from "@std/assert";
import { seededRandom } from "../../lib/parts/random.ts";
import { createArenaClient } from "../../lib/protocols/arena/client.ts";
import type { Engine, Outbox, Peer } from "../../lib/protocols/engine.ts";
import { createEventClient } from "../../lib/protocols/events/client.ts";
import { jsonFormat } from "../../lib/protocols/events/json.ts";
import { createPlayer } from "../../lib/protocols/rendezvous/peer.ts";
import { createSyncClient } from "../../lib/protocols/sync/client.ts";
import { createWorldClient } from "../../lib/protocols/world/client.ts";
import { peerAt, Play } from "../support/recorder.ts";
import { type AnyEvent, SPEAKERS } from "./speakers.ts";

const SERVER = "198.51.100.1:1001";
const CLIENT = "192.0.2.77:7000";

/** A client of each kind, on its way to a server. */
interface Caller {
  readonly name: string;
  /** Whom it talks to. */
  readonly serverName: string;
  make(): Engine<never> & {
    connect(servers: readonly Peer[], now: number, out: Outbox<never>): void;
  };
}

function player(dialect: 1 | 2): Caller {
  return {
    ...{ name: `a player of dialect ${dialect}`, serverName: `rendezvous ${dialect}` },
    make: () =>
      createPlayer({
        ...{ name: "guest", host: "host", dialect, random: seededRandom(21) },
        local: { ip: "192.168.1.77", port: 7_000 },
        peerAt: (ip, port) => peerAt(`${ip}:${port}`),
      }) as never,
  };
}

const random = seededRandom(22);
const CALLERS: readonly Caller[] = [
  { name: "a sync client", serverName: "sync", make: () => createSyncClient() as never },
  player(1),
  player(2),
  { name: "an arena client", serverName: "arena", make: () => createArenaClient() as never },
  {
    ...{ name: "an event client", serverName: "events (JSON)" },
    make: () => createEventClient({ format: jsonFormat() }) as never,
  },
  {
    name: "a world client",
    serverName: "world",
    make: () => createWorldClient({ random }) as never,
  },
];

/** What a server says to a client that has just come, from what it is asked. */
function answersOf(caller: Caller, asked: readonly Uint8Array[]): Uint8Array[] {
  const speaker = SPEAKERS.find(({ name }) => name === caller.serverName)!;
  const server = new Play<AnyEvent>(speaker.make());
  const host = peerAt("192.0.2.50:4001");
  const client = peerAt(CLIENT);
  if (speaker.words.register) server.receive(speaker.words.register, host);
  for (const datagram of asked) server.receive(datagram, client);
  for (const word of Object.values(speaker.words)) server.receive(word, client);
  server.wait(3_000);
  return server.out.takeSentTo(client);
}

for (const caller of CALLERS) {
  Deno.test(`${caller.name} says nothing to whom it did not ask, whatever it says`, () => {
    for (const isConnected of [false, true]) {
      const engine = caller.make();
      const play = new Play<never>(engine);
      const [server, stranger] = [peerAt(SERVER), peerAt("203.0.113.9:7")];
      engine.connect([server], play.now, play.out);
      const asked = play.out.takeSent().map(({ bytes }) => bytes);
      const answers = answersOf(caller, asked);
      assert(answers.length > 0, "the server says nothing");
      if (isConnected) { for (const answer of answers) play.receive(answer, server); }
      play.wait(100);
      play.out.takeSent();
      const words = SPEAKERS.flatMap((speaker) => Object.values(speaker.words));
      for (const datagram of [...answers, ...words]) play.receive(datagram, stranger);
      play.wait(20_000);
      assertEquals(play.out.takeSentTo(stranger), []);
    }
  });
}
