/** The network of topology.sh, programs in it, and what a system needs for that. */
import { type Command, EventProgram, output, ROOT, ServerProgram } from "../interop/programs.ts";
import { Chat } from "../interop/rendezvous_programs.ts";

const TOPOLOGY = "tests/nat/topology.sh";

/** Runs a command in new namespaces, as root or as what a user namespace makes root; tells which. */
export const UNSHARE = `as=
unshare --net true 2>&- || as=--map-root-user
echo "{\\"event\\":\\"unshared\\",\\"as\\":\\"$as\\"}"
exec unshare $as --net --mount --pid --fork --kill-child "$@"`;

/** What topology.sh does, in small: a mount, a namespace, a link of both kinds, address translation. */
const PROBE = `set -eu
mount -t tmpfs tmpfs /run && mkdir /run/netns && ip netns add probe
ip -n probe link add bridge type bridge
ip -n probe link add near type veth peer name far
echo 0 > /proc/sys/net/ipv4/ip_forward
nsenter --net=/run/netns/probe nft -f - << RULES
table ip probe {
  chain leave {
    type nat hook postrouting priority 100
    ct state established accept
    masquerade fully-random
  }
}
RULES
setpriv --pdeathsig KILL true`;

/** The server's address, and what a router's public one is. */
export const SERVER = "203.0.113.10:5160";
export const ROUTER_A = "203.0.113.21";
export const ROUTER_B = "203.0.113.22";

/** Two players in each of two homes, and one without a router. */
export type Place = "server" | "a1" | "a2" | "b1" | "b2" | "c";
/** Their routers. */
export type Router = "router-a" | "router-b";

/** How a router chooses public ports: keeps them where it can, or one at random for each way. */
export type Ports = "kept" | "random";

/** What is the same and what is not in the two homes. */
export interface HomesOptions {
  /** How home B's addresses begin; home A's do with 192.168.1. Default 192.168.2. */
  lanB?: "192.168.1" | "192.168.2";
  /** Default kept. */
  portsA?: Ports;
  /** Default kept. */
  portsB?: Ports;
}

/** Why no such network can be made here, or undefined when it can. */
export async function whyNot(): Promise<string | undefined> {
  if (Deno.build.os !== "linux") return "needs Linux";
  const missing: string[] = [];
  for (const tool of ["unshare", "nsenter", "setpriv", "ip", "nft"]) {
    const { code } = await output(["sh"], ["-c", `command -v ${tool}`]);
    if (code !== 0) missing.push(tool);
  }
  if (missing.length > 0) return `needs ${missing.join(", ")}`;
  const { code, err } = await output(["sh"], ["-c", UNSHARE, "sh", "sh", "-c", PROBE]);
  if (code === 0) return undefined;
  return `needs root or user namespaces, and nftables: ${err.join("; ") || `status ${code}`}`;
}

/** Two homes and a rendezvous server on the public network. Disposing ends everything in them. */
export class Homes implements AsyncDisposable {
  readonly #shell: EventProgram;
  readonly #enter: readonly string[];
  readonly #pid: number;
  #server: ServerProgram | undefined;

  private constructor(shell: EventProgram, pid: number, enter: readonly string[]) {
    this.#shell = shell;
    this.#pid = pid;
    this.#enter = enter;
  }

  /** Makes the network and starts the server. */
  static async build(options: HomesOptions = {}): Promise<Homes> {
    const { lanB = "192.168.2", portsA, portsB } = options;
    const words = [portsA, portsB].map((ports) => ports === "random" ? "fully-random" : "");
    const shell = new EventProgram(["sh", "-c", UNSHARE, "sh", "sh", TOPOLOGY], [lanB, ...words]);
    try {
      const pid = await shell.event("ready", ({ pid }) => pid as number);
      // Nobody may enter the user namespace they are in, and root needs no other one.
      const [{ as } = {}] = shell.events("unshared");
      const enter = as ? ["--user", "--preserve-credentials"] : [];
      const homes = new Homes(shell, pid, enter);
      const server = [...homes.#command("server"), ...netsync(["--allow-net"]), "rendezvous"];
      homes.#server = await ServerProgram.start(server, { port: 5160 });
      return homes;
    } catch (error) {
      await shell[Symbol.asyncDispose]();
      throw error;
    }
  }

  /** `netsync chat` in a home. `words` come after the server and the name. */
  chat(place: Place, name: string, words: readonly string[]): Chat {
    const program = netsync(["--allow-net", "--allow-sys=networkInterfaces"]);
    return Chat.start([...this.#command(place), ...program], SERVER, name, words);
  }

  /** A chat that can be joined. */
  async host(place: Place, name: string, words: readonly string[] = []): Promise<Chat> {
    const chat = this.chat(place, name, ["--host", ...words]);
    await chat.event("registered");
    return chat;
  }

  /** Cuts a router off the public network for a moment: it forgets all ways through it. */
  async reconnect(router: Router): Promise<void> {
    for (const state of ["down", "up"]) {
      const { code, err } = await output(this.#command(router), [
        ...["ip", "link", "set", "wan", state],
      ]);
      if (code !== 0) throw new Error(err.join("\n"));
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#server?.[Symbol.asyncDispose]();
    await this.#shell[Symbol.asyncDispose]();
  }

  /**
   * What starts a program in a namespace. It must not outlive nsenter, which stays its parent because
   * of the PID namespace and passes no signal on.
   */
  #command(place: Place | Router): Command {
    const pid = String(this.#pid);
    return [
      ...["nsenter", "--target", pid, ...this.#enter, "--pid"],
      ...[`--net=/proc/${pid}/root/run/netns/${place}`, "setpriv", "--pdeathsig", "KILL"],
    ];
  }
}

/** The compiled binary where one is named, else the program as the README starts it. */
function netsync(permissions: readonly string[]): Command {
  const binary = Deno.env.get("NETSYNC_BINARY");
  if (binary) return [Deno.realPathSync(binary)];
  // Behind these routers nothing can be downloaded, so nothing may need to be.
  const flags = ["--no-check", "--cached-only", ...permissions];
  return [Deno.execPath(), "run", ...flags, new URL("main.ts", ROOT).pathname];
}
