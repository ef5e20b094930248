/** Who is kept out: the list, and the form for one more. */
import { byId, fill, make, setAttribute, setText } from "./dom.js";
import { counted } from "./format.js";

/** @typedef {(text: string) => Promise<string | undefined>} Action Resolves to what is wrong. */

/** There may be thousands. */
const SHOWN_MAX = 100;

/** Shows bans and asks for more, or fewer. */
export class Bans {
  #list = byId("ban-list");
  #text = byId("ban-text", "input");

  /**
   * @param {Action} onBan
   * @param {Action} onUnban
   */
  constructor(onBan, onUnban) {
    byId("ban-form", "form").addEventListener("submit", (event) => {
      event.preventDefault();
      this.#submit(onBan);
    });
    byId("ban-lift").addEventListener("click", () => this.#submit(onUnban));
    this.#text.addEventListener("input", () => this.#complain(""));
    this.#list.addEventListener("click", ({ target }) => {
      const entry = /** @type {Element} */ (target).closest("button")?.closest("li");
      if (entry?.dataset.key) onUnban(entry.dataset.key);
    });
  }

  /** @param {string[]} bans */
  update(bans) {
    const focused = document.activeElement?.closest("li");
    const shown = bans.slice(-SHOWN_MAX).reverse();
    fill(this.#list, shown, { key: (ban) => ban, make: entryElement });
    // The focus of an entry that is gone would be nowhere.
    if (focused && !focused.isConnected) byId("bans").focus();
    const hidden = bans.length - shown.length;
    const more = `${counted(hidden, "older one is", "older ones are")} not shown.`;
    setText(byId("bans-note"), bans.length === 0 ? "Nobody is banned." : hidden > 0 ? more : "");
  }

  /** @param {Action} action */
  async #submit(action) {
    const text = this.#text.value.trim();
    const error = text === "" ? "Which address? For example: 192.0.2.7" : await action(text);
    this.#complain(error ?? "");
    if (error === undefined) this.#text.value = "";
    else this.#text.focus();
  }

  /** @param {string} error */
  #complain(error) {
    setText(byId("ban-error"), error);
    setAttribute(this.#text, "aria-invalid", error === "" ? undefined : "true");
  }
}

/** @param {string} ban */
function entryElement(ban) {
  const attributes = { type: "button", "aria-label": `Lift the ban of ${ban}` };
  return make(
    "li",
    {},
    make("span", { text: ban }),
    make("button", { className: "small", text: "Lift", attributes }),
  );
}
