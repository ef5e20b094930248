/**
 * A text from anybody in one line without control characters: they, and what changes the direction of
 * writing, are shown as escapes.
 *
 * @param charactersMax Of a longer text comes as much, and "…". Default: all of it.
 */
export function printable(text: string, charactersMax = Infinity): string {
  return cutText(text, charactersMax).replace(/[\p{C}\p{Zl}\p{Zp}]/gu, (character) => {
    const code = character.codePointAt(0)!;
    return code < 0x100
      ? `\\x${code.toString(16).padStart(2, "0")}`
      : "\\u{" + code.toString(16) + "}";
  });
}

function cutText(text: string, charactersMax: number): string {
  if (text.length <= charactersMax) return text;
  const isPairCut = /[\ud800-\udbff]/.test(text[charactersMax - 1] ?? "");
  return `${text.slice(0, isPairCut ? charactersMax - 1 : charactersMax)}…`;
}
