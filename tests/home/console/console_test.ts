/** The console as somebody sees it: a program in a terminal, keys in, drawings out. */
import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { until } from "../../support/wait.ts";
import { Terminal } from "./terminal.ts";

const FIXTURE = [
  ...[Deno.execPath(), "run", "--no-check", "--no-prompt", "--allow-net"],
  "tests/home/console/fixture.ts",
];

/** Python makes no terminals on Windows. */
const ignore = Deno.build.os === "windows";

const OPENED = "\x1b[?1049h";
const CLOSED = "\x1b[?7h\x1b[?2004l\x1b[?25h\x1b[?1049l";

function consoleTest(
  name: string,
  run: (terminal: Terminal) => Promise<void>,
  words: readonly string[] = [],
): void {
  Deno.test({
    name: `LiveConsole ${name}`,
    ignore,
    fn: async () => {
      await using terminal = new Terminal(24, 80, [...FIXTURE, ...words]);
      await terminal.sees("the members", (text) => /> player 0 .*\n.*player 1 /.test(text));
      await run(terminal);
    },
  });
}

/** The terminal is as it was, and the last line of the program is on the usual screen. */
async function assertGivenBack(
  terminal: Terminal,
  status: number,
  lastLine: string,
): Promise<void> {
  const { status: actual, echo, lines, signals, asBefore } = await terminal.ended();
  assertEquals(actual, status);
  assertEquals([echo, lines, signals, asBefore], [true, true, true, true]);
  const { drawn } = terminal;
  assertEquals(drawn.split(OPENED).length, 2);
  const rest = drawn.slice(drawn.lastIndexOf(CLOSED) + CLOSED.length);
  assert(drawn.includes(CLOSED), "the screen was not closed");
  assertEquals(rest.trim(), lastLine);
}

consoleTest("shows members, hears keys, and gives the terminal back after q", async (terminal) => {
  const { lines, echo, signals } = await terminal.modes();
  assertEquals([lines, echo, signals], [false, false, true]);
  await terminal.sees("the log", (text) => text.includes("sync: hello from the fixture"));
  await terminal.type("\x1b[B");
  await terminal.sees("the selection", (text) => text.includes("> player 1 "));
  // Nobody can have read the question that is answered in the same breath.
  await terminal.type("ky");
  await terminal.sees(
    "a question",
    (text) => text.includes("kick player 1 at 192.0.2.1:50001? y/n"),
  );
  await terminal.type("y");
  await terminal.sees("it done", (text) => text.includes("KICK sync 192.0.2.1:50001"));
  await terminal.type("\t");
  await terminal.sees("the next service", (text) => text.includes("[arena 0]"));
  await terminal.type("q");
  await terminal.sees("a question", (text) => text.includes("quit, though 3 are in? y/n"));
  await terminal.type("y");
  await assertGivenBack(terminal, 0, "ended by quit");
});

consoleTest("bans what is typed, and says what is wrong with it", async (terminal) => {
  await terminal.type("i");
  await terminal.sees("the line", (text) => text.includes("ban address or network: _"));
  await terminal.type("x7");
  await terminal.type("\r");
  await terminal.sees("the error", (text) => text.includes('"x7" is no address'));
  await terminal.type("\x7f\x7f");
  await terminal.sees("an empty line", (text) => text.includes("network: _"));
  await terminal.type("\x1b[200~198.51.100.0/24\n\x1b[201~");
  await terminal.type("\r");
  await terminal.sees("the ban", (text) => text.includes("BAN 198.51.100.0/24"));
  await terminal.type("u");
  await terminal.sees("the list", (text) => text.includes("> 198.51.100.0/24"));
  await terminal.type("x");
  await terminal.sees("a question", (text) => text.includes("let 198.51.100.0/24 in again?"));
  await terminal.type("y");
  await terminal.sees("nobody", (text) => text.includes("nobody is banned"));
  await terminal.type("\x1b");
  await terminal.sees("the members", (text) => text.includes("> player 0"));
});

consoleTest("gives the terminal back after Ctrl+C, which stays a signal", async (terminal) => {
  await terminal.type("\x03");
  await assertGivenBack(terminal, 0, "ended by SIGINT");
});

consoleTest("gives the terminal back after SIGTERM", async (terminal) => {
  await terminal.signal(15);
  await assertGivenBack(terminal, 0, "ended by SIGTERM");
});

consoleTest("gives the terminal back when the program ends at once", async (terminal) => {
  await terminal.type("\x03");
  await terminal.sees("it heard", (text) => text.includes("STOPS"));
  await terminal.type("\x03");
  await assertGivenBack(terminal, 130, "");
}, ["3", "stuck"]);

consoleTest("gives the terminal back before an error is printed", async (terminal) => {
  await terminal.type("\x03");
  const { status, asBefore } = await terminal.ended();
  assertEquals([status, asBefore], [1, true]);
  const [, ...rest] = terminal.drawn.split(CLOSED);
  assertEquals(rest.length, 1);
  assertStringIncludes(rest[0]!, "Error: a bug");
}, ["3", "crash"]);

consoleTest("is not stopped by Ctrl+Z, nor killed by Ctrl+\\", async (terminal) => {
  await terminal.type("\x1a");
  await terminal.sees(
    "a note",
    (text) => text.includes("a server that is stopped loses everybody"),
  );
  await terminal.type("\x1c");
  await assertGivenBack(terminal, 0, "ended by quit");
});

consoleTest("gives the terminal back to a program that goes on", async (terminal) => {
  await terminal.type("\x03");
  await until("its last line", () => terminal.drawn.includes("ended by SIGINT"));
  assertEquals((await terminal.modes()).asBefore, true);
}, ["3", "linger"]);

consoleTest("draws anew for another size, and never more than fits", async (terminal) => {
  for (const [rows, columns] of [[12, 60], [50, 200], [10, 40]] as const) {
    await terminal.resize(rows, columns);
    await terminal.sees(`${rows} lines`, (_, lines) => lines.length === rows);
    assert(terminal.screen.every((line) => line.length < columns), terminal.screen.join("\n"));
  }
  assertStringIncludes(terminal.screen[0]!, "netsync 1.2.3");
}, ["3", "still"]);

consoleTest("draws nothing when nothing changed", async (terminal) => {
  await terminal.sees("the log", (text) => text.includes("hello from the fixture"));
  const before = terminal.drawings;
  for (const key of "zzz") await terminal.type(key);
  await terminal.type("?");
  await terminal.sees("the help", (text) => text.includes("quit at once"));
  assertEquals(terminal.drawings, before + 1);
}, ["3", "still"]);

consoleTest("leaves drawings out while the terminal takes nothing", async (terminal) => {
  await terminal.sees("the log", (text) => text.includes("hello from the fixture"));
  const before = terminal.drawings;
  await terminal.pause();
  for (let time = 0; time < 50; time++) {
    await terminal.type("\x1b[B");
    await terminal.modes(); // So that few keys are read together.
  }
  await terminal.type("?");
  await terminal.resume();
  await terminal.sees("the help", (text) => text.includes("quit at once"));
  const drawings = terminal.drawings - before;
  assert(drawings <= 4, `${drawings} drawings`);
  await terminal.signal(15);
  await assertGivenBack(terminal, 0, "ended by SIGTERM");
}, ["1000", "still"]);

consoleTest("lets the program end while the terminal takes nothing", async (terminal) => {
  await terminal.pause();
  for (let time = 0; time < 100; time++) {
    await terminal.type("\x1b[B\x1b[A?");
    await terminal.modes(); // So that there is something to draw in any case.
  }
  await terminal.signal(15);
  const { status, asBefore } = await terminal.ended();
  assertEquals([status, asBefore], [0, true]);
});

Deno.test({
  name: "LiveConsole goes on without keys where there are none",
  ignore,
  fn: async () => {
    const words = ["sh", "-c", 'exec "$@" < /dev/null', "sh", ...FIXTURE];
    await using terminal = new Terminal(24, 80, words);
    await terminal.sees("the second report", (text) => /up 2 s.*> player 0 /s.test(text));
    assert(terminal.screen.at(-1)!.startsWith("no keys here"), terminal.screen.at(-1));
    await terminal.signal(15);
    await assertGivenBack(terminal, 0, "ended by SIGTERM");
  },
});
