import { assert, assertEquals, assertMatch } from "@std/assert";
import { configureLog, loggerOf, type LogLevel } from "../../lib/observe/log.ts";
import { flushOutput } from "../../lib/observe/output.ts";

/** What is printed by `log` under these settings. */
async function printed(level: LogLevel, json: boolean, log: () => void): Promise<string[]> {
  const write = Deno.stdout.write;
  let text = "";
  Deno.stdout.write = (bytes): Promise<number> => {
    text += new TextDecoder().decode(bytes);
    return Promise.resolve(bytes.length);
  };
  try {
    configureLog(level, json);
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
