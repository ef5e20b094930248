/** The same on a compiled binary, where `NETSYNC_BINARY` names one. */
import { testMessageClients, testMessages } from "./messages_scenarios.ts";

const named = Deno.env.get("NETSYNC_BINARY");
if (named) {
  testMessages("netsync (compiled)", [Deno.realPathSync(named)]);
  testMessageClients("netsync (compiled)", [Deno.realPathSync(named)]);
}
