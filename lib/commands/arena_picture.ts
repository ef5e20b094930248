import type { BulletState, PlayerState } from "../protocols/arena/wire.ts";
import { Picture, scaled, visibleColor } from "./picture.ts";

/** What {@link drawArena} draws. */
export interface ArenaPicture {
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

/** A character is about twice as high as it is wide, and the world twice as wide as high. */
const COLUMNS_PER_ROW = 4;

/**
 * The arena as lines of characters: walls around it, `●` and its number for each player, `◇` for the one
 * who watches, `·` for bullets. As large as fits, in its own proportions.
 */
export function drawArena(arena: ArenaPicture): string[] {
  const rows = Math.max(1, Math.min(arena.rows - 2, Math.floor((arena.columns - 2) / 4)));
  const columns = COLUMNS_PER_ROW * rows;
  const picture = new Picture(columns, rows);
  const place = (x: number, y: number): [row: number, column: number] => [
    scaled(-y, arena.height, rows),
    scaled(x, arena.width, columns),
  ];
  for (const { number, red, green, blue, x, y } of arena.players) {
    const [row, column] = place(x, y);
    const color = visibleColor(red, green, blue);
    const isOwn = number === arena.own;
    picture.put(row, column, { character: isOwn ? "◇" : "●", color });
    if (!isOwn) picture.write(row, column + 1, String(number), color);
  }
  for (const { x, y } of arena.bullets) {
    const [row, column] = place(x, y);
    picture.write(row, column, "·");
  }
  return picture.lines(arena.inColor);
}
