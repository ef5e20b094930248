/** The live console: a picture of what goes on in the terminal the services were started in, and keys. */
import type { LogLine } from "../../observe/log.ts";
import { writtenOutput } from "../../observe/output.ts";
import type { Report } from "../../observe/report.ts";
import { Screen } from "../../observe/screen.ts";
import type { Controls } from "../controls.ts";
import { Keyboard } from "./keyboard.ts";
import type { Key } from "./keys.ts";
import { painted } from "./lines.ts";
import { type Deed, type Facts, FIRST, noted, press, type Row, type State, told } from "./state.ts";
import { pictureOf } from "./view.ts";

/** Log lines that are kept. */
const LOG_MAX = 500;
/** Log lines are shown no more often. */
const LOG_MS = 100;

/** Pasted text is told from typed text; long lines stay one. */
const MODES = { on: "\x1b[?2004h\x1b[?7l", off: "\x1b[?7h\x1b[?2004l" };

/** What a {@link LiveConsole} is made of. */
export interface LiveConsoleOptions {
  readonly version: string;
  readonly controls: Controls;
  /** Called when the person wants the program to end; again for each further Ctrl+C. */
  readonly onQuit: () => void;
  /** As for {@link LiveConsole.setRows}. */
  readonly rows: readonly Row[];
}

/**
 * Takes over the terminal until it is closed, or the program ends. Only for a standard input and output
 * that are terminals, and in the foreground, see `isInBackground`; where keys are not to be had it goes
 * on without.
 */
export class LiveConsole {
  readonly #options: LiveConsoleOptions;
  readonly #screen: Screen;
  readonly #keyboard: Keyboard;
  /** At most {@link LOG_MAX}, the newest last. */
  readonly #log: LogLine[] = [];
  #logDropped = 0;
  #rows: readonly Row[];
  #report: Report | undefined;
  #state: State = FIRST;
  #hasKeys = true;
  #isClosed = false;
  /** Whether a drawing was left out and is to follow. */
  #isAwaited = false;
  #timer: ReturnType<typeof setTimeout> | undefined;
  readonly #ignoreSignals: () => void;

  constructor(options: LiveConsoleOptions) {
    this.#options = options;
    this.#rows = options.rows;
    this.#keyboard = new Keyboard((keys) => this.#press(keys), () => {
      this.#hasKeys = false;
      this.#draw();
    });
    // Later than the keys: a job that is stopped when it asks for them leaves the screen alone.
    this.#screen = new Screen(MODES);
    this.#ignoreSignals = onSignals({
      SIGWINCH: () => this.#draw(),
      SIGCONT: () => {
        this.#keyboard.reopen();
        this.#screen.reopen();
        this.#draw();
      },
      SIGQUIT: () => options.onQuit(), // Ctrl+\, which would leave the terminal as it is.
      SIGTSTP: () => {
        this.#state = noted(this.#state, this.#facts(), "a server that is stopped loses everybody");
        this.#draw();
      },
    });
    this.#draw();
  }

  /** Tells what friends type, what the router said and the like; the first rows are the most important. */
  setRows(rows: readonly Row[]): void {
    this.#rows = rows;
    this.#draw();
  }

  /** Shows how it goes: once a second. */
  show(report: Report): void {
    this.#report = report;
    this.#draw();
  }

  /** Shows a log line, some time soon. */
  log(line: LogLine): void {
    if (this.#isClosed) return;
    this.#log.push(line);
    if (this.#log.length > LOG_MAX) {
      this.#log.shift();
      this.#logDropped++;
    }
    this.#timer ??= setTimeout(() => this.#draw(), LOG_MS);
  }

  /** Gives the terminal back; lines may be printed right after. Calling it again is harmless. */
  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    clearTimeout(this.#timer);
    this.#ignoreSignals();
    this.#keyboard.close();
    this.#screen.close();
  }

  #facts(): Facts {
    return {
      ...{ version: this.#options.version, report: this.#report, rows: this.#rows },
      ...{ log: this.#log, logDropped: this.#logDropped, hasKeys: this.#hasKeys },
      now: performance.now(),
    };
  }

  #draw(): void {
    if (this.#isClosed) return;
    clearTimeout(this.#timer);
    this.#timer = undefined;
    const { columns, rows } = this.#screen.size;
    // The last column is left free: some terminals would go to the next line.
    const room = { columns: Math.max(1, columns - 1), rows };
    const { lines, state } = pictureOf(this.#state, this.#facts(), room);
    this.#state = state;
    if (this.#screen.draw(lines.map((line) => painted(line, room.columns, !Deno.noColor)))) return;
    if (this.#isAwaited) return;
    this.#isAwaited = true;
    writtenOutput().then(() => {
      this.#isAwaited = false;
      this.#draw();
    });
  }

  #press(keys: readonly Key[]): void {
    for (const [index, key] of keys.entries()) {
      const wasAsking = this.#state.asking !== undefined;
      const { state, deeds } = press(this.#state, this.#facts(), key);
      this.#state = state;
      deeds.forEach((deed) => this.#do(deed));
      if (this.#isClosed) return;
      // Nobody answers a question before it is there to be read.
      if (!wasAsking && state.asking) {
        this.#heed(keys.slice(index + 1));
        break;
      }
    }
    this.#draw();
  }

  /** Of keys that are left out, Ctrl+C is heard all the same. */
  #heed(keys: readonly Key[]): void {
    const isHeard = keys.some((key) => key.kind === "named" && key.name === "interrupt");
    if (isHeard) this.#do({ kind: "quit" });
  }

  #do(deed: Deed): void {
    const result = this.#carryOut(deed);
    this.#state = told(this.#state, this.#facts(), deed, result);
  }

  #carryOut(deed: Deed): boolean | string | undefined {
    const { controls, onQuit } = this.#options;
    switch (deed.kind) {
      case "kick":
        return controls.kick(deed.service, deed.address);
      case "ban":
        return controls.ban(deed.text);
      case "unban":
        return controls.unban(deed.text);
      case "quit":
        return void onQuit();
      case "redraw":
        return void this.#screen.forget();
      default:
        return deed satisfies never;
    }
  }
}

/** Listens to signals as far as the system has them. Returns what ends it. */
function onSignals(listeners: Partial<Record<Deno.Signal, () => void>>): () => void {
  const known = Object.entries(listeners).filter(([name, listener]) => {
    try {
      Deno.addSignalListener(name as Deno.Signal, listener);
      return true;
    } catch {
      return false;
    }
  });
  return () =>
    known.forEach(([name, listener]) => Deno.removeSignalListener(name as Deno.Signal, listener));
}
