/**
 * The standard output, which may stop taking lines for a while or for good: a console on Windows in
 * which text is selected, a pipe nobody reads, a full disk. No service may stand still or end for that,
 * so lines are queued and written in the background; what finds no room is lost.
 */

const LINES_MAX = 10_000;
const CHUNK_LINES_MAX = 256;

const utf8 = new TextEncoder();
let queue: string[] = [];
let lost = 0;
let writing: Promise<void> | undefined;

/** Prints a line, some time soon. */
export function printLine(line: string): void {
  if (queue.length >= LINES_MAX) lost++;
  else queue.push(line);
  writing ??= writeAll();
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
    if (lost > 0 && queue.length === 0) {
      lines.push(`(${lost} lines were lost: the output did not take them)`);
      lost = 0;
    }
    try {
      await write(utf8.encode(lines.join("\n") + "\n"));
    } catch {
      // Nobody to tell.
    }
  }
  writing = undefined;
}

async function write(bytes: Uint8Array): Promise<void> {
  for (let at = 0; at < bytes.length;) at += await Deno.stdout.write(bytes.subarray(at));
}
