/** A process of services: until a signal says stop. */
import type { Hosted } from "../../home/hosted.ts";
import { Monitor } from "../../home/monitor.ts";
import { keepFor } from "../../home/privileges.ts";
import { SleepWatch } from "../../home/sleep_watch.ts";
import { loggerOf } from "../../observe/log.ts";
import { needFiles } from "../files.ts";
import { CommandFailure } from "../options.ts";
import { VERSION } from "../program.ts";
import { stopSignal } from "../stop_signal.ts";
import {
  headlineOf,
  printDashboard,
  printFirstLines,
  printListening,
  Rows,
  rowsOf,
} from "./announce.ts";
import { openConsole } from "./console.ts";
import { openDashboard } from "./dashboard.ts";
import { openDoor } from "./door.ts";
import { fileTalk } from "./file_talk.ts";
import { fileNeedsOf } from "./files.ts";
import type { House, Plan } from "./house.ts";
import { openJournal } from "./journal.ts";
import { jumpLog } from "./jumps.ts";
import type { HostingValues } from "./options.ts";
import { featuresOf, lookAround } from "./outlook.ts";
import { openRouter } from "./router.ts";
import { type OpenPlan, openPlan, type Place } from "./service.ts";

/** Who speaks for all services. */
const NAME = "netsync";

/**
 * Opens all ports, and serves until the first stop signal; a second one ends the process at once.
 *
 * @throws {CommandFailure} A port or a file cannot be had. What was open is closed again.
 */
export async function host(plans: readonly Plan[], values: HostingValues): Promise<void> {
  const files = fileNeedsOf(plans, values);
  needFiles(...files);
  // From here on it may do no more than what was asked of it needs, before anybody can say anything to it.
  const outlook = lookAround();
  const features = featuresOf(plans.map(({ kind }) => kind.transport), values, outlook);
  keepFor(["opening", ...features], files);
  await using stack = new AsyncDisposableStack();
  const stop = stopSignal();
  stack.defer(() => stop.ignore());
  const logger = loggerOf(NAME);
  const talk = fileTalk(logger);
  const journal = stack.use(await openJournal(values, plans.length > 1, talk));

  const services: Hosted[] = [];
  const bans = (): string[] => [...open.bans];
  const { onProblem } = talk;
  const monitor = stack.use(new Monitor({ version: VERSION, services, bans, onProblem }));
  const onDone = (): void => monitor.tell();
  const open = stack.use(
    await openDoor({ path: values.bans, services, logger, talk, onDone }),
  );
  const { door } = open;
  const isMetered = values.dashboard !== undefined;
  const opened = await openPlans(plans, { stack, isShutOut: door.isShutOut, isMetered }, services);

  stack.use(new SleepWatch({ onJump: jumpLog(logger) }));
  const rows = new Rows(rowsOf(opened, outlook));
  const { tail } = journal;
  const house: House = {
    ...{ values, outlook, logger, tail, services, door, monitor, rows, stop },
  };
  const dashboard = stack.use(await openDashboard(house));
  await keepAll(opened, stack, services);
  const permissions = keepFor(features, files);
  rows.set("stop", "Ctrl+C");
  const router = openRouter(house);
  const console = openConsole(house);
  if (console) {
    journal.print(false);
  } else if (values.json) {
    services.forEach(printListening);
    if (dashboard) printDashboard(dashboard.url);
  } else {
    printFirstLines(headlineOf(services), rows.all);
  }
  logger.debug("permissions that are left: {permissions}", {
    ...{ event: "permissions", permissions: permissions.join(", ") || "none" },
  });

  await stop.received;
  console?.close();
  journal.print(true);
  await Promise.all([router, dashboard, ...services].map((each) => each?.close()));
}

/** All that can fail is open: from now on who is in is kept. At the end the ports are closed before that. */
async function keepAll(
  opened: readonly OpenPlan[],
  stack: AsyncDisposableStack,
  services: readonly Hosted[],
): Promise<void> {
  const files = await Promise.all(opened.map(({ keep }) => keep()));
  stack.defer(async () => {
    await Promise.all(services.map((service) => service.close()));
    await Promise.all(files.map((file) => file?.[Symbol.asyncDispose]()));
  });
}

/** Opens services one after the other; where one cannot be had, those before it never really began. */
async function openPlans(
  plans: readonly Plan[],
  place: Omit<Place, "name">,
  services: Hosted[],
): Promise<OpenPlan[]> {
  const opened: OpenPlan[] = [];
  for (const [index, plan] of plans.entries()) {
    const name = nameOf(plan, index, plans);
    const one = await openPlan(plan, { ...place, name }).catch((error) => {
      if (plans.length === 1 || !(error instanceof CommandFailure)) throw error;
      throw new CommandFailure(`${name}: ${error.message}`);
    });
    opened.push(one);
    services.push(one.hosted);
  }
  return opened;
}

/** A name that no other service of the process has. */
function nameOf({ kind, port }: Plan, index: number, plans: readonly Plan[]): string {
  const namesakes = plans.filter((plan) => plan.kind.name === kind.name);
  if (namesakes.length === 1) return kind.name;
  const isOnlyThere = port !== 0 && namesakes.filter((plan) => plan.port === port).length === 1;
  return `${kind.name}:${isOnlyThere ? port : `#${index}`}`;
}
