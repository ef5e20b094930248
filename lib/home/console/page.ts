/** What the pages of the console have in common. */
import type { Size } from "../../observe/screen.ts";
import type { Line } from "./lines.ts";
import type { Facts, State } from "./state.ts";

/** Lines from the top, and the state with every place where they show it. */
export interface Picture {
  readonly lines: readonly Line[];
  readonly state: State;
}

/** Draws a page in so much room. */
export type DrawPage = (state: State, facts: Facts, room: Size) => Picture;
