import type { BulletState, PlayerState } from "../protocols/arena/wire.ts";

/** What {@link drawWorld} draws. */
export interface WorldPicture {
  /** The space there is, in characters. */
  columns: number;
  rows: number;
  /** Half of the world's width and height, in thousandths as the positions are. */
  width: number;
  height: number;
  players: readonly PlayerState[];
  bullets: readonly BulletState[];
  /** The number of the player who watches. */
  own: number;
  inColor: boolean;
}

interface Cell {
  character: string;
  /** As in `38;2;RED;GREEN;BLUE`; none for the terminal's own. */
  color?: string;
}

/** A character is about twice as high as it is wide, and the world twice as wide as high. */
const COLUMNS_PER_ROW = 4;
/** Darker colors could not be seen on a dark screen: the brightest channel, and each. */
const BRIGHTNESS_MIN = 200;
const CHANNEL_MIN = 64;

/**
 * The arena as lines of characters: walls around it, `●` and its number for each player, `◇` for the one
 * who watches, `·` for bullets. As large as fits, in its own proportions.
 */
export function drawWorld(picture: WorldPicture): string[] {
  const rows = Math.max(1, Math.min(picture.rows - 2, Math.floor((picture.columns - 2) / 4)));
  const columns = COLUMNS_PER_ROW * rows;
  const cells = Array.from({ length: rows }, () => new Array<Cell | undefined>(columns));
  const place = (x: number, y: number): [row: number, column: number] => [
    scaled(-y, picture.height, rows),
    scaled(x, picture.width, columns),
  ];
  for (const player of picture.players) {
    const [row, column] = place(player.x, player.y);
    const color = colorOf(player);
    const isOwn = player.number === picture.own;
    cells[row]![column] = { character: isOwn ? "◇" : "●", color };
    [...isOwn ? "" : String(player.number)].forEach((character, index) => {
      const at = column + 1 + index;
      if (at < columns) cells[row]![at] ??= { character, color };
    });
  }
  for (const { x, y } of picture.bullets) {
    const [row, column] = place(x, y);
    cells[row]![column] ??= { character: "·" };
  }
  return [
    `┌${"─".repeat(columns)}┐`,
    ...cells.map((row) => `│${lineOf(row, picture.inColor)}│`),
    `└${"─".repeat(columns)}┘`,
  ];
}

/** From -limit to limit into one of so many places. */
function scaled(value: number, limit: number, places: number): number {
  const place = Math.floor(((value + limit) / (2 * limit)) * places);
  return Math.min(places - 1, Math.max(0, place));
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

function colorOf({ red, green, blue }: PlayerState): string {
  const brightest = Math.max(red, green, blue);
  const factor = Math.max(1, BRIGHTNESS_MIN / Math.max(1, brightest));
  const channel = (value: number): number =>
    Math.min(255, Math.max(CHANNEL_MIN, Math.round(value * factor)));
  return `38;2;${channel(red)};${channel(green)};${channel(blue)}`;
}
