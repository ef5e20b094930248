/** Options: what may be given to a command, on the command line or in a config file. */
import { closestString } from "@std/text/closest-string";
import { levenshteinDistance } from "@std/text/levenshtein-distance";

/** What a person typed cannot be taken: exit status 2 and this one line. */
export class UsageError extends Error {
  /** The name of the class. */
  override readonly name: string = "UsageError";
}

/** What a person wrote in a config file cannot be taken: exit status 2 and what is wrong with it. */
export class ConfigError extends UsageError {
  /** The name of the class. */
  override readonly name = "ConfigError";
}

/** What a person asked for could not be done: exit status 1 and this one line. */
export class CommandFailure extends Error {
  /** The name of the class. */
  override readonly name = "CommandFailure";
}

/** One `--option`. */
export interface Option<T> {
  /** One line of `--help`. */
  readonly help: string;
  /** How `--help` names the value; none for a switch. */
  readonly placeholder?: string;
  /** The value when the option is left out. */
  readonly fallback: T;
  /** Whether it may be given more than once; then the values are what `read` gives, put together. */
  readonly isList?: boolean;
  /** What its name alone means. Then a word after it is its value only if it looks like one. */
  readonly bare?: { readonly text: string; readonly looksLikeValue: RegExp };
  /** The heading under which `--help` lists it; none for those of the command itself. */
  readonly heading?: string;
  /** Reads the value; throws a {@link UsageError} that says what would be right. */
  read(text: string, name: string): T;
  /** The same for the value in a config file, where numbers are numbers and switches true or false. */
  take(value: unknown, name: string): T;
  /** What such a value is, as JSON Schema. */
  readonly schema: Readonly<Record<string, unknown>>;
}

/** Options by name, in camel case. */
export type Options = Record<string, Option<unknown>>;

/** The values of options. */
export type Values<O extends Options> = {
  [K in keyof O]: O[K] extends Option<infer T> ? T : never;
};

/** An option with a number. */
export function numberOption<const T extends number | undefined>(spec: {
  help: string;
  placeholder: string;
  fallback: T;
  min: number;
  max: number;
  integer?: boolean;
}): Option<number | T> {
  const { help, placeholder, fallback, min: minimum, max: maximum, integer } = spec;
  return {
    ...{ help, placeholder, fallback },
    read: (text, name) => readNumber(text, name, spec),
    take: (value, name) => checkNumber(value, name, spec, JSON.stringify(value)),
    schema: { type: integer ? "integer" : "number", minimum, maximum },
  };
}

/** An option with how many of something there may be, 1 to 100,000. */
export function countOption(fallback: number, help: string): Option<number> {
  return numberOption({
    placeholder: "N",
    min: 1,
    max: 100_000,
    integer: true,
    fallback,
    help: `${help} (${fallback})`,
  });
}

/** An option with one of a few words. */
export function choiceOption<T extends string>(spec: {
  help: string;
  choices: readonly T[];
  fallback: T;
}): Option<T> {
  const { help, choices, fallback } = spec;
  const take = (value: unknown, name: string): T => {
    const choice = choices.find((choice) => choice === value);
    if (choice !== undefined) return choice;
    const shown = JSON.stringify(value);
    throw new UsageError(`${name} must be one of ${choices.join(", ")}, not ${shown}`);
  };
  return {
    ...{ help, fallback, take, read: take },
    placeholder: choices.join("|"),
    schema: { enum: choices },
  };
}

/** An option with a text: any, or what `read` makes of it. */
export function textOption(spec: { help: string; placeholder: string }): Option<string | undefined>;
export function textOption<T>(
  spec: { help: string; placeholder: string; read: (text: string, name: string) => T },
): Option<T | undefined>;
export function textOption<T>(
  spec: { help: string; placeholder: string; read?: (text: string, name: string) => T },
): Option<T | string | undefined> {
  const { read = (text: string): string => text } = spec;
  return {
    ...spec,
    fallback: undefined,
    read,
    take(value, name): T | string {
      if (typeof value === "string" && value !== "") return read(value, name);
      throw new UsageError(`${name} must be a text, not ${JSON.stringify(value)}`);
    },
    schema: { type: "string", minLength: 1 },
  };
}

/** An option that may be given more than once. */
export function listOption<T>(spec: {
  help: string;
  placeholder: string;
  read: (text: string, name: string) => T;
}): Option<T[]> {
  const { read, ...rest } = spec;
  return {
    ...rest,
    fallback: [],
    isList: true,
    read: (text, name): T[] => [read(text, name)],
    take(value, name): T[] {
      if (Array.isArray(value) && value.every((each) => typeof each === "string")) {
        return value.map((text) => read(text, name));
      }
      throw new UsageError(`${name} must be a list of texts, not ${JSON.stringify(value)}`);
    },
    schema: { type: "array", items: { type: "string" } },
  };
}

/** A switch. */
export function flagOption(help: string): Option<boolean> {
  return {
    help,
    fallback: false,
    read: (): boolean => true,
    take(value, name): boolean {
      if (typeof value === "boolean") return value;
      throw new UsageError(`${name} must be true or false, not ${JSON.stringify(value)}`);
    },
    schema: { type: "boolean" },
  };
}

/** The same options under a heading of their own in `--help`. */
export function under<O extends Options>(heading: string, options: O): O {
  const entries = Object.entries(options).map(([key, option]) => [key, { ...option, heading }]);
  return Object.fromEntries(entries) as O;
}

/** Reads a number written in plain decimal. */
export function readNumber(
  text: string,
  name: string,
  range: { min: number; max: number; integer?: boolean },
): number {
  const pattern = range.integer ? /^\d+$/ : /^\d+(\.\d+)?$/;
  return checkNumber(pattern.test(text) ? Number(text) : NaN, name, range, `"${text}"`);
}

function checkNumber(
  value: unknown,
  name: string,
  { min, max, integer = false }: { min: number; max: number; integer?: boolean },
  shown: string,
): number {
  const isNumber = typeof value === "number" && (!integer || Number.isInteger(value));
  if (isNumber && value >= min && value <= max) return value;
  const kind = integer ? "a whole number" : "a number";
  throw new UsageError(`${name} must be ${kind} from ${min} to ${max}, not ${shown}`);
}

/** Reads a port to listen on. */
export function readPort(text: string): number {
  return readNumber(text, "PORT", { min: 0, max: 65_535, integer: true });
}

/** `: did you mean NAME?` for the name most like a word, or nothing when none is. */
export function suggestionFor(word: string, names: readonly string[]): string {
  const near = closestString(word, names);
  return levenshteinDistance(word, near) <= near.length / 2 ? `: did you mean ${near}?` : "";
}

/** `maxClients` as it is typed: `max-clients`. */
export function kebab(key: string): string {
  return key.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
}
