import { assertEquals } from "@std/assert";
import { Fifo } from "../../lib/parts/fifo.ts";

Deno.test("Fifo gives back what it was given, in order, and then nothing", () => {
  const fifo = new Fifo<string>();
  assertEquals([fifo.length, fifo.shift(), fifo.length], [0, undefined, 0]);
  fifo.push("a");
  fifo.push("b");
  assertEquals([fifo.length, fifo.shift(), fifo.length], [2, "a", 1]);
  fifo.push("c");
  assertEquals([fifo.shift(), fifo.shift(), fifo.shift(), fifo.length], ["b", "c", undefined, 0]);
  fifo.push("d");
  assertEquals([fifo.length, fifo.shift()], [1, "d"]);
});

Deno.test("Fifo.first is what shift() gives next, and stays there", () => {
  const fifo = new Fifo<number>();
  assertEquals(fifo.first, undefined);
  // So many that places are given back on the way.
  for (let i = 0; i < 20_000; i++) fifo.push(i);
  for (let i = 0; i < 20_000; i++) {
    const { first, length } = fifo;
    if (first !== i || fifo.first !== i) throw new Error(`${first} is first, not ${i}`);
    assertEquals([fifo.length, fifo.shift()], [length, i]);
  }
  assertEquals([fifo.first, fifo.shift(), fifo.first], [undefined, undefined, undefined]);
  fifo.push(1);
  assertEquals([fifo.first, fifo.length], [1, 1]);
});

Deno.test("Fifo keeps the order over many turns, with few in it and with many", () => {
  for (const standing of [0, 1, 100, 10_000]) {
    const fifo = new Fifo<number>();
    for (let i = 0; i < standing; i++) fifo.push(i);
    for (let i = 0; i < 30_000; i++) {
      fifo.push(standing + i);
      assertEquals(fifo.length, standing + 1);
      if (fifo.shift() !== i) throw new Error(`not ${i}, with ${standing} in the queue`);
    }
    assertEquals(fifo.length, standing);
  }
});

Deno.test("Fifo holds nothing that has left", async () => {
  // The collector is not to be had in tests: a million large items would not fit if they were held.
  const fifo = new Fifo<Uint8Array>();
  const held = new Set<WeakRef<Uint8Array>>();
  fifo.push(new Uint8Array(1));
  for (let i = 0; i < 1_000; i++) {
    const item = new Uint8Array(1_000_000);
    fifo.push(item);
    if (i % 50 === 0) held.add(new WeakRef(item));
    fifo.shift();
    if (i % 50 === 0) await new Promise((resolve) => setTimeout(resolve)); // WeakRefs let go.
  }
  const alive = [...held].filter((item) => item.deref()).length;
  assertEquals(alive < held.size, true, `${alive} of ${held.size} are alive`);
});
