/** The log: the last lines, by level, as they come or held still. */
import { byId, make, setAttribute, setText } from "./dom.js";
import { clock, counted } from "./format.js";

/** @import { LogLine } from "../../../observe/log.ts" */

const LINES_MAX = 500;
const LEVELS = ["debug", "info", "warning", "error"];
/** So close to the end somebody reads the newest line. */
const END_PX = 24;

/** Shows lines; what comes during a pause is shown after it. */
export class Log {
  #box = byId("log");
  #list = /** @type {HTMLOListElement} */ (this.#box.firstElementChild);
  #level = byId("log-level", "select");
  #pause = byId("log-pause", "button");
  /** @type {LogLine[]} */
  #lines = [];
  #isPaused = false;
  #unshown = 0;

  constructor() {
    this.#level.addEventListener("change", () => this.#showAll());
    this.#pause.addEventListener("click", () => {
      this.#isPaused = !this.#isPaused;
      setAttribute(this.#pause, "aria-pressed", String(this.#isPaused));
      if (!this.#isPaused) this.#showAll();
    });
  }

  /**
   * Begins anew with these.
   *
   * @param {LogLine[]} lines
   */
  start(lines) {
    this.#lines = lines.slice(-LINES_MAX);
    if (!this.#isPaused) this.#showAll();
  }

  /** @param {{ lines: LogLine[], lost: number }} log */
  add({ lines, lost }) {
    const missing = counted(lost, "line is", "lines are");
    /** @type {LogLine[]} */
    const gap = lost === 0
      ? []
      : [{ time: lines[0].time, level: "warning", service: "log", message: `${missing} missing` }];
    const more = [...gap, ...lines];
    this.#lines = [...this.#lines, ...more].slice(-LINES_MAX);
    if (this.#isPaused) this.#unshown += more.length;
    else this.#show(more);
    this.#note();
  }

  #showAll() {
    this.#unshown = 0;
    this.#list.replaceChildren();
    this.#show(this.#lines);
    this.#box.scrollTop = this.#box.scrollHeight;
    this.#note();
  }

  /** @param {LogLine[]} lines */
  #show(lines) {
    const { scrollTop, clientHeight, scrollHeight } = this.#box;
    const isAtEnd = scrollTop + clientHeight >= scrollHeight - END_PX;
    const least = LEVELS.indexOf(this.#level.value);
    this.#list.append(
      ...lines.filter(({ level }) => LEVELS.indexOf(level) >= least).map(lineElement),
    );
    while (this.#list.children.length > LINES_MAX) this.#list.firstElementChild?.remove();
    if (isAtEnd) this.#box.scrollTop = this.#box.scrollHeight;
  }

  #note() {
    const unshown = counted(this.#unshown, "new line", "new lines");
    setText(byId("log-note"), this.#isPaused ? `paused, ${unshown}` : "");
  }
}

/** @param {LogLine} line */
function lineElement({ time, level, service, message }) {
  return make(
    "li",
    { className: level },
    make("time", { text: clock(time), attributes: { datetime: new Date(time).toISOString() } }),
    make("span", { className: "level", text: level }),
    make("span", { className: "service", text: service }),
    make("span", { className: "message", text: message }),
  );
}
