/** `netsync bots [sync|arena] HOST[:PORT]`: many players on a server, and what they see. */
import * as arena from "./bots_arena.ts";
import * as sync from "./bots_sync.ts";
import { runService } from "./words.ts";

/** Plays on the service that the first word names; on sync if it names none. */
export function run(words: readonly string[]): Promise<void> {
  return runService(words, { sync, arena });
}
