import { assert, assertEquals } from "@std/assert";
import { Metronome } from "../../lib/parts/metronome.ts";
import { seededRandom } from "../../lib/parts/random.ts";
import { forEachSeed } from "../support/seeds.ts";

Deno.test("Metronome.at() counts beats from the start, the first one a period later", () => {
  const metronome = new Metronome(1_000, 20);
  assertEquals([0, 1, 2, 100].map((beat) => metronome.at(beat)), [1_000, 1_020, 1_040, 3_000]);
});

Deno.test("Metronome.by() counts the beats that are not later", () => {
  const metronome = new Metronome(1_000, 20);
  const counts = [1_000, 1_019.9, 1_020, 1_039, 1_040, 2_999, 3_000];
  assertEquals(counts.map((now) => metronome.by(now)), [0, 0, 1, 1, 2, 99, 100]);
});

Deno.test("Metronome.by() agrees with at() to the last bit, and never drifts", () => {
  forEachSeed(200, (seed) => {
    const random = seededRandom(seed);
    const startedAt = random() * 10 ** Math.floor(random() * 10);
    const periodMs = [1_000 / 60, 1_000 / 3, 0.1, 10, random() * 1_000 + 1e-3][seed % 5]!;
    const metronome = new Metronome(startedAt, periodMs);
    for (let step = 0; step < 300; step++) {
      const beat = Math.floor(random() * 10 ** Math.floor(random() * 7));
      const at = metronome.at(beat);
      assertEquals(metronome.by(at), beat, `beat ${beat} of ${startedAt} and ${periodMs}`);
      // Right before it too, as near as numbers go.
      for (const now of [at - at * 2 ** -53, at + (random() - 0.5) * 3 * periodMs]) {
        const by = metronome.by(now);
        assert(metronome.at(by) <= now && now < metronome.at(by + 1), `${by} beats by ${now}`);
      }
    }
  });
});
