/** The real program under faults, and what the system tells of it. */
import { type Command, DENO_RUN, type EventProgram, output } from "../interop/programs.ts";

/** `deno run` with leave to use files. */
export const WITH_FILES: Command = [
  ...DENO_RUN.slice(0, -1),
  ...["--allow-read", "--allow-write", "main.ts"],
];

/** A command that may have only so many files and sockets open. */
export function limitedTo(files: number, command: Command): Command {
  return ["sh", "-c", `ulimit -n ${files}; exec "$@"`, "sh", ...command];
}

/** The processor time that a program has used so far, in ms. Linux only. */
export async function cpuMsOf({ pid }: { pid: number }): Promise<number> {
  const { out } = await output(["cat"], [`/proc/${pid}/stat`]);
  // The name, which is in brackets, may contain anything. A tick is 10 ms on every Linux that Deno runs on.
  const fields = out.join("\n").replace(/^.*\) /s, "").split(" ");
  return 10 * (Number(fields[11]) + Number(fields[12]));
}

/** How many files and sockets a program has open. Linux only. */
export async function openFilesOf({ pid }: { pid: number }): Promise<number[]> {
  const { out } = await output(["ls"], [`/proc/${pid}/fd`]);
  return out.map(Number);
}

/** What a server said of a kind of event, as its messages. */
export function messagesOf(server: EventProgram, event: string): string[] {
  return server.events(event).map(({ message }) => String(message));
}

/** Warnings and errors that a server said, as their messages. */
export function warningsOf(server: EventProgram): string[] {
  return server.lines.flatMap((line) => {
    const { level, message } = JSON.parse(line) as { level: string; message?: string };
    return level === "warning" || level === "error" ? [String(message)] : [];
  });
}
