/** A process of services: until a signal says stop. */
import { Door } from "../../home/door.ts";
import type { Hosted } from "../../home/hosted.ts";
import { LogTail } from "../../home/log_tail.ts";
import { Monitor } from "../../home/monitor.ts";
import { configureLog, loggerOf } from "../../observe/log.ts";
import { BanList } from "../../parts/ban_list.ts";
import { VERSION } from "../program.ts";
import { stopSignal } from "../stop_signal.ts";
import { headlineOf, printFirstLines, printListening, Rows, rowsOf } from "./announce.ts";
import { openConsole } from "./console.ts";
import { openDashboard } from "./dashboard.ts";
import { openBans, openLog } from "./files.ts";
import type { House, Plan } from "./house.ts";
import type { HostingValues } from "./options.ts";
import { openRouter } from "./router.ts";
import { openPlan } from "./service.ts";
import type { Opened } from "./service_kind.ts";

/** Who speaks for all services. */
const NAME = "netsync";

/**
 * Opens all ports, and serves until the first stop signal; a second one ends the process at once.
 *
 * @throws {CommandFailure} A port or a file cannot be had. What was open is closed again.
 */
export async function host(plans: readonly Plan[], values: HostingValues): Promise<void> {
  await using stack = new AsyncDisposableStack();
  const stop = stopSignal();
  stack.defer(() => stop.ignore());
  const logger = loggerOf(NAME);
  const onProblem = (problem: string): void =>
    logger.warning("{problem}", { event: "file-problem", problem });

  const tail = new LogTail();
  const file = await openLog(values.logFile, onProblem);
  stack.defer(() => file?.close());
  const log = (output: boolean): void =>
    configureLog(values.logLevel, values.json, {
      output,
      namesServices: plans.length > 1,
      file: file && ((text): boolean => file.write(text)),
      tail: (line) => tail.add(line),
    });
  log(true);

  const banFile = await openBans(values.bans);
  tellSome(banFile?.problems ?? [], onProblem);
  const bans = banFile?.list ?? new BanList();
  let saving: Promise<void> | undefined;
  stack.defer(() => saving);
  const services: Hosted[] = [];
  const monitor = stack.use(new Monitor({ version: VERSION, services, bans: () => [...bans] }));
  const door = new Door({
    bans,
    services,
    onBansChanged(): void {
      saving = banFile?.save().catch((error) => onProblem(`--bans: ${error}`));
    },
    onDone(done, expelled): void {
      logger.info("{done} ({expelled} sent away)", { event: "door", done, expelled });
      monitor.tell();
    },
  });

  const opened: Opened[] = [];
  // After a failure: at the end all of them are closed already.
  stack.defer(async () => {
    await Promise.all(services.map((service) => service.close({ isQuiet: true })));
  });
  for (const [index, plan] of plans.entries()) {
    const place = {
      name: nameOf(plan, index, plans),
      isShutOut: door.isShutOut,
      isMetered: values.dashboard !== undefined,
      stack,
    };
    const one = await openPlan(plan, place);
    opened.push(one);
    services.push(one.hosted);
  }

  const rows = new Rows(rowsOf(opened));
  const house: House = { values, logger, tail, services, door, monitor, rows, stop };
  stack.use(await openDashboard(house));
  rows.set("stop", "Ctrl+C");
  const console = openConsole(house);
  if (console) log(false);
  else if (values.json) services.forEach(printListening);
  else printFirstLines(headlineOf(services), rows.all);
  const router = openRouter(house);

  await stop.received;
  console?.close();
  log(true);
  await Promise.all([router?.close(), ...services.map((service) => service.close())]);
}

/** Problems told one by one; of many, how many more there are. */
const PROBLEMS_MAX = 20;

function tellSome(problems: readonly string[], tell: (problem: string) => void): void {
  problems.slice(0, PROBLEMS_MAX).forEach(tell);
  const more = problems.length - PROBLEMS_MAX;
  if (more > 0) tell(`and ${more} more lines that are no bans`);
}

/** A name that no other service of the process has. */
function nameOf({ kind, port }: Plan, index: number, plans: readonly Plan[]): string {
  const namesakes = plans.filter((plan) => plan.kind.name === kind.name);
  if (namesakes.length === 1) return kind.name;
  const isOnlyThere = port !== 0 && namesakes.filter((plan) => plan.port === port).length === 1;
  return `${kind.name}:${isOnlyThere ? port : `#${index}`}`;
}
