/** How many columns of a terminal a text takes, as far as it can be known. */
import { printable } from "../../observe/printable.ts";

const PLAIN = /^[\x20-\x7e]*$/;

/** Stands on the character before it. */
const ZERO = /^[\p{Mn}\p{Me}\u1160-\u11ff]/u;

/** Letters of East Asia and what they are printed with, and pictures. */
const WIDE = new RegExp(
  "^(?:[\\u1100-\\u115f\\u2e80-\\u303e\\u3041-\\u4dbf\\u4e00-\\ua4cf\\ua960-\\ua97f\\uac00-\\ud7a3" +
    "\\uf900-\\ufaff\\ufe30-\\ufe6f\\uff01-\\uff60\\uffe0-\\uffe6\\u{16fe0}-\\u{18dff}" +
    "\\u{1aff0}-\\u{1b2ff}\\u{1f1e6}-\\u{1f202}\\u{1f300}-\\u{1f64f}\\u{1f680}-\\u{1f6ff}" +
    "\\u{1f900}-\\u{1faff}\\u{20000}-\\u{3fffd}]|\\p{Emoji_Presentation})",
  "u",
);

/** Whether a picture has colours: terminals do not agree on how wide that makes it. */
const VARIANTS = /[\ufe00-\ufe0f]/g;

/** More marks than these on one character are left out: they would reach over other lines. */
const MARKS_MAX = 2;

/** How many columns it takes. */
export function widthOf(text: string): number {
  if (PLAIN.test(text)) return text.length;
  let width = 0;
  for (const character of text) width += widthOfOne(character);
  return width;
}

function widthOfOne(character: string): number {
  return ZERO.test(character) ? 0 : WIDE.test(character) ? 2 : 1;
}

/** As much of it as fits; where that is not all, the last column holds "…". */
export function cut(text: string, columns: number): string {
  if (columns < 1) return "";
  return widthOf(text) <= columns ? text : `${beginningOf(text, columns - 1)}…`;
}

/** As much of it as fits. */
function beginningOf(text: string, columns: number): string {
  if (PLAIN.test(text)) return text.slice(0, columns);
  let width = 0;
  let length = 0;
  for (const character of text) {
    width += widthOfOne(character);
    if (width > columns) break;
    length += character.length;
  }
  return text.slice(0, length);
}

/** Cut, and filled up with spaces. */
export function padEnd(text: string, columns: number): string {
  const fitting = cut(text, columns);
  return fitting + " ".repeat(Math.max(0, columns - widthOf(fitting)));
}

/** Cut, and filled up with spaces on the left. */
export function padStart(text: string, columns: number): string {
  const fitting = cut(text, columns);
  return " ".repeat(Math.max(0, columns - widthOf(fitting))) + fitting;
}

/** A text from anybody as something that may be drawn. */
export function clean(text: string, charactersMax = 1_000): string {
  if (PLAIN.test(text) && text.length <= charactersMax) return text;
  let marks = 0;
  return [...printable(text.replaceAll(VARIANTS, ""), charactersMax)].filter((character) => {
    marks = ZERO.test(character) ? marks + 1 : 0;
    return marks <= MARKS_MAX;
  }).join("");
}

/** The same text in lines that fit, broken between words where there are any. */
export function wrap(text: string, columns: number): string[] {
  const lines: string[] = [];
  const room = Math.max(2, columns); // In less there is no room for some characters.
  let rest = text;
  while (widthOf(rest) > room) {
    const fitting = beginningOf(rest, room);
    const space = rest[fitting.length] === " " ? fitting.length : fitting.lastIndexOf(" ");
    // A word that would leave more than half of the line empty is broken.
    const end = space > fitting.length / 2 ? space : fitting.length;
    lines.push(rest.slice(0, end).trimEnd());
    rest = rest.slice(end).trimStart();
  }
  return [...lines, rest];
}
