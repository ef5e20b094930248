import { DENO_RUN } from "./programs.ts";
import { testPlaying } from "./sync_scenarios.ts";

testPlaying("netsync", DENO_RUN);
