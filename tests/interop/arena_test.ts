import { testArena, testEcho } from "./arena_scenarios.ts";
import { DENO_RUN } from "./programs.ts";

testArena("netsync", DENO_RUN);
testEcho("netsync", DENO_RUN);
