import { assertEquals } from "@std/assert";
import { LogTail } from "../../lib/home/log_tail.ts";
import type { LogLine } from "../../lib/observe/log.ts";

function lineOf(number: number): LogLine {
  return { time: number, level: "info", service: "sync", message: `line ${number}` };
}

Deno.test("LogTail keeps the last 200 lines, the oldest first", () => {
  const tail = new LogTail();
  assertEquals(tail.lines, []);
  for (let number = 0; number < 200; number++) tail.add(lineOf(number));
  assertEquals(tail.lines.map(({ time }) => time), Array.from({ length: 200 }, (_, at) => at));
  for (let number = 200; number < 1_000; number++) tail.add(lineOf(number));
  assertEquals(
    tail.lines.map(({ time }) => time),
    Array.from({ length: 200 }, (_, at) => 800 + at),
  );
});

Deno.test("LogTail tells all who listen of each line from then on, itself included", () => {
  const tail = new LogTail();
  tail.add(lineOf(0));
  const heard: string[] = [];
  tail.listen(({ time }) => heard.push(`a ${time} of ${tail.lines.length}`));
  tail.add(lineOf(1));
  tail.listen(({ time }) => heard.push(`b ${time}`));
  tail.add(lineOf(2));
  assertEquals(heard, ["a 1 of 2", "a 2 of 3", "b 2"]);
});
