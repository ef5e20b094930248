import { DENO_RUN } from "./programs.ts";
import { testComingAndGoing, testRobustness } from "./sync_scenarios.ts";

testComingAndGoing("netsync", DENO_RUN);
testRobustness("netsync", DENO_RUN);
