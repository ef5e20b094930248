/** What can be made of an arena in somebody else's name: whoever acks a number only its owner was told is believed. */
import { seededRandom } from "../../lib/parts/random.ts";
import { type ArenaServer, createArenaServer } from "../../lib/protocols/arena/server.ts";
import { decodeServerMessage } from "../../lib/protocols/arena/wire.ts";
import { type Attack, type Promise, stageOf } from "./attack.ts";
import type { Hearer, Stage } from "./ledger.ts";
import { played } from "./speakers.ts";

const VICTIM = "203.0.113.9:7";
const PLAYERS = 10;
/** How long a forged player is believed to be there, and then the others hear that it is not. */
const SILENCE_MS = 60_000;
const JOIN = played({ kind: "join" });
const INPUT = played({ kind: "input", dx: 1, dy: 1 });
const FIRE = played({ kind: "fire" });
const HEARTBEAT = played({ kind: "heartbeat" });
/** `[0, 0, 0, nil]`: no client of anybody's is so short, but it is a JOIN. */
const SHORTEST_JOIN = new Uint8Array([0x94, 0, 0, 0, 0xc0]);
const SILENT: Promise = { timesMax: 0, othersTimesMax: 0 };
const WELCOMES = "the welcome, 3 times; 10 s";
const TRIAL = "budget of the network: 32,000 bytes, 3,000 a second; 10 s";
const WELCOMES_MAX: Promise = { wireBytesMax: 3 * (97 + 28), othersTimesMax: 0 };
/** A burst of each kind, and 10 s; headers of datagrams that are about as long as they. */
const TRIAL_MAX: Promise = { wireBytesMax: 2 * (32_000 + 10 * 3_000) };

/** Acks what asks for it. */
function acker(address: string): Hearer {
  return (bytes, stage) => {
    const message = decodeServerMessage(bytes);
    if (message.kind === "refused" || !message.needsAck) return;
    stage.say(played({ kind: "ack", sequences: [message.sequence] }), address);
  };
}

type Prepare = (stage: Stage, server: ArenaServer) => void;

function arena(prepare: Prepare = (): void => {}, playersMax = 512): Attack["set"] {
  return (isForging) => {
    const server = createArenaServer({ random: seededRandom(11), playersMax });
    return stageOf(server, isForging, (stage) => {
      letPlay(stage);
      stage.wait(1_000);
      prepare(stage, server);
    });
  };
}

/** Ten who run to and fro. */
function letPlay(stage: Stage): void {
  const players = Array.from({ length: PLAYERS }, (_, index) => `10.1.0.${index}:5000`);
  for (const player of players) {
    stage.listen(player, acker(player));
    stage.say(JOIN, player);
  }
  let turn = 0;
  const live = (stage: Stage): void => {
    const dx = turn++ % 2 === 0 ? 1 : -1;
    for (const player of players) stage.say(played({ kind: "input", dx, dy: 0 }), player);
  };
  stage.life = { everyMs: 500, live };
}

const departed: Prepare = (stage) => {
  stage.say(INPUT, VICTIM);
  stage.wait(12_000);
};

const expelled: Prepare = (stage, server) => {
  stage.say(INPUT, VICTIM);
  server.expel(stage.peer(VICTIM), stage.now, stage.out as never);
};

/** The victim plays, has acked, and the server is started anew before it is heard again. */
function resumed(isForging: boolean): Stage {
  const before = createArenaServer({ random: seededRandom(12) });
  const earlier = stageOf(before, false, (stage) => {
    stage.listen(VICTIM, acker(VICTIM));
    stage.say(JOIN, VICTIM);
  });
  const server = createArenaServer({ random: seededRandom(13) });
  return stageOf(server, isForging, (stage) => {
    const peerAt = (ip: string, port: number): ReturnType<Stage["peer"]> =>
      stage.peer(`${ip}:${port}`);
    server.resume(before.save(earlier.now), 0, peerAt, stage.out as never);
    letPlay(stage);
    stage.wait(1_000);
  });
}

function forging(...datagrams: Uint8Array[]): Attack["act"] {
  return (stage) => {
    for (const datagram of datagrams) stage.forge(datagram, VICTIM);
    stage.waitForSilence(SILENCE_MS);
  };
}

/** A stranger who also plays, and so hears how far the numbers are. */
const knowing: Attack["act"] = (stage) => {
  let newest = 0;
  const own = "198.51.100.66:6666";
  stage.listen(own, (bytes, stage) => {
    const message = decodeServerMessage(bytes);
    if (message.kind === "refused") return;
    newest = message.sequence;
    acker(own)(bytes, stage);
  });
  stage.say(JOIN, own);
  stage.wait(1_000);
  stage.forge(JOIN, VICTIM);
  const near = Array.from({ length: 200 }, (_, index) => (newest + index + 9_901) % 10_001);
  stage.forge(played({ kind: "ack", sequences: near }), VICTIM);
  stage.waitForSilence(SILENCE_MS);
};

function attack(
  message: string,
  set: Attack["set"],
  act: Attack["act"],
  bound: string,
  promise: Promise,
): Attack {
  return { service: "arena", message, bound, set, act, promise };
}

const guesses = Array.from({ length: 64 }, (_, number) => number);

/** All of them. */
export const ARENA_ATTACKS: readonly Attack[] = [
  attack("JOIN", arena(), forging(JOIN), WELCOMES, WELCOMES_MAX),
  attack("JOIN, the shortest", arena(), forging(SHORTEST_JOIN), WELCOMES, WELCOMES_MAX),
  attack("JOIN, ten times", arena(), forging(...Array(10).fill(JOIN)), WELCOMES, WELCOMES_MAX),
  attack("HEARTBEAT", arena(), forging(HEARTBEAT), WELCOMES, WELCOMES_MAX),
  attack("PLAYER_FIRE", arena(), forging(FIRE), WELCOMES, WELCOMES_MAX),
  attack(
    "ACK, of a stranger",
    arena(),
    forging(played({ kind: "ack", sequences: guesses })),
    "no answer",
    SILENT,
  ),
  attack(
    "JOIN, ACK of the first 64 numbers",
    arena(),
    forging(JOIN, played({ kind: "ack", sequences: guesses })),
    `${WELCOMES}; 64 guesses of 10,001`,
    WELCOMES_MAX,
  ),
  attack(
    "JOIN, ACK of 200 numbers near those that a player sees",
    arena(),
    knowing,
    `${WELCOMES}; each has a row of its own`,
    { wireBytesMax: WELCOMES_MAX.wireBytesMax! },
  ),
  attack("PLAYER_INPUT", arena(), forging(INPUT), TRIAL, TRIAL_MAX),
  attack(
    "PLAYER_INPUT, PLAYER_FIRE 20 times",
    arena(),
    forging(INPUT, ...Array(20).fill(FIRE)),
    TRIAL,
    TRIAL_MAX,
  ),
  attack(
    "PLAYER_INPUT, HEARTBEAT every 9 s for 54 s",
    arena(),
    (stage) => {
      stage.forge(INPUT, VICTIM);
      for (let times = 0; times < 6; times++) {
        stage.wait(9_000);
        stage.forge(HEARTBEAT, VICTIM);
      }
      stage.waitForSilence(SILENCE_MS);
    },
    "the same budget, as long as it lasts",
    { wireBytesMax: 2 * (32_000 + 65 * 3_000) },
  ),
  attack("PLAYER_INPUT, of one who left", arena(departed), forging(INPUT), TRIAL, TRIAL_MAX),
  attack(
    "HEARTBEAT, to a server started anew, of one who had acked",
    resumed,
    forging(HEARTBEAT),
    "nothing before; 35 s",
    {},
  ),
  attack(
    "PLAYER_INPUT, every place taken",
    arena(undefined, PLAYERS),
    forging(INPUT),
    "no answer",
    SILENT,
  ),
  attack(
    "ACK, of one sent away",
    arena(expelled),
    forging(played({ kind: "ack", sequences: guesses })),
    "no answer",
    SILENT,
  ),
];
