/** The keys of the terminal a program runs in, without waiting for Enter. */
import { isOutputIdle, writtenOutput } from "../../observe/output.ts";
import { type Key, KeyDecoder } from "./keys.ts";

/** A sequence whose parts are farther apart is none: what came of it was a key. */
const SEQUENCE_MS = 100;

/** Hears keys, and leaves the terminal as it was. */
export class Keyboard {
  readonly #onKeys: (keys: Key[]) => void;
  readonly #onEnd: () => void;
  readonly #decoder = new KeyDecoder();
  readonly #reader: ReadableStreamDefaultReader<Uint8Array> | undefined;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #isClosed = false;
  readonly #restore = (): void => restoreTerminal();

  /**
   * Where the terminal knows it, Ctrl+C stays a signal.
   *
   * @param onEnd There will be no keys any more, or there are none at all. Not told of `close`.
   */
  constructor(onKeys: (keys: Key[]) => void, onEnd: () => void) {
    this.#onKeys = onKeys;
    this.#onEnd = onEnd;
    if (!makeRaw()) {
      queueMicrotask(() => this.#isClosed || onEnd());
      return;
    }
    addEventListener("unload", this.#restore);
    this.#reader = Deno.stdin.readable.getReader();
    this.#read(this.#reader);
  }

  /** Hears keys again after the program stood still, in which time a shell had the terminal. */
  reopen(): void {
    if (this.#reader && !this.#isClosed) makeRaw();
  }

  /**
   * Gives the terminal back, once it has taken what was printed. What is typed from now on is for others,
   * except that a system in which a read cannot be called off takes the next key; on Deno before 2.9 such a
   * read also keeps the program from ending by itself, though not from `Deno.exit`.
   */
  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    clearTimeout(this.#timer);
    const reader = this.#reader;
    if (!reader) return;
    const giveBack = (): void => {
      removeEventListener("unload", this.#restore);
      restoreTerminal(); // First, since the input is closed with its reader.
      reader.cancel().catch(() => {});
    };
    if (isOutputIdle()) giveBack();
    else writtenOutput().then(giveBack);
  }

  async #read(reader: ReadableStreamDefaultReader<Uint8Array>): Promise<void> {
    for (;;) {
      // A terminal that is gone is an end as well.
      const { value, done } = await reader.read().catch(() => ({ value: undefined, done: true }));
      if (this.#isClosed) return;
      if (done || !value) return this.#onEnd();
      this.#take(value);
    }
  }

  #take(bytes: Uint8Array): void {
    clearTimeout(this.#timer);
    this.#tell(this.#decoder.take(bytes));
    if (this.#isClosed || !this.#decoder.isPending) return;
    this.#timer = setTimeout(() => this.#tell(this.#decoder.flush()), SEQUENCE_MS);
  }

  #tell(keys: Key[]): void {
    if (keys.length > 0) this.#onKeys(keys);
  }
}

/** Keys as they are pressed. False: this is no terminal, or one that cannot. */
function makeRaw(): boolean {
  for (const options of [{ cbreak: true }, undefined]) {
    try {
      Deno.stdin.setRaw(true, options);
      return true;
    } catch {
      // Windows knows no cbreak: there Ctrl+C is a key like others.
    }
  }
  return false;
}

/**
 * Makes the terminal what it was, which waits for it to take all that was printed. One that takes nothing
 * must not keep the program from ending: that is left to Deno, which does the same at its end, and does not
 * wait.
 */
function restoreTerminal(): void {
  if (!isOutputIdle()) return;
  try {
    Deno.stdin.setRaw(false);
  } catch {
    // The terminal is gone.
  }
}
