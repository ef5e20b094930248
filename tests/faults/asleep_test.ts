/**
 * A clock that jumps: the server's computer slept for seconds, an hour, a day. Whoever is still there must
 * not be thrown out for it; whoever gave up meanwhile must find the way back.
 */
import { assert, assertEquals } from "@std/assert";
import { seededRandom } from "../../lib/parts/random.ts";
import { createArenaClient } from "../../lib/protocols/arena/client.ts";
import { createArenaServer } from "../../lib/protocols/arena/server.ts";
import type { Engine, Membership, Outbox, Peer } from "../../lib/protocols/engine.ts";
import { createEventClient } from "../../lib/protocols/events/client.ts";
import { jsonFormat } from "../../lib/protocols/events/json.ts";
import { createEventServer } from "../../lib/protocols/events/server.ts";
import { createMessageRelay } from "../../lib/protocols/messages/relay.ts";
import { createSyncClient } from "../../lib/protocols/sync/client.ts";
import { createSyncServer } from "../../lib/protocols/sync/server.ts";
import { createWorldClient } from "../../lib/protocols/world/client.ts";
import { createWorldServer } from "../../lib/protocols/world/server.ts";
import { World } from "../../lib/protocols/world/world.ts";
import { Host, Network, NO_FAULTS } from "../simulation/network.ts";
import { peerAt } from "../support/recorder.ts";
import { StreamPlay } from "../support/stream_recorder.ts";
import { Sleeper } from "./asleep.ts";

const SERVER = "192.0.2.1:5000";
const PLAYERS = 3;
/** Players are silent for less, computers that sleep for more. */
const SILENCE_MS = 4_000;
/** When the computer falls asleep: somebody was to be heard next at another moment each time. */
const MOMENTS_MS = [7_013, 7_377, 7_741, 8_105, 8_469, 8_833];
/** A player who gave up has asked again by then. */
const AFTER_MS = 20_000;
/** Clients wait that long for a server that says nothing. */
const PATIENCE_MS = 7_000;
const SLEEPS_MS = [6_500, 3_600_000, 86_400_000];

type Server<Event> = Engine<Event> & Membership<Outbox<Event>>;

/** A service, and a client of it that says now and then that it is there. */
interface Game<Event, ClientEvent> {
  server: () => Server<Event>;
  client: () => Engine<ClientEvent> & Connects<ClientEvent>;
}

interface Connects<Event> {
  connect(servers: readonly Peer[], now: number, out: Outbox<Event>): void;
}

/** Lets the server's computer sleep while everybody plays. Returns who was thrown out, and how many are in. */
function play<Event extends { kind: string }, ClientEvent>(
  { server, client }: Game<Event, ClientEvent>,
  beforeMs: number,
  sleepMs: number,
): { gone: string[]; members: number; before: number } {
  const network = new Network({
    random: seededRandom(7),
    faults: { ...NO_FAULTS, delayMs: 60 },
    timerLateMs: 30,
  });
  const engine = server();
  const sleeper = new Sleeper(engine);
  const gone: string[] = [];
  const host = new Host<Event>({
    ...{ network, address: SERVER, engine: sleeper, sendMs: 0 },
    onEvent: ({ kind }) => void (/^(left|disconnected|expired)$/.test(kind) && gone.push(kind)),
  });
  for (let number = 0; number < PLAYERS; number++) {
    const engine = client();
    const player = new Host({ network, address: `192.0.2.7:${6_000 + number}`, engine, sendMs: 0 });
    network.at(
      100 * number,
      () => player.act((now, out) => engine.connect([player.peerAt(SERVER)], now, out)),
    );
  }
  network.runUntil(beforeMs);
  const before = engine.members().length;
  sleeper.fallAsleep();
  network.runUntil(beforeMs + sleepMs);
  host.act((now, out) => sleeper.wake(now, out));
  network.runUntil(beforeMs + sleepMs + AFTER_MS);
  const deadline = sleeper.nextDeadline();
  assert(deadline < network.now + 60_000, `due at ${deadline}`);
  return { gone, members: engine.members().length, before };
}

function test<Event extends { kind: string }, ClientEvent>(
  name: string,
  game: Game<Event, ClientEvent>,
): void {
  for (const sleepMs of SLEEPS_MS) {
    Deno.test(`${name} has everybody in after its computer slept for ${sleepMs / 1_000} s`, () => {
      for (const beforeMs of sleepMs < PATIENCE_MS ? MOMENTS_MS : MOMENTS_MS.slice(0, 1)) {
        const { gone, members, before } = play(game, beforeMs, sleepMs);
        assertEquals([before, members], [PLAYERS, PLAYERS], `after ${beforeMs} ms`);
        // Who gave up first may come as somebody else, and the former one is gone then.
        if (sleepMs < PATIENCE_MS) assertEquals(gone, [], `after ${beforeMs} ms`);
      }
    });
  }
}

const random = seededRandom(1);
const format = jsonFormat();
const silenceMs = SILENCE_MS;

test("createSyncServer()", {
  server: () => createSyncServer({ firstSnapshotNumber: 1, silenceMs }),
  client: () => createSyncClient(),
});
test("createArenaServer()", {
  server: () => createArenaServer({ random, silenceMs }),
  client: () => createArenaClient(),
});
test("createEventServer()", {
  server: () => createEventServer({ format, random, silenceMs }),
  client: () => createEventClient({ format }),
});
test("createWorldServer()", {
  server: () => createWorldServer({ world: new World(), unixMs: () => 0, random, silenceMs }),
  client: () => createWorldClient({ random }),
});

Deno.test("createMessageRelay() sends nobody away as idle for the sleep of its computer", () => {
  for (const sleepMs of SLEEPS_MS) {
    const relay = createMessageRelay({ idleMs: SILENCE_MS });
    const room = new StreamPlay(relay);
    const [ada, ben] = [peerAt("198.51.100.1:1"), peerAt("198.51.100.2:1")];
    room.open(ada, ben);
    room.wait(3_000);
    room.advance(room.now + sleepMs);
    // What she said meanwhile is read only now, after the timer.
    room.receive(new TextEncoder().encode("$|||||||%hi"), ada);
    assertEquals(relay.members().map(({ peer }) => peer), [ada, ben], `${sleepMs} ms`);
    room.wait(SILENCE_MS - 1);
    room.receive(new TextEncoder().encode("$|||||||%hi"), ada);
    room.wait(1);
    assertEquals(relay.members().map(({ peer }) => peer), [ada], "who is silent now is away");
  }
});
