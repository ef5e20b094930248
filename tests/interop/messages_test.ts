import { testMessageClients, testMessageLibrary, testMessages } from "./messages_scenarios.ts";
import { DENO_RUN } from "./programs.ts";

testMessages("netsync", DENO_RUN);
testMessageClients("netsync", DENO_RUN);
testMessageLibrary();
