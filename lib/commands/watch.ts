/** `netsync watch [sync|arena|world] HOST[:PORT]`: what goes on on a running server, live. */
import { runService } from "./words.ts";
import * as arena from "./watch_arena.ts";
import * as sync from "./watch_sync.ts";
import * as world from "./watch_world.ts";

/** Watches the service that the first word names; sync if it names none. */
export function run(words: readonly string[]): Promise<void> {
  return runService(words, { sync, arena, world });
}
