/** Lines of a picture: pieces of text with a style each, which are put together at the end. */
import { clean, cut, padEnd, widthOf, wrap } from "./width.ts";

/** How a piece looks in a terminal that may be coloured; in another one it is only its text. */
export type Style = "plain" | "bold" | "dim" | "red" | "yellow" | "reverse";

/** A piece of a line. */
export interface Span {
  readonly text: string;
  readonly style: Style;
}

/** A line from left to right. */
export type Line = readonly Span[];

const CODES: Readonly<Record<Style, string>> = {
  ...{ plain: "", bold: "1", dim: "2", red: "1;31", yellow: "33", reverse: "7" },
};

/** A line in one style. */
export function line(text: string, style: Style = "plain"): Line {
  return [{ text, style }];
}

/** As much of a line as fits, for the terminal. */
export function painted(spans: Line, columns: number, isColored: boolean): string {
  let left = columns;
  let text = "";
  for (const span of spans) {
    const fitting = cut(span.text, left);
    left -= widthOf(fitting);
    const code = isColored && fitting !== "" ? CODES[span.style] : "";
    text += code === "" ? fitting : `\x1b[${code}m${fitting}\x1b[0m`;
    if (fitting !== span.text) break;
  }
  return text;
}

/** Pieces one after the other with three spaces between them, in as few lines as they fit into. */
export function flow(pieces: readonly string[], columns: number, linesMax: number): string[] {
  const lines: string[] = [];
  for (const piece of pieces) {
    const last = lines.at(-1);
    if (last !== undefined && widthOf(last) + 3 + widthOf(piece) <= columns) {
      lines[lines.length - 1] = `${last}   ${piece}`;
    } else if (lines.length < linesMax) lines.push(piece);
    else break;
  }
  return lines;
}

/** Text on the left and on the right; the left one is cut to make room. */
export function ends(left: string, right: string, columns: number): string {
  const room = columns - widthOf(right) - 2;
  return room < 20 ? left : `${padEnd(left, room)}  ${right}`;
}

/** Whether there is room for both without a cut. */
export function fitBoth(left: string, right: string, columns: number): boolean {
  return widthOf(left) + 2 + widthOf(right) <= columns;
}

/** A name and what is said of it. */
type Pair = readonly [string, string];

/** Wider names are cut. */
const NAME_MAX = 28;

/** Names and what is said of them, in two columns. */
export function twoColumns(rows: readonly Pair[]): string[] {
  return inColumns(rows, Infinity).map(([text]) => text!);
}

/** The same so wide at most: of each row its lines. */
export function inColumns(rows: readonly Pair[], columns: number): string[][] {
  const clear = rows.map(([what, text]) => [clean(what), clean(text)] as const);
  const width = Math.min(NAME_MAX, Math.max(0, ...clear.map(([what]) => widthOf(what))));
  const room = Math.max(10, columns - width - 2);
  return clear.map(([what, text]) =>
    wrap(text, room)
      .map((part, index) => `${padEnd(index === 0 ? what : "", width)}  ${part}`.trimEnd())
  );
}
