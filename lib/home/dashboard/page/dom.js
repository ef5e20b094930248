/** Small helpers for the page's elements. What strangers wrote becomes text, never markup. */

/**
 * The element of an id, which the page has.
 *
 * @template {keyof HTMLElementTagNameMap} Tag
 * @param {string} id
 * @param {Tag} [_tag] What it is, for the type only.
 * @returns {HTMLElementTagNameMap[Tag]}
 */
export function byId(id, _tag) {
  return /** @type {HTMLElementTagNameMap[Tag]} */ (document.getElementById(id));
}

/**
 * A new element.
 *
 * @template {keyof HTMLElementTagNameMap} Tag
 * @param {Tag} tag
 * @param {{ className?: string, text?: string, attributes?: Record<string, string> }} [options]
 * @param {(Node | string)[]} children
 * @returns {HTMLElementTagNameMap[Tag]}
 */
export function make(tag, options = {}, ...children) {
  const { className = "", text, attributes = {} } = options;
  const element = document.createElement(tag);
  if (className) element.className = className;
  if (text !== undefined) element.textContent = text;
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  element.append(...children);
  return element;
}

/**
 * Writes a text only where it is another one: what stands stays selected, and nothing is laid out anew.
 *
 * @param {Element} element
 * @param {string} text
 */
export function setText(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

/**
 * The same for an attribute; undefined takes it away.
 *
 * @param {Element} element
 * @param {string} name
 * @param {string | undefined} value
 */
export function setAttribute(element, name, value) {
  if (value === undefined) element.removeAttribute(name);
  else if (element.getAttribute(name) !== value) element.setAttribute(name, value);
}

/**
 * Makes the children of an element those of a list, in its order, and keeps the ones that are there: each
 * entry has a key, which is the child's `data-key`.
 *
 * @template T
 * @template {HTMLElement} Child
 * @param {HTMLElement} parent
 * @param {readonly T[]} entries
 * @param {{
 *   key: (entry: T) => string,
 *   make: (entry: T) => Child,
 *   update?: (child: Child, entry: T) => void,
 * }} how
 */
export function fill(parent, entries, how) {
  const old = new Map([...parent.children].map((child) => {
    const element = /** @type {Child} */ (child);
    return [element.dataset.key, element];
  }));
  const wanted = entries.map((entry) => {
    const key = how.key(entry);
    const child = old.get(key) ?? how.make(entry);
    child.dataset.key = key;
    old.delete(key);
    how.update?.(child, entry);
    return child;
  });
  for (const child of old.values()) child.remove();
  // A child that stands where it should is not moved: moving takes the focus away.
  let place = parent.firstElementChild;
  for (const child of wanted) {
    if (child === place) place = place.nextElementSibling;
    else parent.insertBefore(child, place);
  }
}
