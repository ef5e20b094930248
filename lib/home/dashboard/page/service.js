/** The services: a tab for each, and what is known of the one that is chosen. */
import { Charts } from "./charts.js";
import { byId, fill, make, setAttribute, setText } from "./dom.js";
import { count } from "./format.js";
import { Players } from "./players.js";

/** @import { MemberReport, ServiceReport } from "../../../observe/report.ts" */

/** As many points as a chart shows. */
const POINTS_MAX = 300;

/** Shows one service at a time. */
export class Services {
  #tabs = byId("tabs", "div");
  #panel = byId("service");
  #charts = new Charts();
  #players;
  /** @type {Map<string, number[][]>} */
  #history = new Map();
  /** @type {ServiceReport[]} */
  #services = [];
  #chosen = "";
  #shown = "";

  /** @param {(action: "kick" | "ban", service: string, member: MemberReport) => void} onAction */
  constructor(onAction) {
    this.#players = new Players(onAction);
    this.#tabs.addEventListener("click", ({ target }) => {
      const tab = /** @type {Element} */ (target).closest("button");
      if (tab) this.#choose(tab.dataset.key ?? "");
    });
    this.#tabs.addEventListener("keydown", (event) => this.#onKey(event));
  }

  /** @param {Record<string, number[][]>} history */
  start(history) {
    this.#history = new Map(Object.entries(history));
    this.#shown = "";
  }

  /**
   * @param {number} time
   * @param {ServiceReport[]} services
   */
  update(time, services) {
    this.#services = services;
    for (const service of services) this.#remember(time, service);
    this.#show();
  }

  /**
   * A point as the server makes it, see history.ts.
   *
   * @param {number} time
   * @param {ServiceReport} service
   */
  #remember(time, { service, members, rates, lateMs }) {
    const points = this.#history.get(service) ?? [];
    this.#history.set(service, points);
    // The last report comes again with a new connection.
    const [last = -Infinity] = points.at(-1) ?? [];
    if (last === time) return;
    if (last > time) points.length = 0; // The clock was set back: what was before is not of this time.
    const { inHz, outHz, inBytesHz, outBytesHz } = rates;
    points.push([time, members, inHz, outHz, inBytesHz, outBytesHz, lateMs.p99, lateMs.max]);
    if (points.length > POINTS_MAX) points.shift();
  }

  #show() {
    const service = this.#services.find((one) => one.service === this.#chosen) ?? this.#services[0];
    this.#showTabs(service);
    const isNew = service?.service !== this.#shown;
    this.#shown = service?.service ?? "";
    setText(byId("service-title"), service?.title ?? "No service yet");
    setText(byId("service-port"), service ? `${service.transport} port ${service.port}` : "");
    this.#charts.show(this.#history.get(this.#shown) ?? [], isNew);
    this.#players.update(service);
    showList("figures", service?.figures ?? []);
    const refused = Object.entries(service?.refused ?? {}).sort(([, a], [, b]) => b - a);
    showList("refused", refused.map(([reason, times]) => [reason, count(times)]));
  }

  /** @param {ServiceReport | undefined} current */
  #showTabs(current) {
    const isNeeded = this.#services.length > 1;
    this.#tabs.hidden = !isNeeded;
    setAttribute(this.#panel, "role", isNeeded ? "tabpanel" : undefined);
    fill(this.#tabs, this.#services, {
      key: ({ service }) => service,
      make: makeTab,
      update: (tab, { service, members }) => {
        const isCurrent = service === current?.service;
        setAttribute(tab, "aria-selected", String(isCurrent));
        tab.tabIndex = isCurrent ? 0 : -1;
        setText(tab.children[0], service);
        setText(tab.children[1], count(members));
        setAttribute(tab, "aria-label", `${service}, ${count(members)}`);
      },
    });
  }

  /** @param {string} service */
  #choose(service) {
    this.#chosen = service;
    this.#show();
  }

  /** @param {KeyboardEvent} event */
  #onKey(event) {
    const tabs = /** @type {HTMLElement[]} */ ([...this.#tabs.children]);
    const place = tabs.findIndex((tab) => tab === document.activeElement);
    const next = {
      ArrowLeft: (place + tabs.length - 1) % tabs.length,
      ArrowRight: (place + 1) % tabs.length,
      Home: 0,
      End: tabs.length - 1,
    }[event.key];
    if (place < 0 || next === undefined) return;
    event.preventDefault();
    this.#choose(tabs[next].dataset.key ?? "");
    tabs[next].focus();
  }
}

function makeTab() {
  return make(
    "button",
    { attributes: { type: "button", role: "tab", "aria-controls": "service" } },
    make("span"),
    make("span", { className: "badge" }),
  );
}

/**
 * Names and values. Two figures may have the same name.
 *
 * @param {string} id
 * @param {[name: string, value: string][]} pairs
 */
function showList(id, pairs) {
  fill(byId(id), pairs.map(([name, value], place) => ({ key: `${place} ${name}`, name, value })), {
    key: ({ key }) => key,
    make: ({ name }) => make("div", {}, make("dt", { text: name }), make("dd")),
    update: (entry, { value }) => setText(entry.children[1], value),
  });
  byId(`${id}-none`).hidden = pairs.length > 0;
}
