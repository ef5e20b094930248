/** What is said of files that cannot be written while services run. */
import type { Logger } from "@logtape/logtape";

/** Says what is wrong with files, and that it is over. */
export interface FileTalk {
  /**
   * @param problem In words, with what the system says.
   * @param isTriedAgain Whether that is all there is to do.
   */
  onProblem: (problem: string, isTriedAgain?: boolean) => void;
  /** @param file Which is as it should be again: its option and its path. */
  onMended: (file: string) => void;
}

/** By what the system says, from Linux and macOS to Windows. */
const HINTS: readonly [RegExp, string][] = [
  [/\(os error (28|112|39|122|69)\)/, "make room there"],
  [/\(os error (30|19)\)/, "its disk can only be read"],
  [/\(os error 21\)/, "a folder is in its place: move that away"],
  [/\(os error (2|3)\)/, "its folder is gone: make it again"],
  [
    /\(os error (23|24)\)/,
    "too many files are open, or connections: start netsync after ulimit -n 4096",
  ],
  [/\(os error (5|13|1)\)/, "this user may not write there"],
];

/** Talks through a logger. */
export function fileTalk(logger: Logger): FileTalk {
  return {
    onProblem(reason, isTriedAgain = false): void {
      const problem = isTriedAgain
        ? `${reason}${hintOf(reason)}; the services go on, and it is tried again every few seconds`
        : reason;
      logger.warning("{problem}", { event: "file-problem", problem });
    },
    onMended(file): void {
      logger.info("{file} is written again", { event: "file-mended", file });
    },
  };
}

function hintOf(problem: string): string {
  const [, hint] = HINTS.find(([pattern]) => pattern.test(problem)) ?? [];
  return hint === undefined ? "" : `: ${hint}`;
}
