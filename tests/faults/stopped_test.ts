/** Programs that stand still for seconds, as on a laptop that is closed: the server's, then the players'. */
import { assert, assertEquals, assertMatch } from "@std/assert";
import { SleepWatch } from "../../lib/home/sleep_watch.ts";
import { withFolder } from "../support/folder.ts";
import { until } from "../support/wait.ts";
import { Party } from "./party.ts";

const ignore = Deno.build.os === "windows"; // It has no such signals.
/** More than a player may be silent for. */
const STOPPED_MS = 4_500;

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

Deno.test({
  name: "netsync throws nobody out because it was stopped itself, and says for how long it was",
  ignore,
  async fn(): Promise<void> {
    await withFolder(async (folder) => {
      await using party = await Party.begin({ folder });
      party.server.kill("SIGSTOP");
      await pause(STOPPED_MS); // It is the time that is tested.
      party.server.kill("SIGCONT");
      await party.playsOn();
      const { seconds } = await party.server.event("asleep");
      assert(Number(seconds) >= 2 && Number(seconds) < 30, `${seconds} s`);
      await pause(500); // What would throw somebody out is due within the first moments.
      await party.playsOn();
      party.checkNobodyWasOut();
      const said = party.warnings.filter((line) => line.includes("asleep"));
      assertEquals(said.length, 1);
      assertMatch(
        said[0]!,
        /^this computer was asleep, .* for [\d.]+ s: whoever is still there plays on$/,
      );
    });
  },
});

Deno.test({
  name: "netsync lets players in again who were stopped for longer than they may be silent",
  ignore,
  async fn(): Promise<void> {
    await withFolder(async (folder) => {
      await using party = await Party.begin({ folder, timeoutSeconds: 2.5 });
      party.players.kill("SIGSTOP");
      const services = ["sync", "arena", "world", "messages"];
      await until(
        "all to be gone",
        () => services.every((name) => party.departures.some((line) => line.startsWith(name))),
      );
      party.players.kill("SIGCONT");
      for (const name of ["sync", "arena", "world"]) await party.plays(name);
      // A connection that was ended is not there any more, and the program knows.
      await party.players.event("noticed", ({ service }) => service === "messages" || undefined);
      assertEquals(party.warnings, []);
    });
  },
});

/** Clocks that are set by hand, and what a watch says of them. */
function watched(): { clocks: { now: number; unixMs: number }; watch: SleepWatch; said: string[] } {
  const clocks = { now: 1_000, unixMs: 1_700_000_000_000 };
  const said: string[] = [];
  const watch = new SleepWatch({
    now: () => clocks.now,
    unixMs: () => clocks.unixMs,
    onJump: ({ kind, ms }) => said.push(`${kind} ${ms}`),
  });
  return { clocks, watch, said };
}

Deno.test("SleepWatch tells a stop, a sleep and a clock that was set apart, and says nothing of delays", () => {
  const { clocks, watch, said } = watched();
  using _watch = watch;
  const pass = (ms: number, unixMs: number = ms): string[] => {
    clocks.now += ms;
    clocks.unixMs += unixMs;
    watch.look();
    return said.splice(0);
  };
  assertEquals(pass(1_000), []);
  assertEquals(pass(2_900), [], "a busy computer");
  assertEquals(pass(7_000), ["asleep 6000"]);
  assertEquals(pass(1_000, 3_601_000), ["clock 3600000"], "Linux stops its first clock");
  assertEquals(pass(86_401_000), ["asleep 86400000"]);
  assertEquals(pass(1_000, -3_599_000), ["clock -3600000"]);
  assertEquals(pass(1_000, 2_500), [], "a clock that is corrected a little");
  assertEquals(pass(1_000), []);
});
