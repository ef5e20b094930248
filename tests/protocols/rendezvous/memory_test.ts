import { assertEquals } from "@std/assert";
import { Memory } from "../../../lib/protocols/rendezvous/memory.ts";

/** The ids of these that are taken for new ones. */
function firstsOf(memory: Memory, session: number | undefined, ids: Iterable<number>): number[] {
  return [...ids].filter((id) => memory.isFirst(session, id));
}

Deno.test("Memory.isFirst() knows every number once, in any order", () => {
  for (const ids of [[0, 1, 2, 3], [3, 2, 1, 0], [2, 0, 3, 1]]) {
    const memory = new Memory();
    assertEquals(firstsOf(memory, 1, ids), ids);
    assertEquals(firstsOf(memory, 1, ids), []);
  }
});

Deno.test("Memory.isFirst() takes for seen what is 1,024 below the highest", () => {
  const memory = new Memory();
  assertEquals(firstsOf(memory, 1, [2_000, 976, 977, 977, 0, 3_000, 1_976, 1_977, 2_000]), [
    ...[2_000, 977, 3_000, 1_977],
  ]);
});

Deno.test("Memory.isFirst() stays right however many numbers come", () => {
  const memory = new Memory();
  // Backwards within the window, over and over, and each of them twice.
  for (let base = 0; base < 20_000; base += 500) {
    const ids = Array.from({ length: 500 }, (_, index) => base + 499 - index);
    assertEquals(firstsOf(memory, 1, ids), ids);
    assertEquals(firstsOf(memory, 1, ids), []);
    const window = ids.map((id) => id - 500).filter((id) => id >= 0);
    assertEquals(firstsOf(memory, 1, window), []);
  }
});

Deno.test("Memory.isFirst() knows the last 1,024 numbers whenever it forgets older ones", () => {
  const memory = new Memory();
  for (let id = 0; id < 5_000; id++) {
    assertEquals(firstsOf(memory, 1, [id, id, Math.max(0, id - 1_023), id - 1_024]), [id]);
  }
});

Deno.test("Memory.isFirst() tells sessions apart, and forgets the first of five", () => {
  const memory = new Memory();
  for (const session of [1, 2, 3, undefined]) assertEquals(firstsOf(memory, session, [0]), [0]);
  for (const session of [1, 2, 3, undefined]) assertEquals(firstsOf(memory, session, [0]), []);
  assertEquals(firstsOf(memory, 5, [0]), [0]);
  for (const session of [2, 3, undefined, 5]) assertEquals(firstsOf(memory, session, [0]), []);
  assertEquals(firstsOf(memory, 1, [0]), [0]);
});

Deno.test("Memory.forgetUnnumbered() forgets the numbers without a session alone", () => {
  const memory = new Memory();
  memory.forgetUnnumbered();
  for (const session of [undefined, 0]) memory.isFirst(session, 0);
  memory.forgetUnnumbered();
  assertEquals(memory.isFirst(undefined, 0), true);
  assertEquals(memory.isFirst(0, 0), false);
});
