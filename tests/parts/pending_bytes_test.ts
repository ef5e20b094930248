import { assert, assertEquals } from "@std/assert";
import { PendingBytes } from "../../lib/parts/pending_bytes.ts";
import { seededRandom } from "../../lib/parts/random.ts";
import { forEachSeed } from "../support/seeds.ts";

Deno.test("PendingBytes keeps what is added until it is dropped, in order", () => {
  forEachSeed(50, (seed) => {
    const random = seededRandom(seed);
    const pending = new PendingBytes();
    let model: number[] = [];
    for (let step = 0; step < 150; step++) {
      if (random() < 0.6) {
        const bytes = Uint8Array.from(
          { length: random() * random() * 2_000 },
          () => random() * 256,
        );
        pending.append(bytes);
        model.push(...bytes);
        bytes.fill(0); // It was copied.
      } else {
        const length = random() < 0.3 ? model.length : Math.floor(random() * (model.length + 1));
        pending.drop(length);
        model = model.slice(length);
      }
      assertEquals(pending.length, model.length);
      const { view } = pending;
      assert(model.every((byte, at) => byte === view[at]), `step ${step}`);
      const room = view.buffer.byteLength;
      assert(room <= Math.max(4_096, 8 * model.length), `room for ${room}, step ${step}`);
    }
  });
});

Deno.test("PendingBytes takes no more room than twice what is added, and gives it back", () => {
  const pending = new PendingBytes();
  const chunk = new Uint8Array(1_000);
  for (let count = 0; count < 1_000; count++) {
    pending.append(chunk);
    assert(pending.view.buffer.byteLength <= Math.max(256, 2 * pending.length));
  }
  // A window that moves on for ever stays where it is.
  for (let count = 0; count < 10_000; count++) {
    pending.drop(1_000);
    pending.append(chunk);
  }
  assert(pending.view.buffer.byteLength <= 2 * 1_001_000);
  pending.drop(pending.length);
  assertEquals([pending.length, pending.view.buffer.byteLength], [0, 0]);
  pending.append(chunk.subarray(0, 10));
  pending.drop(10);
  assertEquals(pending.view.buffer.byteLength, 256, "a small buffer is used again");
});

Deno.test("PendingBytes gives a large buffer back when less than an eighth of it is in use", () => {
  const pending = new PendingBytes();
  pending.append(new Uint8Array(2 ** 20));
  pending.append(Uint8Array.of(7));
  pending.drop(2 ** 20);
  assertEquals([...pending.view], [7]);
  assert(pending.view.buffer.byteLength <= 4_096, `${pending.view.buffer.byteLength} bytes`);
  pending.append(Uint8Array.of(8, 9));
  pending.drop(1);
  assertEquals([...pending.view], [8, 9]);

  const half = new PendingBytes();
  half.append(Uint8Array.from({ length: 80_000 }, (_, at) => at % 251));
  const room = half.view.buffer.byteLength;
  half.drop(80_000 - room / 8);
  assertEquals(half.view.buffer.byteLength, room, "an eighth is in use");
  half.drop(1);
  assert(half.view.buffer.byteLength < room / 7, "less is in use");
  const first = 80_000 - room / 8 + 1;
  assertEquals(half.view, Uint8Array.from({ length: half.length }, (_, at) => (first + at) % 251));
});
