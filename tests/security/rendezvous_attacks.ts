/** What can be made of a rendezvous server in somebody else's name, and of the players it tells of each other. */
import { seededRandom } from "../../lib/parts/random.ts";
import { createPlayer } from "../../lib/protocols/rendezvous/peer.ts";
import type { Dialect } from "../../lib/protocols/rendezvous/message.ts";
import {
  createRendezvousServer,
  type RendezvousServer,
} from "../../lib/protocols/rendezvous/server.ts";
import { encode } from "../../lib/protocols/rendezvous/wire.ts";
import { type Attack, type Promise, stageOf } from "./attack.ts";
import type { Stage } from "./ledger.ts";
import { joining, letter, registration } from "./speakers.ts";

const VICTIM = "203.0.113.9:7";
const VICTIM_LOCAL = { ip: "203.0.113.200", port: 9 };
const [HOST, SERVER] = ["192.0.2.50:4001", "192.0.2.1:5160"];
const KEY = "sessionkey";
/** Of the bytes of a request, to each address that hears of it. */
const TIMES_MAX = 3;
const THREE = "3 times the request; 30 requests a second of a network";
const THREE_TIMES: Promise = { timesMax: TIMES_MAX, othersTimesMax: 0 };
const AND_HOST: Promise = { timesMax: TIMES_MAX, othersTimesMax: TIMES_MAX };
const SILENT: Promise = { timesMax: 0, othersTimesMax: 0 };
const utf8 = new TextEncoder();

type Prepare = (stage: Stage, server: RendezvousServer) => void;

/** A server that knows one host in each dialect, and 60 more. */
function rendezvous(prepare: Prepare = (): void => {}, registrationsMax = 16_384): Attack["set"] {
  return (isForging) => {
    const server = createRendezvousServer({ registrationsMax });
    return stageOf(server, isForging, (stage) => {
      const register = (stage: Stage): void => {
        for (const dialect of [1, 2] as const) stage.say(registration(dialect, "host"), HOST);
        for (let number = 0; number < 60; number++) {
          stage.say(registration(2, `another host ${number}`), `10.1.0.${number}:5000`);
        }
      };
      stage.life = { everyMs: 15_000, live: register };
      stage.wait(1_000);
      prepare(stage, server);
    });
  };
}

const registered: Prepare = (stage) => {
  for (const dialect of [1, 2] as const) stage.say(registration(dialect, "victim"), VICTIM);
};

const departed: Prepare = (stage) => {
  registered(stage, undefined as never);
  stage.say(letter(2, "victim", { kind: "drop", name: "victim" }), VICTIM);
  stage.wait(61_000);
};

const expelled: Prepare = (stage, server) => {
  registered(stage, server);
  server.expel(stage.peer(VICTIM), stage.now, stage.out as never);
};

function forging(...datagrams: Uint8Array[]): Attack["act"] {
  return (stage) => {
    for (const datagram of datagrams) stage.forge(datagram, VICTIM);
    stage.waitForSilence();
  };
}

function attack(
  message: string,
  set: Attack["set"],
  act: Attack["act"],
  bound: string,
  promise: Promise,
): Attack {
  return { service: "rendezvous", message, bound, set, act, promise };
}

/** The same in both dialects. */
function inBoth(
  message: string,
  set: Attack["set"],
  wordOf: (dialect: Dialect) => Uint8Array,
  bound: string,
  promise: Promise,
): Attack[] {
  return ([1, 2] as const).map((dialect) =>
    attack(`${message}, dialect ${dialect}`, set, forging(wordOf(dialect)), bound, promise)
  );
}

const INCOMPLETE = utf8.encode('{"sender":"a","b":"cdefghijklmnopq"}');
/** Too short for an answer. */
const SHORTER = utf8.encode('{"sender":"abcde"}');
const LIST = letter(2, null, { kind: "list", password: KEY });
/** So long that a list of as many hosts as fit into one datagram may be the answer. */
const PADDED_LIST = letter(2, null, { kind: "list", password: KEY, padding: "x".repeat(230) });

/** In the name of somebody registered so many players are asked for: by an address of the stranger's own. */
const asking: Attack["act"] = (stage) => {
  stage.forge(registration(1, "victim"), VICTIM);
  for (let times = 0; times < 100; times++) {
    stage.forge(joining(1, `guest ${times}`, "victim"), `198.51.100.${times}:6666`);
  }
  stage.waitForSilence();
};

/** A host of netsync's, whom a server tells of players. */
function host(): Attack["set"] {
  return (isForging) => {
    const stages: Stage[] = [];
    const player = createPlayer({
      name: "host",
      local: { ip: "192.168.1.50", port: 4001 },
      peerAt: (ip, port) => stages[0]!.peer(`${ip}:${port}`),
      random: seededRandom(15),
    });
    return stageOf(player, isForging, (stage) => {
      stages.push(stage);
      player.connect([stage.peer(SERVER)], stage.now, stage.out as never);
    });
  };
}

/** In dialect 1: what the server says there has no hash. */
function introducing(dialect: 1): Attack["act"] {
  return (stage) => {
    const [ip, port] = VICTIM.split(":") as [string, string];
    const told = encode(
      {
        kind: "introduction",
        peer: "guest",
        globalAddress: { ip, port: Number(port) },
        localAddress: VICTIM_LOCAL,
      },
      { dialect, sender: null, recipient: "host", to: stage.peer(HOST), password: "" },
    );
    const join = joining(dialect, "guest", "host", VICTIM_LOCAL);
    stage.provoke(join.length, told, SERVER, [VICTIM, `${VICTIM_LOCAL.ip}:${VICTIM_LOCAL.port}`]);
    stage.waitForSilence();
  };
}

/** All of them. */
export const RENDEZVOUS_ATTACKS: readonly Attack[] = [
  ...inBoth("register", rendezvous(), (dialect) => registration(dialect, "v"), THREE, THREE_TIMES),
  ...inBoth(
    "register, name taken",
    rendezvous(),
    (dialect) => registration(dialect, "host"),
    THREE,
    {
      ...THREE_TIMES,
    },
  ),
  ...inBoth(
    "join",
    rendezvous(),
    (dialect) => joining(dialect, "v", "host"),
    `${THREE}; 20 a second to a host`,
    AND_HOST,
  ),
  ...inBoth(
    "join of nobody",
    rendezvous(),
    (dialect) => joining(dialect, "v", "n"),
    THREE,
    THREE_TIMES,
  ),
  attack("incomplete, dialect 1", rendezvous(), forging(INCOMPLETE), THREE, THREE_TIMES),
  attack("incomplete and short, dialect 1", rendezvous(), forging(SHORTER), "no answer", SILENT),
  attack("list, dialect 2", rendezvous(), forging(LIST), THREE, THREE_TIMES),
  attack("list, padded, dialect 2", rendezvous(), forging(PADDED_LIST), THREE, THREE_TIMES),
  attack(
    "refresh, dialect 2",
    rendezvous(registered),
    forging(letter(2, "victim", { kind: "refresh", validSeconds: 60 })),
    THREE,
    THREE_TIMES,
  ),
  attack(
    "refresh and drop of another's name, dialect 2",
    rendezvous(),
    forging(
      letter(2, "host", { kind: "refresh", validSeconds: 60 }),
      letter(2, "host", { kind: "drop", name: "host" }),
    ),
    "no answer",
    SILENT,
  ),
  attack(
    "register, then 100 joins from elsewhere, dialect 1",
    rendezvous(),
    asking,
    "3 times each; 20 a second to a host",
    {
      timesMax: 2 * TIMES_MAX,
    },
  ),
  attack(
    "register, of one who left, dialect 1",
    rendezvous(departed),
    forging(registration(1, "victim")),
    THREE,
    THREE_TIMES,
  ),
  attack(
    "register, of one sent away, dialect 2",
    rendezvous(expelled),
    forging(registration(2, "victim")),
    THREE,
    THREE_TIMES,
  ),
  attack(
    "register, table full, dialect 1",
    rendezvous(undefined, 62),
    forging(registration(1, "v")),
    "no answer",
    SILENT,
  ),
  attack(
    "register, then a server started anew, dialect 1",
    restarted(),
    forging(registration(1, "victim")),
    THREE,
    THREE_TIMES,
  ),
  attack(
    "what servers and players say",
    rendezvous(),
    forging(
      letter(1, null, { kind: "error", message: "no" }),
      letter(1, "host", { kind: "check" }),
      letter(2, "host", { kind: "inquiry", usedGlobal: true }),
      letter(2, null, { kind: "servers", servers: [] }),
    ),
    "no answer",
    SILENT,
  ),
  attack(
    "join, and what the host says to the two addresses in it, dialect 1",
    host(),
    introducing(1),
    "10 inquiries to each in 5 s",
    {
      datagramsMax: 10,
    },
  ),
];

/** The victim is registered, and the server is started anew. */
function restarted(): Attack["set"] {
  return (isForging) => {
    const before = createRendezvousServer();
    const earlier = stageOf(before, false, (stage) => registered(stage, undefined as never));
    const server = createRendezvousServer();
    return stageOf(server, isForging, (stage) => {
      const peerAt = (ip: string, port: number): ReturnType<Stage["peer"]> =>
        stage.peer(`${ip}:${port}`);
      server.resume(before.save(earlier.now), 0, peerAt, stage.out as never);
    });
  };
}
