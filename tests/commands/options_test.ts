import { assert, assertEquals, assertStringIncludes, assertThrows } from "@std/assert";
import {
  choiceOption,
  flagOption,
  listOption,
  numberOption,
  type Option,
  readNumber,
  readPort,
  textOption,
  under,
  UsageError,
} from "../../lib/commands/options.ts";
import { type Grammar, helpOf, readWords } from "../../lib/commands/words.ts";

const options = {
  maxPerIp: numberOption({
    placeholder: "N",
    min: 1,
    max: 100,
    integer: true,
    fallback: 64,
    help: "players of one address",
  }),
  rate: numberOption({
    placeholder: "HZ",
    min: 0.5,
    max: 10,
    fallback: undefined,
    help: "how often\n(as it likes)",
  }),
  host: textOption({ placeholder: "ADDRESS", help: "where" }),
  logLevel: choiceOption({ choices: ["info", "error"], fallback: "info", help: "what" }),
  json: flagOption("for programs"),
};

const grammar: Grammar<typeof options> = {
  command: "netsync test",
  positionals: "[PORT]",
  positionalsMax: 1,
  about: "Tests.",
  options,
  epilogue: "The end.",
};

/** Each line of words as a person types it, and what the one line of the answer must say. */
const REFUSED: [words: string, says: string][] = [
  ["--rat 5", "unknown option --rat: did you mean --rate?"],
  ["--maxPerIp 5", "unknown option --maxPerIp: did you mean --max-per-ip?"],
  ["--jsn", "unknown option --jsn: did you mean --json?"],
  ["--rat=5", "unknown option --rat: did you mean --rate?"],
  ["-x", "unknown option -x"],
  ["--_ 5", "unknown option --_"],
  ["--no-json", "unknown option --no-json: did you mean --json?"],
  ["--no-rate=5", "unknown option --no-rate"],
  ["--rate", "--rate needs a value: --rate HZ"],
  ["--rate=", "--rate needs a value: --rate HZ"],
  ["--rate --json", "--rate needs a value: --rate HZ"],
  ["--rate fast", `--rate must be a number from 0.5 to 10, not "fast"`],
  ["--rate 0.4", `--rate must be a number from 0.5 to 10, not "0.4"`],
  ["--rate 10.1", `--rate must be a number from 0.5 to 10, not "10.1"`],
  ["--rate 1e1", `--rate must be a number from 0.5 to 10, not "1e1"`],
  ["--rate Infinity", `--rate must be a number from 0.5 to 10, not "Infinity"`],
  ["--rate=-5", `--rate must be a number from 0.5 to 10, not "-5"`],
  ["--rate -5", "-5 is negative: no number here may be"],
  ["--max-per-ip 0", `--max-per-ip must be a whole number from 1 to 100, not "0"`],
  ["--max-per-ip 1.5", `--max-per-ip must be a whole number from 1 to 100, not "1.5"`],
  ["--max-per-ip 0x10", `--max-per-ip must be a whole number from 1 to 100, not "0x10"`],
  ["--log-level loud", `--log-level must be one of info, error, not "loud"`],
  ["--json=yes", "--json takes no value: leave out =yes"],
  ["--host", "--host needs a value: --host ADDRESS"],
  ["1 2", `"2" is one word too many`],
  ["1 -- 2", `"2" is one word too many`],
];

for (const [words, says] of REFUSED) {
  Deno.test(`readWords() refuses "${words}" and says: ${says}`, () => {
    const error = assertThrows(() => readWords(words.split(" "), grammar), UsageError);
    assert(error.message.startsWith(says), error.message);
    assert(!error.message.includes("\n"));
  });
}

Deno.test("readWords() gives options in camel case, typed, from --name value and --name=value", () => {
  const words = "--max-per-ip 7 --rate=0.5 55555 --host ::1 --log-level error --json".split(" ");
  assertEquals(readWords(words, grammar), {
    help: false,
    positionals: ["55555"],
    values: { maxPerIp: 7, rate: 0.5, host: "::1", logLevel: "error", json: true },
  });
});

Deno.test("readWords() falls back on what the options say", () => {
  assertEquals(readWords([], grammar), {
    help: false,
    positionals: [],
    values: { maxPerIp: 64, rate: undefined, host: undefined, logLevel: "info", json: false },
  });
});

Deno.test("readWords() leaves words as they were typed, also after --", () => {
  const parsed = readWords(["--", "0x10"], grammar);
  assert(!parsed.help);
  assertEquals(parsed.positionals, ["0x10"]);
});

Deno.test("readWords() takes the last of several values of one option", () => {
  const parsed = readWords(["--rate", "1", "--rate", "2"], grammar);
  assert(!parsed.help);
  assertEquals(parsed.values.rate, 2);
});

Deno.test("readWords() gives help to --help and -h, whatever else is there", () => {
  for (const words of [["--help"], ["-h"], ["1", "2", "--help"], ["--rate", "fast", "-h"]]) {
    assertEquals(readWords(words, grammar), { help: true });
  }
});

Deno.test("helpOf() shows usage, every option with its value, and help itself", () => {
  assertEquals(
    helpOf(grammar),
    `usage: netsync test [PORT] [options]

Tests.

  --max-per-ip N          players of one address
  --rate HZ               how often
                          (as it likes)
  --host ADDRESS          where
  --log-level info|error  what
  --json                  for programs
  --help                  this text

The end.`,
  );
});

Deno.test("readNumber() takes both ends of its range", () => {
  const range = { min: 0.5, max: 2 };
  assertEquals([readNumber("0.5", "x", range), readNumber("2", "x", range)], [0.5, 2]);
});

Deno.test("readPort() takes 0 to 65535", () => {
  assertEquals([readPort("0"), readPort("65535")], [0, 65_535]);
  for (const text of ["65536", "-1", "", " 1", "1.0", "١"]) {
    assertThrows(() => readPort(text), UsageError, "PORT must be a whole number from 0 to 65535");
  }
});

const listed = {
  command: "netsync test",
  positionals: "",
  positionalsMax: 1,
  about: "Tests.",
  options: {
    header: listOption({
      placeholder: "NAME",
      help: "as many as you like",
      read(text, name): string {
        if (text === "bad") throw new UsageError(`${name} may not be bad`);
        return text.toUpperCase();
      },
    }),
    json: flagOption("for programs"),
  },
};

Deno.test("listOption() gives what was read of all its values, in their order", () => {
  const words = ["--header", "b", "x", "--header=a=1", "--json", "--header", "b"];
  const parsed = readWords(words, listed);
  assert(!parsed.help);
  assertEquals(parsed.values.header, ["B", "A=1", "B"]);
  assertEquals([parsed.positionals, parsed.values.json], [["x"], true]);
  const one = readWords(["--header", "0x10"], listed);
  assert(!one.help);
  assertEquals(one.values.header, ["0X10"]);
});

Deno.test("listOption() gives no value when it is left out, whatever was given before", () => {
  for (const words of [["--header", "a"], []]) {
    const parsed = readWords(words, listed);
    assert(!parsed.help);
    assertEquals(parsed.values.header, words.length === 0 ? [] : ["A"]);
  }
});

Deno.test("listOption() refuses one bad or empty value among good ones", () => {
  const refused: [words: string, says: string][] = [
    ["--header", "--header needs a value: --header NAME"],
    ["--header=", "--header needs a value: --header NAME"],
    ["--header a --header", "--header needs a value: --header NAME"],
    ["--header --header a", "--header needs a value: --header NAME"],
    ["--header a --header= --header b", "--header needs a value: --header NAME"],
    ["--header a --header bad --header b", "--header may not be bad"],
    ["--no-header", "unknown option --no-header"],
    ["--headers a", "unknown option --headers: did you mean --header?"],
  ];
  for (const [words, says] of refused) {
    const error = assertThrows(() => readWords(words.split(" "), listed), UsageError, says);
    assert(error.message.startsWith(says), error.message);
  }
});

Deno.test("helpOf() shows a listOption() as any other", () => {
  assert(helpOf(listed).includes("\n  --header NAME  as many as you like\n"));
});

/** An option that means something without a value, too. */
const pageOption: Option<string | undefined> = {
  ...textOption({ placeholder: "ADDRESS:PORT", help: "where" }),
  bare: { text: "127.0.0.1:80", looksLikeValue: /:\d+$/ },
};

const bareGrammar = {
  command: "netsync test",
  positionals: "[PORT]",
  positionalsMax: 2,
  about: "Tests.",
  options: { page: pageOption, json: flagOption("for programs") },
};

Deno.test("readWords() takes the word after a bare option for its value only if it looks like one", () => {
  const cases: [words: string, page: string | undefined, positionals: string[]][] = [
    ["", undefined, []],
    ["--page", "127.0.0.1:80", []],
    ["--page ::1:0", "::1:0", []],
    ["--page=x", "x", []],
    ["--page= --json", "", []], // Refused, see below.
    ["--page 55555", "127.0.0.1:80", ["55555"]],
    ["55555 --page", "127.0.0.1:80", ["55555"]],
    ["55555 --page a:1", "a:1", ["55555"]],
    ["--page --json", "127.0.0.1:80", []],
    ["--page a:1 55555", "a:1", ["55555"]],
    ["--page a:1 --page", "127.0.0.1:80", []],
    ["--page --page a:1", "a:1", []],
    ["--page -- a:1", "127.0.0.1:80", ["a:1"]],
    ["-- --page a:1", undefined, ["--page", "a:1"]],
    ["page a:1", undefined, ["page", "a:1"]],
  ];
  for (const [words, page, positionals] of cases) {
    const read = (): ReturnType<typeof readWords<typeof bareGrammar.options>> =>
      readWords(words.split(" ").filter((word) => word !== ""), bareGrammar);
    if (page === "") {
      assertThrows(read, UsageError, "--page needs a value: --page ADDRESS:PORT");
      continue;
    }
    const parsed = read();
    assert(!parsed.help);
    assertEquals([parsed.values.page, parsed.positionals], [page, positionals], words);
  }
  for (const words of [["--no-page"], ["--no-page=a:1"], ["--pages", "a:1"]]) {
    assertThrows(
      () => readWords(words, bareGrammar),
      UsageError,
      `unknown option ${words[0]!.split("=")[0]}`,
    );
  }
});

Deno.test("helpOf() shows in brackets what may be left out, and headings after the options without", () => {
  const text = helpOf({
    ...bareGrammar,
    options: {
      ...under("of all", { page: pageOption }),
      ...{ json: bareGrammar.options.json },
      ...under("of some", { host: options.host }),
    },
  });
  assertStringIncludes(
    text,
    `
  --json                 for programs
  --help                 this text

of all
  --page [ADDRESS:PORT]  where

of some
  --host ADDRESS         where`,
  );
});

/** Values as a config file has them: what is made of each, or what is said against it. */
const TAKEN: [option: Option<unknown>, value: unknown, right: unknown][] = [
  [options.rate, 0.5, 0.5],
  [options.rate, 10, 10],
  [options.maxPerIp, 100, 100],
  [options.host, "::1", "::1"],
  [options.logLevel, "error", "error"],
  [options.json, true, true],
  [options.json, false, false],
  [listed.options.header, [], []],
  [listed.options.header, ["b", "a"], ["B", "A"]],
];

Deno.test("Option.take() takes a value of the right type as it is", () => {
  for (const [option, value, right] of TAKEN) assertEquals(option.take(value, "x"), right);
});

const NOT_TAKEN: [option: Option<unknown>, value: unknown, says: string][] = [
  [options.rate, 0.4, "x must be a number from 0.5 to 10, not 0.4"],
  [options.rate, 10.5, "x must be a number from 0.5 to 10, not 10.5"],
  [options.rate, "5", `x must be a number from 0.5 to 10, not "5"`],
  [options.rate, null, "x must be a number from 0.5 to 10, not null"],
  [options.rate, [5], "x must be a number from 0.5 to 10, not [5]"],
  [options.rate, true, "x must be a number from 0.5 to 10, not true"],
  [options.maxPerIp, 1.5, "x must be a whole number from 1 to 100, not 1.5"],
  [options.maxPerIp, 101, "x must be a whole number from 1 to 100, not 101"],
  [options.maxPerIp, -1, "x must be a whole number from 1 to 100, not -1"],
  [options.host, 5, "x must be a text, not 5"],
  [options.host, "", `x must be a text, not ""`],
  [options.host, { a: 1 }, `x must be a text, not {"a":1}`],
  [options.logLevel, "loud", `x must be one of info, error, not "loud"`],
  [options.logLevel, 1, "x must be one of info, error, not 1"],
  [options.logLevel, ["info"], `x must be one of info, error, not ["info"]`],
  [options.json, "true", `x must be true or false, not "true"`],
  [options.json, 1, "x must be true or false, not 1"],
  [options.json, null, "x must be true or false, not null"],
  [listed.options.header, "a", `x must be a list of texts, not "a"`],
  [listed.options.header, ["a", 1], `x must be a list of texts, not ["a",1]`],
  [listed.options.header, ["a", "bad"], "x may not be bad"],
];

for (const [option, value, says] of NOT_TAKEN) {
  Deno.test(`Option.take() refuses ${JSON.stringify(value)} and says: ${says}`, () => {
    assertEquals(assertThrows(() => option.take(value, "x"), UsageError).message, says);
  });
}

Deno.test("textOption() gives its reader what a config file says", () => {
  const option = textOption({
    placeholder: "X",
    help: "",
    read(text: string, name: string): number {
      if (text === "bad") throw new UsageError(`${name} may not be bad`);
      return text.length;
    },
  });
  assertEquals(option.take("four", "x"), 4);
  assertThrows(
    () => option.take("bad", "services[0].x"),
    UsageError,
    "services[0].x may not be bad",
  );
  assertThrows(() => option.take(4, "x"), UsageError, "x must be a text, not 4");
});
