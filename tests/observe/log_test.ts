import { assert, assertEquals, assertMatch } from "@std/assert";
import {
  configureLog,
  loggerOf,
  type LogLevel,
  type LogLine,
  type LogOutputs,
} from "../../lib/observe/log.ts";
import { flushOutput } from "../../lib/observe/output.ts";

/** What is printed by `log` under these settings. */
async function printed(
  level: LogLevel,
  json: boolean,
  log: () => void,
  outputs?: LogOutputs,
): Promise<string[]> {
  const write = Deno.stdout.write;
  let text = "";
  Deno.stdout.write = (bytes): Promise<number> => {
    text += new TextDecoder().decode(bytes);
    return Promise.resolve(bytes.length);
  };
  try {
    configureLog(level, json, outputs);
    log();
    await flushOutput(1_000);
  } finally {
    Deno.stdout.write = write;
  }
  assert(text === "" || text.endsWith("\n"));
  return text.split("\n").slice(0, -1);
}

Deno.test("configureLog() prints time, level and the message with its facts filled in", async () => {
  const lines = await printed("info", false, () => {
    loggerOf("sync").info("player {id} of {team}", { event: "joined", id: 7, team: "red" });
    loggerOf("sync").warning("no facts");
  });
  assertEquals(lines.length, 2);
  const time = String.raw`^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d`;
  assertMatch(lines[0]!, new RegExp(`${time} INFO    player 7 of red$`));
  assertMatch(lines[1]!, new RegExp(`${time} WARNING no facts$`));
});

Deno.test("configureLog() prints JSON objects with time, level, service, facts and message", async () => {
  const before = Date.now();
  const lines = await printed("info", true, () => {
    loggerOf("sync").info(`"quoted"\n{id}`, { event: "joined", id: 7, nested: { hz: 1.5 } });
  });
  const { time, ...facts } = JSON.parse(lines[0]!);
  assertEquals(facts, {
    level: "info",
    service: "sync",
    event: "joined",
    id: 7,
    nested: { hz: 1.5 },
    message: `"quoted"\n7`,
  });
  const at = Date.parse(time);
  assert(at >= before && at <= Date.now(), time);
  assertEquals(lines.length, 1);
});

Deno.test("configureLog() prints lines from its level up", async () => {
  const levels = ["debug", "info", "warning", "error"] as const;
  for (const [index, level] of levels.entries()) {
    const lines = await printed(level, false, () => {
      for (const level of levels) loggerOf("sync")[level](level);
    });
    assertEquals(lines.map((line) => line.split(" ").at(-1)), levels.slice(index));
  }
});

Deno.test("configureLog() gives a file the very lines that it prints", async () => {
  for (const json of [false, true]) {
    let text = "";
    const file = (line: string): boolean => (text += line, true);
    const lines = await printed("info", json, () => {
      loggerOf("sync").info("player {id}", { event: "joined", id: 7 });
      loggerOf("sync").debug("too little");
      loggerOf("sync").error("too much");
    }, { file });
    assertEquals(lines.length, 2);
    assertEquals(text, lines.map((line) => `${line}\n`).join(""));
  }
});

Deno.test("configureLog() tells the file, and only it, what that did not take", async () => {
  const taken: string[] = [];
  const room = [true, false, false, false, true, true];
  const file = (line: string): boolean => room.shift() ? taken.push(line.trim()) > 0 : false;
  const lines = await printed("info", false, () => {
    for (const word of ["one", "two", "three", "four"]) loggerOf("sync").info(word);
  }, { file });
  assertEquals(lines.map((line) => line.split(" ").at(-1)), ["one", "two", "three", "four"]);
  assertEquals(taken.map((line) => line.slice(20)), [
    "INFO    one",
    "WARNING 2 lines were lost: the log file did not take them",
    "INFO    four",
  ]);
});

Deno.test("configureLog() tells a tail each line in its parts", async () => {
  const tail: LogLine[] = [];
  const before = Date.now();
  const log = (): void => {
    loggerOf("sync").info("player {id}", { id: 7 });
    loggerOf("arena").warning("no facts");
    loggerOf("arena").debug("too little");
  };
  const lines = await printed("info", true, log, { tail: (line) => tail.push(line) });
  assertEquals(lines.length, 2);
  assertEquals(tail.map(({ time: _, ...line }) => line), [
    { level: "info", service: "sync", message: "player 7" },
    { level: "warning", service: "arena", message: "no facts" },
  ]);
  assert(tail.every(({ time }) => time >= before && time <= Date.now()));
});

Deno.test("configureLog() prints nothing if told so, and a tail that fails stops nobody", async () => {
  let text = "";
  const outputs = {
    output: false,
    file: (line: string): boolean => (text += line, true),
    tail(): never {
      throw new Error("a bug");
    },
  };
  assertEquals(await printed("info", false, () => loggerOf("sync").info("hi"), outputs), []);
  assertMatch(text, /INFO {4}hi\n/);
});
