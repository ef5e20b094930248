/** The table of those who are in. Rows stay and change in place, so that a button can be hit. */
import { byId, fill, make, setAttribute, setText } from "./dom.js";
import { ago, bytes, bytesPerSecond, count, milliseconds, perSecond } from "./format.js";

/** @import { MemberReport, ServiceReport } from "../../../observe/report.ts" */

/**
 * @typedef {{
 *   id: string,
 *   title: string,
 *   value: (member: MemberReport) => string | number,
 *   text: (member: MemberReport) => string,
 *   isText?: boolean,
 *   isThere?: (member: MemberReport) => boolean,
 * }} Column
 *
 * @typedef {"kick" | "ban"} Action
 */

/** A browser that shows thousands of rows is busy with nothing else. */
const ROWS_MAX = 200;

/** @type {Column[]} */
const COLUMNS = [
  { id: "name", title: "Name", isText: true, value: ({ name }) => name, text: ({ name }) => name },
  {
    id: "address",
    title: "Address",
    isText: true,
    value: ({ address }) => address,
    text: ({ address }) => address,
  },
  {
    id: "heard",
    title: "Heard",
    value: ({ heardMs }) => heardMs ?? Infinity,
    text: ({ heardMs }) => heardMs === undefined ? "not yet" : ago(heardMs),
  },
  {
    id: "trip",
    title: "Round trip",
    value: ({ roundTripMs }) => roundTripMs ?? -1,
    text: ({ roundTripMs }) => roundTripMs === undefined ? "–" : milliseconds(roundTripMs),
    isThere: ({ roundTripMs }) => roundTripMs !== undefined,
  },
  {
    id: "in",
    title: "Packets in",
    value: ({ rates }) => rates.inHz,
    text: ({ rates }) => perSecond(rates.inHz),
  },
  {
    id: "out",
    title: "Packets out",
    value: ({ rates }) => rates.outHz,
    text: ({ rates }) => perSecond(rates.outHz),
  },
  {
    id: "in-bytes",
    title: "Data in",
    value: ({ rates }) => rates.inBytesHz,
    text: ({ rates }) => bytesPerSecond(rates.inBytesHz),
  },
  {
    id: "out-bytes",
    title: "Data out",
    value: ({ rates }) => rates.outBytesHz,
    text: ({ rates }) => bytesPerSecond(rates.outBytesHz),
  },
  {
    id: "state",
    title: "State",
    value: ({ stateBytes }) => stateBytes ?? -1,
    text: ({ stateBytes }) => stateBytes === undefined ? "–" : bytes(stateBytes),
    isThere: ({ stateBytes }) => stateBytes !== undefined,
  },
];

const collator = new Intl.Collator("en", { numeric: true, sensitivity: "base" });

/** Shows, finds and orders players; the buttons of a row ask `onAction`. */
export class Players {
  #section = byId("players");
  #table = byId("players-table", "table");
  #head = /** @type {HTMLTableRowElement} */ (this.#table.tHead?.rows[0]);
  #body = this.#table.tBodies[0];
  #filter = byId("players-filter", "input");
  #select = byId("players-sort", "select");
  /** @type {ServiceReport | undefined} */
  #service;
  /** @type {Column | undefined} */
  #sortBy;
  #isDescending = false;
  #isPointedAt = false;

  /** @param {(action: Action, service: string, member: MemberReport) => void} onAction */
  constructor(onAction) {
    this.#makeHead();
    this.#filter.addEventListener("input", () => this.#show());
    this.#select.addEventListener("change", () => this.#sort(this.#select.value));
    this.#body.addEventListener("pointerenter", () => this.#isPointedAt = true);
    this.#body.addEventListener("pointerleave", () => this.#isPointedAt = false);
    this.#body.addEventListener("click", ({ target }) => {
      const button = /** @type {Element} */ (target).closest("button");
      const address = button?.closest("tr")?.dataset.key;
      const member = this.#service?.roster.find((one) => one.address === address);
      const action = /** @type {Action | undefined} */ (button?.dataset.action);
      if (this.#service && member && action) onAction(action, this.#service.service, member);
    });
  }

  /** @param {ServiceReport | undefined} service */
  update(service) {
    if (service?.service !== this.#service?.service) this.#body.replaceChildren();
    this.#service = service;
    for (const { id, isThere } of COLUMNS) {
      const isMissing = isThere !== undefined && !service?.roster.some(isThere);
      this.#table.classList.toggle(`no-${id}`, isMissing);
    }
    this.#show();
  }

  #makeHead() {
    for (const { id, title, isText } of COLUMNS) {
      const button = make("button", { text: title, attributes: { type: "button" } });
      button.addEventListener("click", () => this.#sort(id));
      const className = `${id} ${isText ? "text" : "number"}`;
      const attributes = { scope: "col", role: "columnheader", "data-column": id };
      this.#head.append(make("th", { className, attributes }, button));
      this.#select.append(make("option", { text: title, attributes: { value: id } }));
    }
    this.#select.prepend(make("option", { text: "as they came", attributes: { value: "" } }));
    this.#select.value = "";
    const actions = make("span", { className: "unseen", text: "Actions" });
    const attributes = { scope: "col", role: "columnheader" };
    this.#head.append(make("th", { className: "actions", attributes }, actions));
  }

  /**
   * By a column; again: the other way round; once more: as they came.
   *
   * @param {string} id
   */
  #sort(id) {
    const column = COLUMNS.find((one) => one.id === id);
    const isDescendingFirst = !column?.isText;
    if (this.#sortBy !== column) {
      this.#sortBy = column;
      this.#isDescending = isDescendingFirst;
    } else if (this.#isDescending === isDescendingFirst) this.#isDescending = !isDescendingFirst;
    else this.#sortBy = undefined;
    const order = this.#isDescending ? "descending" : "ascending";
    for (const head of this.#head.cells) {
      const isSorted = column !== undefined && head.dataset.column === this.#sortBy?.id;
      setAttribute(head, "aria-sort", isSorted ? order : undefined);
    }
    this.#select.value = this.#sortBy?.id ?? "";
    this.#show();
  }

  #show() {
    const { members = 0, roster = [] } = this.#service ?? {};
    const found = this.#found(roster);
    const shown = this.#ordered(found).slice(0, ROWS_MAX);
    const focus = this.#focus();
    fill(this.#body, shown, { key: ({ address }) => address, make: makeRow, update: updateRow });
    this.#keep(focus);
    byId("players-box").hidden = shown.length === 0;
    this.#tell(members, roster.length, found.length, shown.length);
  }

  /** @param {MemberReport[]} roster */
  #found(roster) {
    const wanted = this.#filter.value.trim().toLowerCase();
    if (wanted === "") return roster;
    return roster.filter(({ name, address }) =>
      name.toLowerCase().includes(wanted) || address.toLowerCase().includes(wanted)
    );
  }

  /**
   * While somebody is about to press a button no row moves: it would be another player's button.
   *
   * @param {MemberReport[]} members
   */
  #ordered(members) {
    const sorted = this.#sorted(members);
    if (!this.#isPointedAt && !this.#focus()) return sorted;
    const places = new Map([...this.#body.rows].map(({ dataset }, place) => [dataset.key, place]));
    const placeOf = (/** @type {MemberReport} */ { address }) => places.get(address) ?? places.size;
    return sorted.sort((a, b) => placeOf(a) - placeOf(b));
  }

  /** @param {MemberReport[]} members */
  #sorted(members) {
    const by = this.#sortBy;
    if (!by) return members.slice();
    const sign = this.#isDescending ? -1 : 1;
    return members.slice().sort((a, b) => sign * compare(by.value(a), by.value(b)));
  }

  /** Where the focus is, if it is in a row. */
  #focus() {
    const button = document.activeElement;
    const row = button?.closest("tr");
    if (!(button instanceof HTMLElement) || !row || !this.#body.contains(row)) return undefined;
    return { row, place: row.rowIndex - 1, action: button.dataset.action };
  }

  /**
   * The focus of a row that is gone goes to the next one.
   *
   * @param {{ row: HTMLTableRowElement, place: number, action: string | undefined } | undefined} focus
   */
  #keep(focus) {
    if (!focus || focus.row.isConnected) return;
    const rows = this.#body.rows;
    const row = rows[Math.min(focus.place, rows.length - 1)];
    const button = row?.querySelector(`[data-action="${focus.action}"]`);
    if (button instanceof HTMLElement) button.focus();
    else this.#section.focus();
  }

  /**
   * @param {number} members
   * @param {number} listed
   * @param {number} found
   * @param {number} shown
   */
  #tell(members, listed, found, shown) {
    const isFiltered = found < listed;
    const parts = [count(members)];
    if (members > listed) parts.push(`of whom ${count(listed)} are listed`);
    if (isFiltered) parts.push(`${count(found)} found`);
    if (shown < found) parts.push(`${count(shown)} shown`);
    setText(byId("players-count"), parts.join(", "));
    const none = byId("players-none");
    none.hidden = shown > 0;
    setText(none, isFiltered ? "Nobody of this name or address." : "Nobody is here yet.");
  }
}

/**
 * @param {string | number} a
 * @param {string | number} b
 */
function compare(a, b) {
  if (typeof a === "number" && typeof b === "number") return a - b;
  return collator.compare(String(a), String(b));
}

function makeRow() {
  const row = make("tr", { attributes: { role: "row" } });
  for (const { id, title, isText } of COLUMNS) {
    const isName = id === "name";
    row.append(make(isName ? "th" : "td", {
      className: `${id} ${isText ? "text" : "number"}`,
      attributes: isName
        ? { scope: "row", role: "rowheader" }
        : { role: "cell", "data-title": title },
    }));
  }
  const buttons = ["Kick", "Ban"].map((text) =>
    make("button", {
      text,
      className: "small",
      attributes: { type: "button", "data-action": text.toLowerCase() },
    })
  );
  row.append(make("td", { className: "actions", attributes: { role: "cell" } }, ...buttons));
  return row;
}

/**
 * @param {HTMLTableRowElement} row
 * @param {MemberReport} member
 */
function updateRow(row, member) {
  for (const [place, { text }] of COLUMNS.entries()) setText(row.cells[place], text(member));
  const [kick, ban] = row.cells[COLUMNS.length].children;
  setAttribute(kick, "aria-label", `Kick ${member.name || member.address}`);
  setAttribute(
    ban,
    "aria-label",
    `Ban ${member.ip}, the address of ${member.name || "this player"}`,
  );
}
