import { DENO_RUN } from "./programs.ts";
import { testWorld, testWorldWatch } from "./world_scenarios.ts";

testWorld("netsync", DENO_RUN);
testWorldWatch("netsync", DENO_RUN);
