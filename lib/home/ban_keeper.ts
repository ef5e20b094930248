/** Keeps a file of bans as its list is, also when the disk does not take it at once. */
import type { BanFile } from "./ban_file.ts";

/** When to try again. */
const RETRY_MS = 5_000;

/** Options of a {@link BanKeeper}. */
export interface BanKeeperOptions {
  /** Told why the file cannot be written, and whether it is tried again: once, until it could. */
  onProblem: (problem: string, isTriedAgain: boolean) => void;
  /** Called when it could again. */
  onMended?: () => void;
  /** Default 5,000. */
  retryMs?: number;
}

/** Writes in the background. */
export class BanKeeper implements AsyncDisposable {
  readonly #file: Pick<BanFile, "save">;
  readonly #options: BanKeeperOptions;
  #saving: Promise<void> | undefined;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #hasProblem = false;
  #isClosed = false;

  constructor(file: Pick<BanFile, "save">, options: BanKeeperOptions) {
    this.#file = file;
    this.#options = options;
  }

  /** The list has changed. */
  save(): void {
    clearTimeout(this.#timer);
    this.#saving = this.#file.save().then(
      () => this.#tellMended(),
      (error) => this.#retry(error),
    );
  }

  /** Waits for what is under way, and tries once more what failed. */
  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#isClosed) return;
    this.#isClosed = true;
    clearTimeout(this.#timer);
    await this.#saving;
    if (!this.#hasProblem) return;
    this.save();
    await this.#saving;
  }

  #retry(error: unknown): void {
    const isNews = !this.#hasProblem || this.#isClosed;
    this.#hasProblem = true;
    const problem = error instanceof Error ? error.message : String(error);
    if (isNews) this.#options.onProblem(problem, !this.#isClosed);
    if (this.#isClosed) return;
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.save(), this.#options.retryMs ?? RETRY_MS);
  }

  #tellMended(): void {
    if (!this.#hasProblem) return;
    this.#hasProblem = false;
    this.#options.onMended?.();
  }
}
