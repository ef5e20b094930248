/** The same on a compiled binary, where `NETSYNC_BINARY` names one. */
import { testRendezvous } from "./rendezvous_scenarios.ts";

const named = Deno.env.get("NETSYNC_BINARY");
if (named) testRendezvous("netsync (compiled)", [Deno.realPathSync(named)]);
