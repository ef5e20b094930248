/** What is kept of a sync server across a restart: who has which id, and everybody's newest state. */
import type { Reading } from "../../parts/reading.ts";
import type { Saved } from "../engine.ts";
import { type Address, readAddress, readSaved, uniqueInteger, writeAddress } from "../saved.ts";
import type { Stage } from "./sessions.ts";
import { NUMBER_MAX, STATE_BYTES_MAX } from "./wire.ts";

/** A server as it is kept. */
export interface SavedServer {
  nextId: number;
  /** The number of the last snapshot. */
  snapshotNumber: bigint;
  /** The players in the order of their coming, then the others. */
  sessions: SavedSession[];
}

/** One that was read. */
export interface ReadServer extends SavedServer {
  /** Whether it was saved at the end: nobody was given an id after that. */
  isFinal: boolean;
}

/** An address that has an id. */
export interface SavedSession {
  address: Address;
  id: number;
  stage: Stage;
  /** The highest number accepted; -1 before the first. */
  number: bigint;
  /** For so long a departed one may still come back; 0 for others. */
  leftMs: number;
  /** Undefined where there is none. */
  state: string | undefined;
}

const VERSION = 1;
/** Far above all ids that are ever given, with room for as many. */
const NEXT_ID_MAX = 2 ** 52;
/** The same for snapshots. */
const SNAPSHOT_NUMBER_MAX = 2n ** 62n;
/** Longer than anybody is remembered. */
const LEFT_MS_MAX = 1e12;
const STAGES: readonly string[] = ["player", "unverified", "departed"] satisfies Stage[];

/** As plain data. */
export function writeServer({ nextId, snapshotNumber, sessions }: SavedServer): Saved {
  return {
    version: VERSION,
    nextId,
    snapshotNumber: String(snapshotNumber),
    sessions: sessions.map(({ address, id, stage, number, leftMs, state }) => ({
      ...writeAddress(address),
      id,
      stage,
      ...(stage === "player" && { number: String(number) }),
      ...(stage === "departed" && { leftMs: Math.min(leftMs, LEFT_MS_MAX) }),
      ...(state !== undefined && { state }),
    })),
  };
}

/**
 * Reads what {@link writeServer} has made.
 *
 * @throws {TypeError} Something in it is wrong.
 */
export function readServer(saved: Saved): ReadServer {
  const reading = readSaved(saved, VERSION);
  const nextId = reading.integer("nextId", 0, NEXT_ID_MAX);
  const snapshotNumber = reading.bigint("snapshotNumber", 0n, SNAPSHOT_NUMBER_MAX);
  const addresses = new Set<string>();
  const ids = new Set<number>();
  const sessions = reading.objects("sessions").map((one): SavedSession => {
    const stage = stageOf(one);
    return {
      address: readAddress(one, addresses),
      id: uniqueInteger(one, "id", [0, nextId - 1], ids),
      stage,
      number: stage === "player" ? one.bigint("number", -1n, NUMBER_MAX) : -1n,
      leftMs: stage === "departed" ? one.number("leftMs", 0, LEFT_MS_MAX) : 0,
      state: one.has("state") ? one.text("state", STATE_BYTES_MAX) : undefined,
    };
  });
  const isFinal = reading.has("isFinal") && reading.flag("isFinal");
  return { nextId, snapshotNumber, sessions, isFinal };
}

function stageOf(reading: Reading): Stage {
  const stage = reading.text("stage", 20);
  if (!STAGES.includes(stage)) reading.refuse("stage", STAGES.join(", "));
  return stage as Stage;
}
