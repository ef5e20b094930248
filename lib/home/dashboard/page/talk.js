/** What the page asks and tells: one question at a time, and how an action ended. */
import { byId, setText } from "./dom.js";

const RESULT_MS = 10_000;
/** @type {number | undefined} */
let timer;

/**
 * Asks before something that cannot be taken back. Escape is a no; the focus goes back to where it was.
 *
 * @param {string} title
 * @param {string} text
 * @param {string} verb What the button says.
 * @returns {Promise<boolean>}
 */
export function ask(title, text, verb) {
  const dialog = byId("ask", "dialog");
  setText(byId("ask-title"), title);
  setText(byId("ask-text"), text);
  setText(byId("ask-yes"), verb);
  byId("ask-no").onclick = () => dialog.close("no");
  byId("ask-yes").onclick = () => dialog.close("yes");
  dialog.returnValue = "no";
  dialog.showModal();
  return new Promise((resolve) => {
    dialog.onclose = () => resolve(dialog.returnValue === "yes");
  });
}

/**
 * Says how an action ended, for a while.
 *
 * @param {string} text
 * @param {boolean} isError
 */
export function tell(text, isError = false) {
  const result = byId("result");
  result.classList.toggle("error", isError);
  setText(result, text);
  clearTimeout(timer);
  timer = setTimeout(() => setText(result, ""), RESULT_MS);
}
