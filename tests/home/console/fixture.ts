/**
 * A live console with made-up services, for a terminal of the tests: one with members, one without.
 * What it does for the person, it writes into the log.
 *
 *     deno run fixture.ts [MEMBERS] [stuck | crash | still | linger]
 *
 * `stuck`: it does not end at the first SIGINT, and at once at the second one. `crash`: the first SIGINT
 * meets a bug. `still`: there is one report, and no more. `linger`: it closes the console and goes on.
 */
import { LiveConsole } from "../../../lib/home/console/console.ts";
import { flushOutput, printLine } from "../../../lib/observe/output.ts";
import { member, reportOf, service } from "./made_up.ts";

const [members = "3", trouble] = Deno.args;
const bans: string[] = [];
const { promise: quit, resolve } = Promise.withResolvers<string>();

const log = (message: string, level: "info" | "warning" = "info"): void =>
  live.log({ time: Date.now(), level, service: "sync", message });

const live = new LiveConsole({
  version: "1.2.3",
  onQuit: () => resolve("quit"),
  rows: [["listening on", "[::]:55555"], ["on your network", "192.168.1.5:55555"]],
  controls: {
    kick(service, address): boolean {
      log(`KICK ${service} ${address}`);
      return true;
    },
    ban(text): string | undefined {
      if (!/^\d/.test(text)) return `"${text}" is no address`;
      bans.push(text);
      log(`BAN ${text}`);
      return undefined;
    },
    unban(text): boolean {
      log(`UNBAN ${text}`);
      return bans.splice(bans.indexOf(text), 1).length > 0;
    },
  },
});

Deno.addSignalListener("SIGTERM", () => resolve("SIGTERM"));
let interrupts = 0;
Deno.addSignalListener("SIGINT", () => {
  if (trouble === "crash") throw new Error("a bug");
  if (trouble !== "stuck") resolve("SIGINT");
  else if (++interrupts > 1) Deno.exit(130);
  else log("STOPS");
});

let seconds = 0;
const tell = (): void => {
  seconds++;
  const roster = Array.from({ length: Number(members) }, (_, id) => member(id, { heardMs: 100 }));
  live.show(reportOf([service("sync", roster), service("arena", [])], {
    uptimeMs: 1_000 * seconds,
    bans: [...bans],
  }));
};
tell();
log("hello from the fixture");
const timer = trouble === "still" ? undefined : setInterval(tell, 1_000);
const why = await quit;
clearInterval(timer);
live.close();
printLine(`ended by ${why}`);
await flushOutput(400); // As long as the real program waits.
if (trouble === "linger") await new Promise<void>((resolve) => setTimeout(resolve, 60_000));
Deno.exit(0);
