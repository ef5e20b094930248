/** The main page of the console: the first rows, a service with its members, and the last log lines. */
import type { ServiceReport } from "../../observe/report.ts";
import type { Size } from "../../observe/screen.ts";
import { digits, kilobytes, logText } from "./format.ts";
import { ends, fitBoth, flow, inColumns, type Line, line, twoColumns } from "./lines.ts";
import type { Picture } from "./page.ts";
import { settled, START } from "./place.ts";
import { type Facts, serviceOf, type State, withMembers } from "./state.ts";
import { tableOf } from "./table.ts";
import { clean, widthOf } from "./width.ts";

/** How many lines each part gets. */
type Shares = Record<Part, number>;
type Part = "info" | "figures" | "refused" | "table" | "log" | "gaps";

/** Who gets lines first: each step gives a part up to so many. */
const STEPS: readonly (readonly [part: Part, upTo: number])[] = [
  ...[["table", 3], ["info", 1], ["log", 1], ["refused", 1], ["figures", 1]] as const,
  ...[["info", 3], ["log", 3], ["table", 6], ["gaps", 2], ["figures", 2]] as const,
  ...[["info", 12], ["log", 6]] as const,
  ...[["table", Infinity], ["info", Infinity], ["log", Infinity]] as const,
];

/** Draws it. */
export function mainPage(state: State, facts: Facts, room: Size): Picture {
  const { columns, rows } = room;
  const service = serviceOf(state, facts);
  const info = inColumns(facts.rows, columns);
  const infoLength = info.flat().length;
  if (!service) {
    const first = infoLines(facts, info, rows, columns);
    return { lines: withLog(first, facts, rows - first.length - 1, rows), state };
  }
  const tabs = tabLines(facts.report?.services ?? [], service, columns);
  const traffic = flow(trafficPieces(service, columns), columns, rows < 10 ? 2 : 3);
  const figures = flow(
    service.figures.map(([name, value]) => clean(`${name} ${value}`)),
    columns,
    2,
  );
  const refused = flow(refusedPieces(service), columns, 1);
  const shares = sharesOf(rows - tabs.length - traffic.length - 1, {
    ...{ info: infoLength, figures: figures.length, refused: refused.length, gaps: 2 },
    ...{ table: Math.max(1, service.roster.length), log: facts.log.length },
  });
  const table = tablePart(state, service, columns, shares.table);
  const facets = [
    ...traffic,
    ...figures.slice(0, shares.figures),
    ...refused.slice(0, shares.refused),
  ];
  const above: Line[] = [
    ...infoLines(facts, info, shares.info, columns),
    ...(shares.gaps > 0 ? [line("")] : []),
    ...tabs,
    ...withRange([...facets, table.head], table.range, columns),
    ...table.rows,
  ];
  return { lines: withLog(above, facts, shares.log, rows), state: table.state };
}

/** These lines, and the last ones of the log at the bottom. */
function withLog(above: readonly Line[], facts: Facts, share: number, rows: number): Line[] {
  const log = share > 0 ? facts.log.slice(-share).map(logText) : [];
  const free: Line[] = Array(Math.max(0, rows - above.length - log.length)).fill([]);
  return [...above, ...free, ...log];
}

/** Shares out so many lines; nobody gets more than it wants. */
function sharesOf(lines: number, wanted: Shares): Shares {
  const shares: Shares = { info: 0, figures: 0, refused: 0, table: 0, log: 0, gaps: 0 };
  let left = Math.max(0, lines);
  for (const [part, upTo] of STEPS) {
    const more = Math.min(left, Math.max(0, Math.min(upTo, wanted[part]) - shares[part]));
    shares[part] += more;
    left -= more;
  }
  return shares;
}

/** The first rows in so many lines: as many rows as there are lines for, and in full where there is room. */
function infoLines(
  { rows }: Facts,
  inFull: readonly (readonly string[])[],
  share: number,
  columns: number,
): Line[] {
  const shown = twoColumns(rows).slice(0, share);
  let free = share - shown.length;
  let isCut = false;
  const lines = shown.flatMap((text, index) => {
    const more = inFull[index]!.length - 1;
    if (more > free) isCut = true;
    if (more === 0 || more > free) return [text];
    free -= more;
    return inFull[index]!;
  });
  const hidden = rows.length - shown.length;
  const hint = hidden > 0 ? `a: ${hidden} more` : isCut ? "a: in full" : "";
  return lines.map((text, index) =>
    line(hint !== "" && index === lines.length - 1 ? ends(text, hint, columns) : text)
  );
}

/** The services side by side; none when there is but one. */
function tabLines(
  services: readonly ServiceReport[],
  current: ServiceReport,
  columns: number,
): Line[] {
  if (services.length < 2) return [];
  const tabs = services.map((service) => {
    const text = `${clean(service.service, 24)} ${service.members}`;
    return service === current
      ? { text: `[${text}]`, style: "bold" as const }
      : { text: ` ${text} `, style: "plain" as const };
  });
  const at = services.indexOf(current);
  // The open one is to be seen in any case.
  let first = 0;
  const width = (): number =>
    tabs.slice(first, at + 1).reduce((sum, { text }) => sum + widthOf(text) + 1, 0);
  while (first < at && width() > columns) first++;
  return [
    tabs.slice(first).flatMap((tab, index) =>
      index === 0 ? [tab] : [{ text: " ", style: "plain" as const }, tab]
    ),
  ];
}

function trafficPieces(service: ServiceReport, columns: number): string[] {
  const { title, transport, port, rates, lateMs, members, roster } = service;
  const name = clean(columns < 100 ? service.service.split(":")[0]! : title, 60);
  return [
    `${name} on ${transport} ${port}`,
    members > roster.length ? `${members} members, ${roster.length} listed` : `${members} members`,
    `in ${digits(rates.inHz)}/s ${kilobytes(rates.inBytesHz)} kB/s`,
    `out ${digits(rates.outHz)}/s ${kilobytes(rates.outBytesHz)} kB/s`,
    `late p50 ${digits(lateMs.p50)} p99 ${digits(lateMs.p99)} max ${digits(lateMs.max)} ms`,
  ];
}

/** The most frequent ones first. */
function refusedPieces({ refused }: ServiceReport): string[] {
  const sorted = Object.entries(refused).sort(([, a], [, b]) => b - a);
  if (sorted.length === 0) return [];
  const [first, ...others] = sorted.map(([reason, times]) => `${clean(reason, 40)} ${times}`);
  return [`refused: ${first}`, ...others];
}

interface TablePart {
  readonly head: string;
  readonly rows: readonly Line[];
  /** Which rows these are; empty when they are all. */
  readonly range: string;
  readonly state: State;
}

function tablePart(
  state: State,
  { service, roster }: ServiceReport,
  columns: number,
  rows: number,
): TablePart {
  const table = tableOf(roster, columns);
  const keys = roster.map(({ address }) => address);
  const place = settled(state.members[service] ?? START, keys, rows);
  const { top, index } = place;
  const shown = roster.slice(top, top + rows)
    .map((member, row) => table.row(member, top + row === index));
  return {
    head: table.head,
    rows: roster.length === 0 && rows > 0 ? [line("  nobody is in", "dim")] : shown,
    range: shown.length === roster.length
      ? ""
      : `${top + 1}-${top + shown.length} of ${roster.length}`,
    state: { ...withMembers(state, service, place), pageRows: Math.max(1, rows) },
  };
}

/** The lines above the rows of the table, of which the nearest one that has room says which rows they are. */
function withRange(lines: readonly string[], range: string, columns: number): Line[] {
  const at = range === "" ? -1 : lines.findLastIndex((text) => fitBoth(text, range, columns));
  return lines.map((text, index) =>
    line(
      index === at ? ends(text, range, columns) : text,
      index === lines.length - 1 ? "dim" : "plain",
    )
  );
}
