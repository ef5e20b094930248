/** The words after a command, checked; and what `--help` tells of them. */
import { parseArgs } from "@std/cli/parse-args";
import {
  kebab,
  type Option,
  type Options,
  suggestionFor,
  UsageError,
  type Values,
} from "./options.ts";

/** What a command needs to know of its words. */
export interface Grammar<O extends Options> {
  /** The command as it is typed: `netsync sync`. */
  readonly command: string;
  /** The words without dashes as `--help` shows them: `[PORT]`. */
  readonly positionals: string;
  /** How many there may be at most. */
  readonly positionalsMax: number;
  /** What the command does, in a paragraph. */
  readonly about: string;
  readonly options: O;
  /** More lines at the end of `--help`. */
  readonly epilogue?: string;
}

/** The words, understood; or that help was asked for. */
export type Words<O extends Options> =
  | { help: true }
  | { help: false; positionals: string[]; values: Values<O> };

/**
 * Reads the words of a command.
 *
 * @throws {UsageError} An unknown option, a bad or missing value, too many words.
 */
export function readWords<O extends Options>(
  words: readonly string[],
  grammar: Grammar<O>,
): Words<O> {
  const optionOf = new Map(Object.entries(grammar.options).map(([key, o]) => [kebab(key), o]));
  const names = [...optionOf.keys()];
  const flags = names.filter((name) => !optionOf.get(name)!.placeholder).concat("help");
  refuseMisused(words, flags);
  refuseEmpty(words, optionOf);
  const parsed = parseArgs(withBareValues(words, optionOf), {
    boolean: flags,
    string: ["_", ...names.filter((name) => !flags.includes(name))],
    collect: names.filter((name) => optionOf.get(name)!.isList),
    alias: { h: "help" },
    unknown(word, key): unknown {
      if (key === undefined) return true;
      const typed = word.split("=")[0]!;
      const near = suggestionFor(typed, [...names, "help"].map((name) => `--${name}`));
      throw new UsageError(`unknown option ${typed}${near}`);
    },
  });
  if (parsed.help) return { help: true };
  const positionals = parsed._.map(String);
  if (positionals.length > grammar.positionalsMax) {
    throw new UsageError(`"${positionals[grammar.positionalsMax]}" is one word too many`);
  }
  const values: Record<string, unknown> = {};
  for (const [key, option] of Object.entries(grammar.options)) {
    const name = kebab(key);
    const given = [parsed[name] ?? []].flat().filter((value) => value !== false).map(String);
    if (given.includes("")) {
      throw new UsageError(`--${name} needs a value: --${name} ${option.placeholder}`);
    }
    const read = given.map((text) => option.read(text, `--${name}`));
    values[key] = read.length === 0 ? option.fallback : option.isList ? read.flat() : read[0];
  }
  return { help: false, positionals, values: values as Values<O> };
}

/** Gives an option that was named without a value the one that this means. */
function withBareValues(
  words: readonly string[],
  optionOf: ReadonlyMap<string, Option<unknown>>,
): string[] {
  const end = words.indexOf("--") < 0 ? words.length : words.indexOf("--");
  return words.map((word, index) => {
    const bare = index < end ? optionOf.get(word.slice(2))?.bare : undefined;
    if (!bare || !word.startsWith("--")) return word;
    const next = words[index + 1];
    const hasValue = next !== undefined && index + 1 < end && bare.looksLikeValue.test(next);
    return hasValue ? word : `${word}=${bare.text}`;
  });
}

/** Words that `parseArgs` would take, but not for what the person meant. */
function refuseMisused(words: readonly string[], flags: readonly string[]): void {
  for (const word of words) {
    if (word === "--") return;
    if (/^-[\d.]/.test(word)) throw new UsageError(`${word} is negative: no number here may be`);
    if (/^--(_$|_=|no-.*=)/.test(word)) {
      throw new UsageError(`unknown option ${word.split("=")[0]}`);
    }
    const [, name = "", value] = /^--([^=]+)(=.*)$/s.exec(word) ?? [];
    if (flags.includes(name)) {
      throw new UsageError(`--${name} takes no value: leave out ${value}`);
    }
  }
}

/** An empty word after an option is a value that is missing: a variable of a shell that is not set. */
function refuseEmpty(
  words: readonly string[],
  optionOf: ReadonlyMap<string, Option<unknown>>,
): void {
  for (const [index, word] of words.entries()) {
    if (word === "--") return;
    const option = word.startsWith("--") ? optionOf.get(word.slice(2)) : undefined;
    if (!option?.placeholder || words[index + 1] !== "") continue;
    throw new UsageError(`${word} needs a value: ${word} ${option.placeholder}`);
  }
}

/** A command that exists for several services. */
export interface ServiceCommand {
  readonly grammar: Grammar<Options>;
  readonly run: (words: readonly string[]) => Promise<void>;
}

/** Runs the command of the service that the first word names; of sync, if it names none. */
export function runService<S extends string>(
  words: readonly string[],
  services: Record<S | "sync", ServiceCommand>,
): Promise<void> {
  const [first = "", ...rest] = words;
  return Object.hasOwn(services, first) ? services[first as S].run(rest) : services.sync.run(words);
}

/** The text of `--help`. */
export function helpOf(grammar: Grammar<Options>): string {
  const options = Object.entries(grammar.options);
  const headings = new Set(options.map(([, { heading }]) => heading));
  const leftOf = ([key, { placeholder, bare }]: [string, Option<unknown>]): string => {
    const value = placeholder && (bare ? ` [${placeholder}]` : ` ${placeholder}`);
    return `--${kebab(key)}${value ?? ""}`;
  };
  const width = Math.max("--help".length, ...options.map((option) => leftOf(option).length));
  const row = (left: string, help: string): string =>
    `  ${left.padEnd(width)}  ${help.replaceAll("\n", "\n" + " ".repeat(width + 4))}`;
  const rowsUnder = (heading: string | undefined): string[] =>
    options.filter(([, option]) => option.heading === heading)
      .map((option) => row(leftOf(option), option[1].help));
  const groups = [...headings].filter((heading) => heading !== undefined)
    .flatMap((heading) => ["", heading, ...rowsUnder(heading)]);
  return [
    `usage: ${grammar.command} ${grammar.positionals} [options]`,
    "",
    grammar.about,
    "",
    ...rowsUnder(undefined),
    row("--help", "this text"),
    ...groups,
    ...(grammar.epilogue ? ["", grammar.epilogue] : []),
  ].join("\n");
}
