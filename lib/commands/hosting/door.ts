/** Who is let in, and the file in which that is kept. */
import type { Logger } from "@logtape/logtape";
import { Door, type DoorDeed } from "../../home/door.ts";
import type { Hosted } from "../../home/hosted.ts";
import { likelyRouters } from "../../home/port_mapping/addresses.ts";
import { localAddresses } from "../../hosts/local_addresses.ts";
import { BanKeeper } from "../../home/ban_keeper.ts";
import { BanList } from "../../parts/ban_list.ts";
import type { FileTalk } from "./file_talk.ts";
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
  talk: FileTalk;
  /** Told after everything that was done. */
  onDone: () => void;
}

/**
 * Reads the bans.
 *
 * @throws {CommandFailure} The file cannot be had.
 */
export async function openDoor(needs: DoorNeeds): Promise<OpenDoor> {
  const { path, services, logger, talk, onDone } = needs;
  const file = await openBans(path);
  const problems = file?.problems ?? [];
  problems.slice(0, PROBLEMS_MAX).forEach((problem) => talk.onProblem(problem));
  const more = problems.length - PROBLEMS_MAX;
  if (more > 0) talk.onProblem(`${path}: and ${more} more lines that are no bans`);
  const bans = file?.list ?? new BanList();
  const keeper = file && new BanKeeper(file, {
    onProblem: (problem, isTriedAgain) =>
      talk.onProblem(`--bans ${path}: ${problem}`, isTriedAgain),
    onMended: () => talk.onMended(`--bans ${path}`),
  });
  const door = new Door({
    bans,
    services,
    onBansChanged: () => keeper?.save(),
    onDone(done): void {
      log(logger, done, path !== undefined);
      onDone();
    },
  });
  return { door, bans, [Symbol.asyncDispose]: async () => await keeper?.[Symbol.asyncDispose]() };
}

/** A kick is told by the service. */
function log(logger: Logger, deed: DoorDeed, isKept: boolean): void {
  switch (deed.kind) {
    case "kicked":
      return;
    case "banned": {
      const { ban, expelled } = deed;
      const lasts = isKept ? "" : " until netsync ends; --bans FILE keeps it";
      const count = expelled > 0 ? ` (${expelled} sent away)` : "";
      const near = whoIsNear(ban);
      const done = `${ban} is banned${lasts}${count}${near && `: ${near}`}`;
      return logger[near ? "warning" : "info"]("{done}", { event: "door", done, ban, expelled });
    }
    case "unbanned": {
      const done = `${deed.ban} is let in again`;
      return logger.info("{done}", { event: "door", done, ban: deed.ban });
    }
    default:
      return deed satisfies never;
  }
}

/** A warning for whoever bans this computer, or the router, whose address others may come with. */
function whoIsNear(ban: string): string {
  const list = new BanList();
  list.add(ban);
  const own = localAddresses() ?? [];
  const covers = (ip: string): boolean => list.has(ip);
  const isNetwork = ban.includes("/");
  if (["127.0.0.1", "::1", ...own].some(covers)) {
    return isNetwork ? "this computer is in it" : "that is this computer";
  }
  if (!own.flatMap(likelyRouters).some(covers)) return "";
  return isNetwork ? "your router may be in it" : "that may be your router";
}
