/** What a router says, as it may be shown. */

/** The most characters that are shown of one text of a router. */
const CHARACTERS_MAX = 64;

/** A router's text on one line: short, and without what would steer a terminal. */
export function plainText(text: string): string {
  // Control characters of both ranges, line separators, and what turns the direction of writing around.
  const line = text.slice(0, 4 * CHARACTERS_MAX)
    .replace(/[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}\s]+/gu, " ").trim();
  const characters = [...line];
  return characters.length <= CHARACTERS_MAX
    ? line
    : characters.slice(0, CHARACTERS_MAX - 1).join("") + "…";
}
