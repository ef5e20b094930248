/**
 * Draws what terminals showed as an SVG picture.
 *
 *     deno run --allow-read tools/terminal_svg.ts FILE... > docs/running.svg
 *
 * Each file is a screen as `tmux capture-pane -p` gives it; with `-e` text in 24-bit colors keeps them.
 */
const FONT_PX = 13;
const CHARACTER_PX = 7.83;
const LINE_PX = 18;
const MARGIN_PX = 14;
const COLORS = { page: "#12161d", screen: "#1b2029", text: "#d7dde6", strong: "#8fd18b" };

function escaped(text: string): string {
  return text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;");
}

/** Color changes and other escape sequences; the first group is what stands behind `ESC[38;2;`. */
// deno-lint-ignore no-control-regex -- escape sequences are what is looked for
const ESCAPE = /\x1b\[(?:38;2;([\d;]+)|[\d;?]*)[a-zA-Z]/;

/** A line as the inside of a text element. */
function colored(line: string): string {
  const [plain = "", ...pieces] = line.split(ESCAPE);
  let text = escaped(plain);
  for (let at = 0; at < pieces.length; at += 2) {
    const [color, piece = ""] = [pieces[at], pieces[at + 1]];
    const inside = escaped(piece);
    text += color ? `<tspan fill="rgb(${color.replaceAll(";", ",")})">${inside}</tspan>` : inside;
  }
  return text;
}

function lengthOf(line: string): number {
  return line.replace(new RegExp(ESCAPE, "g"), "").length;
}

const screens = Deno.args.map((path) =>
  Deno.readTextFileSync(path).trimEnd().split("\n").map((line) => line.trimEnd())
);
const columns = Math.max(...screens.flat().map(lengthOf));
const width = Math.ceil(columns * CHARACTER_PX) + 4 * MARGIN_PX;
const parts: string[] = [];
let y = MARGIN_PX;
for (const lines of screens) {
  const height = lines.length * LINE_PX + 2 * MARGIN_PX;
  const box = `x="${MARGIN_PX}" y="${y}" width="${width - 2 * MARGIN_PX}" height="${height}"`;
  parts.push(`<rect ${box} rx="8" fill="${COLORS.screen}"/>`);
  lines.forEach((line, index) => {
    const baseline = y + MARGIN_PX + index * LINE_PX + FONT_PX;
    const fill = index === 0 ? COLORS.strong : COLORS.text;
    parts.push(`<text x="${2 * MARGIN_PX}" y="${baseline}" fill="${fill}">${colored(line)}</text>`);
  });
  y += height + MARGIN_PX;
}
console.log(`<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${y}" role="img" \
aria-label="Terminal windows" font-family="ui-monospace, Menlo, Consolas, monospace" \
font-size="${FONT_PX}" xml:space="preserve">
<rect width="100%" height="100%" fill="${COLORS.page}"/>
${parts.join("\n")}
</svg>`);
