/** The charts: the last five minutes of a service, a point a second. */
import { byId, make, setAttribute, setText } from "./dom.js";
import { bytes, bytesPerSecond, count, counted, milliseconds, perSecond } from "./format.js";

/** @import uPlot from "uplot" */

/**
 * @typedef {{ label: string, column: number, color: string, dash?: number[] }} Line
 *
 * @typedef {{
 *   title: string,
 *   lines: Line[],
 *   text: (value: number) => string,
 *   axisText: (value: number) => string,
 *   isStepped?: boolean,
 *   topMin: number,
 * }} Kind
 */

/** What a point is made of: see history.ts. */
const [TIME, MEMBERS, IN_HZ, OUT_HZ, IN_BYTES_HZ, OUT_BYTES_HZ, P99_MS, MAX_MS] = [
  ...Array(8).keys(),
];
const WINDOW_S = 300;
const SPLITS = [-300, -240, -180, -120, -60, 0];
const TICKS = ["−5 min", "−4", "−3", "−2", "−1", "now"];
const HEIGHT = 148;
/** Read out as one text, so not every second anew. */
const DESCRIBE_EVERY = 10;

const IN = { label: "in", color: "--in" };
const OUT = { label: "out", color: "--out", dash: [6, 3] };

/** @type {Kind[]} */
const KINDS = [
  {
    title: "Players",
    lines: [{ label: "", column: MEMBERS, color: "--in" }],
    text: count,
    axisText: count,
    isStepped: true,
    topMin: 4,
  },
  {
    title: "Packets",
    lines: [{ ...IN, column: IN_HZ }, { ...OUT, column: OUT_HZ }],
    text: perSecond,
    axisText: count,
    topMin: 10,
  },
  {
    title: "Bandwidth",
    lines: [{ ...IN, column: IN_BYTES_HZ }, { ...OUT, column: OUT_BYTES_HZ }],
    text: bytesPerSecond,
    axisText: (value) => bytes(value).replace(/\.0+(?= )/, ""),
    topMin: 1_000,
  },
  {
    title: "Lateness",
    lines: [
      { label: "99 %", column: P99_MS, color: "--in" },
      { label: "worst", column: MAX_MS, color: "--out", dash: [6, 3] },
    ],
    text: milliseconds,
    axisText: (value) => `${value} ms`,
    topMin: 4,
  },
];

/** All charts of the service that is shown. */
export class Charts {
  #charts = KINDS.map((kind) => new Chart(kind));
  /** @type {readonly number[][]} */
  #points = [];

  constructor() {
    byId("charts").append(...this.#charts.map(({ figure }) => figure));
    for (const chart of this.#charts) chart.draw();
    const redraw = () => this.#charts.forEach((chart) => chart.redraw());
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", redraw);
    // Nothing is drawn where nobody looks.
    document.addEventListener("visibilitychange", () => this.#draw(false));
  }

  /**
   * @param {readonly number[][]} points The oldest first.
   * @param {boolean} isNew Whether they are those of another service than before.
   */
  show(points, isNew) {
    this.#points = points;
    this.#draw(isNew);
  }

  /** @param {boolean} isNew */
  #draw(isNew) {
    if (document.hidden) return;
    for (const chart of this.#charts) chart.show(this.#points, isNew);
  }
}

class Chart {
  #kind;
  #plot = make("div", { className: "plot", attributes: { role: "img" } });
  #when = make("span", { className: "when" });
  /** @type {HTMLElement[]} */
  #values = [];
  /** @type {uPlot | undefined} */
  #uplot;
  /** @type {[xs: number[], ...ys: number[][]]} */
  #data;
  /** @type {readonly number[][]} */
  #points = [];
  /** Which point is pointed at. @type {number | null} */
  #index = null;
  #shown = 0;

  /** @param {Kind} kind */
  constructor(kind) {
    this.#kind = kind;
    this.#data = [[], ...kind.lines.map(() => [])];
    const legend = kind.lines.map(({ label, color }) => {
      const value = make("strong", { text: "–" });
      this.#values.push(value);
      const swatch = make("i", { className: `swatch ${color.slice(2)}` });
      const name = make("span", { text: `${label} ` });
      return make("span", { className: "entry" }, ...(label ? [swatch, name] : []), value, " ");
    });
    const title = make("div", { className: "title" }, make("h3", { text: kind.title }), this.#when);
    const caption = make("figcaption", {}, title, make("div", { className: "legend" }, ...legend));
    /** What goes around the plot. */
    this.figure = make("figure", { className: "card" }, caption, this.#plot);
  }

  /** Makes the plot, once the figure has its place. */
  draw() {
    this.#uplot = new globalThis.uPlot(this.#options(), this.#data, this.#plot);
    new ResizeObserver(() => {
      const width = this.#plot.clientWidth;
      if (width > 0) this.#uplot?.setSize({ width, height: HEIGHT });
    }).observe(this.#plot);
  }

  redraw() {
    this.#uplot?.redraw(false, true);
  }

  /**
   * @param {readonly number[][]} points
   * @param {boolean} isNew
   */
  show(points, isNew) {
    this.#points = points;
    const last = points.at(-1)?.[TIME] ?? 0;
    this.#data = [
      points.map((point) => (point[TIME] - last) / 1_000),
      ...this.#kind.lines.map(({ column }) => points.map((point) => point[column])),
    ];
    this.#uplot?.setData(this.#data);
    this.#tellValues();
    if (isNew || this.#shown++ % DESCRIBE_EVERY === 0) this.#describe();
  }

  #tellValues() {
    const last = this.#points.length - 1;
    const index = Math.min(this.#index ?? last, last);
    for (const [n, value] of this.#values.entries()) {
      const number = this.#data[n + 1][index];
      setText(value, number === undefined ? "–" : this.#kind.text(number));
    }
    const seconds = Math.round(-(this.#data[0][index] ?? 0));
    setText(this.#when, index === last ? "" : `${seconds} s ago`);
  }

  /** The picture in words. */
  #describe() {
    const { title, lines, text } = this.#kind;
    const parts = lines.map(({ label }, n) => {
      const values = this.#data[n + 1];
      if (values.length === 0) return `${label} nothing yet`;
      const [low, high] = [Math.min(...values), Math.max(...values)].map(text);
      const now = text(values[values.length - 1]);
      return `${label} ${low === high ? now : `from ${low} to ${high}, now ${now}`}`.trim();
    });
    const seconds = Math.round(-(this.#data[0][0] ?? 0));
    const span = seconds >= 120
      ? `${Math.round(seconds / 60)} minutes`
      : counted(seconds, "second", "seconds");
    setAttribute(this.#plot, "aria-label", `${title} in the last ${span}: ${parts.join("; ")}`);
  }

  /** @returns {uPlot.Options} */
  #options() {
    const { lines, isStepped, topMin, axisText } = this.#kind;
    const axis = {
      stroke: () => color("--muted"),
      grid: { stroke: () => color("--grid"), width: 1 },
      ticks: { show: false },
      font: "11px system-ui, sans-serif",
    };
    return {
      width: Math.max(200, this.#plot.clientWidth),
      height: HEIGHT,
      padding: [6, 16, 0, 0],
      legend: { show: false },
      cursor: { y: false, drag: { x: false, y: false }, points: { size: 7 } },
      scales: {
        x: { time: false, range: [-WINDOW_S, 0] },
        y: { range: (_, __, top) => [0, Math.max(topMin, (top ?? 0) * 1.1)] },
      },
      axes: [
        { ...axis, size: 26, gap: 8, splits: () => SPLITS, values: () => TICKS },
        { ...axis, size: 54, gap: 6, values: (_, values) => values.map(axisText) },
      ],
      series: [
        {},
        ...lines.map((line) => ({
          stroke: () => color(line.color),
          fill: () => color(`${line.color}-fill`),
          dash: line.dash,
          width: 1.6,
          points: { show: false },
          paths: isStepped ? globalThis.uPlot.paths.stepped?.({ align: 1 }) : undefined,
        })),
      ],
      hooks: {
        setCursor: [(plot) => {
          this.#index = plot.cursor.idx ?? null;
          if (!plot.cursor.left || plot.cursor.left < 0) this.#index = null;
          this.#tellValues();
        }],
      },
    };
  }
}

/** @param {string} name */
function color(name) {
  return getComputedStyle(document.documentElement).getPropertyValue(name).trim();
}
