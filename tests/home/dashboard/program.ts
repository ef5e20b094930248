/**
 * A dashboard of services that are made up, as a program of its own.
 *
 *     deno run --allow-net tests/home/dashboard/program.ts PORT TOKEN MEMBERS [--readonly] [--past] [--tidy]
 *
 * MEMBERS is `sync=24,arena=3`. Prints the address to open. `--past` comes with five minutes of charts,
 * `--tidy` with names as in a picture.
 */
import { openDashboard } from "../../../lib/home/dashboard/dashboard.ts";
import { MadeUp } from "./made_up.ts";

/** Tests need not wait for a whole second each time. */
const REPORT_MS = 250;
const PAST_MS = 300_000;

const [port = "0", token = "", members = "sync=5", ...flags] = Deno.args;
const counts = Object.fromEntries(
  members.split(",").map((pair) => pair.split("=")).map(([name, count]) => [name, Number(count)]),
);
const made = new MadeUp({
  members: counts,
  startedAt: Date.now() - 8_060_000,
  fullAt: Date.now() - 20_000,
  isTidy: flags.includes("--tidy"),
});
const dashboard = openDashboard({
  hostname: "127.0.0.1",
  port: Number(port),
  token,
  isReadonly: flags.includes("--readonly"),
  logTail: () => made.logTail,
  controls: made.controls,
});
made.onLog = (line): void => dashboard.log(line);
if (flags.includes("--past")) {
  for (let ago = PAST_MS; ago > 0; ago -= 1_000) {
    made.talk(Date.now() - ago);
    dashboard.publish(made.report(Date.now() - ago));
  }
}
dashboard.publish(made.report(Date.now()));
setInterval(() => {
  made.talk(Date.now());
  dashboard.publish(made.report(Date.now()));
}, REPORT_MS);
console.log(dashboard.url);
