/** The real server as a process of its own: started, stopped, killed, put to sleep, and measured. */
import { DENO_RUN, ROOT } from "../interop/programs.ts";
import { within } from "../support/wait.ts";
import type { Book } from "./book.ts";
import type { FakeClock } from "./clock.ts";
import { type Metrics, metricsFrom } from "./metrics.ts";
import { readLines } from "./read_lines.ts";

/** A busy machine starts programs slowly, and ends them slowly. */
const PATIENCE_MS = 60_000;
/** What opens the dashboard. */
export const TOKEN = "soak-soak-soak-soak";
/** What older versions of Deno say about their own look-up of host names. */
const DENO_ITSELF = /\[DEP0040\] DeprecationWarning|^\(Use `deno/;

/** Of what it printed so much is told when it ended by itself. */
const TAIL_LINES = 16;
const TAIL_CHARACTERS_MAX = 300;

/** A port of each service, and of the dashboard. */
export interface Ports {
  sync: number;
  rendezvous: number;
  arena: number;
  echo: number;
  messages: number;
  world: number;
  dashboard: number;
}

/** What a {@link Server} is started with. */
export interface ServerOptions {
  /** Of its own: for its config file, its log and what it keeps. */
  folder: string;
  ports: Ports;
  /** A player not heard for so long has left. */
  timeoutSeconds: number;
  tickRateHz: number;
  bodies: number;
  worldSeed: number;
  /** By which it goes; undefined for that of the machine. */
  clock: FakeClock | undefined;
  book: Book;
}

/** What is known of the server that players play on. */
export interface Host {
  /** How often it was started. */
  readonly epoch: number;
  /** Since when it runs undisturbed, by `performance`; Infinity while it does not. */
  readonly wellSince: number;
}

/** `netsync serve` with all services. */
export class Server implements Host, AsyncDisposable {
  epoch = 0;
  wellSince = Infinity;
  /** Datagrams and pieces that services received and sent, of all processes that have ended. */
  readonly traffic = { received: 0, sent: 0 };
  readonly #options: ServerOptions;
  readonly #config: string;
  #child: Deno.ChildProcess | undefined;
  #ended: Promise<Deno.CommandStatus> | undefined;
  #lines: Promise<unknown> = Promise.resolve();
  #isMeantToEnd = false;
  /** What it printed last. */
  #tail: string[] = [];

  constructor(options: ServerOptions) {
    this.#options = options;
    this.#config = `${options.folder}/netsync.json`;
    Deno.mkdirSync(`${options.folder}/recorded`);
    Deno.writeTextFileSync(this.#config, JSON.stringify(configOf(options)));
  }

  get pid(): number | undefined {
    return this.#child?.pid;
  }

  /** Starts it, and waits until everything is open. */
  async start(): Promise<void> {
    const { book, clock } = this.#options;
    const [program, ...first] = DENO_RUN.slice(0, -1);
    this.#isMeantToEnd = false;
    const child = this.#child = new Deno.Command(program!, {
      args: [
        ...first,
        ...["--v8-flags=--expose-gc", "--preload", "tests/soak/collect.ts"],
        "--allow-read",
        "--allow-write",
        "main.ts",
        "serve",
        "--config",
        this.#config,
      ],
      cwd: ROOT,
      env: { NO_COLOR: "1", ...clock?.env },
      stdin: "null",
      stdout: "piped",
      stderr: "piped",
    }).spawn();
    const open = Promise.withResolvers<void>();
    this.#lines = Promise.all([
      readLines(child.stdout, (line) => this.#onLine(line, open.resolve)),
      readLines(child.stderr, (line) => {
        if (!DENO_ITSELF.test(line)) book.violate(`the server's error output says: ${line}`);
      }),
    ]);
    this.#ended = this.#watch(child);
    const ended = this.#ended.then(() => Promise.reject(new Error("the server did not start")));
    await within("the server to start", Promise.race([open.promise, ended]), PATIENCE_MS);
    ended.catch(() => {}); // Its end is looked at elsewhere.
    this.epoch++;
    this.wellSince = performance.now();
  }

  /** Ends it as Ctrl+C does. */
  async stop(): Promise<void> {
    await this.#end("SIGTERM");
    const { code } = await this.#ended!;
    if (code !== 0) this.#options.book.violate(`a stopped server ended with status ${code}, not 0`);
  }

  /** Ends it as a power cut does. */
  async crash(): Promise<void> {
    await this.#end("SIGKILL");
  }

  /** As a computer that sleeps: nothing runs for a while, and then it is later. */
  async pause(ms: number): Promise<void> {
    const child = this.#child!;
    this.wellSince = Infinity;
    child.kill("SIGSTOP");
    await new Promise((resolve) => setTimeout(resolve, ms));
    child.kill("SIGCONT");
    this.wellSince = performance.now();
  }

  /** What `/metrics` says. */
  async metrics(): Promise<Metrics> {
    return metricsFrom(await (await this.fetch("/metrics")).text());
  }

  /** What `/health` says is wrong; undefined when all is well. */
  async trouble(): Promise<string | undefined> {
    const response = await this.fetch("/health");
    const text = await response.text();
    return response.ok ? undefined : text;
  }

  /** Gets a page of the dashboard. */
  fetch(path: string, init: RequestInit = {}): Promise<Response> {
    return fetch(`http://127.0.0.1:${this.#options.ports.dashboard}${path}`, {
      ...init,
      headers: { authorization: `Bearer ${TOKEN}` },
    });
  }

  /** A signal to all of a terminal's programs reached it too: that it ends is no wonder. */
  expectEnd(): void {
    this.#isMeantToEnd = true;
    this.wellSince = Infinity;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#child) await this.#end("SIGKILL");
  }

  async #end(signal: Deno.Signal): Promise<void> {
    const child = this.#child!;
    await this.#countTraffic();
    this.#isMeantToEnd = true;
    this.wellSince = Infinity;
    try {
      child.kill(signal);
    } catch {
      // It ended a moment ago, of which `#watch` tells.
    }
    await within("the server's end", this.#ended!, PATIENCE_MS).catch((error) => {
      this.#options.book.violate(String(error));
      child.kill("SIGKILL");
    });
    await this.#lines;
    this.#child = undefined;
  }

  async #countTraffic(): Promise<void> {
    try {
      const metrics = await this.metrics();
      this.traffic.received += metrics.sum("netsync_received_packets_total");
      this.traffic.sent += metrics.sum("netsync_sent_packets_total");
    } catch {
      // It does not answer any more: so it is not counted.
    }
  }

  async #watch(child: Deno.ChildProcess): Promise<Deno.CommandStatus> {
    const status = await child.status;
    await this.#lines;
    if (!this.#isMeantToEnd) {
      this.wellSince = Infinity;
      const said = this.#tail.map((line) => `\n    ${line}`).join("");
      this.#options.book.violate(`the server ended by itself: ${JSON.stringify(status)}${said}`);
    }
    return status;
  }

  #onLine(line: string, onOpen: () => void): void {
    const { book } = this.#options;
    this.#tail = [...this.#tail, line.slice(0, TAIL_CHARACTERS_MAX)].slice(-TAIL_LINES);
    let facts: Record<string, unknown>;
    try {
      facts = JSON.parse(line);
    } catch {
      return book.violate(`the server printed what is no JSON: ${line}`);
    }
    // The last of the first lines: everything is open.
    if (facts.event === "dashboard" && facts.url !== undefined) onOpen();
    if (facts.level === "error") book.violate(`the server's log has an error: ${line}`);
    if (facts.level === "warning") {
      book.note(`${facts.service}: ${facts.event} ${facts.reason ?? ""}`);
    }
  }
}

function configOf(options: ServerOptions): unknown {
  const { folder, ports, timeoutSeconds: timeout, tickRateHz: tickRate, bodies, worldSeed } =
    options;
  const resume = (service: string): string => `${folder}/${service}.resume`;
  const services = [
    { service: "sync", timeout, rate: tickRate, resume: resume("sync") },
    { service: "rendezvous", resume: resume("rendezvous"), record: `${folder}/recorded/` },
    { service: "arena", timeout, tickRate, resume: resume("arena") },
    { service: "echo", timeout },
    { service: "messages" },
    { service: "world", timeout, tickRate, bodies, seed: worldSeed },
  ].map((service) => ({ ...service, port: ports[service.service as keyof Ports] }));
  return {
    services,
    dashboard: `127.0.0.1:${ports.dashboard}`,
    dashboardToken: TOKEN,
    logFile: `${folder}/netsync.log`,
    json: true,
  };
}
