/**
 * The file in which a service keeps who is in across a restart: one line of JSON about it, one with what
 * the engine saved. The digest of the second is in the first, so that half a file is no file.
 */
import type { Saved } from "../protocols/engine.ts";
import { replaceFile } from "./replace_file.ts";

/** Often enough that little is lost by a crash; */
const EVERY_MS = 2_000;
/** and so seldom that it takes no more than this share of the time. */
const BUSY_SHARE_MAX = 0.02;
/** What did not change is written this often. */
const UNCHANGED_MS = 60_000;
/** So long the end waits for the disk. */
const END_MS = 2_000;
/** Who was away for longer has given up; their ids are not brought back. */
const AGE_MS_MAX = 300_000;
const FORMAT = 1;
/** No service saves as much. */
const FILE_BYTES_MAX = 256 * 2 ** 20;

/** What was found in a file. */
export type Found =
  | { kind: "none" }
  /** From so long ago that nobody of then is waiting. */
  | { kind: "old"; ageMs: number }
  | { kind: "saved"; saved: Saved; ageMs: number };

/**
 * Reads what a service of this kind saved.
 *
 * @param service `sync`
 * @throws {TypeError} It is another kind's file, damaged, or no such file at all; the message says which.
 * @throws {Deno.errors.PermissionDenied} And what else the system says, except that there is none.
 */
export async function readResumeFile(
  path: string,
  service: string,
  unixMs: number,
): Promise<Found> {
  let text: string;
  try {
    const { size, isFile } = await Deno.stat(path);
    if (!isFile) throw new TypeError("it is no file");
    if (size > FILE_BYTES_MAX) throw new TypeError("it is too long to be one of netsync's");
    text = await Deno.readTextFile(path);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return { kind: "none" };
    throw error;
  }
  const [head = "", body = ""] = text.split("\n");
  const about = parse(head) as Partial<About> | undefined;
  if (about?.netsync !== "resume") throw new TypeError("it was not written by netsync --resume");
  if (about.format !== FORMAT) throw new TypeError("it was written by another version of netsync");
  if (about.service !== service) throw new TypeError(`it is of netsync ${about.service}`);
  const isWhole = about.digest === await digestOf(body);
  const saved = isWhole ? parse(body) : undefined;
  if (saved === undefined || typeof about.savedAt !== "number") {
    throw new TypeError("it is damaged");
  }
  // A clock that was set back must not make it look old.
  const ageMs = Math.max(0, unixMs - about.savedAt);
  return ageMs > AGE_MS_MAX
    ? { kind: "old", ageMs }
    : { kind: "saved", saved: { ...saved, isFinal: about.isFinal === true }, ageMs };
}

interface About {
  netsync: "resume";
  format: number;
  service: string;
  savedAt: number;
  /** Written at the end: nothing happened after that. */
  isFinal: boolean;
  digest: string;
}

/** Options of a {@link ResumeFile}. */
export interface ResumeFileOptions {
  path: string;
  /** `sync` */
  service: string;
  save: () => Saved;
  /** Told in words when it cannot be written, and whether it is tried again: once, until it could. */
  onProblem: (problem: string, isTriedAgain: boolean) => void;
  /** Called when it could again. */
  onMended?: () => void;
}

/** Keeps a file up to date, in the background. */
export class ResumeFile implements AsyncDisposable {
  readonly #options: ResumeFileOptions;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #writing: Promise<void> = Promise.resolve();
  #hasProblem = false;
  #isClosed = false;
  #written = { head: "", body: "", at: -Infinity };
  #isShared = false;

  private constructor(options: ResumeFileOptions) {
    this.#options = options;
  }

  /** Writes at once: what goes on from the old file must not do so twice. Then in the background. */
  static async open(options: ResumeFileOptions): Promise<ResumeFile> {
    const file = new ResumeFile(options);
    await file.#write();
    file.#later(EVERY_MS);
    return file;
  }

  /** Writes once more, and ends; a disk that does not take it is not waited for. */
  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#isClosed) return;
    this.#isClosed = true;
    clearTimeout(this.#timer);
    let timer: ReturnType<typeof setTimeout> | undefined;
    const late = new Promise<"late">((resolve) => {
      timer = setTimeout(() => resolve("late"), END_MS);
    });
    const end = await Promise.race([this.#writing.then(() => this.#write(true)), late]);
    clearTimeout(timer);
    if (end !== "late") return;
    this.#options.onProblem(
      `the disk took nothing for ${END_MS / 1_000} s: the last moments may be missing there`,
      false,
    );
  }

  #later(waitMs: number): void {
    if (this.#isClosed) return;
    this.#timer = setTimeout(() => {
      this.#writing = this.#write().then((busyMs) => {
        this.#later(Math.max(EVERY_MS, busyMs / BUSY_SHARE_MAX));
      });
    }, waitMs);
  }

  /**
   * Now and then also when nothing changed: the file tells how long ago everybody was there.
   *
   * @param isFinal Nothing happens any more.
   * @returns For how long nobody else could do anything: the disk is waited for by this alone.
   */
  async #write(isFinal = false): Promise<number> {
    const { path, service, save, onProblem } = this.#options;
    const startedAt = performance.now();
    let busyMs = 0;
    try {
      const body = JSON.stringify(save());
      const now = performance.now();
      busyMs = now - startedAt;
      const isKept = body === this.#written.body && now - this.#written.at < UNCHANGED_MS;
      if (isKept && !isFinal) return busyMs;
      const about: About = {
        netsync: "resume",
        ...{ format: FORMAT, service, savedAt: Date.now(), isFinal, digest: await digestOf(body) },
      };
      await this.#lookForOthers();
      const head = JSON.stringify(about);
      // Whoever reads it knows what servers and clients keep from others.
      await replaceFile(path, `${head}\n${body}\n`, { isPrivate: true });
      this.#written = { head, body, at: now };
      const wasProblem = this.#hasProblem;
      this.#hasProblem = false;
      if (wasProblem) this.#options.onMended?.();
    } catch (error) {
      const problem = error instanceof Error ? error.message : String(error);
      if (!this.#hasProblem) onProblem(problem, !isFinal);
      this.#hasProblem = true;
    }
    return busyMs;
  }

  /** Two servers with one file would undo each other's, and neither could be resumed rightly. */
  async #lookForOthers(): Promise<void> {
    const { path, onProblem } = this.#options;
    const { head } = this.#written;
    const found = await headOf(path, head.length);
    if (head === "" || found === "" || found === head || this.#isShared) return;
    this.#isShared = true;
    onProblem("another program writes to it: give each netsync a file of its own", false);
  }
}

/** The beginning of a file; empty when there is none. */
async function headOf(path: string, bytes: number): Promise<string> {
  try {
    using file = await Deno.open(path);
    const buffer = new Uint8Array(bytes);
    const length = await file.read(buffer) ?? 0;
    return new TextDecoder().decode(buffer.subarray(0, length));
  } catch {
    return "";
  }
}

async function digestOf(text: string): Promise<string> {
  const digest = await crypto.subtle.digest("SHA-256", new TextEncoder().encode(text));
  return Array.from(new Uint8Array(digest), (byte) => byte.toString(16).padStart(2, "0")).join("");
}

function parse(text: string): unknown {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === "object" && value !== null ? value : undefined;
  } catch {
    return undefined;
  }
}
