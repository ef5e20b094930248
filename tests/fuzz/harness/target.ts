/** Anything that is fuzzed: a decoder or an engine, seed by seed. */
import type { Reach, Tally } from "./reach.ts";

/** One of them. */
export interface Target {
  /** Whose it is: `sync`. */
  readonly service: string;
  /** `sync server` */
  readonly name: string;
  /** Everything that it can say. */
  readonly reach: Reach;
  /** So many seeds reach all of that. */
  readonly seeds: number;
  /**
   * One seed: the same one does the same.
   *
   * @param tally What was said is counted there.
   * @returns How many inputs it was.
   * @throws {Error} What is always true was not.
   */
  run(seed: number, tally: Tally): number | Promise<number>;
}

/** One seed of a target; what it throws says how to replay it. */
export async function runSeed(target: Target, seed: number, tally: Tally): Promise<number> {
  try {
    return await target.run(seed, tally);
  } catch (error) {
    const reason = error instanceof Error ? error.stack ?? error.message : String(error);
    const replay = `deno task fuzz --only "${target.name}" --seed ${seed} --runs 1`;
    throw new Error(`${target.name}, seed ${seed}; replay with\n  ${replay}\n${reason}`);
  }
}
