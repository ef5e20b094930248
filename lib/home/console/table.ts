/** The table of those who are in, with as many columns as there is room for. */
import type { MemberReport } from "../../observe/report.ts";
import { ago, bytes, digits, kilobytes } from "./format.ts";
import type { Line } from "./lines.ts";
import { clean, padEnd, padStart, widthOf } from "./width.ts";

interface Column {
  readonly title: string;
  /** The lower, the later it is left out. */
  readonly rank: number;
  readonly width: number;
  readonly text: (member: MemberReport) => string;
}

const NUMBERS: readonly Column[] = [
  { title: "heard", rank: 0, width: 6, text: ({ heardMs }) => ago(heardMs) },
  {
    ...{ title: "trip ms", rank: 3, width: 7 },
    text: ({ roundTripMs }) => roundTripMs === undefined ? "-" : digits(roundTripMs),
  },
  { title: "in/s", rank: 1, width: 5, text: ({ rates }) => digits(rates.inHz) },
  { title: "kB/s", rank: 4, width: 5, text: ({ rates }) => kilobytes(rates.inBytesHz) },
  { title: "out/s", rank: 2, width: 5, text: ({ rates }) => digits(rates.outHz) },
  { title: "kB/s", rank: 5, width: 5, text: ({ rates }) => kilobytes(rates.outBytesHz) },
  {
    ...{ title: "state", rank: 6, width: 7 },
    text: ({ stateBytes }) => stateBytes === undefined ? "-" : bytes(stateBytes),
  },
];

const NAME_MIN = 6;
const NAME_MAX = 24;
const ADDRESS_MIN = 13;
/** `[2001:db8:1234:5678:1234:5678:1234:5678]:65535` and a little. */
const ADDRESS_MAX = 48;
const MARK = 2;

/** A table that fits. */
export interface Table {
  readonly head: string;
  readonly row: (member: MemberReport, isSelected: boolean) => Line;
}

/** The table for these members, so wide at most. */
export function tableOf(roster: readonly MemberReport[], columns: number): Table {
  const longest = (text: (member: MemberReport) => string, min: number, max: number): number =>
    roster.reduce((width, member) => {
      // Many members are of the same kind: most are decided by the number of characters alone.
      const known = text(member);
      return known.length <= width && known.length * 2 <= width
        ? width
        : Math.min(max, Math.max(width, widthOf(clean(known, 60))));
    }, min);
  const name = longest((member) => member.name, NAME_MIN, NAME_MAX);
  const address = longest((member) => member.address, ADDRESS_MIN, ADDRESS_MAX);
  const numbers = fitting(roster, columns - MARK - name - 1 - address);
  const spare = columns - MARK - 1 - widthOfAll(numbers);
  const nameWidth = Math.min(name, Math.max(NAME_MIN, spare - address));
  const addressWidth = Math.max(1, Math.min(address, spare - nameWidth));
  const join = (mark: string, who: string, where: string, cells: readonly string[]): string =>
    `${padEnd(mark, MARK)}${padEnd(who, nameWidth)} ${padEnd(where, addressWidth)}` +
    numbers.map(({ width }, index) => ` ${padStart(cells[index]!, width)}`).join("");
  return {
    head: join("", "name", "address", numbers.map(({ title }) => title)),
    row(member, isSelected): Line {
      const cells = numbers.map(({ text }) => text(member));
      const who = clean(member.name, 60);
      const text = join(isSelected ? ">" : "", who, clean(member.address, 60), cells);
      return [{ text, style: isSelected ? "reverse" : "plain" }];
    },
  };
}

/** The columns of numbers for which there is room. What nobody has, no column is for. */
function fitting(roster: readonly MemberReport[], room: number): readonly Column[] {
  const hasTrips = roster.some(({ roundTripMs }) => roundTripMs !== undefined);
  const hasStates = roster.some(({ stateBytes }) => stateBytes !== undefined);
  let numbers = NUMBERS.filter(({ title }) =>
    (title !== "trip ms" || hasTrips) && (title !== "state" || hasStates)
  );
  // An address that is cut is worse than a number less; the first column stays.
  while (numbers.length > 1 && widthOfAll(numbers) > room) {
    const last = Math.max(...numbers.map(({ rank }) => rank));
    numbers = numbers.filter(({ rank }) => rank !== last);
  }
  return numbers;
}

function widthOfAll(numbers: readonly Column[]): number {
  return numbers.reduce((sum, { width }) => sum + width + 1, 0);
}
