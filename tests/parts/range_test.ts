import { assertThrows } from "@std/assert";
import { checkRange } from "../../lib/parts/range.ts";

Deno.test("checkRange() takes what is in the range, its ends included", () => {
  for (const value of [0, 7, 15]) checkRange("decimals", value, 0, 15);
  checkRange("silenceMs", Infinity, 1);
});

Deno.test("checkRange() says what would be right", () => {
  const refused = (value: number, message: string, max?: number): void => {
    assertThrows(() => checkRange("decimals", value, 1, max), RangeError, message);
  };
  refused(0, "decimals is from 1 to 15, not 0", 15);
  refused(16, "decimals is from 1 to 15, not 16", 15);
  refused(NaN, "decimals is at least 1, not NaN");
});
