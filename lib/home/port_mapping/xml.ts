/**
 * As much XML as routers speak: elements that hold text. One pass over the text, whatever it is, and no
 * entities but those XML itself has: nothing that is nested, repeated or left open costs more than its
 * length.
 */

/** An element that ended; `text` when there was nothing but text in it. */
export interface XmlElement {
  /** Without its namespace prefix. */
  name: string;
  /** With entities resolved, trimmed. */
  text: string | undefined;
}

const ENTITIES: Readonly<Record<string, string>> = {
  lt: "<",
  gt: ">",
  quot: '"',
  apos: "'",
  amp: "&",
};

/** The elements of a document in the order in which they end. What is no XML is passed over. */
export function* elementsOf(xml: string): Generator<XmlElement> {
  let open: { name: string; textFrom: number } | undefined;
  for (let at = xml.indexOf("<"); at !== -1; at = xml.indexOf("<", at)) {
    const close = endOfMarkup(xml, at);
    if (close === -1) return;
    const markup = xml.slice(at + 1, close);
    if (markup.startsWith("/")) {
      const name = localName(markup.slice(1));
      const text = open?.name === name ? xml.slice(open.textFrom, at) : undefined;
      yield { name, text: text === undefined ? undefined : resolveEntities(text.trim()) };
      open = undefined;
    } else if (!/^[!?]/.test(markup)) {
      const name = localName(markup);
      open = markup.endsWith("/") ? undefined : { name, textFrom: close + 1 };
      if (!open) yield { name, text: "" };
    }
    at = close + 1;
  }
}

/** The text of the first element of that name. */
export function textOf(xml: string, wanted: string): string | undefined {
  for (const { name, text } of elementsOf(xml)) if (name === wanted) return text;
  return undefined;
}

/** A text as it may stand in XML, in elements and attributes. Characters XML has no place for are left out. */
export function escapeXml(text: string): string {
  return text.replace(/[^\t\n\r\x20-\ud7ff\ue000-\ufffd]/g, "")
    .replace(/[<>&"']/g, (character) => `&#${character.charCodeAt(0)};`);
}

/** Where the `>` is that ends the markup at `at`; a comment may have others in it. */
function endOfMarkup(xml: string, at: number): number {
  if (!xml.startsWith("<!--", at)) return xml.indexOf(">", at);
  const end = xml.indexOf("-->", at + 4);
  return end === -1 ? -1 : end + 2;
}

/** `u:service a="b"` is a `service`. */
function localName(markup: string): string {
  const end = markup.search(/[\s/]/);
  const name = end === -1 ? markup : markup.slice(0, end);
  return name.slice(name.indexOf(":") + 1);
}

function resolveEntities(text: string): string {
  return text.replace(
    /&(?:#(\d{1,7})|#x([0-9a-f]{1,6})|([a-z]{2,4}));/gi,
    (all, dec, hex, name) => {
      if (name !== undefined) return ENTITIES[name] ?? all;
      const code = dec === undefined ? parseInt(hex, 16) : Number(dec);
      return code <= 0x10ffff ? String.fromCodePoint(code) : all;
    },
  );
}
