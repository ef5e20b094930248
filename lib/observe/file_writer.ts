/**
 * A file that grows, written in the background: a full, slow or vanished disk stops nobody. Text is
 * queued; what finds no room is lost, and whoever gave it knows.
 */
import { Fifo } from "../parts/fifo.ts";

/** Written in one piece. */
const CHUNK_BYTES_MAX = 256 * 1_024;

const utf8 = new TextEncoder();

/** What happens to a file that gets too long. */
export interface RollOver {
  /** The file grows no longer than this, unless a single text is longer. */
  readonly bytesMax: number;
  /** Puts the file, which is closed, out of the way; a new one takes its place. */
  readonly putAway: () => Promise<void>;
}

/** Options of a {@link FileWriter}. */
export interface FileWriterOptions {
  /** Whether the file must not exist yet. Default: what it holds stays, and is added to. */
  isNew?: boolean;
  /** Whether nobody but this user may read it if it is made, where the system has such a thing. */
  isPrivate?: boolean;
  /**
   * Told in words, once, when writing fails, and whether it is tried again; and again when it does after it
   * went well in between.
   */
  onProblem?: (problem: string, isTriedAgain: boolean) => void;
  /** Called when writing goes well after that. */
  onMended?: () => void;
  /** When to try again after that. Default 5,000. */
  retryMs?: number;
  /** Queued at most. Default 4 MiB. */
  queuedBytesMax?: number;
  /** Default: the file grows without end. */
  rollOver?: RollOver;
}

/**
 * Adds text to the end of a file. It needs `--allow-write` for the path; with `--allow-read` it also
 * notices when the file was deleted, and begins it anew.
 *
 * No text is written in part with another one after it: after a failure it goes on with the very byte at
 * which it stopped.
 */
export class FileWriter {
  readonly #path: string;
  /** Of a file that is made. */
  readonly #mode: number | undefined;
  readonly #onProblem: (problem: string, isTriedAgain: boolean) => void;
  readonly #onMended: () => void;
  readonly #retryMs: number;
  readonly #queuedBytesMax: number;
  readonly #rollOver: RollOver | undefined;
  readonly #queue = new Fifo<Uint8Array>();
  #queuedBytes = 0;
  /** Taken from the queue, and not in the file yet. */
  #unwritten: Uint8Array = new Uint8Array(0);
  #file: Deno.FsFile | undefined;
  #fileBytes = 0;
  #writing: Promise<void> | undefined;
  #hasProblem = false;
  #closing: Promise<void> | undefined;
  /** Ends the pause before the next try. */
  #wake: (() => void) | undefined;

  private constructor(path: string, options: FileWriterOptions) {
    this.#path = path;
    this.#mode = options.isPrivate ? 0o600 : undefined;
    this.#onProblem = options.onProblem ?? ((): void => {});
    this.#onMended = options.onMended ?? ((): void => {});
    this.#retryMs = options.retryMs ?? 5_000;
    this.#queuedBytesMax = options.queuedBytesMax ?? 4 * 1_024 * 1_024;
    this.#rollOver = options.rollOver;
  }

  /**
   * Opens the file, or makes it; its folder must exist.
   *
   * @throws {Deno.errors.NotFound} There is no such folder.
   * @throws {Deno.errors.AlreadyExists} It is to be new, but is there.
   * @throws {Deno.errors.PermissionDenied} The system does not let this user write there.
   * @throws {Deno.errors.NotCapable} Deno was not told to let the program write there.
   */
  static async open(path: string, options: FileWriterOptions = {}): Promise<FileWriter> {
    const writer = new FileWriter(path, options);
    await writer.#open(options.isNew);
    return writer;
  }

  /**
   * Writes text, some time soon.
   *
   * @returns False when the queue is full, or the writer closed, and the text is lost.
   */
  write(text: string): boolean {
    const bytes = utf8.encode(text);
    if (this.#closing || this.#queuedBytes + bytes.length > this.#queuedBytesMax) return false;
    this.#queue.push(bytes);
    this.#queuedBytes += bytes.length;
    this.#writing ??= this.#writeAll();
    return true;
  }

  /** Waits until everything is written, but not longer than this. Returns whether it is. */
  async flush(waitMs: number): Promise<boolean> {
    let timer: ReturnType<typeof setTimeout> | undefined;
    const patience = new Promise<void>((resolve) => timer = setTimeout(resolve, waitMs));
    await Promise.race([this.#writing, patience]);
    clearTimeout(timer);
    return this.#unwritten.length === 0 && this.#queue.length === 0;
  }

  /**
   * Writes what is queued, after a failure with one more try, but waits no longer than this; then closes
   * the file. Calling it again is harmless.
   */
  close(waitMs = 400): Promise<void> {
    return this.#closing ??= this.#close(waitMs);
  }

  async #close(waitMs: number): Promise<void> {
    this.#wake?.();
    await this.flush(waitMs);
    if (!this.#writing) this.#closeFile(); // Else it is closed once the system is done with it.
  }

  async #writeAll(): Promise<void> {
    await Promise.resolve(); // What is said in one go is written in one go.
    while (this.#unwritten.length > 0 || this.#queue.length > 0) {
      const isLastTry = this.#closing !== undefined;
      try {
        await this.#writeSome();
        this.#tellMended();
      } catch (error) {
        this.#closeFile();
        this.#tell(error);
        if (isLastTry) break;
        if (!this.#closing) await this.#pause();
      }
    }
    this.#writing = undefined;
    if (this.#closing) this.#closeFile();
  }

  async #writeSome(): Promise<void> {
    if (!this.#file || await this.#isDeleted(this.#file)) await this.#open();
    const next = this.#queue.first;
    if (this.#unwritten.length === 0 && next && this.#isTooMuch(next.length)) {
      this.#closeFile();
      await this.#rollOver!.putAway();
      await this.#open();
    }
    if (this.#unwritten.length === 0) this.#unwritten = this.#takeChunk();
    while (this.#unwritten.length > 0) {
      const length = await this.#file!.write(this.#unwritten);
      this.#unwritten = this.#unwritten.subarray(length);
      this.#fileBytes += length;
    }
  }

  /** Whether the file is to be rolled over before so much more is written. */
  #isTooMuch(bytes: number): boolean {
    return this.#rollOver !== undefined && this.#fileBytes > 0 &&
      this.#fileBytes + bytes > this.#rollOver.bytesMax;
  }

  /** The next texts, at least one. */
  #takeChunk(): Uint8Array {
    const room = Math.min(
      CHUNK_BYTES_MAX,
      (this.#rollOver?.bytesMax ?? Infinity) - this.#fileBytes,
    );
    const texts: Uint8Array[] = [];
    let length = 0;
    do {
      const text = this.#queue.shift()!;
      texts.push(text);
      length += text.length;
    } while (this.#queue.first && length + this.#queue.first.length <= room);
    this.#queuedBytes -= length;
    if (texts.length === 1) return texts[0]!;
    const chunk = new Uint8Array(length);
    let at = 0;
    for (const text of texts) {
      chunk.set(text, at);
      at += text.length;
    }
    return chunk;
  }

  async #open(isNew = false): Promise<void> {
    this.#closeFile();
    const how = isNew ? { createNew: true } : { create: true };
    this.#file = await Deno.open(this.#path, { append: true, mode: this.#mode, ...how });
    this.#fileBytes = await this.#file.seek(0, Deno.SeekMode.End); // `stat` would need to read.
  }

  /** Where that can be told: not on Windows, which keeps open files, and not without leave to read. */
  async #isDeleted(file: Deno.FsFile): Promise<boolean> {
    const leave = { name: "read", path: this.#path } as const;
    // In a terminal Deno would ask for it, and everything would wait for an answer.
    if (Deno.permissions.querySync(leave).state !== "granted") return false;
    try {
      return (await file.stat()).nlink === 0;
    } catch {
      return false;
    }
  }

  #closeFile(): void {
    try {
      this.#file?.close();
    } catch {
      // It is of no use any more in any case.
    }
    this.#file = undefined;
  }

  #tell(error: unknown): void {
    if (this.#hasProblem) return;
    this.#hasProblem = true;
    const reason = error instanceof Error ? error.message : String(error);
    try {
      this.#onProblem(`cannot write ${this.#path}: ${reason}`, !this.#closing);
    } catch {
      // Nobody to tell, and no reason to stop.
    }
  }

  #tellMended(): void {
    if (!this.#hasProblem) return;
    this.#hasProblem = false;
    try {
      this.#onMended();
    } catch {
      // As above.
    }
  }

  async #pause(): Promise<void> {
    let timer: ReturnType<typeof setTimeout> | undefined;
    await new Promise<void>((resolve) => {
      this.#wake = resolve;
      timer = setTimeout(resolve, this.#retryMs);
      Deno.unrefTimer(timer as unknown as number); // No process stays for this alone.
    });
    clearTimeout(timer);
    this.#wake = undefined;
  }
}
