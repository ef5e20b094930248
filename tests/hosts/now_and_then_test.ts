import { assertEquals } from "@std/assert";
import { nowAndThen } from "../../lib/hosts/now_and_then.ts";

Deno.test("nowAndThen() says the first of what keeps coming, then one of it in ten seconds", () => {
  const real = performance.now;
  let now = 3; // The program may be that young.
  performance.now = () => now;
  try {
    const said: unknown[] = [];
    const say = nowAndThen((...what: [number, string]) => said.push(what));
    for (const at of [3, 3, 10_002, 10_003, 10_004, 20_002, 35_000, 44_999, 45_000]) {
      now = at;
      say(at, "x");
    }
    assertEquals(said, [3, 10_003, 35_000, 45_000].map((at) => [at, "x"]));
  } finally {
    performance.now = real;
  }
});

Deno.test("nowAndThen() keeps apart what has nothing to do with each other", () => {
  const said: string[] = [];
  const [one, other] = [1, 2].map(() => nowAndThen((text: string) => said.push(text)));
  one!("1");
  other!("2");
  one!("1 again");
  other!("2 again");
  assertEquals(said, ["1", "2"]);
});
