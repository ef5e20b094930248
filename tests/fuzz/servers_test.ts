import { testTargets } from "./harness/fixed.ts";
import { SERVERS } from "./targets.ts";

testTargets(SERVERS);
