/** `netsync watch [sync|arena] HOST[:PORT]`: what goes on on a running server, live. */
import { runService } from "./options.ts";
import * as arena from "./watch_arena.ts";
import * as sync from "./watch_sync.ts";

/** Watches the service that the first word names; sync if it names none. */
export function run(words: readonly string[]): Promise<void> {
  return runService(words, { sync, arena });
}
