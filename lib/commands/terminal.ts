/** What depends on the terminal a command runs in. */

/** What tells a window opened by a double click from a terminal in which somebody typed. */
export interface WindowSigns {
  os: string;
  standalone: boolean;
  words: number;
  isTerminal: boolean;
}

/**
 * Whether this may be a console window that closes with the program: the binary on Windows, started
 * without a word.
 */
export function closesWithProgram(signs: WindowSigns): boolean {
  return signs.os === "windows" && signs.standalone && signs.words === 0 && signs.isTerminal;
}

/** Keeps such a window open until Enter, so that an error can be read. */
export function holdWindow(): void {
  const signs = {
    os: Deno.build.os,
    standalone: Deno.build.standalone,
    words: Deno.args.length,
    isTerminal: Deno.stdin.isTerminal() && Deno.stderr.isTerminal(),
  };
  if (!closesWithProgram(signs)) return;
  console.error("Press Enter to close this window.");
  Deno.stdin.readSync(new Uint8Array(1));
}

/** What is typed or piped in, line by line. */
export async function* typedLines(): AsyncGenerator<string> {
  let rest = "";
  for await (const text of Deno.stdin.readable.pipeThrough(new TextDecoderStream())) {
    const lines = (rest + text).split(/\r?\n/);
    rest = lines.pop()!;
    yield* lines;
  }
  if (rest !== "") yield rest;
}
