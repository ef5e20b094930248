/** One service of a process: with what it kept, and what its datagrams go through. */
import type { Logger } from "@logtape/logtape";
import { type Found, readResumeFile, ResumeFile } from "../../home/resume_file.ts";
import { loggerOf } from "../../observe/log.ts";
import type { JsonObject } from "../../parts/json.ts";
import { seededRandom } from "../../parts/random.ts";
import { orFail } from "../files.ts";
import { anySeed } from "../../hosts/simulate_network.ts";
import { openNetwork, type Simulation, simulationText } from "../network.ts";
import { CommandFailure } from "../options.ts";
import { fileTalk } from "./file_talk.ts";
import type { Plan } from "./house.ts";
import { optionsOf } from "./options.ts";
import type { Opened, Opening } from "./service_kind.ts";

/** What every service has of options, if its kind has them. */
interface CommonValues {
  host?: string;
  statistics?: number;
  resume?: string;
  simulate?: Simulation;
  record?: string;
}

/** Where a service is opened. */
export interface Place extends Pick<Opening, "name" | "isShutOut" | "isMetered"> {
  /** Gives back what the service has open, the last first: its port before the files that its sockets use. */
  stack: AsyncDisposableStack;
}

/** A service that is open, and keeps nothing yet. */
export interface OpenPlan extends Opened {
  /** Begins to keep who is in, where that was asked for: only once nothing can keep the process from running. */
  keep: () => Promise<AsyncDisposable | undefined>;
}

/**
 * Opens a service, its files first.
 *
 * @throws {CommandFailure} The port or a file cannot be had, or does not hold what it should.
 */
export async function openPlan({ kind, port, values }: Plan, place: Place): Promise<OpenPlan> {
  const { host: hostname, statistics = 0, resume, simulate, record } = values as CommonValues;
  const { name, stack } = place;
  const logger = loggerOf(name);
  const talk = fileTalk(logger);
  const found = resume === undefined ? undefined : await readFound(resume, kind.name);
  const saved = found?.kind === "saved" ? found.saved : undefined;
  // A recording can be replayed only if chance can be, too.
  const seed = record === undefined ? undefined : anySeed();
  const own = Object.keys(optionsOf(kind)).map((key) => [key, values[key]]);
  const options = JSON.parse(JSON.stringify(Object.fromEntries(own))) as JsonObject;
  const { name: service } = kind;
  const network = stack.use(
    await openNetwork({ simulate, record, service, role: "server", options, seed }, talk),
  );
  const opened = await kind.open(values, {
    ...place,
    ...{ port, hostname, logger, saved, through: network.through, onBegin: network.begin },
    random: seed === undefined ? Math.random : seededRandom(seed),
    now: () => performance.now(),
    unixMs: () => Date.now(),
  }).catch((error) => {
    if (!saved || error instanceof CommandFailure) throw error;
    throw new CommandFailure(`--resume ${resume}: ${error.message}${START_ANEW}`);
  });
  const { hosted } = opened;
  if (found) tellFound(found, hosted.members, logger);
  stack.defer(() => hosted.close({ isQuiet: true }));
  if (statistics > 0 && hosted.tellStatistics) {
    const timer = setInterval(hosted.tellStatistics, 1_000 * statistics);
    stack.defer(() => clearInterval(timer));
  }
  const { simulation } = network;
  if (simulation) {
    const text = simulationText(simulation);
    logger.warning("simulates a bad network: {text}", { event: "simulating", text });
  }
  return {
    ...opened,
    async keep(): Promise<AsyncDisposable | undefined> {
      if (resume === undefined) return undefined;
      return await ResumeFile.open({
        ...{ path: resume, service },
        save: () => hosted.save()!,
        onProblem: (problem, isTriedAgain) =>
          talk.onProblem(`--resume ${resume}: ${problem}`, isTriedAgain),
        onMended: () => talk.onMended(`--resume ${resume}`),
      });
    },
  };
}

const START_ANEW = "; to start anew, remove it or name another";

async function readFound(path: string, service: string): Promise<Found> {
  try {
    return await readResumeFile(path, service, Date.now());
  } catch (error) {
    if (error instanceof TypeError) {
      throw new CommandFailure(`--resume ${path}: ${error.message}${START_ANEW}`);
    }
    return await orFail("--resume", path, Promise.reject(error));
  }
}

/** @param members How many the engine took of those who were in. */
function tellFound(found: Found, members: number, logger: Logger): void {
  if (found.kind === "none") return;
  const seconds = Math.round(found.ageMs / 1_000);
  if (found.kind === "old") {
    logger.info("who was here {seconds} s ago is not waited for any more", {
      ...{ event: "resumed", seconds, isOld: true },
    });
    return;
  }
  logger.info("goes on from what was {seconds} s ago: {members} who were in are waited for", {
    ...{ event: "resumed", seconds, members },
  });
}
