/**
 * TypeScript source with what is not code blanked out, so that a rule about names does not trip over
 * a sentence about them.
 */

/** A source, taken apart. All texts are as long as the source: offsets are the same in each. */
export interface Source {
  /** Without comments and without the contents of strings, templates and regular expressions. */
  code: string;
  /** Without comments only. */
  uncommented: string;
  /** The text of every comment, with its delimiters. */
  comments: string[];
}

/** A slash after one of these words begins a regular expression, after any other word it divides. */
const WORDS_BEFORE_REGEX = new Set(
  "return typeof case in of do else void delete throw new instanceof await yield".split(" "),
);

/** Takes a source apart. Input is expected to parse: it is what `deno check` accepted. */
export function parseSource(text: string): Source {
  const code = text.split("");
  const uncommented = code.slice();
  const comments: string[] = [];
  const chars = code.slice();
  /** For each `${` that is open: how deep in braces its expression is. */
  const templates: number[] = [];
  let at = 0;

  const blank = (from: number, to: number, where: string[]): void => {
    for (let i = from; i < to; i++) if (where[i] !== "\n") where[i] = " ";
  };
  const comment = (end: number): void => {
    comments.push(chars.slice(at, end).join(""));
    blank(at, end, code);
    blank(at, end, uncommented);
    at = end;
  };
  const find = (needle: string, from: number): number => {
    for (let i = from; i < chars.length; i++) {
      if (chars[i] === needle[0] && (needle.length < 2 || chars[i + 1] === needle[1])) return i;
    }
    return chars.length;
  };
  const quoted = (quote: string): void => {
    let end = at + 1;
    while (end < chars.length && chars[end] !== quote && chars[end] !== "\n") {
      end += chars[end] === "\\" ? 2 : 1;
    }
    blank(at + 1, Math.min(end, chars.length), code);
    at = end + 1;
  };
  /** From behind a backtick, or behind the brace that closed an expression, on. */
  const template = (): void => {
    const start = at;
    while (at < chars.length) {
      if (chars[at] === "\\") at += 2;
      else if (chars[at] === "`") {
        blank(start, at++, code);
        return;
      } else if (chars[at] === "$" && chars[at + 1] === "{") {
        blank(start, at, code);
        at += 2;
        templates.push(0);
        return;
      } else at++;
    }
  };
  const regex = (): void => {
    let end = at + 1;
    for (let inClass = false; end < chars.length && chars[end] !== "\n"; end++) {
      if (chars[end] === "\\") end++;
      else if (chars[end] === "[") inClass = true;
      else if (chars[end] === "]") inClass = false;
      else if (chars[end] === "/" && !inClass) break;
    }
    blank(at + 1, end, code);
    at = end + 1;
  };
  const slashBeginsRegex = (): boolean => {
    const before = code.slice(Math.max(0, at - 200), at).join("").trimEnd();
    if (before === "") return true;
    const word = /[\w$]+$/.exec(before)?.[0];
    if (word !== undefined) return WORDS_BEFORE_REGEX.has(word);
    return !/[)\]"'`/]$|\+\+$|--$/.test(before);
  };

  if (chars[0] === "#" && chars[1] === "!") comment(find("\n", 0));
  while (at < chars.length) {
    const char = chars[at]!;
    const next = chars[at + 1];
    if (char === "/" && next === "/") comment(find("\n", at));
    else if (char === "/" && next === "*") comment(Math.min(chars.length, find("*/", at + 2) + 2));
    else if (char === '"' || char === "'") quoted(char);
    else if (char === "`") (at++, template());
    else if (char === "/" && slashBeginsRegex()) regex();
    else if (char === "}" && templates.at(-1) === 0) (templates.pop(), at++, template());
    else {
      if (templates.length > 0 && char === "{") templates[templates.length - 1]!++;
      if (templates.length > 0 && char === "}") templates[templates.length - 1]!--;
      at++;
    }
  }
  return { code: code.join(""), uncommented: uncommented.join(""), comments };
}

/** One `import` or `export ... from`. */
export interface Import {
  /** As it is written; undefined where it is computed at run time. */
  specifier: string | undefined;
  isReexport: boolean;
}

/** What a source imports: statically, dynamically, for types, or to pass it on. */
export function importsOf({ code, uncommented }: Source): Import[] {
  const imports: Import[] = [];
  const clause = /(?<![\w$.])(import|export)\b(?:\s+type\b)?[\s\w$,*{}]*?\bfrom\s*(["'])/g;
  const bare = /(?<![\w$.])import\s*(["'])/g;
  const call = /(?<![\w$.])import\s*\(\s*(["'])?/g;
  const textFrom = (quoteAt: number): string => {
    const end = code.indexOf(code[quoteAt]!, quoteAt + 1);
    return uncommented.slice(quoteAt + 1, end);
  };
  for (const match of code.matchAll(clause)) {
    const quoteAt = match.index + match[0].length - 1;
    imports.push({ specifier: textFrom(quoteAt), isReexport: match[1] === "export" });
  }
  for (const match of code.matchAll(bare)) {
    const specifier = textFrom(match.index + match[0].length - 1);
    imports.push({ specifier, isReexport: false });
  }
  for (const match of code.matchAll(call)) {
    const literal = match[1] !== undefined;
    const specifier = literal ? textFrom(match.index + match[0].length - 1) : undefined;
    imports.push({ specifier, isReexport: false });
  }
  return imports;
}

/** Whether a name that was imported is exported again by a clause of its own. */
export function exportsAnImport({ code }: Source): boolean {
  const namesIn = (clauses: IterableIterator<RegExpMatchArray>): string[] =>
    [...clauses].flatMap(([, names]) => names!.split(",")).map((name) =>
      name.replace(/^\s*type\s+/, "").trim()
    );
  const localOf = (name: string): string => name.split(/\s+as\s+/).at(-1)!;
  const imported = new Set(
    namesIn(code.matchAll(/(?<![\w$.])import\b[^;"']*?\{([^}]*)\}\s*from/g)).map(localOf),
  );
  const exported = namesIn(
    code.matchAll(/(?<![\w$.])export\s+(?:type\s+)?\{([^}]*)\}(?!\s*from)/g),
  );
  return exported.some((name) => name !== "" && imported.has(name.split(/\s+as\s+/)[0]!));
}
