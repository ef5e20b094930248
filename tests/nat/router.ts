/** The network of router_topology.sh, programs in it, and what a system needs for that. */
import {
  type Command,
  DENO_RUN,
  EventProgram,
  output,
  Program,
  ROOT,
} from "../interop/programs.ts";
import { until } from "../support/wait.ts";
import { UNSHARE, whyNot } from "./homes.ts";

const TOPOLOGY = "tests/nat/router_topology.sh";

/** The router's address in the public network. */
export const ROUTER = "11.22.33.21";
/** Its address at home. */
export const ROUTER_AT_HOME = "192.168.1.1";
/** Who wants to be reached. */
export const HOME = "192.168.1.11";
/** Who might have the port. */
export const NEIGHBOUR = "192.168.1.12";

/** A rule of miniupnpd; whether nft has a name for the protocol's place in the header depends on its version. */
const MAPPING_RULE = /(?:\b(udp|tcp)\b|@nh,72,8 0x(11|6)\b).*\bdport (\d+).*dnat ip to (\S+)/;

/** Where programs run. */
export type Place = "outside" | "router" | "home" | "neighbour" | "alone";
/** What the router speaks. */
export type Configuration = "both" | "nat-pmp";

/** Why no such network can be made here, or undefined when it can. */
export async function whyNoRouter(): Promise<string | undefined> {
  const reason = await whyNot();
  if (reason !== undefined) return reason;
  const { code } = await output(["sh"], ["-c", "command -v miniupnpd && command -v ss"]);
  return code === 0
    ? undefined
    : "needs miniupnpd and ss (Debian: apt-get install miniupnpd-nftables iproute2)";
}

/** A home, its router and the world. Disposing ends everything in it. */
export class RouterNetwork implements AsyncDisposable {
  readonly #shell: EventProgram;
  readonly #enter: readonly string[];
  readonly #pid: number;
  #daemon: Program | undefined;

  private constructor(shell: EventProgram, pid: number, enter: readonly string[]) {
    this.#shell = shell;
    this.#pid = pid;
    this.#enter = enter;
  }

  /**
   * Makes the network, and starts what the router runs, if any.
   *
   * @param publicNetwork How the addresses of what is the public network here begin.
   */
  static async build(
    configuration?: Configuration,
    publicNetwork = "11.22.33",
  ): Promise<RouterNetwork> {
    const command = ["sh", "-c", UNSHARE, "sh", "sh", TOPOLOGY];
    const shell = new EventProgram(command, [publicNetwork]);
    try {
      const pid = await shell.event("ready", ({ pid }) => pid as number);
      // Nobody may enter the user namespace they are in, and root needs no other one.
      const [{ as } = {}] = shell.events("unshared");
      const enter = as ? ["--user", "--preserve-credentials"] : [];
      const network = new RouterNetwork(shell, pid, enter);
      if (configuration) await network.startRouter(configuration);
      return network;
    } catch (error) {
      await shell[Symbol.asyncDispose]();
      throw error;
    }
  }

  /** Starts the router's daemon; ready when it listens. */
  async startRouter(configuration: Configuration): Promise<void> {
    const command = [...this.#command("router", ["--mount"]), "miniupnpd"];
    this.#daemon = new Program(command, ["-d", "-f", `/run/${configuration}.conf`]);
    // What it prints goes to the error output, so its sockets are what tells.
    const port = configuration === "both" ? ":1900 " : ":5351 ";
    await until("miniupnpd to listen", async () => {
      const { out } = await this.#output("router", ["ss", "-lnu"]);
      return out.some((line) => line.includes(port));
    });
  }

  /** Ends the router's daemon as a power cut does: all mappings are gone. */
  async stopRouter(): Promise<void> {
    await this.#daemon?.[Symbol.asyncDispose]();
    this.#daemon = undefined;
    await this.forgetMappings();
    await this.#output("router", ["rm", "-f", "/run/leases", "/run/miniupnpd.pid"]);
  }

  /** Takes all mappings from the router, while its daemon runs. */
  async forgetMappings(): Promise<void> {
    await this.#output("router", ["nft", "-f", "/run/router.nft"]);
  }

  /** What the router maps: `udp 5555 -> 192.168.1.11:5555`, sorted. */
  async mappings(): Promise<string[]> {
    const list = ["nft", "list", "chain", "inet", "filter", "prerouting_miniupnpd"];
    const { out } = await this.#output("router", list);
    return out.flatMap((line) => {
      const found = MAPPING_RULE.exec(line);
      if (!found) return [];
      const transport = found[1] ?? (found[2] === "11" ? "udp" : "tcp");
      return [`${transport} ${found[3]} -> ${found[4]}`];
    }).sort();
  }

  /** When the router's mappings end, as seconds since 1970, by `udp 5555`. */
  async leaseEnds(): Promise<Map<string, number>> {
    const { out } = await this.#output("router", ["cat", "/run/leases"]);
    return new Map(out.map((line) => {
      const [transport = "", port, , , endsAt] = line.split(":");
      return [`${transport.toLowerCase()} ${port}`, Number(endsAt)];
    }));
  }

  /** Starts router_mapper.ts. `options` are those of a PortMapper. */
  mapper(place: Place, port: number, options: Record<string, unknown> = {}): EventProgram {
    return new EventProgram([...this.#command(place), ...deno("router_mapper.ts")], [
      String(port),
      JSON.stringify(options),
    ]);
  }

  /** Starts netsync with `--allow-net` alone; a line of input ends it as SIGTERM does. */
  netsync(place: Place, words: readonly string[]): EventProgram {
    // No signal gets through nsenter.
    const ended = '"$@" < /dev/null & read line; kill -TERM $!; wait $!';
    const command: Command = [...this.#command(place), "sh", "-c", ended, "sh", ...DENO_RUN];
    return new EventProgram(command, words);
  }

  /** Starts router_knock.ts: outside it goes for the router, else for the machine at home. */
  knocker(place: "outside" | "neighbour", port: number): EventProgram {
    const command = [...this.#command(place), ...deno("router_knock.ts")];
    return new EventProgram(command, [place === "outside" ? ROUTER : HOME, String(port)]);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#daemon?.[Symbol.asyncDispose]();
    await this.#shell[Symbol.asyncDispose]();
  }

  async #output(place: Place, words: readonly string[]): ReturnType<typeof output> {
    const done = await output(this.#command(place, ["--mount"]), words);
    if (done.code !== 0) throw new Error(`${words[0]}: ${done.err.join("\n")}`);
    return done;
  }

  /**
   * What starts a program in a namespace. It must not outlive nsenter, which stays its parent because
   * of the PID namespace and passes no signal on.
   */
  #command(place: Place, more: readonly string[] = []): Command {
    const pid = String(this.#pid);
    return [
      ...["nsenter", "--target", pid, ...this.#enter, "--pid", ...more],
      ...[`--net=/proc/${pid}/root/run/netns/${place}`, "setpriv", "--pdeathsig", "KILL"],
    ];
  }
}

/** A program of this folder, with the one permission that a port mapper takes. */
function deno(file: string): Command {
  const flags = ["--no-check", "--cached-only", "--unstable-net", "--allow-net"];
  return [Deno.execPath(), "run", ...flags, new URL(`tests/nat/${file}`, ROOT).pathname];
}
