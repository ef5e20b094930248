/** The picture of a console: what is known and where the person is in, lines out. */
import { bytes, duration } from "./format.ts";
import { flow, type Line, line } from "./lines.ts";
import { mainPage } from "./main_page.ts";
import type { DrawPage } from "./page.ts";
import { bansPage, helpPage, logPage, rowsPage } from "./pages.ts";
import { type Facts, membersOf, type Page, type State } from "./state.ts";
import { clean, cut, widthOf } from "./width.ts";

const PAGES: Readonly<Record<Page, DrawPage>> = {
  ...{ main: mainPage, log: logPage, bans: bansPage, rows: rowsPage, help: helpPage },
};

/**
 * The whole picture: at most as many lines as the terminal has rows. Lines may be longer than it has
 * columns: they are cut where they are painted.
 */
export const pictureOf: DrawPage = (state, facts, size) => {
  const bottom = bottomLines(state, facts, size.columns);
  const rows = Math.max(0, size.rows - 1 - bottom.length);
  const page = PAGES[state.page](state, facts, { columns: size.columns, rows });
  const body = page.lines.slice(0, rows);
  while (body.length < rows) body.push([]);
  return {
    lines: [headLine(facts), ...body, ...bottom].slice(-size.rows),
    state: page.state,
  };
};

function headLine(facts: Facts): Line {
  const { version, report } = facts;
  const name = `netsync ${clean(version, 30)}`;
  if (!report) return line(`${name}   starts`, "bold");
  const { memoryBytes, bans } = report;
  const pieces = [
    `up ${duration(report.uptimeMs)}`,
    ...(memoryBytes === undefined ? [] : [bytes(memoryBytes)]),
    membersText(membersOf(facts)),
    ...(bans.length > 0 ? [`${bans.length} banned`] : []),
  ];
  return [{ text: name, style: "bold" }, { text: `   ${pieces.join("   ")}`, style: "plain" }];
}

function membersText(count: number): string {
  return count === 1 ? "1 member" : `${count} members`;
}

/** The first ones stay when there is little room. */
const HELP: Readonly<Record<Page, readonly string[]>> = {
  main: [
    ...["? help", "q quit", "k kick", "b ban", "l log", "u bans", "i ban an address"],
    ...["a all rows", "arrows select", "Tab service"],
  ],
  log: ["l back", "arrows, PgUp, PgDn, Home, End scroll", "? help", "q quit"],
  bans: ["u back", "x let in again", "i ban an address", "arrows select", "? help", "q quit"],
  rows: ["a back", "arrows scroll", "? help", "q quit"],
  help: ["? back", "arrows scroll", "q quit"],
};

function bottomLines(state: State, facts: Facts, columns: number): Line[] {
  const { asking, typing, note } = state;
  const notes = note && facts.now < note.until ? [line(note.text, "yellow")] : [];
  if (asking) return [...notes, line(`${cut(asking.text(facts), columns - 5)} y/n`, "bold")];
  if (typing) {
    const problems = typing.problem === "" ? notes : [line(clean(typing.problem), "red")];
    return [...problems, typingLine(clean(typing.text, 300), columns)];
  }
  if (!facts.hasKeys) return [...notes, line("no keys here   Ctrl+C stops", "dim")];
  return [...notes, line(flow(HELP[state.page], columns, 1)[0] ?? "", "dim")];
}

function typingLine(text: string, columns: number): Line {
  const label = "ban address or network: ";
  const help = "   Enter: ban   Esc: back";
  // The end of it is what is being typed.
  let shown = text;
  while (shown !== "" && label.length + widthOf(shown) + 1 > columns) shown = shown.slice(1);
  return [{ text: label, style: "bold" }, { text: `${shown}_`, style: "plain" }, {
    text: help,
    style: "dim",
  }];
}
