import { assertEquals } from "@std/assert";
import { flushOutput, isOutputIdle } from "../../../lib/observe/output.ts";
import { Screen } from "../../../lib/observe/screen.ts";
import { until } from "../../support/wait.ts";

/** A terminal that takes what is written when it is told to. */
class SlowTerminal implements Disposable {
  readonly written: string[] = [];
  readonly #write = Deno.stdout.write;
  #take = (): void => {};

  constructor() {
    Deno.stdout.write = (bytes): Promise<number> => {
      this.written.push(new TextDecoder().decode(bytes));
      return new Promise((resolve) => this.#take = (): void => resolve(bytes.length));
    };
  }

  async take(): Promise<void> {
    this.#take();
    await flushOutput(0);
  }

  async takeAll(): Promise<void> {
    await until("the output to be taken", async () => (await this.take(), isOutputIdle()));
  }

  [Symbol.dispose](): void {
    Deno.stdout.write = this.#write;
  }
}

Deno.test("Screen leaves out what the terminal does not take, and what it shows already", async () => {
  using terminal = new SlowTerminal();
  const screen = new Screen();
  assertEquals(screen.draw(["too early"]), false);
  await terminal.takeAll();
  assertEquals(screen.draw(["a", "b"]), true);
  assertEquals(screen.draw(["a", "b"]), true);
  assertEquals(screen.draw(["too early"]), false);
  await terminal.takeAll();
  assertEquals(screen.draw(["a", "b"]), true);
  assertEquals(isOutputIdle(), true);
  screen.forget();
  assertEquals(screen.draw(["a", "b"]), true);
  await terminal.takeAll();
  screen.close();
  screen.close();
  assertEquals(screen.draw(["too late"]), false);
  await terminal.takeAll();
  assertEquals(terminal.written, [
    "\x1b[?1049h\x1b[?25l",
    "\x1b[Ha\x1b[K\r\nb\x1b[K\x1b[J",
    "\x1b[Ha\x1b[K\r\nb\x1b[K\x1b[J",
    "\x1b[?25h\x1b[?1049l",
  ]);
});
