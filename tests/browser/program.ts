/** The program under test: the one place that knows how it is started. */

const ROOT = new URL("../../", import.meta.url);

/** What it is to be. */
export interface ProgramOptions {
  /** 0 takes a free one. */
  port?: number;
  token?: string;
  /** How many are in each service. */
  members?: Record<string, number>;
  isReadonly?: boolean;
  /** Comes with five minutes of charts. */
  hasPast?: boolean;
  /** With names as in a picture. */
  isTidy?: boolean;
  /** netsync itself, with a sync service and nobody in it, instead of one that is made up. */
  isReal?: boolean;
}

const TOKEN = "a-token-for-a-browser";

/** A dashboard in a process of its own, as it is for people. */
export class Program implements AsyncDisposable {
  /** The address to open. */
  readonly url: string;
  /** Where players of the real one join. */
  readonly servicePort: number;
  readonly #process: Deno.ChildProcess;
  readonly #output: ReadableStreamDefaultReader<string>;

  private constructor(
    process: Deno.ChildProcess,
    output: ReadableStreamDefaultReader<string>,
    url: string,
    servicePort: number,
  ) {
    this.#process = process;
    this.#output = output;
    this.url = url;
    this.servicePort = servicePort;
  }

  /** Starts one and waits for its address. */
  static async start(options: ProgramOptions = {}): Promise<Program> {
    const process = new Deno.Command(Deno.execPath(), {
      args: ["run", "--no-check", "--allow-net", "--config", `${ROOT.pathname}deno.json`]
        .concat(wordsOf(options)),
      stdout: "piped",
      stderr: "inherit",
    }).spawn();
    const output = process.stdout.pipeThrough(new TextDecoderStream()).getReader();
    for (let text = "";;) {
      const { done, value } = await output.read();
      if (done) throw new Error(`the program ended without an address: ${text}`);
      text += value;
      const url = /http:\/\/\S+\?token=\S+/.exec(text)?.[0];
      const servicePort = Number(/UDP port (\d+)/.exec(text)?.[1]);
      if (url) return new Program(process, output, url, servicePort);
    }
  }

  /** Its port. */
  get port(): number {
    return Number(new URL(this.url).port);
  }

  /** Where it comes from. */
  get origin(): string {
    return new URL(this.url).origin;
  }

  /** Ends it without a word, as a crash does. */
  async [Symbol.asyncDispose](): Promise<void> {
    try {
      this.#process.kill("SIGKILL");
    } catch (error) {
      if (error instanceof TypeError) return; // It was ended before.
      throw error;
    }
    await this.#process.status;
    await this.#output.cancel();
  }
}

function wordsOf(options: ProgramOptions): string[] {
  if (options.isReal) return [`${ROOT.pathname}main.ts`, "0", "--dashboard", "127.0.0.1:0"];
  const { port = 0, token = TOKEN, members = { sync: 12, arena: 3 } } = options;
  const { isReadonly, hasPast, isTidy } = options;
  return [
    `${ROOT.pathname}tests/home/dashboard/program.ts`,
    String(port),
    token,
    Object.entries(members).map(([service, count]) => `${service}=${count}`).join(","),
    ...(isReadonly ? ["--readonly"] : []),
    ...(hasPast ? ["--past"] : []),
    ...(isTidy ? ["--tidy"] : []),
  ];
}
