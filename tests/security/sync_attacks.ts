/** What can be made of a sync server in somebody else's name: no client ever proves that it hears. */
import { createSyncServer, type SyncServer } from "../../lib/protocols/sync/server.ts";
import { encodeIdRequest } from "../../lib/protocols/sync/wire.ts";
import { type Attack, type Promise, stageOf } from "./attack.ts";
import type { Stage } from "./ledger.ts";
import { state, UNIX_MS } from "./speakers.ts";

const VICTIM = "203.0.113.9:7";
const ID_REQUEST = encodeIdRequest();
const KEEP_ALIVE = state(0, "");
/** Ten who play, each with 50 bytes, twenty times a second. */
const PLAYERS = 10;
const EVERY_MS = 5;
/** The longest state that leaves room for one without any. */
const FILLING = "x".repeat(65_450);
/** The credit that one datagram is worth. */
const SNAPSHOTS_MAX = 600;
const CREDIT = "credit: 3 s, 600 snapshots, 2 MiB at most; 0.25 s for a newcomer";
const SILENT: Promise = { timesMax: 0, othersTimesMax: 0 };

type Prepare = (stage: Stage, server: SyncServer) => void;

function busy(prepare: Prepare = (): void => {}, clientsMax = 1_024): Attack["set"] {
  return (isForging) => {
    const server = newServer(clientsMax);
    return stageOf(server, isForging, (stage) => {
      letPlay(stage);
      stage.wait(1_000);
      prepare(stage, server);
    });
  };
}

function newServer(clientsMax = 1_024): SyncServer {
  return createSyncServer({ firstSnapshotNumber: UNIX_MS * 1_000, clientsMax });
}

function letPlay(stage: Stage): void {
  const players = Array.from({ length: PLAYERS }, (_, index) => `10.1.0.${index}:5000`);
  for (const player of players) stage.say(ID_REQUEST, player);
  let number = 0;
  const live = (stage: Stage): void => {
    stage.say(state(++number, String(number).padEnd(50, "x")), players[number % PLAYERS]!);
  };
  stage.life = { everyMs: EVERY_MS, live };
}

/** A dictionary as large as can be, which changes all the time. */
function full(isForging: boolean): Stage {
  return stageOf(newServer(), isForging, (stage) => {
    const player = "10.1.0.1:5000";
    stage.say(ID_REQUEST, player);
    let number = 0;
    const live = (stage: Stage): void =>
      stage.say(state(++number, `${FILLING}${number % 10}`), player);
    stage.life = { everyMs: 1_000 / 60, live };
    stage.wait(1_000);
  });
}

/** The victim played, and is gone. */
const departed: Prepare = (stage) => {
  stage.say(ID_REQUEST, VICTIM);
  stage.say(KEEP_ALIVE, VICTIM);
  stage.wait(12_000);
};

/** The victim plays; and the server is started anew before it is heard again. */
function resumed(isForging: boolean): Stage {
  const before = newServer();
  const earlier = stageOf(before, false, (stage) => {
    stage.say(ID_REQUEST, VICTIM);
    stage.say(KEEP_ALIVE, VICTIM);
  });
  const server = newServer();
  return stageOf(server, isForging, (stage) => {
    const peerAt = (ip: string, port: number): ReturnType<Stage["peer"]> =>
      stage.peer(`${ip}:${port}`);
    server.resume(before.save(earlier.now), 0, peerAt, stage.out as never);
    letPlay(stage);
    stage.wait(1_000);
  });
}

const expelled: Prepare = (stage, server) => {
  stage.say(ID_REQUEST, VICTIM);
  stage.say(KEEP_ALIVE, VICTIM);
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
  return { service: "sync", message, bound, set, act, promise };
}

const ONE_CREDIT: Promise = { datagramsMax: SNAPSHOTS_MAX + 1 };
const later = Array.from({ length: 20 }, (_, number) => state(number + 1, "x"));

/** All of them. */
export const SYNC_ATTACKS: readonly Attack[] = [
  attack("id request", busy(), forging(ID_REQUEST), "one answer each", {
    ...{ timesMax: 2, wireTimesMax: 44 / 36, othersTimesMax: 0 },
  }),
  attack("id request, ten times", busy(), forging(...Array(10).fill(ID_REQUEST)), "same answer", {
    ...{ timesMax: 2, wireTimesMax: 44 / 36, othersTimesMax: 0 },
  }),
  attack("state, of a stranger", busy(), forging(state(5, "x")), "no answer", SILENT),
  attack("unused number", busy(), forging(new Uint8Array(8).fill(0xfe)), "no answer", SILENT),
  attack("id request, keep-alive", busy(), forging(ID_REQUEST, KEEP_ALIVE), CREDIT, ONE_CREDIT),
  attack(
    "the same, 65 kB dictionary",
    full,
    forging(ID_REQUEST, KEEP_ALIVE),
    CREDIT,
    ONE_CREDIT,
  ),
  attack(
    "id request, 20 states in a row",
    busy(),
    forging(ID_REQUEST, ...later),
    "credit does not add up",
    ONE_CREDIT,
  ),
  attack(
    "id request, keep-alive every 3 s for 30 s",
    busy(),
    (stage) => {
      stage.forge(ID_REQUEST, VICTIM);
      for (let times = 0; times < 10; times++) {
        stage.forge(KEEP_ALIVE, VICTIM);
        stage.wait(3_000);
      }
      stage.waitForSilence();
    },
    `${CREDIT}, for each datagram`,
    { datagramsMax: 10 * SNAPSHOTS_MAX + 1 },
  ),
  attack("keep-alive, of one who left", busy(departed), forging(KEEP_ALIVE), CREDIT, ONE_CREDIT),
  attack(
    "keep-alive, to a server started anew",
    resumed,
    forging(KEEP_ALIVE),
    `nothing before; ${CREDIT}`,
    ONE_CREDIT,
  ),
  attack(
    "id request, state of 60,000 bytes",
    busy(),
    forging(ID_REQUEST, state(1, "x".repeat(60_000))),
    "`--max-state`; 10 s",
    ONE_CREDIT,
  ),
  attack(
    "id request, table full",
    busy(undefined, PLAYERS),
    forging(ID_REQUEST, KEEP_ALIVE),
    "no answer",
    SILENT,
  ),
  attack("keep-alive, of one sent away", busy(expelled), forging(KEEP_ALIVE), "no answer", SILENT),
];
