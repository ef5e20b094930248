/** What goes wrong between a service that runs and its system, in plain words. */
import type { Logger } from "@logtape/logtape";
import { isOutOfFiles } from "../../hosts/open_port.ts";
import { Incident } from "../../observe/incident.ts";
import { reasonOf } from "./open_failure.ts";

/** The most that macOS sends in one datagram unless told otherwise: `net.inet.udp.maxdgram`. */
const MACOS_DATAGRAM_BYTES_MAX = 9_216;
/** So many errors in a row are not those of players who are gone. */
const RECEIVE_ERRORS_MAX = 1_000;

/** What is needed of a host. */
interface Counted {
  readonly received: number;
  readonly sent: number;
  readonly accepted?: number;
}

/** Says what fails, once, and that it is over. */
export class Incidents implements Disposable {
  readonly #logger: Logger;
  readonly #sending: Incident;
  readonly #receiving: Incident;
  readonly #accepting: Incident;

  /** @param counters Of the host, as they are now; asked only once something failed. */
  constructor(logger: Logger, counters: () => Counted) {
    this.#logger = logger;
    this.#sending = new Incident({
      successes: () => counters().sent,
      sayOver: (failed, seconds) =>
        logger.info(
          "sending works again: {failed} datagrams were lost in {seconds} s",
          { event: "send-works", failed, seconds },
        ),
    });
    this.#receiving = new Incident({
      successes: () => counters().received,
      sayOver: (failed, seconds) =>
        logger.info(
          "receiving works again: it failed {failed} times in {seconds} s",
          { event: "receive-works", failed, seconds },
        ),
    });
    this.#accepting = new Incident({
      successes: () => counters().accepted ?? 0,
      sayOver: (failed, seconds) =>
        logger.info(
          "connections are taken again, after {seconds} s",
          { event: "accept-works", failed, seconds },
        ),
    });
  }

  /** A datagram of so many bytes was not sent. */
  readonly onSendFailure = (error: unknown, bytes: number): void => {
    const reason = reasonOf(error);
    this.#sending.failed(reason, () => {
      const hint = sendHint(error, bytes);
      this.#logger.warning(
        "a datagram of {bytes} bytes could not be sent: {reason}{hint}",
        { event: "send-failed", bytes, reason, hint },
      );
    });
  };

  /** The system failed to receive, so many times in a row. */
  readonly onReceiveFailure = (error: unknown, inARow: number): void => {
    // Windows says here that a datagram reached nobody: a player who is gone, and nothing to worry about.
    if (isAboutOnePeer(error) && inARow < RECEIVE_ERRORS_MAX) return;
    const reason = reasonOf(error);
    this.#receiving.failed(reason, () =>
      this.#logger.warning(
        "the system failed to receive: {reason}; it is asked again, and who is in stays in meanwhile",
        { event: "receive-failed", reason },
      ));
  };

  /** The system gave no connection. */
  readonly onAcceptFailure = (error: unknown): void => {
    const reason = reasonOf(error);
    this.#accepting.failed(reason, () => {
      const hint = isOutOfFiles(error) ? MORE_FILES : "";
      this.#logger.warning(
        "the system gives no more connections: {reason}; who is connected stays{hint}",
        { event: "accept-failed", reason, hint },
      );
    });
  };

  /** Nothing is said any more. */
  [Symbol.dispose](): void {
    for (const each of [this.#sending, this.#receiving, this.#accepting]) each[Symbol.dispose]();
  }
}

const MORE_FILES = "; for more of them start netsync after: ulimit -n 4096";

function sendHint(error: unknown, bytes: number): string {
  if (Deno.build.os === "darwin" && bytes > MACOS_DATAGRAM_BYTES_MAX) {
    return "; allow it: sudo sysctl -w net.inet.udp.maxdgram=65535";
  }
  return isNetworkAway(error)
    ? "; is this computer's network up? Whoever is heard again in time is still in"
    : "";
}

/** Whether there is no way out, or none to that address. */
function isNetworkAway(error: unknown): boolean {
  // As Linux, macOS and Windows count them: address gone, network down, unreachable, host unreachable.
  return /\(os error (99|100|101|113|49|50|51|65|10049|10050|10051|10065)\)/.test(reasonOf(error));
}

/** Reset by the other end: connection reset, network name deleted, network reset. */
function isAboutOnePeer(error: unknown): boolean {
  return error instanceof Deno.errors.ConnectionReset ||
    /\(os error (64|10052)\)/.test(reasonOf(error));
}
