import type { Random } from "../../lib/parts/random.ts";

/** One of them, by chance; undefined when there is none. */
export function pick<T>(random: Random, choices: readonly T[]): T | undefined {
  return choices[Math.floor(random() * choices.length)];
}
