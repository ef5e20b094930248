/**
 * A short run of the fuzzing as ordinary tests, with seeds that are always the same. Everything that a decoder or
 * an engine can say is reached in it; `deno task fuzz` goes on from there for as long as it is let.
 */
import { assertEquals } from "@std/assert";
import { gapsIn, type Tally } from "./reach.ts";
import { runSeed, type Target } from "./target.ts";

/** Registers a test for each target. */
export function testTargets(targets: readonly Target[]): void {
  for (const target of targets) {
    Deno.test(`${target.name} keeps its promises whatever comes`, async () => {
      const tally: Tally = new Map();
      for (let seed = 1; seed <= target.seeds; seed++) await runSeed(target, seed, tally);
      assertEquals(gapsIn(target.reach, tally), []);
    });
  }
}
