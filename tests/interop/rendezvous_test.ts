import { DENO_RUN } from "./programs.ts";
import { testRendezvous } from "./rendezvous_scenarios.ts";

testRendezvous("netsync", DENO_RUN);
