/**
 * Seeds for tests that draw their cases at random: a failure is a seed, and the seed is enough to see
 * it again. `SEED=17 deno task test tests/simulation` runs number 17 alone.
 */

/** The seeds from 1 to `count`, or only the one that the environment variable SEED names. */
export function* seeds(count: number): Generator<number> {
  const only = Deno.env.get("SEED");
  if (only !== undefined) {
    if (!/^\d+$/.test(only)) throw new RangeError(`SEED is a whole number, not ${only}`);
    yield Number(only);
    return;
  }
  for (let seed = 1; seed <= count; seed++) yield seed;
}

/** Runs `body` for every seed; what it throws says how to replay it. */
export function forEachSeed(count: number, body: (seed: number) => void): void {
  for (const seed of seeds(count)) withSeed(seed, () => body(seed));
}

/** Runs `body`; what it throws says how to replay it. */
export function withSeed<T>(seed: number, body: () => T): T {
  try {
    return body();
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new Error(`seed ${seed}: replay with SEED=${seed}\n${reason}`, { cause: error });
  }
}
