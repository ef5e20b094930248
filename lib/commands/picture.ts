/** Pictures made of characters. */

/** One character. */
export interface Cell {
  character: string;
  /** As in `38;2;RED;GREEN;BLUE`; none for the terminal's own. */
  color?: string;
}

/** Darker colors could not be seen on a dark screen: the brightest channel, and each. */
const BRIGHTNESS_MIN = 200;
const CHANNEL_MIN = 64;

/** A frame with places for characters in it. */
export class Picture {
  readonly #cells: (Cell | undefined)[][];
  readonly #columns: number;

  /** @param columns Without the frame, as are `rows`. */
  constructor(columns: number, rows: number) {
    this.#columns = columns;
    this.#cells = Array.from({ length: rows }, () => new Array<Cell | undefined>(columns));
  }

  /** Puts a character there, instead of what was there. Outside of the frame it is not seen. */
  put(row: number, column: number, cell: Cell): void {
    const line = this.#cells[row];
    if (line && column >= 0 && column < this.#columns) line[column] = cell;
  }

  /** Puts a text there, as far as there is nothing yet. */
  write(row: number, column: number, text: string, color?: string): void {
    [...text].forEach((character, index) => {
      if (!this.#cells[row]?.[column + index]) this.put(row, column + index, { character, color });
    });
  }

  /** As lines for a terminal. */
  lines(inColor: boolean): string[] {
    return [
      `┌${"─".repeat(this.#columns)}┐`,
      ...this.#cells.map((row) => `│${lineOf(row, inColor)}│`),
      `└${"─".repeat(this.#columns)}┘`,
    ];
  }
}

/** From -limit to limit into one of so many places. */
export function scaled(value: number, limit: number, places: number): number {
  const place = Math.floor(((value + limit) / (2 * limit)) * places);
  return Math.min(places - 1, Math.max(0, place));
}

/** A color, each channel from 0 to 255, as it can be seen on a dark screen. */
export function visibleColor(red: number, green: number, blue: number): string {
  const brightest = Math.max(red, green, blue);
  const factor = Math.max(1, BRIGHTNESS_MIN / Math.max(1, brightest));
  const channel = (value: number): number =>
    Math.min(255, Math.max(CHANNEL_MIN, Math.round(value * factor)));
  return `38;2;${channel(red)};${channel(green)};${channel(blue)}`;
}

function lineOf(row: readonly (Cell | undefined)[], inColor: boolean): string {
  let line = "";
  let current: string | undefined;
  for (const cell of Array.from(row)) {
    if (inColor && cell && cell.color !== current) {
      line += cell.color === undefined ? "\x1b[39m" : `\x1b[${cell.color}m`;
      current = cell.color;
    }
    line += cell?.character ?? " ";
  }
  return current === undefined ? line : `${line}\x1b[39m`;
}
