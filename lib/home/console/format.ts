/** Numbers and times as people read them, in few columns. */
import type { LogLine } from "../../observe/log.ts";
import type { Line, Style } from "./lines.ts";
import { clean } from "./width.ts";

/** Three digits that say something, or all before the point: `0.12`, `12.3`, `1234`. */
export function digits(value: number): string {
  if (!Number.isFinite(value)) return "?";
  if (value === 0) return "0";
  return value.toFixed(value >= 99.95 ? 0 : value >= 9.995 ? 1 : 2);
}

/** Bytes in kB: `0.31`. */
export function kilobytes(bytes: number): string {
  return digits(bytes / 1_000);
}

/** How long something is: `12 s`, `3 min`, `2 h 05 min`, `3 d 4 h`. */
export function duration(ms: number): string {
  const seconds = Math.floor(Math.max(0, ms) / 1_000);
  const minutes = Math.floor(seconds / 60);
  const hours = Math.floor(minutes / 60);
  if (minutes < 1) return `${seconds} s`;
  if (hours < 1) return `${minutes} min`;
  if (hours < 24) return `${hours} h ${String(minutes % 60).padStart(2, "0")} min`;
  return `${Math.floor(hours / 24)} d ${hours % 24} h`;
}

/** How long ago, in at most six columns: `now`, `12.3 s`, `3 min`. */
export function ago(ms: number | undefined): string {
  if (ms === undefined) return "-";
  if (ms < 1_000) return "now";
  if (ms < 60_000) return `${(ms / 1_000).toFixed(0)} s`;
  return ms < 3_600_000 ? `${Math.floor(ms / 60_000)} min` : `${Math.floor(ms / 3_600_000)} h`;
}

/** Bytes of memory or of a state: `512 B`, `12.3 kB`, `58.1 MB`. */
export function bytes(count: number): string {
  if (count < 1_000) return `${Math.round(count)} B`;
  if (count < 1_000_000) return `${digits(count / 1_000)} kB`;
  return `${digits(count / 1_000_000)} MB`;
}

/** The time of day here: `14:05:09`. */
export function clock(time: number): string {
  const date = new Date(time);
  return [date.getHours(), date.getMinutes(), date.getSeconds()]
    .map((part) => String(part).padStart(2, "0")).join(":");
}

const STYLES: Readonly<Record<LogLine["level"], Style>> = {
  ...{ debug: "dim", info: "plain", warning: "yellow", error: "red" },
};

/** A log line: when, where, and a word when it is more than information. */
export function logText({ time, level, service, message }: LogLine): Line {
  const word = level === "info" ? "" : `${level.toUpperCase()} `;
  const text = `${clock(time)} ${clean(service, 20)}: ${word}${clean(message)}`;
  return [{ text, style: STYLES[level] }];
}
