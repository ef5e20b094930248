/**
 * Which lines of the library the fuzzing never ran, by V8's own counts. After `--seed 1 --runs 25` these are left:
 * what refuses a program's options or arguments; accessors that only programs ask; `satisfies never`; and what
 * takes more than a seed has: 64 MiB of messages that are not whole, thousands of repeats, sessions or names of
 * players, and a client that is thousands of objects behind. Tests of their own have those.
 */

const FOLDER = "coverage/fuzz";
const INCLUDED = [
  /\/lib\/protocols\//,
  /\/lib\/parts\/(msgpack|json|utf8|recording|reading|ban_list|ip|budget|deadlines|recent|pending_bytes)\.ts$/,
];
const EXECUTABLE = Deno.execPath();

/** What is known of a file's lines and branches. */
interface FileCoverage {
  readonly path: string;
  readonly lines: Map<number, number>;
  branches: number;
  branchesTaken: number;
}

/**
 * Runs the fuzzing in a process of its own, and prints a line for each file with the lines that never ran.
 *
 * @param args As the command line has them.
 * @returns Its exit status.
 */
export async function runWithCoverage(args: readonly string[]): Promise<number> {
  await Deno.remove(FOLDER, { recursive: true }).catch(() => {}); // It may not be there.
  const fuzz = ["run", "-A", `--coverage=${FOLDER}`, "tests/fuzz/main.ts", ...args];
  const { code } = await new Deno.Command(EXECUTABLE, { args: fuzz }).spawn().status;
  // What other programs compiled meanwhile with another Deno is not what was run.
  const again = ["run", "-A", "tests/fuzz/main.ts", "--runs", "0"];
  await new Deno.Command(EXECUTABLE, { args: again, stdout: "null" }).output();
  const { stdout, stderr, success } = await new Deno.Command(EXECUTABLE, {
    args: ["coverage", "--lcov", "--include=lib/(protocols|parts)/", FOLDER],
  }).output();
  if (!success) throw new Error(new TextDecoder().decode(stderr));
  for (const file of filesIn(new TextDecoder().decode(stdout))) print(file);
  return code;
}

/** Reads the format of lcov. */
function filesIn(lcov: string): FileCoverage[] {
  const files: FileCoverage[] = [];
  for (const line of lcov.split("\n")) {
    const file = files.at(-1)!;
    const [name = "", value = ""] = line.split(/:(.*)/s);
    const numbers = value.split(",").map(Number);
    if (name === "SF") files.push({ path: value, lines: new Map(), branches: 0, branchesTaken: 0 });
    else if (name === "DA") file.lines.set(numbers[0]!, numbers[1]!);
    else if (name === "BRDA") {
      file.branches++;
      if (numbers[3]! > 0) file.branchesTaken++;
    }
  }
  return files.filter(({ path }) => INCLUDED.some((included) => included.test(path)));
}

function print({ path, lines, branches, branchesTaken }: FileCoverage): void {
  const missed = [...lines].filter(([, times]) => times === 0).map(([line]) => line);
  const name = path.slice(path.indexOf("/lib/") + 1);
  const share = `${lines.size - missed.length} of ${lines.size} lines`;
  const branchShare = `${branchesTaken} of ${branches} branches`;
  console.log(
    `${name.padEnd(40)} ${share.padEnd(20)} ${branchShare.padEnd(22)} ${rangesOf(missed)}`,
  );
}

/** `3, 7-9` */
function rangesOf(lines: readonly number[]): string {
  const ranges: [first: number, last: number][] = [];
  for (const line of lines.toSorted((one, other) => one - other)) {
    const range = ranges.at(-1);
    if (range && range[1] === line - 1) range[1] = line;
    else ranges.push([line, line]);
  }
  return ranges.map(([first, last]) => first === last ? first : `${first}-${last}`).join(", ");
}
