/** What is kept of an arena across a restart: who plays, where, and what each has not acked yet. */
import type { Saved } from "../engine.ts";
import { SEQUENCE_MAX } from "../events/delivery.ts";
import { type Address, readAddress, readSaved, uniqueInteger, writeAddress } from "../saved.ts";
import { type Body, REACH_X, REACH_Y } from "./world.ts";

/** An arena as it is kept. What is in the air is not: it would be gone in two seconds anyway. */
export interface SavedArena {
  /** The number of the next player. */
  nextNumber: number;
  /** The sequence number of the next message. */
  sequence: number;
  /** Those who are present in the order of their coming, then the others. */
  players: SavedPlayer[];
}

/** Somebody who was welcomed. */
export interface SavedPlayer {
  address: Address;
  /** Whether it is in the game. */
  isPresent: boolean;
  /** Whether it acked anything. */
  isBelieved: boolean;
  body: Body;
  /** What was not acked: its welcome, how large the world is, and who has left. */
  isWelcomeDue: boolean;
  isWorldDue: boolean;
  leftDue: Iterable<number>;
}

const VERSION = 1;
/** Far above all numbers that are ever given, with room for as many. */
const NEXT_NUMBER_MAX = 2 ** 52;
const COLOR_MAX = 255;

/** As plain data. */
export function writeArena({ nextNumber, sequence, players }: SavedArena): Saved {
  return {
    version: VERSION,
    nextNumber,
    sequence,
    players: players.map(({ address, body, leftDue, ...flags }) => {
      const { bullets: _, ...rest } = body;
      return { ...writeAddress(address), ...rest, ...flags, leftDue: [...leftDue] };
    }),
  };
}

/**
 * Reads what {@link writeArena} has made.
 *
 * @throws {TypeError} Something in it is wrong.
 */
export function readArena(saved: Saved): SavedArena {
  const reading = readSaved(saved, VERSION);
  const nextNumber = reading.integer("nextNumber", 1, NEXT_NUMBER_MAX);
  const addresses = new Set<string>();
  const numbers = new Set<number>();
  const players = reading.objects("players").map((player): SavedPlayer => {
    const color = (name: string): number => player.integer(name, 0, COLOR_MAX);
    const axis = (name: string): number => player.number(name, -1, 1);
    return {
      address: readAddress(player, addresses),
      isPresent: player.flag("isPresent"),
      isBelieved: player.flag("isBelieved"),
      isWelcomeDue: player.flag("isWelcomeDue"),
      isWorldDue: player.flag("isWorldDue"),
      leftDue: new Set(player.integers("leftDue", 1, nextNumber - 1)),
      body: {
        number: uniqueInteger(player, "number", [1, nextNumber - 1], numbers),
        ...{ red: color("red"), green: color("green"), blue: color("blue") },
        x: player.number("x", -REACH_X, REACH_X),
        y: player.number("y", -REACH_Y, REACH_Y),
        ...{ dx: axis("dx"), dy: axis("dy") },
        ...{ facingX: axis("facingX"), facingY: axis("facingY") },
        bullets: 0,
      },
    };
  });
  return { nextNumber, sequence: reading.integer("sequence", 0, SEQUENCE_MAX), players };
}
