/** What can be made of a world's server in somebody else's name. */
import { seededRandom } from "../../lib/parts/random.ts";
import {
  createWorldServer,
  type WorldServerEngine,
  type WorldServerOptions,
} from "../../lib/protocols/world/server.ts";
import { decodePacket, encodeAck } from "../../lib/protocols/world/wire.ts";
import { type Attack, type Promise, stageOf } from "./attack.ts";
import type { Hearer, Stage } from "./ledger.ts";
import { movingWorld, packet, UNIX_MS } from "./speakers.ts";

const VICTIM = "203.0.113.9:7";
const KNOCK = packet({ type: "knock", diffs: true });
const SHORTEST_KNOCK = packet({ type: "knock" });
const STOP = packet({ type: "stop" });
/** Their names are as long as they can be, more or less. */
const [OBJECTS, NAME_CHARACTERS] = [10, 800];
/** An address that acks nothing is forgotten after 10 s. */
const SILENCE_MS = 23_000;
const SILENT: Promise = { timesMax: 0, othersTimesMax: 0 };
/** An ACK and the same headers: never more than what it answers. */
const ACK_ONLY: Promise = { timesMax: 1, wireTimesMax: 1, othersTimesMax: 0 };
const ONE_ACK = "one ACK, no longer than what it is for";
const TRIAL_BYTES_MAX = 2_000;
const TRIAL = "ACK and one snapshot, again while below 2,000 bytes with headers; 10 s";
const TRIAL_MAX: Promise = { wireBytesMax: TRIAL_BYTES_MAX, othersTimesMax: 0 };

type Prepare = (stage: Stage, server: WorldServerEngine) => void;

function world(
  prepare: Prepare = (): void => {},
  options: Partial<WorldServerOptions> = {},
): Attack["set"] {
  return (isForging) => {
    const server = createWorldServer({
      ...movingWorld(OBJECTS, NAME_CHARACTERS),
      random: seededRandom(14),
      unixMs: () => UNIX_MS,
      ...options,
    });
    return stageOf(server, isForging, (stage) => {
      stage.wait(1_000);
      prepare(stage, server);
    });
  };
}

function acker(address: string): Hearer {
  return (bytes, stage) => {
    const decoded = decodePacket(bytes);
    if (decoded.kind === "message") stage.say(encodeAck(decoded.sequence), address);
  };
}

/** The only place is taken. */
const full: Prepare = (stage) => {
  const client = "10.1.0.1:5000";
  stage.listen(client, acker(client));
  stage.say(KNOCK, client);
  stage.wait(100);
};

const departed: Prepare = (stage) => {
  stage.say(KNOCK, VICTIM);
  stage.wait(12_000);
};

const expelled: Prepare = (stage, server) => {
  stage.say(KNOCK, VICTIM);
  server.expel(stage.peer(VICTIM), stage.now, stage.out as never);
};

function forging(...datagrams: Uint8Array[]): Attack["act"] {
  return (stage) => {
    for (const datagram of datagrams) stage.forge(datagram, VICTIM);
    stage.waitForSilence(SILENCE_MS);
  };
}

function attack(
  message: string,
  set: Attack["set"],
  act: Attack["act"],
  bound: string,
  promise: Promise,
): Attack {
  return { service: "world", message, bound, set, act, promise };
}

/** Guesses 10 ms after the snapshot left. */
const guessing: Attack["act"] = (stage) => {
  stage.forge(SHORTEST_KNOCK, VICTIM);
  stage.wait(20);
  for (let guess = 0; guess < 63; guess++) stage.forge(encodeAck(guess), VICTIM);
  stage.waitForSilence(SILENCE_MS);
};

const said = [{ type: "snap" }, { type: "heartbeat" }, { type: "full" }, { diff: {} }];

/** All of them. */
export const WORLD_ATTACKS: readonly Attack[] = [
  attack("`{}`", world(), forging(packet({})), ONE_ACK, ACK_ONLY),
  attack("stop", world(), forging(STOP), ONE_ACK, ACK_ONLY),
  attack("unknown type", world(), forging(packet({ type: "x" })), ONE_ACK, ACK_ONLY),
  attack(
    "what servers say",
    world(),
    forging(...said.map((message) => packet(message))),
    "no answer",
    SILENT,
  ),
  attack("ACK, of a stranger", world(), forging(encodeAck(0)), "no answer", SILENT),
  attack("knock", world(), forging(SHORTEST_KNOCK), TRIAL, TRIAL_MAX),
  attack("knock of netsync's", world(), forging(KNOCK), TRIAL, TRIAL_MAX),
  attack("knock, ten times", world(), forging(...Array(10).fill(KNOCK)), TRIAL, {
    wireBytesMax: TRIAL_BYTES_MAX + 9 * 51,
  }),
  attack("knock, 63 guessed ACKs", world(), guessing, "64 guesses of 65,536", TRIAL_MAX),
  attack(
    "knock and stop, 20 times",
    world(),
    (stage) => {
      for (let times = 0; times < 20; times++) {
        stage.forge(KNOCK, VICTIM);
        stage.wait(20);
        stage.forge(STOP, VICTIM);
        stage.wait(980);
      }
      stage.waitForSilence(SILENCE_MS);
    },
    "budget of the network",
    { wireBytesMax: 64 * (256 + 20 * 32) + 40 * 51 },
  ),
  attack("knock, of one who left", world(departed), forging(KNOCK), TRIAL, TRIAL_MAX),
  attack(
    "knock, every place taken",
    world(full, { clientsMax: 1 }),
    forging(KNOCK),
    "ACK and `full`",
    {
      ...{ wireTimesMax: 2, datagramsMax: 2 },
    },
  ),
  attack("ACK, of one sent away", world(expelled), forging(encodeAck(0)), "no answer", SILENT),
];
