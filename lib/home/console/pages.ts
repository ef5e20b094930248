/** The pages of the console besides the main one: each is one list over the whole screen. */
import type { Size } from "../../observe/screen.ts";
import { logText } from "./format.ts";
import { inColumns, type Line, line, type Style, twoColumns } from "./lines.ts";
import type { Picture } from "./page.ts";
import { settled } from "./place.ts";
import type { Facts, State } from "./state.ts";
import { clean, wrap } from "./width.ts";

/** The log lines in full, the newest at the bottom. */
export function logPage(state: State, facts: Facts, room: Size): Picture {
  const { log, logDropped } = facts;
  const rows = Math.max(1, room.rows - 1);
  const shown: Line[] = [];
  let end = Math.max(0, Math.min((state.logEnd ?? Infinity) - logDropped, log.length));
  let first = end;
  while (first > 0 && shown.length < rows) shown.unshift(...logLines(log[--first]!, room.columns));
  while (end < log.length && shown.length < rows) {
    shown.push(...logLines(log[end++]!, room.columns));
  }
  const isLast = end === log.length;
  const newer = log.length - end;
  const title = log.length === 0
    ? "log: nothing yet"
    : `log: the last ${log.length} lines${isLast ? "" : `, ${newer} newer ones below`}`;
  return {
    lines: [line(title, "bold"), ...shown.slice(-rows)],
    state: {
      ...state,
      logEnd: isLast ? undefined : logDropped + end,
      pageRows: Math.max(1, end - first - 1),
    },
  };
}

const INDENT = " ".repeat(9);

function logLines(entry: Facts["log"][number], columns: number): Line[] {
  return logText(entry).flatMap(({ text, style }) =>
    wrap(text, columns - INDENT.length).map((part, index) =>
      line(index === 0 ? part : INDENT + part, style)
    )
  );
}

/** Who is not let in. */
export function bansPage(state: State, facts: Facts, room: Size): Picture {
  const bans = facts.report?.bans ?? [];
  const rows = Math.max(1, room.rows - 1);
  const place = settled(state.bans, bans, rows);
  const title = bans.length === 0
    ? "nobody is banned"
    : `${bans.length} banned: not let in to any service here`;
  const shown = bans.slice(place.top, place.top + rows).map((ban, index) => {
    const isSelected = place.top + index === place.index;
    const style: Style = isSelected ? "reverse" : "plain";
    return line(`${isSelected ? ">" : " "} ${clean(ban, 60)}`, style);
  });
  return {
    lines: [line(title, "bold"), ...shown],
    state: { ...state, bans: place, pageRows: rows },
  };
}

/** All rows of the first screen, in full. */
export function rowsPage(state: State, facts: Facts, room: Size): Picture {
  return scrolled(state, inColumns(facts.rows, room.columns).flat(), room);
}

const HELP_ROWS: readonly [string, string][] = [
  ["arrows, PgUp, PgDn, Home, End", "select a member, or scroll"],
  ["Tab, Shift+Tab, left, right", "the next or the previous service"],
  ["k", "kick the selected member: it may come back after a while"],
  ["b", "ban its IP address, from all services here"],
  ["i", "ban an address or a network: 192.0.2.7, 192.0.2.0/24, 2001:db8::/64"],
  ["u", "who is banned; x lets the selected one in again"],
  ["l", "the log in full, and what came before"],
  ["a", "all rows about addresses and the router"],
  ["Ctrl+L", "draw everything again"],
  ["q", "quit; asks when somebody is in"],
  ["Ctrl+C", "quit at once"],
];

const HELP_NOTES: readonly string[] = [
  "in/s, out/s, kB/s: datagrams or pieces, and 1000 bytes, a second",
  "late: how late what was due was done; p99: 99 of 100 times it was no later",
  "refused: what had no effect since the start, by reason; the log says more",
];

/** What the keys do. */
export function helpPage(state: State, _facts: Facts, room: Size): Picture {
  const notes = HELP_NOTES.flatMap((note) => wrap(note, room.columns));
  return scrolled(state, [...twoColumns(HELP_ROWS), "", ...notes], room);
}

function scrolled(state: State, lines: readonly string[], { rows }: Size): Picture {
  const top = Math.max(0, Math.min(state.top, lines.length - rows));
  return {
    lines: lines.slice(top, top + rows).map((text) => line(text)),
    state: { ...state, top, pageRows: Math.max(1, rows - 1) },
  };
}
