/** Bans in a text file: one a line, anything after `#` is for people. */
import { BanList } from "../parts/ban_list.ts";
import { replaceFile } from "./replace_file.ts";

/** A longer file is no list of bans. */
const FILE_BYTES_MAX = 4_000_000;

/** A line as it stands in the file, without its end. */
interface Line {
  readonly text: string;
  /** What it bans; undefined for a comment, and for what could not be taken. */
  readonly ban: string | undefined;
}

/**
 * A list of bans and its file. The file is read once; what is edited in it afterwards by hand is lost when
 * the list is saved. Comments, and lines that say nothing, stay where they are.
 */
export class BanFile {
  /** The bans: change them, then {@link save}. */
  readonly list: BanList;
  /** A line for each line of the file that is no ban: its number, and what is wrong with it. */
  readonly problems: readonly string[];
  readonly #path: string;
  readonly #end: "\n" | "\r\n";
  #lines: Line[];
  #writing: Promise<void> = Promise.resolve();
  #next: Promise<void> | undefined;

  private constructor(path: string, text: string, list: BanList) {
    this.list = list;
    this.#path = path;
    this.#end = text.includes("\r\n") ? "\r\n" : "\n";
    const problems: string[] = [];
    const texts = text.split(/\r?\n/);
    if (texts.at(-1) === "") texts.pop();
    this.#lines = texts.map((text, index) => {
      const words = text.replace(/#.*/, "").trim();
      if (words === "") return { text, ban: undefined };
      const added = list.add(words);
      if (added.ok) return { text, ban: added.ban };
      problems.push(`${path}:${index + 1}: ${added.reason}`);
      return { text, ban: undefined };
    });
    this.problems = problems;
  }

  /**
   * Reads a file; one that is not there is an empty one, made by {@link save}.
   *
   * @throws {TypeError} It is not UTF-8, or so long that it can be no list of bans.
   * @throws {Error} What the system says: no permission, a folder.
   */
  static async read(path: string, list: BanList = new BanList()): Promise<BanFile> {
    return new BanFile(path, await readText(path), list);
  }

  /**
   * Writes the list: lines whose ban was taken back are left out, new bans come at the end. While the
   * disk is slow, one more writing waits, for all that happen meanwhile.
   *
   * @throws {Error} What the system says. The file is as it was then.
   */
  save(): Promise<void> {
    return this.#next ??= this.#writing.catch(() => {}).then(() => {
      this.#next = undefined;
      return this.#writing = this.#write();
    });
  }

  #write(): Promise<void> {
    const kept = this.#lines.filter(({ ban }) => ban === undefined || this.list.includes(ban));
    const known = new Set(kept.map(({ ban }) => ban));
    const added = [...this.list].filter((ban) => !known.has(ban));
    this.#lines = [...kept, ...added.map((ban) => ({ text: ban, ban }))];
    return replaceFile(this.#path, this.#lines.map(({ text }) => text + this.#end).join(""));
  }
}

async function readText(path: string): Promise<string> {
  let bytes: Uint8Array;
  try {
    const { size, isFile } = await Deno.stat(path);
    if (!isFile) throw new TypeError(`${path} is no file`);
    if (size > FILE_BYTES_MAX) throw new TypeError(`${path} is too long for a list of bans`);
    bytes = await Deno.readFile(path);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return "";
    throw error;
  }
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch {
    throw new TypeError(`${path} is not UTF-8: save it as that, or leave out what is not ASCII`);
  }
}
