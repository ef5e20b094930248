/** A place in a list whose rows come and go, and which may be longer than the screen. */

/** Where somebody is in a list. */
export interface Place {
  /** What the selected row is known by; undefined before there was one. */
  readonly key: string | undefined;
  /** Where it is. */
  readonly index: number;
  /** The first row shown. */
  readonly top: number;
}

/** At the first row, whichever it is. */
export const START: Place = { key: undefined, index: 0, top: 0 };

/** How a key goes through a list: from a row to another, with as many rows on a page. */
export const STEPS = {
  "up": (at: number): number => at - 1,
  "down": (at: number): number => at + 1,
  "page-up": (at: number, _last: number, page: number): number => at - page,
  "page-down": (at: number, _last: number, page: number): number => at + page,
  "home": (): number => 0,
  "end": (_at: number, last: number): number => last,
} as const satisfies Record<string, (at: number, last: number, page: number) => number>;

/** One of {@link STEPS}. */
export type Step = keyof typeof STEPS;

/** The same place in the list as it is now: with the same row, or with its neighbour when it is gone. */
export function settled(place: Place, keys: readonly string[], rowsShown: number): Place {
  const shown = Math.max(1, rowsShown);
  const found = keys[place.index] === place.key ? place.index : keys.indexOf(place.key ?? "");
  const index = within(found >= 0 ? found : place.index, keys.length - 1);
  const top = within(
    Math.min(Math.max(place.top, index - shown + 1), index),
    keys.length - shown,
  );
  return { key: keys[index], index, top };
}

/** Another place, as a key says. */
export function moved(place: Place, keys: readonly string[], by: Step, page: number): Place {
  const { index, top } = settled(place, keys, page);
  const step: (at: number, last: number, page: number) => number = STEPS[by];
  const target = within(step(index, keys.length - 1, page), keys.length - 1);
  return settled({ key: keys[target], index: target, top }, keys, page);
}

function within(index: number, last: number): number {
  return Math.max(0, Math.min(index, last));
}
