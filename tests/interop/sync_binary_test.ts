/** The same games on a compiled binary, where `NETSYNC_BINARY` names one. */
import { testComingAndGoing, testPlaying, testRobustness } from "./sync_scenarios.ts";

const named = Deno.env.get("NETSYNC_BINARY");
if (named) {
  const binary = Deno.realPathSync(named);
  testPlaying("netsync (compiled)", [binary]);
  testComingAndGoing("netsync (compiled)", [binary]);
  testRobustness("netsync (compiled)", [binary]);
}
