import { testTargets } from "./harness/fixed.ts";
import { PEERS } from "./targets.ts";

testTargets(PEERS);
