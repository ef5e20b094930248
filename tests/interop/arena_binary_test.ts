/** The same on a compiled binary, where `NETSYNC_BINARY` names one. */
import { testArena, testEcho } from "./arena_scenarios.ts";

const named = Deno.env.get("NETSYNC_BINARY");
if (named) {
  testArena("netsync (compiled)", [Deno.realPathSync(named)]);
  testEcho("netsync (compiled)", [Deno.realPathSync(named)]);
}
