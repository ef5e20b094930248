/** A small disk of its own, which can be filled and made read-only: in a mount namespace that ends with it. */
import { type Command, EventProgram, output, ROOT, ServerProgram } from "../interop/programs.ts";
import { WITH_FILES } from "./programs.ts";

/** Runs a command in a new mount namespace, as root or as what a user namespace makes root; tells which. */
const UNSHARE = `as=
unshare --mount true 2>&- || as=--map-root-user
echo "{\\"event\\":\\"unshared\\",\\"as\\":\\"$as\\"}"
exec unshare $as --mount "$@"`;

/** It lasts until its input ends, and the disk with it. */
const HOLD = `set -eu
mount -t tmpfs -o size=$2 tmpfs "$1"
read -r pid rest < /proc/self/stat
echo "{\\"event\\":\\"ready\\",\\"pid\\":$pid}"
exec cat`;

/** Why no such disk can be made here, or undefined when it can. */
export async function whyNoDisk(): Promise<string | undefined> {
  if (Deno.build.os !== "linux") return "needs Linux";
  try {
    const folder = await Deno.makeTempDir({ dir: "coverage", prefix: "disk-" });
    try {
      await using disk = await Disk.mount(folder);
      await disk.run("echo 1 > here");
    } finally {
      await Deno.remove(folder);
    }
    return undefined;
  } catch (error) {
    return `needs leave to mount: ${(error as Error).message.split("\n").at(-1)}`;
  }
}

/** The disk, and programs that see it. For all others its folder is empty. */
export class Disk implements AsyncDisposable {
  readonly #shell: EventProgram;
  readonly #folder: string;
  readonly #enter: Command;

  private constructor(shell: EventProgram, folder: string, enter: Command) {
    this.#shell = shell;
    this.#folder = folder;
    this.#enter = enter;
  }

  /** Mounts one of 512 KiB in a folder. */
  static async mount(folder: string): Promise<Disk> {
    const shell = new EventProgram(["sh", "-c", UNSHARE, "sh", "sh", "-c", HOLD, "sh"], [
      ...[folder, "512k"],
    ]);
    try {
      const pid = await shell.event("ready", ({ pid }) => pid as number);
      const [{ as } = {}] = shell.events("unshared");
      const user = as ? ["--user", "--preserve-credentials"] : [];
      // To enter it is to lose the working folder.
      const inside = 'cd "$0" && exec "$@"';
      return new Disk(shell, folder, [
        ...["nsenter", "--target", `${pid}`, ...user, "--mount"],
        ...["sh", "-c", inside, new URL(ROOT).pathname],
      ]);
    } catch (error) {
      await shell[Symbol.asyncDispose]();
      throw error;
    }
  }

  /** Runs a command of the shell in its folder. Returns what it printed. */
  async run(command: string): Promise<string> {
    const { code, out, err } = await output([...this.#enter, "sh", "-euc"], [
      `cd ${this.#folder}; ${command}`,
    ]);
    if (code !== 0) throw new Error(`${command}: ${err.join("\n")}`);
    return out.join("\n");
  }

  /** Leaves no room on it. */
  async fill(): Promise<void> {
    await this.run("cat /dev/zero > filler 2>&- || true");
  }

  /** The command of a server that sees it. */
  get server(): Command {
    return [...this.#enter, ...WITH_FILES];
  }

  /** Starts a server that sees it. */
  start(words: readonly string[]): Promise<ServerProgram> {
    return ServerProgram.start(this.server, { words });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#shell[Symbol.asyncDispose]();
  }
}
