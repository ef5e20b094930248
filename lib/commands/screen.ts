/** A terminal as something to draw on. One that does not take what is drawn stops nobody. */
import { isOutputIdle, printText } from "../observe/output.ts";

/** The alternate screen of the terminal, without a cursor. Closing gives back what was there. */
export class Screen {
  constructor() {
    printText("\x1b[?1049h\x1b[?25l");
  }

  /** Its size now, in characters. */
  get size(): { columns: number; rows: number } {
    return sizeOfTerminal();
  }

  /**
   * Shows these lines and nothing else; each must fit, see {@link Screen.size}. Left out while the terminal
   * has not taken what was drawn before.
   */
  draw(lines: readonly string[]): void {
    if (!isOutputIdle()) return;
    printText(`\x1b[H${lines.map((line) => `${line}\x1b[K`).join("\r\n")}\x1b[J`);
  }

  /** Gives back what was there. */
  close(): void {
    printText("\x1b[?25h\x1b[?1049l");
  }
}

/** One line at the bottom of a terminal that changes; nothing where the output is no terminal. */
export class ProgressLine {
  readonly #isShown: boolean = Deno.stdout.isTerminal();

  show(text: string): void {
    // The last column is left free: some terminals would go to the next line.
    if (this.#isShown) printText(`\r${text.slice(0, sizeOfTerminal().columns - 1)}\x1b[K`);
  }

  clear(): void {
    this.show("");
  }
}

function sizeOfTerminal(): { columns: number; rows: number } {
  try {
    return Deno.consoleSize();
  } catch {
    return { columns: 80, rows: 24 };
  }
}
