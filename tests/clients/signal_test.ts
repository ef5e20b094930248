import { assertEquals } from "@std/assert";
import { Emitter } from "../../lib/clients/signal.ts";

/** A signal, and the errors of its listeners. */
function setUp(): { signal: Emitter<[number, string]>; errors: unknown[] } {
  const errors: unknown[] = [];
  return { signal: new Emitter((error) => errors.push(error)), errors };
}

Deno.test("Emitter tells all listeners everything, in the order of their coming", () => {
  const { signal } = setUp();
  const heard: unknown[] = [];
  signal.tell(0, "nobody");
  signal.addListener((...args) => heard.push(["a", ...args]));
  signal.addListener((...args) => heard.push(["b", ...args]));
  signal.tell(1, "x");
  signal.tell(2, "y");
  assertEquals(heard, [["a", 1, "x"], ["b", 1, "x"], ["a", 2, "y"], ["b", 2, "y"]]);
});

Deno.test("Emitter calls a listener that was added twice once, and one that was removed never", () => {
  const { signal } = setUp();
  const heard: number[] = [];
  const listener = (n: number): void => void heard.push(n);
  signal.addListener(listener);
  signal.addListener(listener);
  signal.tell(1, "");
  assertEquals(heard, [1]);
  signal.removeListener(listener);
  signal.tell(2, "");
  assertEquals(heard, [1]);
  signal.removeListener(listener); // It is none any more.
  signal.addListener(listener);
  signal.tell(3, "");
  assertEquals(heard, [1, 3]);
});

Deno.test("Emitter hands over what a listener throws, and tells the others", () => {
  const { signal, errors } = setUp();
  const heard: number[] = [];
  const fault = new Error("of a listener");
  signal.addListener(() => {
    throw fault;
  });
  signal.addListener((n) => heard.push(n));
  signal.tell(1, "");
  signal.tell(2, "");
  assertEquals([heard, errors], [[1, 2], [fault, fault]]);
});

Deno.test("Emitter hands over what an asynchronous listener throws later, and waits for nobody", async () => {
  const { signal, errors } = setUp();
  const heard: string[] = [];
  const gate = Promise.withResolvers<void>();
  const fault = new Error("of a listener");
  signal.addListener(async (n) => {
    await gate.promise;
    heard.push("late");
    if (n === 1) throw fault;
  });
  signal.addListener(() => heard.push("at once"));
  signal.tell(1, "");
  signal.tell(2, "");
  assertEquals([heard, errors], [["at once", "at once"], []]);
  gate.resolve();
  await new Promise((resolve) => setTimeout(resolve));
  assertEquals([heard.slice(2), errors], [["late", "late"], [fault]]);
});

Deno.test("Emitter takes no harm from what listeners give back", async () => {
  const { signal, errors } = setUp();
  for (const result of [undefined, null, 0, "text", {}, Promise.resolve(1)]) {
    signal.addListener(() => result);
  }
  signal.tell(1, "");
  await new Promise((resolve) => setTimeout(resolve));
  assertEquals(errors, []);
});

Deno.test("Emitter tells those who listened when it began, but nobody whom one of them removed", () => {
  const { signal } = setUp();
  const heard: string[] = [];
  const last = (): void => void heard.push("last");
  const added = (): void => void heard.push("added");
  const first = (): void => {
    heard.push("first");
    signal.removeListener(first);
    signal.removeListener(last);
    signal.addListener(added);
  };
  signal.addListener(first);
  signal.addListener(last);
  signal.tell(1, "");
  assertEquals(heard, ["first"]);
  signal.tell(2, "");
  assertEquals(heard, ["first", "added"]);
});

Deno.test("Emitter tells a listener once that another one removed and added again", () => {
  const { signal } = setUp();
  const heard: string[] = [];
  const last = (): void => void heard.push("last");
  signal.addListener(() => {
    signal.removeListener(last);
    signal.addListener(last);
  });
  signal.addListener(last);
  signal.tell(1, "");
  assertEquals(heard, ["last"]);
});

Deno.test("Emitter may be told by its own listener", () => {
  const { signal } = setUp();
  const heard: number[] = [];
  signal.addListener((n) => {
    heard.push(n);
    if (n < 3) signal.tell(n + 1, "");
  });
  signal.tell(1, "");
  assertEquals(heard, [1, 2, 3]);
});
