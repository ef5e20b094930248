/** `netsync replay FILE HOST[:PORT]`: what was said to a server, said again to one that runs. */
import { formatHostPort, type HostPort } from "../hosts/address.ts";
import { ReplaySockets } from "../hosts/replay_sockets.ts";
import { resolveHost } from "../hosts/resolve.ts";
import { joined } from "./join.ts";
import { CommandFailure } from "./options.ts";
import type { ReplaySession } from "./replay_session.ts";

/** Each takes 64 kB and a file handle. */
const SOCKETS_MAX = 1_024;
/** How long answers to what was said last are waited for. */
const LINGER_MS = 500;

/** What came and went when it was recorded, as far as it is said again. */
interface Recorded {
  received: number;
  receivedBytes: number;
}

/**
 * Sends what was recorded, `speed` times as fast. Returns when that is done, or it was told to stop.
 *
 * @throws {CommandFailure} There is no such server, or nobody answers where somebody did.
 */
export async function replayToServer(
  session: ReplaySession,
  server: HostPort,
  speed: number,
): Promise<void> {
  const [ip] = await joined(resolveHost(server.hostname));
  const sockets = new ReplaySockets({ ip: ip!, port: server.port }, SOCKETS_MAX);
  try {
    const live = new LiveReplay(session, sockets, speed);
    await live.run();
    live.tellSummary(formatHostPort(server.hostname, server.port));
  } finally {
    await sockets.close();
  }
}

class LiveReplay {
  readonly #session: ReplaySession;
  readonly #sockets: ReplaySockets;
  readonly #speed: number;
  readonly #recorded: Recorded = { received: 0, receivedBytes: 0 };
  /** When the first datagram left, and in ms of the recording. */
  #start: { at: number; timeMs: number } | undefined;
  #seconds = 0;

  constructor(session: ReplaySession, sockets: ReplaySockets, speed: number) {
    this.#session = session;
    this.#sockets = sockets;
    this.#speed = speed;
  }

  async run(): Promise<void> {
    const session = this.#session;
    const isServers = session.file.header.role === "server";
    for await (const entry of session.file.entries()) {
      if (session.isStopped) break;
      if (entry.kind !== "in" && entry.kind !== "out") continue;
      // A client speaks from one socket, to whomever it spoke then.
      const speaker = isServers ? entry.address : "the client";
      if (isServers === (entry.kind === "in")) {
        await this.#waitFor(entry.timeMs);
        if (session.isStopped) break;
        // Only where there can be no socket at all does this fail.
        await joined(this.#sockets.send(speaker, entry.data));
      } else if (this.#sockets.has(speaker)) {
        this.#recorded.received++;
        this.#recorded.receivedBytes += entry.data.length;
      }
    }
    if (this.#start) this.#seconds = (performance.now() - this.#start.at) / 1_000;
    await session.pause(LINGER_MS);
  }

  tellSummary(address: string): void {
    const { counters: { sent, sentBytes, failed, leftOut, received, receivedBytes }, size } =
      this.#sockets;
    const recorded = this.#recorded;
    const hz = sent / Math.max(0.001, this.#seconds);
    const plural = size === 1 ? "socket" : "sockets";
    this.#session.tell(
      [
        `replayed to ${address} in ${this.#seconds.toFixed(3)} s` +
        (this.#session.isStopped ? ", then stopped" : ""),
        `  sent      ${sent} datagrams, ${sentBytes} bytes, from ${size} ${plural}, ` +
        `${hz.toFixed(1)} a second`,
        ...failed > 0 ? [`  failed    ${failed} were not taken by the system`] : [],
        ...leftOut > 0
          ? [`  left out  ${leftOut} datagrams of others than the first ${size} who spoke`]
          : [],
        `  back      ${received} datagrams, ${receivedBytes} bytes`,
        `  then      ${recorded.received} datagrams, ${recorded.receivedBytes} bytes came back ` +
        "when it was recorded",
      ],
      "summary",
      {
        ...{ address, seconds: this.#seconds, sockets: size, sent, sentBytes, failed, leftOut },
        ...{ received, receivedBytes, recorded },
      },
    );
    if (received === 0 && recorded.received > 0 && !this.#session.isStopped) {
      throw new CommandFailure(`nothing came back from ${address}: is the server running?`);
    }
  }

  async #waitFor(timeMs: number): Promise<void> {
    const now = performance.now();
    const start = this.#start ??= { at: now, timeMs };
    const waitMs = start.at + (timeMs - start.timeMs) / this.#speed - now;
    if (waitMs >= 1) await this.#session.pause(waitMs);
    // Behind: answers and signals are heard nevertheless.
    else if (this.#session.isBusy) await this.#session.breathe();
  }
}
