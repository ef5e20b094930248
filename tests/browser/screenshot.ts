/**
 * Pictures of the dashboard for the README: `dashboard-light.png` and `dashboard-dark.png`.
 *
 *     cd tests/browser && deno run -A screenshot.ts FOLDER
 */
import { chromium } from "playwright-core";
import { BROWSER_PATH } from "./browser.ts";
import { Program } from "./program.ts";

const VIEWPORT = { width: 1280, height: 1180 };

const [folder] = Deno.args;
if (!folder || !BROWSER_PATH) {
  console.error(folder ? "there is no chromium here" : "usage: deno run -A screenshot.ts FOLDER");
  Deno.exit(2);
}
await using program = await Program.start({
  members: { sync: 19, arena: 6, messages: 3 },
  hasPast: true,
  isTidy: true,
});
const browser = await chromium.launch({ executablePath: BROWSER_PATH, args: ["--no-sandbox"] });
for (const colorScheme of ["light", "dark"] as const) {
  const page = await browser.newPage({ viewport: VIEWPORT, colorScheme });
  await page.goto(program.url);
  await page.locator("#connection", { hasText: /^Connected$/ }).waitFor();
  await page.evaluate(() => new Promise((resolve) => requestAnimationFrame(resolve)));
  await page.screenshot({ path: `${folder}/dashboard-${colorScheme}.png` });
  await page.close();
}
await browser.close();
