/** A wall clock that can be set: Debian's libfaketime in front of the system's. */
import type { Random } from "../../lib/parts/random.ts";

const LIBRARIES = [
  "/usr/lib/x86_64-linux-gnu/faketime/libfaketime.so.1",
  "/usr/lib/aarch64-linux-gnu/faketime/libfaketime.so.1",
];
/** A second, a minute, an hour, a day. */
const STEPS_SECONDS: readonly number[] = [1, 60, 3_600, 86_400];

/** The wall clock of programs that are started with {@link env}. Time that only goes on is not touched. */
export class FakeClock {
  /** What makes a program go by it. */
  readonly env: Readonly<Record<string, string>>;
  readonly #path: string;
  #offsetSeconds = 0;

  constructor(library: string, folder: string) {
    this.#path = `${folder}/clock`;
    this.#write();
    this.env = {
      LD_PRELOAD: library,
      FAKETIME_TIMESTAMP_FILE: this.#path,
      FAKETIME_NO_CACHE: "1",
      FAKETIME_DONT_FAKE_MONOTONIC: "1",
    };
  }

  /** Sets it forth or back. Returns by how many seconds. */
  step(random: Random): number {
    const size = STEPS_SECONDS[Math.floor(random() * STEPS_SECONDS.length)]!;
    // It stays near the true time: a clock that only went forth would be another test.
    const step = this.#offsetSeconds > 0 || (this.#offsetSeconds === 0 && random() < 0.5)
      ? -size
      : size;
    this.#offsetSeconds += step;
    this.#write();
    return step;
  }

  /** In one piece: a program reads it at any moment. */
  #write(): void {
    const sign = this.#offsetSeconds < 0 ? "-" : "+";
    Deno.writeTextFileSync(`${this.#path}.new`, `${sign}${Math.abs(this.#offsetSeconds)}\n`);
    Deno.renameSync(`${this.#path}.new`, this.#path);
  }
}

/**
 * Such a clock, if there is the library for it; as root on Debian it is installed.
 *
 * @param log Told in words why there is none.
 */
export async function fakeClock(
  folder: string,
  log: (text: string) => void,
): Promise<FakeClock | undefined> {
  if (Deno.build.os !== "linux") {
    log("the wall clock is not set: that takes libfaketime, on Linux");
    return undefined;
  }
  if (!library() && Deno.uid() === 0) await install();
  const found = library();
  if (!found) {
    log("the wall clock is not set: there is no libfaketime (Debian's package libfaketime)");
    return undefined;
  }
  return new FakeClock(found, folder);
}

function library(): string | undefined {
  return LIBRARIES.find((path) => {
    try {
      return Deno.statSync(path).isFile;
    } catch {
      return false;
    }
  });
}

async function install(): Promise<void> {
  for (const args of [["update", "-qq"], ["install", "-y", "-qq", "libfaketime"]]) {
    try {
      await new Deno.Command("apt-get", { args, stdout: "null", stderr: "null" }).output();
    } catch {
      return; // No Debian.
    }
  }
}
