import { assertEquals } from "@std/assert";
import { closesWithProgram, type WindowSigns } from "../../lib/commands/terminal.ts";

const doubleClicked: WindowSigns = { os: "windows", standalone: true, words: 0, isTerminal: true };

const CASES: [why: string, signs: Partial<WindowSigns>, closes: boolean][] = [
  ["a double click on Windows", {}, true],
  ["words, so somebody typed", { words: 1 }, false],
  ["deno run", { standalone: false }, false],
  ["no terminal, so nobody would press Enter", { isTerminal: false }, false],
  ["Linux", { os: "linux" }, false],
  ["macOS", { os: "darwin" }, false],
];

for (const [why, signs, closes] of CASES) {
  Deno.test(`closesWithProgram() is ${closes} for ${why}`, () => {
    assertEquals(closesWithProgram({ ...doubleClicked, ...signs }), closes);
  });
}
