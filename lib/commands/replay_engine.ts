/** `netsync replay FILE`: what a server heard, into an engine like the one it had. */
import { configureReplayLog } from "../home/replay/log.ts";
import { ReplayHost } from "../hosts/replay_host.ts";
import { loggerOf, type LogLevel } from "../observe/log.ts";
import { printable } from "../observe/printable.ts";
import type { JsonObject } from "../parts/json.ts";
import { seededRandom } from "../parts/random.ts";
import type { RecordingHeader } from "../parts/recording.ts";
import { faultLog } from "./hosting/open_failure.ts";
import { HOSTING_OPTIONS, optionsOf } from "./hosting/options.ts";
import type { ServiceKind, UdpMade } from "./hosting/service_kind.ts";
import { CommandFailure, type Options, suggestionFor, UsageError, type Values } from "./options.ts";
import { differencesOf, type ReplaySession } from "./replay_session.ts";
import { SERVICES } from "./services.ts";

/** So many of those who are in at the end are named. */
const MEMBERS_MAX = 20;
const NAME_CHARACTERS_MAX = 80;
/** What is said at the end of a recording that was not cut: the service said farewell. */
const STOPPED = "stopped";

/** A kind of service whose engine can be had without a port. */
type Replayable = ServiceKind & { make: NonNullable<ServiceKind["make"]> };

/** Replays a server's recording. Returns when it is at its end, or was told to stop. */
export async function replayIntoEngine(session: ReplaySession, level: LogLevel): Promise<void> {
  const { header } = session.file;
  const kind = replayableOf(header);
  const values = recordedValues(kind, header.options);
  const replay = new EngineReplay(session, kind, values, level);
  session.tellHeader(kind.title);
  for (const difference of differencesOf(header)) session.note(difference);
  await replay.run();
  replay.tellSummary();
}

/** The kind of service that was recorded; undefined when there is none of that name. */
export function kindOf({ service }: RecordingHeader): ServiceKind | undefined {
  return SERVICES.get(service);
}

/** @throws {CommandFailure} It cannot be replayed into an engine. The message says what can be done. */
function replayableOf(header: RecordingHeader): Replayable {
  if (header.role === "client") {
    throw new CommandFailure(
      "this is the recording of a client, and only a server's goes into an engine: --print shows it, " +
        "and netsync replay FILE HOST[:PORT] sends what it said to a server",
    );
  }
  const kind = kindOf(header);
  if (kind?.make) return kind as Replayable;
  const names = [...SERVICES.values()].filter(({ make }) => make).map(({ name }) => name);
  throw new CommandFailure(
    `a recording of "${printable(header.service, NAME_CHARACTERS_MAX)}"; this netsync knows ` +
      `${names.join(", ")}: --print shows it`,
  );
}

/**
 * The options of a service as they were recorded; those that make no difference to its engine are left out.
 *
 * @throws {CommandFailure} One of them is wrong, or none of this service.
 */
export function recordedValues(kind: ServiceKind, given: JsonObject): Values<Options> {
  const known: Options = { ...optionsOf(kind), ...HOSTING_OPTIONS };
  const values: Record<string, unknown> = {};
  for (const [key, option] of Object.entries(kind.options)) values[key] = option.fallback;
  for (const [key, value] of Object.entries(given)) {
    if (!Object.hasOwn(known, key)) {
      const near = suggestionFor(key, Object.keys(known));
      throw new CommandFailure(
        `options of the recording: ${printable(key, NAME_CHARACTERS_MAX)} is not known${near}`,
      );
    }
    if (!Object.hasOwn(kind.options, key)) continue;
    try {
      values[key] = kind.options[key]!.take(value, key);
    } catch (error) {
      if (!(error instanceof UsageError)) throw error;
      throw new CommandFailure(`options of the recording: ${error.message}`);
    }
  }
  return values;
}

class EngineReplay {
  readonly #session: ReplaySession;
  readonly #made: UdpMade<unknown>;
  readonly #host: ReplayHost<unknown>;
  readonly #statisticsMs: number;
  /** The engine is made before its host. */
  #now = (): number => 0;
  readonly #logStopped: () => void;
  #statisticsAt: number;
  /** What left it then. */
  readonly #recorded = { out: 0, outBytes: 0 };
  #members: string[] = [];

  constructor(
    session: ReplaySession,
    { name, make }: Replayable,
    values: Values<Options>,
    level: LogLevel,
  ) {
    const { header: { seed }, startedAtMs } = session.file;
    this.#session = session;
    const logger = loggerOf(name);
    const now = (): number => this.#now();
    const unixMs = (): number => Math.floor(startedAtMs + now());
    configureReplayLog(level, unixMs, session.say);
    const made = make(values, { logger, random: seededRandom(seed ?? 0), now, unixMs });
    this.#host = new ReplayHost(made.engine, {
      onEvent: (event) => made.observer.observe(event),
      onFault: faultLog(logger),
    });
    this.#now = (): number => this.#host.now;
    this.#made = made;
    const { statistics } = values;
    const isTold = typeof statistics === "number" && statistics > 0 && made.observer.tellStatistics;
    this.#statisticsAt = this.#statisticsMs = isTold ? 1_000 * statistics : Infinity;
    this.#logStopped = (): void =>
      logger.info(made.stopped, {
        ...{ event: "stopped", visitors: made.observer.visitors, ...made.observer.counts },
        ...this.#host.counters,
      });
  }

  async run(): Promise<void> {
    const session = this.#session;
    const host = this.#host;
    let isStopped = false;
    for await (const entry of session.file.entries()) {
      await this.#passUntil(entry.timeMs);
      if (session.isStopped) break;
      if (entry.kind === "in") host.receive(entry.data, entry.address);
      if (entry.kind === "out") {
        this.#recorded.out++;
        this.#recorded.outBytes += entry.data.length;
      }
      if (entry.kind === "end") isStopped = entry.reason === STOPPED;
      if (session.isBusy) await session.breathe();
    }
    this.#members = this.#made.engine.members()
      .map(({ name, peer: { address } }) => name === address ? address : `${name} at ${address}`);
    if (!isStopped) return;
    if (this.#made.sayFarewell) host.act(this.#made.sayFarewell);
    this.#logStopped();
  }

  tellSummary(): void {
    const { received, receivedBytes, sent, sentBytes, faults } = this.#host.counters;
    const { out, outBytes } = this.#recorded;
    const refused = Object.entries(this.#made.observer.counts.refused).filter(([, n]) => n > 0);
    const seconds = this.#host.now / 1_000;
    const members = this.#members;
    const named = members.slice(0, MEMBERS_MAX)
      .map((member) => `    ${printable(member, NAME_CHARACTERS_MAX)}`);
    if (named.length < members.length) named.push(`    and ${members.length - named.length} more`);
    this.#session.tell(
      [
        `replayed ${seconds.toFixed(3)} s${this.#session.isStopped ? ", then stopped" : ""}`,
        `  in        ${received} datagrams, ${receivedBytes} bytes`,
        `  out       ${sent} datagrams, ${sentBytes} bytes`,
        `  then      ${out} datagrams, ${outBytes} bytes went out when it was recorded`,
        ...out === sent
          ? []
          : ["            (there timers were late, and datagrams waited for others)"],
        `  refused   ${refused.map(([reason, n]) => `${reason} ${n}`).join(", ") || "nothing"}`,
        ...faults > 0 ? [`  faults    ${faults}`] : [],
        `  members   ${members.length} at the end`,
        ...named,
      ],
      "summary",
      {
        ...{ seconds, received, receivedBytes, sent, sentBytes, faults },
        recorded: { sent: out, sentBytes: outBytes },
        refused: Object.fromEntries(refused),
        members: members.slice(0, MEMBERS_MAX),
        membersCount: members.length,
      },
    );
  }

  /** Lets the recorded time pass, with the lines of statistics that come on the way. */
  async #passUntil(timeMs: number): Promise<void> {
    while (this.#statisticsAt <= timeMs && !this.#session.isStopped) {
      await this.#waitUntil(this.#statisticsAt);
      this.#made.observer.tellStatistics?.(this.#host.counters);
      this.#statisticsAt += this.#statisticsMs;
    }
    await this.#waitUntil(timeMs);
  }

  async #waitUntil(timeMs: number): Promise<void> {
    const session = this.#session;
    while (!session.isStopped && !this.#host.waitUntil(timeMs, () => session.isBusy)) {
      await session.breathe();
    }
    if (session.isBusy) await session.breathe();
  }
}
