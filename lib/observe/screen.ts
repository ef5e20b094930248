/** A terminal as something to draw on. One that does not take what is drawn stops nobody. */
import { isOutputIdle, printText } from "./output.ts";

const OPENING = "\x1b[?1049h\x1b[?25l";
const CLOSING = "\x1b[?25h\x1b[?1049l";

/** A terminal that took nothing for so long is not waited for. */
const STUCK_MS = 1_000;
/** Nor one that was given back so long ago, and has not taken it yet. */
const CLOSING_MS = 200;

/** How a program ends without closing what it opened. An error is printed after these are told. */
const ENDS = ["unload", "error", "unhandledrejection"] as const;

/** The size of a terminal in characters. */
export interface Size {
  columns: number;
  rows: number;
}

/**
 * The alternate screen of the terminal, without a cursor. Closing gives back what was there, and so does
 * the end of the program.
 */
export class Screen {
  /** The last drawing that was given to the terminal. */
  #drawn: string | undefined;
  #isClosed = false;
  #closedAt = Infinity;
  /** Since when drawings are left out; undefined when the last one was not. */
  #stuckAt: number | undefined;
  readonly #opening: string;
  readonly #closing: string;
  readonly #atExit = (): void => this.#closeAtExit();

  /**
   * @param more What else is to be switched on, and how it is switched off at the end, as escape
   * sequences. Default: nothing.
   */
  constructor(more: { on: string; off: string } = { on: "", off: "" }) {
    this.#opening = OPENING + more.on;
    this.#closing = more.off + CLOSING;
    for (const end of ENDS) addEventListener(end, this.#atExit);
    printText(this.#opening);
  }

  /** Its size now. */
  get size(): Size {
    return sizeOfTerminal();
  }

  /**
   * Shows these lines and nothing else; each must fit, see {@link Screen.size}. Left out while the terminal
   * has not taken what was drawn before; and where the very same is there already.
   *
   * @returns Whether these lines are there now, or on their way.
   */
  draw(lines: readonly string[]): boolean {
    if (this.#isClosed) return false;
    const drawing = `\x1b[H${lines.map((line) => `${line}\x1b[K`).join("\r\n")}\x1b[J`;
    if (drawing === this.#drawn) return true;
    if (!isOutputIdle()) {
      this.#stuckAt ??= performance.now();
      return false;
    }
    this.#stuckAt = undefined;
    this.#drawn = drawing;
    return printText(drawing);
  }

  /** The next drawing is shown in any case: something else may have been written over the last one. */
  forget(): void {
    this.#drawn = undefined;
  }

  /** The same after the program stood still, in which time the terminal may have been given to another. */
  reopen(): void {
    if (this.#isClosed) return;
    this.forget();
    printText(this.#opening);
  }

  /** Gives back what was there. Calling it again is harmless. */
  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#closedAt = performance.now();
    printText(this.#closing);
  }

  /** The program ends at once: what is queued is not written any more. */
  #closeAtExit(): void {
    if (this.#isClosed && isOutputIdle()) return;
    // A terminal that takes nothing would keep the program from ending.
    const now = performance.now();
    if (now - (this.#stuckAt ?? Infinity) > STUCK_MS || now - this.#closedAt > CLOSING_MS) return;
    this.#isClosed = true;
    try {
      Deno.stdout.writeSync(new TextEncoder().encode(this.#closing));
    } catch {
      // The terminal is gone.
    }
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

function sizeOfTerminal(): Size {
  try {
    const { columns, rows } = Deno.consoleSize();
    // A terminal that does not know says 0.
    return { columns: columns || 80, rows: rows || 24 };
  } catch {
    return { columns: 80, rows: 24 };
  }
}
