/**
 * What the fuzzing got to: everything that a decoder or an engine can say is named beside it, and each of
 * these must have been said; or it says why it cannot be.
 */

/** How often each kind of thing was said. */
export type Tally = Map<string, number>;

/** What there is to be reached. */
export interface Reach {
  /** Everything that can be said. */
  readonly kinds: readonly string[];
  /** What is never said, and why. */
  readonly never?: Readonly<Record<string, string>>;
}

type Words<S extends string> = S extends `${infer Word} ${infer Rest}` ? Word | Words<Rest> : S;

/**
 * The members of a union of texts, with a blank between them: `every<"a" | "b">()("a b")`. Whether one of
 * them is missing, or was never in it, is found by the type check.
 *
 * @param prefix What stands before each: `refused:`.
 */
export function every<Union extends string>(
  prefix = "",
): <S extends string>(
  words: [Union, Words<S>] extends [Words<S>, Union] ? S : Exclude<Union, Words<S>>,
) => string[] {
  return (words) => (words as string).split(" ").map((word) => prefix + word);
}

/** What happened, as it is counted: `left:silent`. */
export function nameOf(event: unknown): string {
  const { kind, reason } = event as { kind: string; reason?: string };
  return reason === undefined ? kind : `${kind}:${reason}`;
}

/** What is wrong with what was reached: a line for each kind. */
export function gapsIn({ kinds, never = {} }: Reach, tally: Tally): string[] {
  const gaps = kinds.flatMap((kind) => {
    const isReached = tally.has(kind);
    if (Object.hasOwn(never, kind)) {
      return isReached ? [`${kind} was reached, but never is: ${never[kind]}`] : [];
    }
    return isReached ? [] : [`${kind} was not reached`];
  });
  const known = new Set([...kinds, ...Object.keys(never)]);
  const others = [...tally.keys()].filter((kind) => !known.has(kind));
  return [...gaps, ...others.map((kind) => `${kind} is not among the kinds there are`)];
}
