/** Who is let in, and the file in which that is kept. */
import type { Logger } from "@logtape/logtape";
import { Door } from "../../home/door.ts";
import type { Hosted } from "../../home/hosted.ts";
import { BanList } from "../../parts/ban_list.ts";
import { openBans } from "./files.ts";

/** Problems of a ban file told one by one; of many, how many more there are. */
const PROBLEMS_MAX = 20;

/** The door of a process of services. */
export interface OpenDoor extends AsyncDisposable {
  readonly door: Door;
  readonly bans: BanList;
}

/** What the door of a process needs. */
export interface DoorNeeds {
  /** Of the ban file. */
  path: string | undefined;
  /** More may come. */
  services: readonly Hosted[];
  logger: Logger;
  onProblem: (problem: string) => void;
  /** Told after everything that was done. */
  onDone: () => void;
}

/**
 * Reads the bans.
 *
 * @throws {CommandFailure} The file cannot be had.
 */
export async function openDoor(needs: DoorNeeds): Promise<OpenDoor> {
  const { path, services, logger, onProblem, onDone } = needs;
  const file = await openBans(path);
  const problems = file?.problems ?? [];
  problems.slice(0, PROBLEMS_MAX).forEach(onProblem);
  const more = problems.length - PROBLEMS_MAX;
  if (more > 0) onProblem(`${path}: and ${more} more lines that are no bans`);
  const bans = file?.list ?? new BanList();
  let saving: Promise<void> | undefined;
  const door = new Door({
    bans,
    services,
    onBansChanged(): void {
      saving = file?.save().catch((error) => onProblem(`--bans ${path}: ${error.message}`));
    },
    onDone(done, expelled): void {
      logger.info("{done} ({expelled} sent away)", { event: "door", done, expelled });
      onDone();
    },
  });
  return { door, bans, [Symbol.asyncDispose]: async () => await saving };
}
