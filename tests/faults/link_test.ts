/**
 * A cable that is pulled and put back while people play, an address and a route that go and come. In network
 * namespaces: that takes Linux with `ip` and util-linux, and root or a system that lets everybody have user
 * namespaces.
 */
import { assert, assertEquals } from "@std/assert";
import { type Command, EventProgram, output } from "../interop/programs.ts";
import { UNSHARE, whyNot } from "../nat/homes.ts";
import { withFolder } from "../support/folder.ts";
import { Party } from "./party.ts";

const reason = await whyNot();
const ignore = reason !== undefined;
if (ignore) console.warn(`tests with a cable are skipped: ${reason}`);

const SERVER = "192.0.2.1";
/** Long enough for many datagrams to fail, and shorter than players are waited for. */
const AWAY_MS = 1_500;
const TIMEOUT_SECONDS = 15;

/** What is done to the server's end, and undone: each the words for `ip`, one after the other. */
const FAULTS: Record<string, { away: string[]; back: string[] }> = {
  "its link is down": {
    away: ["link set lan down"],
    // The system has forgotten the route; what gave it gives it again.
    back: ["link set lan up", "route replace default dev lan"],
  },
  "its address is gone": {
    away: ["address del 192.0.2.1/24 dev lan"],
    back: ["address add 192.0.2.1/24 dev lan", "route replace default dev lan"],
  },
  "its default route is gone": {
    away: ["route del default"],
    back: ["route add default dev lan"],
  },
};

/** The two computers. */
class Cable implements AsyncDisposable {
  readonly #shell: EventProgram;
  readonly #pid: number;
  readonly #enter: readonly string[];

  private constructor(shell: EventProgram, pid: number, enter: readonly string[]) {
    this.#shell = shell;
    this.#pid = pid;
    this.#enter = enter;
  }

  static async lay(): Promise<Cable> {
    const shell = new EventProgram(["sh", "-c", UNSHARE, "sh", "sh", "tests/faults/link.sh"]);
    try {
      const pid = await shell.event("ready", ({ pid }) => pid as number);
      const [{ as } = {}] = shell.events("unshared");
      return new Cable(shell, pid, as ? ["--user", "--preserve-credentials"] : []);
    } catch (error) {
      await shell[Symbol.asyncDispose]();
      throw error;
    }
  }

  /** What starts a program on one of them. It must not outlive nsenter. */
  command(computer: "server" | "players"): Command {
    return [
      ...["nsenter", "--target", `${this.#pid}`, ...this.#enter, "--pid"],
      ...[`--net=/proc/${this.#pid}/root/run/netns/${computer}`, "setpriv", "--pdeathsig", "KILL"],
    ];
  }

  /** Runs `ip` on the server's one, once for each of these. */
  async ip(all: readonly string[]): Promise<void> {
    for (const words of all) {
      const { code, err } = await output([...this.command("server"), "ip"], words.split(" "));
      if (code !== 0) throw new Error(`ip ${words}: ${err.join("\n")}`);
    }
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#shell[Symbol.asyncDispose]();
  }
}

for (const [what, { away, back }] of Object.entries(FAULTS)) {
  Deno.test({
    name: `netsync serve plays on after ${what} for a while: nobody is out, and it says it once`,
    ignore,
    async fn(): Promise<void> {
      await withFolder(async (folder) => {
        await using cable = await Cable.lay();
        await using party = await Party.begin({
          ...{ folder, host: SERVER, timeoutSeconds: TIMEOUT_SECONDS },
          serverCommand: cable.command("server"),
          playersCommand: cable.command("players"),
        });
        await cable.ip(away);
        const played = party.players.lines.length;
        await new Promise((resolve) => setTimeout(resolve, AWAY_MS)); // It is the time that is tested.
        const since = party.players.lines.length;
        assert(since - played < 15, `${since - played} rounds were played without a network`);
        await cable.ip(back);
        await party.playsOn();
        party.checkNobodyWasOut();
        const problems = party.server.events("send-failed");
        assert(problems.length > 0, "nothing was said");
        for (const service of new Set(problems.map(({ service }) => service))) {
          const said = problems.filter((each) => each.service === service);
          const reasons = new Set(said.map(({ reason }) => reason));
          assertEquals(said.length, reasons.size, "each reason is said once");
          assert(said.every(({ message }) => /is this computer's network up\?/.test(`${message}`)));
          await party.server.event("send-works", (each) => each.service === service || undefined);
        }
        const others = party.warnings.filter((line) => !/could not be sent/.test(line));
        assertEquals(others.filter((line) => !/stood still/.test(line)), []);
      });
    },
  });
}
