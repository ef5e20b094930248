/** A recording on the disk, read bit by bit: it may be longer than the memory. */
import {
  type RecordingEntry,
  RecordingError,
  type RecordingHeader,
  RecordingReader,
} from "../../parts/recording.ts";

const CHUNK_BYTES = 65_536;

/** A longer recording is none that netsync made. */
const TIME_MS_MAX = 366 * 86_400_000;
const YEAR_9999_MS = Date.UTC(9999);

/** How the reading of a recording ended. */
export interface RecordingEnd {
  /** What is wrong in it, and in which line; what comes behind that was not read. */
  damage: string | undefined;
  /** Its last line has no end, or there is no line that says that it is whole. */
  isCut: boolean;
  /** Datagrams that found no room on their way to the disk. */
  missing: number;
  /** What was read, in ms. */
  lengthMs: number;
}

/** A recording that is being read. It is read once. */
export class RecordingFile {
  /** What was recorded. */
  readonly header: RecordingHeader;
  /** When, in ms since 1970. */
  readonly startedAtMs: number;
  /** What is known of its end; all of it once {@link entries} has ended. */
  readonly end: RecordingEnd = { damage: undefined, isCut: false, missing: 0, lengthMs: 0 };
  readonly #reader: RecordingReader;
  readonly #pieces: AsyncGenerator<string>;

  /**
   * Opens a recording, and reads what it is of.
   *
   * @throws {RecordingError} It is none. The message says why, and in which line.
   * @throws {Deno.errors.NotFound} There is no such file.
   * @throws {Error} It is a folder, a pipe or the like.
   */
  static async open(path: string): Promise<RecordingFile> {
    // Opening a pipe would wait for somebody who writes to it.
    if (!(await Deno.stat(path)).isFile) throw new Error("it is no file");
    const file = await Deno.open(path);
    const pieces = piecesOf(file);
    try {
      return await RecordingFile.#begin(pieces);
    } catch (error) {
      await pieces.return(undefined);
      throw error;
    }
  }

  static async #begin(pieces: AsyncGenerator<string>): Promise<RecordingFile> {
    const reader = new RecordingReader();
    while (!reader.header) {
      const { done, value } = await pieces.next();
      if (done) reader.end(); // Which throws, unless that was the only line.
      else reader.push(value);
    }
    const { header } = reader;
    const startedAtMs = Date.parse(header.startedAt);
    if (!(startedAtMs >= 0 && startedAtMs <= YEAR_9999_MS)) {
      throw new RecordingError("line 1: startedAt is a time like 2026-01-02T03:04:05.678Z");
    }
    return new RecordingFile(header, startedAtMs, reader, pieces);
  }

  private constructor(
    header: RecordingHeader,
    startedAtMs: number,
    reader: RecordingReader,
    pieces: AsyncGenerator<string>,
  ) {
    this.header = header;
    this.startedAtMs = startedAtMs;
    this.#reader = reader;
    this.#pieces = pieces;
  }

  /** All that was recorded, up to where the file is damaged. Leaving the loop closes the file. */
  async *entries(): AsyncGenerator<RecordingEntry> {
    try {
      let isEnded = false;
      for await (const entry of this.#entries()) {
        this.end.lengthMs = entry.timeMs;
        if (entry.kind === "missing") this.end.missing += entry.datagrams;
        if (entry.kind === "end") isEnded = true;
        yield entry;
      }
      this.end.isCut = !isEnded;
    } finally {
      await this.close();
    }
  }

  /** Closes the file, for those who do not read it to its end. */
  async close(): Promise<void> {
    await this.#pieces.return(undefined);
  }

  async *#entries(): AsyncGenerator<RecordingEntry> {
    try {
      for (let line = 2;;) {
        const { done, value } = await this.#pieces.next();
        for (const entry of done ? this.#reader.end() : this.#reader.push(value)) {
          if (entry.timeMs > TIME_MS_MAX) {
            throw new RecordingError(`line ${line}: a recording is no longer than a year`);
          }
          yield entry;
        }
        if (done) return;
        if (value.endsWith("\n")) line++;
      }
    } catch (error) {
      if (!(error instanceof RecordingError)) throw error;
      this.end.damage = error.message;
    }
  }
}

/** The lines of a file with their ends; long ones in pieces. Closes it. */
async function* piecesOf(file: Deno.FsFile): AsyncGenerator<string> {
  using _file = file;
  const buffer = new Uint8Array(CHUNK_BYTES);
  const decoder = new TextDecoder();
  for (;;) {
    const length = await file.read(buffer);
    // What is no UTF-8 is no JSON either: the reader says so.
    const text = decoder.decode(buffer.subarray(0, length ?? 0), { stream: length !== null });
    if (text !== "") yield* text.split(/(?<=\n)/);
    if (length === null) return;
  }
}
