import { testTargets } from "./harness/fixed.ts";
import { DECODERS } from "./targets.ts";

testTargets(DECODERS);
