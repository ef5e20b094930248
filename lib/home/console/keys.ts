/**
 * What is typed into a terminal, from the bytes that it sends. A key may be one byte or many, come in
 * parts, or with others; what is no key that anybody asks for is left out.
 */

/** Keys that have a name. */
export type KeyName =
  | "up"
  | "down"
  | "left"
  | "right"
  | "home"
  | "end"
  | "page-up"
  | "page-down"
  | "tab"
  | "back-tab"
  | "enter"
  | "escape"
  | "backspace"
  | "delete"
  | "interrupt"
  | "clear-line"
  | "redraw";

/** A key with a name, a character, or a text that was pasted. */
export type Key =
  | { readonly kind: "named"; readonly name: KeyName }
  | { readonly kind: "character"; readonly text: string }
  | { readonly kind: "paste"; readonly text: string };

const CONTROLS: Readonly<Record<string, KeyName>> = {
  "\x03": "interrupt",
  "\x08": "backspace",
  "\t": "tab",
  "\n": "enter",
  "\x0c": "redraw",
  "\r": "enter",
  "\x15": "clear-line",
  "\x7f": "backspace",
};

/** By the last letter of their sequence. */
const LETTERS: Readonly<Record<string, KeyName>> = {
  ...{ A: "up", B: "down", C: "right", D: "left", H: "home", F: "end", Z: "back-tab", M: "enter" },
};

/** By the number in their sequence. */
const NUMBERS: Readonly<Record<string, KeyName>> = {
  ...{ 1: "home", 3: "delete", 4: "end", 5: "page-up", 6: "page-down", 7: "home", 8: "end" },
};

const PASTE_START = "200";
const PASTE_END = "\x1b[201~";

/** A sequence that goes on for longer is none. */
const SEQUENCE_MAX = 64;

/** Of a longer paste comes the beginning. */
const PASTE_MAX = 4_096;

/**
 * As many characters in one go are not typed, but pasted: not every terminal says so. They are many, since
 * a computer that was busy gets what was typed meanwhile in one go.
 */
const TYPED_MAX = 8;

/** Turns bytes into keys. */
export class KeyDecoder {
  readonly #utf8 = new TextDecoder();
  /** A sequence that is not complete. */
  #rest = "";
  /** What was pasted so far; undefined outside of a paste. */
  #pasted: string | undefined;

  /** Whether something is incomplete: {@link KeyDecoder.flush} when nothing comes for a while. */
  get isPending(): boolean {
    return this.#rest !== "" || this.#pasted !== undefined;
  }

  /** The keys that are complete with these bytes. */
  take(bytes: Uint8Array): Key[] {
    let text = this.#rest + this.#utf8.decode(bytes, { stream: true });
    this.#rest = "";
    const keys: Key[] = [];
    while (text !== "") {
      const used = this.#pasted === undefined ? this.#one(text, keys) : this.#paste(text, keys);
      if (used === 0) {
        this.#rest = text;
        break;
      }
      text = text.slice(used);
    }
    return asPaste(keys);
  }

  /** Nothing came for a while: what is incomplete stays so. A lone ESC is the key. */
  flush(): Key[] {
    const keys: Key[] = this.#rest === "\x1b" && this.#pasted === undefined
      ? [named("escape")]
      : [];
    this.#rest = "";
    this.#pasted = undefined;
    return keys;
  }

  /** Takes the first key. Returns its length; 0 when it is incomplete. */
  #one(text: string, keys: Key[]): number {
    const first = String.fromCodePoint(text.codePointAt(0)!);
    if (first === "\x1b") return this.#sequence(text, keys);
    const name = CONTROLS[first];
    if (name) keys.push(named(name));
    else if (!/[\p{C}]/u.test(first)) keys.push({ kind: "character", text: first });
    return first.length;
  }

  #sequence(text: string, keys: Key[]): number {
    if (text.length < 2) return 0;
    const kind = text[1]!;
    if (kind === "\x1b") return keys.push(named("escape")), 1;
    if (kind === "[") return this.#csi(text, keys);
    if (kind === "O") return ss3(text, keys);
    if ("]P_^X".includes(kind)) return stringLength(text);
    // A character with Alt; Ctrl+C is heard in any case.
    return kind < " " ? (keys.push(named("escape")), 1) : 1 + charLength(text.slice(1));
  }

  #csi(text: string, keys: Key[]): number {
    // deno-lint-ignore no-control-regex -- that is what they begin with
    const match = /^\x1b\[(\[.|([0-?]*)[ -/]*([@-~]))/.exec(text);
    if (!match) return incompleteLength(text);
    const [all, , parameters = "", last = ""] = match;
    const number = parameters.split(";")[0]!;
    if (last === "~" && number === PASTE_START) this.#pasted = "";
    const name = last === "~" ? NUMBERS[number] : LETTERS[last];
    if (name && !(last === "M" && parameters !== "")) keys.push(named(name));
    return all.length;
  }

  /** Takes what belongs to a paste. */
  #paste(text: string, keys: Key[]): number {
    const end = text.indexOf(PASTE_END);
    const until = end >= 0 ? end : text.length - partOf(PASTE_END, text);
    const piece = text.slice(0, until);
    // Whatever went wrong with the paste: there must be a way out.
    if (piece.includes("\x03")) keys.push(named("interrupt"));
    this.#pasted = (this.#pasted! + piece).slice(0, PASTE_MAX);
    if (end < 0) return until;
    keys.push({ kind: "paste", text: this.#pasted });
    this.#pasted = undefined;
    return until + PASTE_END.length;
  }
}

function named(name: KeyName): Key {
  return { kind: "named", name };
}

/** `ESC O A`: the arrows of some terminals. */
function ss3(text: string, keys: Key[]): number {
  if (text.length < 3) return 0;
  const name = LETTERS[text[2]!];
  if (name) keys.push(named(name));
  return text[2]! < " " ? 2 : 3;
}

/** Text that a terminal tells, up to its end: nobody asked for it. */
function stringLength(text: string): number {
  // deno-lint-ignore no-control-regex -- that is how they end
  const end = /\x07|\x1b\\|\x03/.exec(text);
  if (!end) return incompleteLength(text);
  return end[0] === "\x03" ? end.index : end.index + end[0].length;
}

/** What to leave out of a sequence that does not end, or is none; 0: it may go on. */
function incompleteLength(text: string): number {
  const isString = text[1] !== "[";
  // deno-lint-ignore no-control-regex -- that is what they begin with
  const body = isString ? text : /^\x1b\[[ -?]*/.exec(text)![0];
  return body.length === text.length && text.length < SEQUENCE_MAX ? 0 : body.length;
}

function charLength(text: string): number {
  return text.codePointAt(0)! > 0xffff ? 2 : 1;
}

/** How much of the beginning of `whole` the text ends with. */
function partOf(whole: string, text: string): number {
  let length = Math.min(whole.length - 1, text.length);
  while (!text.endsWith(whole.slice(0, length))) length--;
  return length;
}

/** Characters that are too many to be typed become one paste. */
function asPaste(keys: Key[]): Key[] {
  const typed = keys.filter(({ kind }) => kind === "character");
  if (typed.length <= TYPED_MAX) return keys;
  const isText = (key: Key): boolean =>
    key.kind === "character" || (key.kind === "named" && TEXT_KEYS.has(key.name));
  const text = keys.map((key) => key.kind === "character" ? key.text : isText(key) ? "\n" : "");
  return [{ kind: "paste", text: text.join("") }, ...keys.filter((key) => !isText(key))];
}

/** What text consists of besides characters. */
const TEXT_KEYS: ReadonlySet<KeyName> = new Set<KeyName>([
  "tab",
  "enter",
  "backspace",
  "clear-line",
]);
