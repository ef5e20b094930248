/** `netsync replay FILE --print`: every datagram of a recording. */
import { printable } from "../observe/printable.ts";
import type { RecordingEntry } from "../parts/recording.ts";
import type { ReplaySession } from "./replay_session.ts";

/** So much of a datagram is shown. */
const TEXT_CHARACTERS_MAX = 100;
const HEX_BYTES_MAX = 32;

const strictUtf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/** Prints a recording. Returns when it is at its end, or was told to stop. */
export async function printRecording(session: ReplaySession): Promise<void> {
  const { file } = session;
  let datagrams = 0;
  for await (const entry of file.entries()) {
    if (session.isStopped) break;
    if (entry.kind === "in" || entry.kind === "out") datagrams++;
    session.say(file.startedAtMs + entry.timeMs, lineOf(entry), factsOf(entry));
    if (session.isBusy) await session.breathe();
  }
  session.tell([`${datagrams} datagrams`], "summary", { datagrams });
}

function lineOf(entry: RecordingEntry): string {
  switch (entry.kind) {
    case "missing":
      return `${entry.datagrams} datagrams are missing here`;
    case "end":
      return `end: ${printable(entry.reason, TEXT_CHARACTERS_MAX)}`;
    default: {
      const { kind, address, data } = entry;
      return `${kind.padEnd(3)} ${address} ${data.length} bytes  ${shown(data)}`.trimEnd();
    }
  }
}

/** Whole, unlike in the line for people. */
function factsOf(entry: RecordingEntry): object {
  switch (entry.kind) {
    case "missing":
      return { event: "missing", datagrams: entry.datagrams };
    case "end":
      return { event: "end", reason: entry.reason };
    default: {
      const { kind, address, data } = entry;
      const text = textOf(data);
      const content = text === undefined ? { hex: hexOf(data) } : { text };
      return { event: kind, address, bytes: data.length, ...content };
    }
  }
}

/** A datagram in a line: as text, or as hex digits with the ASCII characters beside them. */
export function shown(data: Uint8Array): string {
  const text = textOf(data);
  if (text !== undefined) return printable(text, TEXT_CHARACTERS_MAX);
  const first = data.subarray(0, HEX_BYTES_MAX);
  const ascii = Array.from(first, (byte) => {
    return byte >= 0x20 && byte < 0x7f ? String.fromCharCode(byte) : ".";
  });
  return `${hexOf(first)}${data.length > HEX_BYTES_MAX ? "…" : ""}  ${ascii.join("")}`;
}

/** Undefined for what no person typed. */
function textOf(data: Uint8Array): string | undefined {
  try {
    const text = strictUtf8.decode(data);
    return /[^\P{C}\t\n\r]/u.test(text) ? undefined : text;
  } catch {
    return undefined;
  }
}

function hexOf(bytes: Uint8Array): string {
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}
