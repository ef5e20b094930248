/** A program in a terminal that a test types into and looks at. */
import { until } from "../../support/wait.ts";
import { EventProgram, objectOf, PYTHON } from "../../interop/programs.ts";

/** How the terminal treats what is typed. */
export interface Modes {
  echo: boolean;
  lines: boolean;
  signals: boolean;
  /** Whether they are what they were before the program ran. */
  asBefore: boolean;
}

/** Disposing kills the program. */
export class Terminal extends EventProgram {
  constructor(rows: number, columns: number, command: readonly string[]) {
    super([PYTHON, "tests/home/console/terminal.py", String(rows), String(columns), ...command]);
  }

  /** Types these characters, one for each byte. */
  async type(text: string): Promise<void> {
    await this.#order("type", { bytes: [...new TextEncoder().encode(text)] });
  }

  async resize(rows: number, columns: number): Promise<void> {
    await this.#order("resize", { rows, columns });
  }

  async signal(number: number): Promise<void> {
    await this.#order("signal", { number });
  }

  /** Takes nothing of what is drawn until `resume`. */
  async pause(): Promise<void> {
    await this.#order("pause", {});
  }

  async resume(): Promise<void> {
    await this.#order("resume", {});
  }

  async modes(): Promise<Modes> {
    const from = this.lines.length;
    await this.#order("modes", {});
    return await this.event("modes", (facts) => facts as unknown as Modes, { from });
  }

  /** All that was written to the terminal. */
  get drawn(): string {
    const facts = this.lines.map(objectOf);
    const texts = facts.map((facts) => facts?.event === "drawn" ? facts.text : "");
    return texts.join("").replaceAll("\0", ""); // With these a paused terminal is filled.
  }

  /** The lines on the screen, as the last whole drawing has them; none after the alternate screen. */
  get screen(): string[] {
    const drawings = this.drawn.split("\x1b[H").slice(1);
    const whole = drawings.findLast((drawing) => drawing.includes("\x1b[J")) ?? "";
    // deno-lint-ignore no-control-regex -- colours begin with it
    return whole.split("\x1b[J")[0]!.replaceAll(/\x1b\[[\d;]*[mK]/g, "").split(/\r*\n/);
  }

  /** How many drawings there were. */
  get drawings(): number {
    return this.drawn.split("\x1b[H").length - 1;
  }

  /** Waits until the screen fulfils a condition. */
  async sees(what: string, condition: (text: string, lines: string[]) => boolean): Promise<void> {
    try {
      await until(what, () => condition(this.screen.join("\n"), this.screen));
    } catch (error) {
      throw new Error(
        `${error}; the screen:\n${this.screen.join("\n")}\n${this.errorLines.join("\n")}`,
      );
    }
  }

  /** Waits until the program ends. */
  async ended(): Promise<Modes & { status: number }> {
    return await this.event("ended", (facts) => facts as unknown as Modes & { status: number });
  }

  async #order(what: string, facts: object): Promise<void> {
    await this.say(JSON.stringify({ do: what, ...facts }));
  }
}
