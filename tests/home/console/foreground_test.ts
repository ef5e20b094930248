import { assertEquals } from "@std/assert";
import { isBackgroundJob, isInBackground } from "../../../lib/home/console/foreground.ts";

const CASES: [why: string, stat: string, isBackground: boolean][] = [
  ["the job that has the terminal", "374 (deno) R 367 374 367 34816 374 4194304 4572", false],
  ["another job", "374 (deno) R 367 374 367 34816 367 4194304 4572", true],
  ["a program without a terminal", "374 (deno) R 367 374 367 0 -1 4194304 4572", false],
  ["a name with anything in it", "374 (a) R 1 2 3) R 367 374 367 34816 374 4194304", false],
  ["something else", "nothing", false],
];

for (const [why, stat, isBackground] of CASES) {
  Deno.test(`isBackgroundJob() is ${isBackground} for ${why}`, () => {
    assertEquals(isBackgroundJob(stat), isBackground);
  });
}

Deno.test({
  name: "isInBackground() asks for no permission, and is false without",
  permissions: { read: false, net: true },
  fn: () => assertEquals(isInBackground(), false),
});
