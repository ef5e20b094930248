/** The same on a compiled binary, where `NETSYNC_BINARY` names one. */
import { testWorld, testWorldWatch } from "./world_scenarios.ts";

const named = Deno.env.get("NETSYNC_BINARY");
if (named) {
  const binary = [Deno.realPathSync(named)];
  testWorld("netsync (compiled)", binary);
  testWorldWatch("netsync (compiled)", binary);
}
