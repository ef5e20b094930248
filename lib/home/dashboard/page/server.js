/** The way to the server: what it tells, and what it is asked to do. */

/** @import { Report } from "../../../observe/report.ts" */
/** @import { LogLine } from "../../../observe/log.ts" */

/**
 * The first thing that a page is told.
 *
 * @typedef {{
 *   isReadonly: boolean,
 *   log: LogLine[],
 *   history: Record<string, number[][]>,
 * }} Hello
 *
 * @typedef {{
 *   onHello: (hello: Hello) => void,
 *   onReport: (report: Report) => void,
 *   onLog: (log: { lines: LogLine[], lost: number }) => void,
 *   onLost: (why: string) => void,
 * }} Listener
 */

/** A report comes every second; without one for so long the connection is dead, whatever it seems. */
const SILENCE_MS = 8_000;
/** Between attempts, after the browser gave up. */
const AGAIN_MS = 3_000;

/** Stays connected. */
export class Server {
  /** @type {string} */
  #token = new URLSearchParams(location.search).get("token") ?? "";
  /** @type {Listener} */
  #listener;
  /** @type {EventSource | undefined} */
  #events;
  /** @type {number | undefined} */
  #timer;

  /** @param {Listener} listener */
  constructor(listener) {
    this.#listener = listener;
    this.#connect();
  }

  /**
   * Asks for an action.
   *
   * @param {"kick" | "ban" | "unban"} action
   * @param {Record<string, string>} body
   * @returns {Promise<string | undefined>} What went wrong, as a sentence.
   */
  async act(action, body) {
    try {
      const response = await fetch(`actions/${action}`, {
        method: "POST",
        headers: { authorization: `Bearer ${this.#token}`, "content-type": "application/json" },
        body: JSON.stringify(body),
      });
      if (response.ok) return undefined;
      const { error } = await response.json();
      return typeof error === "string" ? error : `netsync answered with ${response.status}`;
    } catch {
      return "netsync cannot be reached";
    }
  }

  #connect() {
    clearTimeout(this.#timer);
    this.#events?.close();
    const events = new EventSource(this.#eventsUrl);
    this.#events = events;
    this.#expectSoon();
    events.addEventListener("hello", ({ data }) => this.#listener.onHello(JSON.parse(data)));
    events.addEventListener("log", ({ data }) => this.#listener.onLog(JSON.parse(data)));
    events.addEventListener("report", ({ data }) => {
      this.#expectSoon();
      this.#listener.onReport(JSON.parse(data));
    });
    events.addEventListener("error", () => {
      if (events !== this.#events) return;
      if (events.readyState === EventSource.CLOSED) this.#probe();
      else this.#listener.onLost("");
    });
  }

  get #eventsUrl() {
    return `events?token=${encodeURIComponent(this.#token)}`;
  }

  #expectSoon() {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => {
      this.#listener.onLost("");
      this.#connect();
    }, SILENCE_MS);
  }

  /** A browser that gave up does not say why: a plain request for the same tells. */
  async #probe() {
    clearTimeout(this.#timer);
    const status = await fetch(this.#eventsUrl, { method: "HEAD" }).then(
      (response) => response.status,
      () => 0,
    );
    this.#listener.onLost(REASONS.get(status) ?? "");
    const next = status === 200 ? () => this.#connect() : () => this.#probe();
    this.#timer = setTimeout(next, AGAIN_MS);
  }
}

/** What there is to do about it, by the status of the answer. */
const REASONS = new Map([
  [401, "Open the address that netsync printed when it was started: this one is no longer valid."],
  [503, "Too many pages are open: close one of them."],
]);
