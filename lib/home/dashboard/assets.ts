/** The files of the page. They are part of the program, so that reading them needs no permission. */
import uplotScript from "uplot/script" with { type: "text" };
import uplotStyle from "uplot/style" with { type: "text" };
import bans from "./page/bans.js" with { type: "text" };
import charts from "./page/charts.js" with { type: "text" };
import dom from "./page/dom.js" with { type: "text" };
import format from "./page/format.js" with { type: "text" };
import iconImage from "./page/icon.svg" with { type: "text" };
import layoutStyle from "./page/layout.css" with { type: "text" };
import log from "./page/log.js" with { type: "text" };
import main from "./page/main.js" with { type: "text" };
import page from "./page/page.html" with { type: "text" };
import partsStyle from "./page/parts.css" with { type: "text" };
import playersStyle from "./page/players.css" with { type: "text" };
import players from "./page/players.js" with { type: "text" };
import server from "./page/server.js" with { type: "text" };
import service from "./page/service.js" with { type: "text" };
import themeStyle from "./page/theme.css" with { type: "text" };
import talk from "./page/talk.js" with { type: "text" };

/** A file as it is sent. */
export interface Asset {
  type: string;
  text: string;
}

const SCRIPT = "text/javascript; charset=utf-8";
const STYLE = "text/css; charset=utf-8";

/** Everything but the page itself, by name. */
export const ASSETS: ReadonlyMap<string, Asset> = new Map([
  ["uplot.js", { type: SCRIPT, text: uplotScript }],
  ["uplot.css", { type: STYLE, text: uplotStyle }],
  ["theme.css", { type: STYLE, text: themeStyle }],
  ["layout.css", { type: STYLE, text: layoutStyle }],
  ["parts.css", { type: STYLE, text: partsStyle }],
  ["players.css", { type: STYLE, text: playersStyle }],
  ["icon.svg", { type: "image/svg+xml", text: iconImage }],
  ["bans.js", { type: SCRIPT, text: bans }],
  ["charts.js", { type: SCRIPT, text: charts }],
  ["dom.js", { type: SCRIPT, text: dom }],
  ["format.js", { type: SCRIPT, text: format }],
  ["log.js", { type: SCRIPT, text: log }],
  ["main.js", { type: SCRIPT, text: main }],
  ["players.js", { type: SCRIPT, text: players }],
  ["server.js", { type: SCRIPT, text: server }],
  ["service.js", { type: SCRIPT, text: service }],
  ["talk.js", { type: SCRIPT, text: talk }],
]);

/**
 * The page.
 *
 * @param folder Where its {@link ASSETS} are, relative to it.
 */
export function pageIn(folder: string): string {
  return page.replaceAll('="assets/', `="${folder}/`);
}
