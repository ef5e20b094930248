/** Homes behind real routers: network namespaces and nftables, see street.sh. */
import { type Command, output, Program, ROOT } from "../interop/programs.ts";

/** What a street is like. */
export interface StreetOptions {
  /** Whether the routers keep the port of who speaks, or take another one for every destination. */
  ports: "KEPT" | "RANDOM";
  /** The first three numbers of the addresses in each home. */
  lans: readonly [string, string];
}

/** A street that is there until it is disposed of, or this program ends. */
export class Street implements AsyncDisposable {
  readonly #script: Program;
  readonly #isRoot: boolean;

  private constructor(script: Program, isRoot: boolean) {
    this.#script = script;
    this.#isRoot = isRoot;
  }

  static async open({ ports, lans }: StreetOptions): Promise<Street> {
    // Namespaces are root's to make, or everybody's where user namespaces are let be.
    const isRoot = (await output(["id"], ["-u"])).out[0] === "0";
    const user = isRoot ? [] : ["--map-root-user"];
    const script = new Program(
      ["unshare", "--net", "--mount", ...user, "sh", "tests/nat/street.sh"],
      [ports, ...lans],
    );
    try {
      await script.next("the street", (line) => line === "ready" || undefined);
    } catch (error) {
      await script[Symbol.asyncDispose]();
      throw error;
    }
    return new Street(script, isRoot);
  }

  /** A command on one of its machines: `server`, `a1`, `a2`, `b1`, `b2`, `c`. */
  on(machine: string, command: Command): Command {
    const user = this.#isRoot ? [] : ["--user", "--preserve-credentials"];
    const enter = ["nsenter", "--target", String(this.#script.pid), ...user, "--net", "--mount"];
    // Entering changes the folder.
    return [...enter, "ip", "netns", "exec", machine, "env", "-C", ROOT.pathname, ...command];
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#script.hangUp();
    await this.#script.end();
    await this.#script[Symbol.asyncDispose]();
  }
}

/** What is missing here for a street; undefined when nothing is. */
export async function obstacleToStreets(): Promise<string | undefined> {
  if (Deno.build.os !== "linux") return "network namespaces are Linux's";
  try {
    await using _street = await Street.open({ ports: "KEPT", lans: ["192.168.1", "192.168.2"] });
    return undefined;
  } catch (error) {
    const lines = String(error instanceof Error ? error.message : error).trim().split("\n");
    return `needs root or user namespaces, ip and nft: ${lines.at(-1)}`;
  }
}
