/** Processes to measure: started on a core of their own where `taskset` is, read through /proc. */

/** A running program whose lines can be waited for. */
export class Program implements AsyncDisposable {
  readonly #child: Deno.ChildProcess;
  readonly #lines: AsyncIterator<string>;
  readonly #input: WritableStreamDefaultWriter<Uint8Array>;

  /**
   * Starts `deno` with these words.
   *
   * @param core The processor it may use, on Linux.
   */
  constructor(words: readonly string[], core: number) {
    const pinned = Deno.build.os === "linux" && navigator.hardwareConcurrency > 1;
    const command = [...(pinned ? ["taskset", "-c", String(core)] : []), Deno.execPath(), ...words];
    this.#child = new Deno.Command(command[0]!, {
      args: command.slice(1),
      stdin: "piped",
      stdout: "piped",
      stderr: "inherit",
    }).spawn();
    this.#lines = linesOf(this.#child.stdout);
    this.#input = this.#child.stdin.getWriter();
  }

  /** The next line it prints. */
  async line(): Promise<string> {
    const { value, done } = await this.#lines.next();
    if (done) throw new Error("the program ended too soon");
    return value;
  }

  /** The next line that is a JSON object with this event. */
  async event(name: string): Promise<Record<string, number>> {
    for (;;) {
      const event = JSON.parse(await this.line());
      if (event.event === name) return event;
    }
  }

  /** Gives it a line to read. */
  async tell(line: string): Promise<void> {
    await this.#input.write(new TextEncoder().encode(`${line}\n`));
  }

  /** Ends it without asking. */
  kill(): void {
    this.#child.kill("SIGKILL");
  }

  /** Lets what it prints flow by. */
  async drain(): Promise<void> {
    while (!(await this.#lines.next()).done);
  }

  /** CPU seconds used by all its threads, and resident megabytes; zero where there is no /proc. */
  use(): { cpuSeconds: number; residentMb: number } {
    const proc = `/proc/${this.#child.pid}`;
    try {
      let nanoseconds = 0;
      for (const { name } of Deno.readDirSync(`${proc}/task`)) {
        nanoseconds += Number(
          Deno.readTextFileSync(`${proc}/task/${name}/schedstat`).split(" ")[0],
        );
      }
      const pages = Number(Deno.readTextFileSync(`${proc}/statm`).split(" ")[1]);
      return { cpuSeconds: nanoseconds / 1e9, residentMb: (pages * 4_096) / 1e6 };
    } catch {
      return { cpuSeconds: 0, residentMb: 0 };
    }
  }

  /** Stops it as Ctrl+C does and waits for its end. */
  async [Symbol.asyncDispose](): Promise<void> {
    try {
      this.#child.kill("SIGINT");
    } catch {
      // It ended by itself.
    }
    await this.drain();
    await this.#input.close().catch(() => {});
    await this.#child.status;
  }
}

/** Datagrams the system dropped because the owner of this UDP port did not read in time. */
export function receiveDrops(port: number): number {
  const hex = `:${port.toString(16).toUpperCase().padStart(4, "0")}`;
  let drops = 0;
  for (const table of ["/proc/net/udp", "/proc/net/udp6"]) {
    try {
      for (const line of Deno.readTextFileSync(table).split("\n")) {
        const fields = line.trim().split(/\s+/);
        if (fields[1]?.endsWith(hex)) drops += Number(fields.at(-1));
      }
    } catch {
      // No /proc here.
    }
  }
  return drops;
}

async function* linesOf(stream: ReadableStream<Uint8Array>): AsyncGenerator<string> {
  let rest = "";
  for await (const chunk of stream.pipeThrough(new TextDecoderStream())) {
    const lines = (rest + chunk).split("\n");
    rest = lines.pop()!;
    yield* lines;
  }
}
