/**
 * The standard output, which may stop taking lines for a while or for good: a console on Windows in
 * which text is selected, a pipe nobody reads, a full disk. No service may stand still or end for that,
 * so lines are queued and written in the background; what finds no room is lost.
 */
import { asciiJson } from "../parts/json.ts";

const LINES_MAX = 10_000;
const CHUNK_LINES_MAX = 256;

const utf8 = new TextEncoder();
let queue: string[] = [];
let writing: Promise<void> | undefined;

/**
 * Prints a line, some time soon.
 *
 * @returns False when the queue is full and the line is lost.
 */
export function printLine(line: string): boolean {
  return printText(`${line}\n`);
}

/**
 * Prints an event as a line of JSON, with the time of day. It is ASCII: what came from the network can do
 * nothing to a terminal.
 */
export function printEvent(event: string, facts: object): boolean {
  const time = new Date().toISOString();
  return printLine(asciiJson(JSON.stringify({ time, event, ...facts })));
}

/** Prints text without an end of line, as {@link printLine} does. */
export function printText(text: string): boolean {
  if (queue.length >= LINES_MAX) return false;
  queue.push(text);
  writing ??= writeAll();
  return true;
}

/** Settles when everything that was printed is written: for those who print as much as is read. */
export function writtenOutput(): Promise<void> {
  return writing ?? Promise.resolve();
}

/** Whether everything that was printed was taken. */
export function isOutputIdle(): boolean {
  return writing === undefined;
}

/** Waits until all lines are written, but not longer than this. */
export async function flushOutput(waitMs: number): Promise<void> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const patience = new Promise<void>((resolve) => timer = setTimeout(resolve, waitMs));
  await Promise.race([writing, patience]);
  clearTimeout(timer);
}

async function writeAll(): Promise<void> {
  while (queue.length > 0) {
    const lines = queue.slice(0, CHUNK_LINES_MAX);
    queue = queue.slice(CHUNK_LINES_MAX);
    try {
      await write(utf8.encode(lines.join("")));
    } catch {
      // Nobody to tell.
    }
  }
  writing = undefined;
}

async function write(bytes: Uint8Array): Promise<void> {
  for (let at = 0; at < bytes.length;) at += await Deno.stdout.write(bytes.subarray(at));
}
