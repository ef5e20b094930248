/** What can be made of an echo server in somebody else's name: nobody ever proves anything there. */
import { createEchoServer, type EchoServer } from "../../lib/protocols/echo/server.ts";
import { type Attack, type Promise, stageOf } from "./attack.ts";
import type { Stage } from "./ledger.ts";
import { said } from "./speakers.ts";

const VICTIM = "203.0.113.9:7";
const ALL = 511;
const SILENT: Promise = { timesMax: 0, othersTimesMax: 0 };
const RATES = "100 messages a second of a network, 20,000 replies a second in all";
/** Numbers that are written out: 5 bytes of each become 23. */
const NUMBERS = new TextEncoder().encode(
  `{"t":"message","p":[${Array(340).fill("1e20").join(",")}]}`,
);
const LETTERS = said("é".repeat(1_150));
/** A message is repeated with two quotation marks more, each escaped, in other spacing. */
const TIMES_MAX = 5;

type Prepare = (stage: Stage, server: EchoServer) => void;

/** A server with so many who listen, and speak every 25 s. */
function echo(
  listeners: number,
  prepare: Prepare = (): void => {},
  clientsMax = 512,
): Attack["set"] {
  return (isForging) => {
    const server = createEchoServer({ clientsMax });
    return stageOf(server, isForging, (stage) => {
      const addresses = Array.from({ length: listeners }, (_, index) => {
        return `10.1.${index >> 8}.${index & 255}:5000`;
      });
      let turn = 0;
      const live = (stage: Stage): void => stage.say(said("hello"), addresses[turn++ % listeners]!);
      if (listeners > 0) stage.life = { everyMs: 25_000 / listeners, live };
      stage.wait(25_000);
      prepare(stage, server);
    });
  };
}

const speaks: Prepare = (stage) => stage.say(said("hello"), VICTIM);

const departed: Prepare = (stage) => {
  speaks(stage, undefined as never);
  stage.wait(31_000);
};

const expelled: Prepare = (stage, server) => {
  stage.say(said("hello"), VICTIM);
  server.expel(stage.peer(VICTIM), stage.now, stage.out as never);
};

function forging(...datagrams: Uint8Array[]): Attack["act"] {
  return (stage) => {
    for (const datagram of datagrams) stage.forge(datagram, VICTIM);
    stage.waitForSilence(60_000);
  };
}

function attack(
  message: string,
  set: Attack["set"],
  act: Attack["act"],
  bound: string,
  promise: Promise,
): Attack {
  return { service: "echo", message, bound, set, act, promise };
}

const utf8 = new TextEncoder();
const JOIN = utf8.encode('{"t":"join","p":null}');
const OTHER_EVENT = utf8.encode('{"t":"connected","p":1}');

/** All of them. */
export const ECHO_ATTACKS: readonly Attack[] = [
  attack("message, nobody else there", echo(0), forging(said(0)), RATES, {
    ...{ timesMax: 2, datagramsMax: 1 },
  }),
  attack("message of numbers, nobody else there", echo(0), forging(NUMBERS), RATES, {
    ...{ timesMax: TIMES_MAX, datagramsMax: 1 },
  }),
  attack("message of letters with accents", echo(0), forging(LETTERS), RATES, {
    ...{ timesMax: TIMES_MAX, datagramsMax: 1 },
  }),
  attack(
    "message, 511 listen and speak every 25 s",
    echo(ALL),
    forging(said(0)),
    `${RATES}; 30 s`,
    {
      othersTimesMax: 2 * ALL,
    },
  ),
  attack("message of numbers, 511 listen", echo(ALL), forging(NUMBERS), `${RATES}; 30 s`, {
    othersTimesMax: TIMES_MAX * ALL,
  }),
  attack(
    "message of numbers, 90 times in a second, 511 listen",
    echo(ALL),
    (stage) => {
      for (let times = 0; times < 90; times++) {
        stage.forge(NUMBERS, VICTIM);
        stage.wait(10);
      }
      stage.waitForSilence(60_000);
    },
    `${RATES}, 1 for each 256 bytes; 30 s`,
    { othersTimesMax: 3 * TIMES_MAX * ALL / 90 },
  ),
  attack("message, of one who left", echo(0, departed), forging(said(0)), RATES, {
    ...{ timesMax: 2, datagramsMax: 1 },
  }),
  attack("any other event", echo(0), forging(JOIN, OTHER_EVENT), "no answer", SILENT),
  attack(
    "message, every place taken",
    echo(1, undefined, 1),
    forging(said(0)),
    "no answer",
    SILENT,
  ),
  attack(
    "message that would be longer than 8,192 bytes",
    echo(0),
    forging(said("é".repeat(4_000))),
    "no answer",
    {
      ...SILENT,
    },
  ),
  attack(
    "any other event, of one sent away",
    echo(0, expelled),
    forging(JOIN),
    "no answer",
    SILENT,
  ),
];
