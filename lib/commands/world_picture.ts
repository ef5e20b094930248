import { Picture, scaled, visibleColor } from "./picture.ts";

/** Something to be drawn. */
export interface DrawnObject {
  x: number;
  y: number;
  mass: number;
  /** What is written beside it. */
  label: string;
  color: string | undefined;
}

/** What {@link drawWorld} draws. */
export interface WorldPicture {
  /** The space there is, in characters. */
  columns: number;
  rows: number;
  objects: readonly DrawnObject[];
  /** How much of the world is seen, see {@link reachOf}: so far up and down from its middle. */
  reach: number;
  inColor: boolean;
}

/** A character is about twice as high as it is wide. */
const ASPECT = 2;
/** Something this much heavier than the lightest is drawn larger. */
const HEAVY_FACTOR = 100;
/** What is farther is not looked for. */
const FAR_MAX = 1e12;
/** In a picture, when what was far is gone. */
const SHRINK = 0.99;

/**
 * A world from above as lines of characters: `●` for each object, `◉` for heavy ones, and what it is called.
 * What is beyond the edge is not seen.
 */
export function drawWorld({ columns, rows, objects, reach, inColor }: WorldPicture): string[] {
  const [width, height] = [Math.max(1, columns - 2), Math.max(1, rows - 2)];
  const picture = new Picture(width, height);
  const reachX = (reach * width) / (ASPECT * height);
  const lightest = Math.min(...objects.map(({ mass }) => mass));
  const isSeen = ({ x, y }: DrawnObject): boolean => Math.abs(x) <= reachX && Math.abs(y) <= reach;
  const seen = objects.filter(isSeen).map((object) => ({
    ...object,
    row: scaled(-object.y, reach, height),
    column: scaled(object.x, reachX, width),
  }));
  for (const { row, column, color, mass } of seen) {
    const isHeavy = mass > HEAVY_FACTOR * lightest;
    picture.put(row, column, { character: isHeavy ? "◉" : "●", color });
  }
  for (const { row, column, label, color } of seen) picture.write(row, column + 1, label, color);
  return picture.lines(inColor);
}

/** How far the farthest object is from the middle, a little more. It shrinks slowly, lest the view flickers. */
export function reachOf(objects: readonly DrawnObject[], before: number): number {
  const farthest = objects.reduce((far, { x, y }) => {
    const distance = Math.max(Math.abs(x), Math.abs(y));
    return distance < FAR_MAX ? Math.max(far, distance) : far;
  }, 1);
  const shrunk = Math.max(1.1 * farthest, SHRINK * before);
  return farthest <= before ? Math.min(before, shrunk) : 1.1 * farthest;
}

/** A trait as a color: three numbers from 0 to 255. */
export function colorOf(trait: unknown): string | undefined {
  if (!Array.isArray(trait) || trait.length !== 3) return undefined;
  if (!trait.every((channel) => Number.isInteger(channel) && channel >= 0 && channel <= 255)) {
    return undefined;
  }
  const [red, green, blue] = trait as [number, number, number];
  return visibleColor(red, green, blue);
}
