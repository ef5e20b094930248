/** Thousands of addresses of as many networks are forged within a second: what is sent in all? */
import { ARENA_ATTACKS } from "./arena_attacks.ts";
import { accountOf, type Attack } from "./attack.ts";
import { ECHO_ATTACKS } from "./echo_attacks.ts";
import type { Account } from "./ledger.ts";
import { RENDEZVOUS_ATTACKS } from "./rendezvous_attacks.ts";
import { joining, packet, played, said, state } from "./speakers.ts";
import { SYNC_ATTACKS } from "./sync_attacks.ts";
import { encodeIdRequest } from "../../lib/protocols/sync/wire.ts";
import { WORLD_ATTACKS } from "./world_attacks.ts";

/** How many addresses are forged. */
export const CROWD = 10_000;
const PER_MS = 10;
const SILENCE_MS = 60_000;

/** What all of them say, and what is promised. */
export interface CrowdAttack {
  readonly service: string;
  readonly message: string;
  readonly bound: string;
  readonly set: Attack["set"];
  readonly words: readonly Uint8Array[];
  /** All together are sent so many bytes at most, with headers. */
  readonly wireBytesMax: number;
}

/** A server as the attacks on it find it. */
function stageOf(attacks: readonly Attack[], message: string): Attack["set"] {
  return attacks.find((attack) => attack.message === message)!.set;
}

const megabytes = (count: number): number => count * 1_000_000;

/** One for each service. */
export const CROWD_ATTACKS: readonly CrowdAttack[] = [
  {
    ...{
      service: "sync",
      message: "id request, keep-alive",
      words: [encodeIdRequest(), state(0, "")],
    },
    bound: "`--max-clients`; sending takes 70 % of the time at most",
    set: stageOf(SYNC_ATTACKS, "id request"),
    wireBytesMax: megabytes(2_500),
  },
  {
    ...{ service: "rendezvous", message: "join, dialect 1", words: [joining(1, "v", "host")] },
    bound: "3 times each; 20 a second to a host",
    set: stageOf(RENDEZVOUS_ATTACKS, "join, dialect 1"),
    wireBytesMax: megabytes(0.5),
  },
  {
    ...{ service: "arena", message: "JOIN", words: [played({ kind: "join" })] },
    bound: "the welcome, 3 times; the eldest make room",
    set: stageOf(ARENA_ATTACKS, "JOIN"),
    wireBytesMax: megabytes(3),
  },
  {
    ...{
      service: "arena",
      message: "PLAYER_INPUT",
      words: [played({ kind: "input", dx: 1, dy: 1 })],
    },
    bound: "`--max-players`; the budget of each network",
    set: stageOf(ARENA_ATTACKS, "JOIN"),
    wireBytesMax: megabytes(60),
  },
  {
    ...{ service: "echo", message: "message", words: [said(0)] },
    bound: "512 clients; 20,000 replies a second",
    set: stageOf(ECHO_ATTACKS, "message, nobody else there"),
    wireBytesMax: megabytes(3),
  },
  {
    ...{ service: "world", message: "knock", words: [packet({ type: "knock" })] },
    bound: "2,000 datagrams of strangers at once, 8,000 a second; 262,144 bytes a second",
    set: stageOf(WORLD_ATTACKS, "knock"),
    wireBytesMax: megabytes(4),
  },
];

/** Does it. */
export function accountOfCrowd({ set, words }: CrowdAttack): Account {
  return accountOf({
    set,
    act: (stage) => {
      for (let number = 0; number < CROWD; number++) {
        const address = `11.${number >> 16}.${(number >> 8) & 255}.${number & 255}:7`;
        for (const word of words) stage.forge(word, address);
        if (number % PER_MS === PER_MS - 1) stage.wait(1);
      }
      stage.waitForSilence(SILENCE_MS);
    },
  });
}
