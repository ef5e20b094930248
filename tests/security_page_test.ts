/** SECURITY.md: that its figures are those of the program, and that it names what there is. */
import { assert, assertEquals } from "@std/assert";
import { HOSTING_OPTIONS } from "../lib/commands/hosting/options.ts";
import { kebab } from "../lib/commands/options.ts";
import { NETWORK_OPTIONS } from "../lib/commands/network.ts";
import { SERVICES } from "../lib/commands/services.ts";
import { optionsOf } from "../lib/commands/hosting/options.ts";
import { ROOT } from "./interop/programs.ts";

const textOf = (path: string): Promise<string> => Deno.readTextFile(new URL(path, ROOT));
const PAGE = await textOf("SECURITY.md");

/** The rows of the table whose first column is called so, without their heads. */
function rowsOf(...columns: string[]): string[][] {
  const lines = PAGE.split("\n");
  const cells = (line: string): string[] => line.split("|").slice(1, -1).map((cell) => cell.trim());
  const isHead = (line: string): boolean =>
    line.startsWith("|") && columns.every((column, at) => cells(line)[at] === column);
  const first = lines.findIndex(isHead) + 2;
  assert(first >= 2, `there is no table of ${columns}`);
  const end = lines.findIndex((line, at) => at >= first && !line.startsWith("|"));
  return lines.slice(first, end).map(cells);
}

const UNITS: Record<string, number> = { KiB: 2 ** 10, MiB: 2 ** 20 };

/** `256 KiB/s` as 262144; seconds as milliseconds where that is what is meant. */
function valueOf(text: string, isMs = false): number {
  const [, digits, unit = ""] = /^([\d,]+)(?:\/s)?(?: (B|KiB|MiB|s)(?:\/s)?)?$/.exec(text) ?? [];
  assert(digits !== undefined, `"${text}" is no value`);
  return Number(digits.replaceAll(",", "")) * (unit === "s" && isMs ? 1_000 : UNITS[unit] ?? 1);
}

Deno.test("SECURITY.md tells the defaults of options", () => {
  const rows = rowsOf("service", "option", "default");
  assert(rows.length > 20);
  for (const [service, option, value] of rows) {
    const options = Object.entries(SERVICES.get(service!)!.options);
    const [, found] = options.find(([key]) => `\`--${kebab(key)}\`` === option) ?? [];
    assertEquals(valueOf(value!), found?.fallback, `${service} ${option}`);
  }
});

Deno.test("SECURITY.md tells of every option that limits something", () => {
  const told = rowsOf("service", "option", "default").map((row) => row.slice(0, 2).join(" "));
  for (const [service, { options }] of SERVICES) {
    const limits = Object.keys(options).filter((key) => /^max|[tT]imeout$/.test(key));
    for (const key of limits) {
      const option = `${service} \`--${kebab(key)}\``;
      assert(told.includes(option), `${option} is not there`);
    }
  }
});

Deno.test("SECURITY.md tells the limits that no option changes", async () => {
  const rows = rowsOf("limit", "value", "name", "file");
  assert(rows.length > 10);
  for (const [, value, name, file] of rows) {
    const pattern = new RegExp(`^(?:export )?const ${name} = ([\\d_]+);`, "m");
    const [, digits] = pattern.exec(await textOf(file!)) ?? [];
    assert(digits !== undefined, `there is no ${name} in ${file}`);
    assertEquals(valueOf(value!, name!.includes("_MS")), Number(digits.replaceAll("_", "")), name);
  }
});

Deno.test("SECURITY.md names options that there are", () => {
  const kinds = [...SERVICES.values()].map(optionsOf);
  const known = new Set(
    [HOSTING_OPTIONS, NETWORK_OPTIONS, ...kinds].flatMap(Object.keys).map((key) => kebab(key)),
  );
  // Of Deno, of this repository's tools, and of serve.
  const others = ["frozen", "no-prompt", "strict", "config", "licenses"];
  // Between these marks others write, who have options of their own.
  const page = PAGE.replace(/<!-- (\w+) -->[^]*?<!-- \/\1 -->/g, "");
  const words = page.matchAll(/(?<![\w-])--([a-z][a-z-]*)/g);
  for (const [, word] of words) {
    if (word!.startsWith("allow-") || others.includes(word!)) continue;
    assert(known.has(word!), `there is no --${word}`);
  }
});

Deno.test("SECURITY.md links to files and headings that there are", async () => {
  const slugsOf = (page: string): string[] =>
    [...page.matchAll(/^##+ (.+)$/gm)].map(([, title]) =>
      title!.toLowerCase().replace(/[^\w -]/g, "").replaceAll(" ", "-")
    );
  const links = [...PAGE.matchAll(/\]\(([^)#]*)(?:#([^)]+))?\)/g)];
  assert(links.length > 5);
  for (const [link, path, slug] of links) {
    const page = path ? await textOf(path) : PAGE;
    assert(slug === undefined || slugsOf(page).includes(slug), link);
  }
});

Deno.test("SECURITY.md has the places for the tables that tests write", () => {
  for (const name of ["amplification", "floods"]) {
    assertEquals(PAGE.split(`<!-- ${name} -->`).length, 2, name);
    assertEquals(PAGE.split(`<!-- /${name} -->`).length, 2, name);
  }
});
