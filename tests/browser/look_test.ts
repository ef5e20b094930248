/** The dashboard in a real browser: how it looks where, and for those who do not see it. */
import { assert, assertEquals } from "@std/assert";
import type { Page } from "playwright-core";
import { until } from "../support/wait.ts";
import { browserTest } from "./browser.ts";
import { result, rowOf, rows, sayYes, untilText } from "./views.ts";

const PHONE = { viewport: { width: 320, height: 640 } };
const ALL_SERVICES = { sync: 12, arena: 3, messages: 1, world: 9, rendezvous: 2, echo: 1 };

for (const colorScheme of ["light", "dark"] as const) {
  browserTest(`the page and its charts are ${colorScheme}`, {
    program: { hasPast: true },
    context: { colorScheme },
    // The test reads the pixels of a chart, the page does not; and it ends the program.
    complaint: /willReadFrequently|net::ERR_/,
  }, async ({ page, program }) => {
    const isDark = colorScheme === "dark";
    const before = await page.evaluate(lightness);
    assertEquals([before.page < 0.2, before.ink < 0.4], [isDark, !isDark]);
    // Without reports the charts change only for this.
    await program[Symbol.asyncDispose]();
    await untilText(page.locator("#connection"), "Connection lost");
    await page.emulateMedia({ colorScheme: isDark ? "light" : "dark" });
    await until("the other colours", async () => {
      const { page: now, chart } = await page.evaluate(lightness);
      return Math.abs(now - before.page) > 0.5 && Math.abs(chart - before.chart) > 0.1;
    });
  });
}

/** How light the page, its text, and what is drawn in the first chart are, from 0 to 1. */
function lightness(): { page: number; ink: number; chart: number } {
  const of = (red: number, green: number, blue: number): number => (red + green + blue) / 765;
  const ofCss = (color: string): number => {
    const [red = 0, green = 0, blue = 0] = color.match(/[\d.]+/g)!.map(Number);
    return of(red, green, blue);
  };
  const { backgroundColor, color } = getComputedStyle(document.body);
  const canvas = document.querySelector("canvas")!;
  const { data } = canvas.getContext("2d")!.getImageData(0, 0, canvas.width, canvas.height);
  let [sum, count] = [0, 0];
  for (let at = 0; at < data.length; at += 4) {
    if (data[at + 3]! < 128) continue;
    sum += of(data[at]!, data[at + 1]!, data[at + 2]!);
    count++;
  }
  return { page: ofCss(backgroundColor), ink: ofCss(color), chart: sum / Math.max(1, count) };
}

/** Elements that are cut off at the right, or make people scroll sideways. */
function tooWide(page: Page): Promise<string[]> {
  return page.evaluate(() =>
    [...document.querySelectorAll("body *")]
      .filter((element) => element.checkVisibility() && !element.matches(".skip, .unseen"))
      .filter((element) => element.getBoundingClientRect().right > innerWidth + 1)
      .map((element) => element.outerHTML)
      .concat(document.documentElement.scrollWidth > innerWidth ? ["the page"] : [])
  );
}

browserTest("on a phone nothing is wider than the screen", {
  program: { members: ALL_SERVICES, hasPast: true },
  context: PHONE,
}, async ({ page }) => {
  assertEquals(await tooWide(page), []);
  for (const tab of await page.getByRole("tab").all()) {
    await tab.click();
    assertEquals(await tooWide(page), []);
  }
  await rows(page).first().getByRole("button").first().click();
  assertEquals(await tooWide(page), []);
});

browserTest("on a phone players are ordered, found and kicked", {
  context: PHONE,
}, async ({ page }) => {
  await page.getByLabel("Order").selectOption("State");
  const first = rows(page).first().locator(".name");
  await until("the largest first", async () => await first.innerText() === "d0r0thy");
  await page.getByLabel("Find").fill("d0r");
  await rowOf(page, "d0r0thy").getByRole("button", { name: "Kick d0r0thy" }).click();
  await sayYes(page);
  await untilText(result(page), "was kicked");
  await until("nobody", async () => await rows(page).count() === 0);
});

browserTest("a lost connection is seen wherever one has scrolled", {
  context: PHONE,
  complaint: /net::ERR_/,
}, async ({ page, program }) => {
  await page.evaluate(() => scrollTo(0, document.body.scrollHeight));
  await program[Symbol.asyncDispose]();
  await untilText(page.locator("#connection"), "Connection lost");
  const { y, width } = (await page.locator("#connection").boundingBox())!;
  assertEquals([y, width], [0, 320]);
  assertEquals(await tooWide(page), []);
});

browserTest("nothing moves for those who do not want it", {
  context: { reducedMotion: "reduce" },
}, async ({ page }) => {
  const moving = await page.evaluate(() =>
    [...document.querySelectorAll("*")].map((element) => getComputedStyle(element))
      .filter((style) => style.transitionDuration !== "0s" || style.animationName !== "none")
      .length
  );
  assertEquals(moving, 0);
});

browserTest("every control and every place has a name", {}, async ({ page }) => {
  const tree = await page.locator("body").ariaSnapshot();
  const lines = tree.split("\n").map((line) => line.trim().replace(/^- '/, "- "));
  const control = /^- (button|textbox|searchbox|combobox|img|tab|link|region|table|figure)\b/;
  const controls = lines.filter((line) => control.test(line));
  assert(controls.length > 40, String(controls.length));
  assertEquals(controls.filter((line) => !/^- \w+ "[^"]/.test(line)), []);
  for (
    const part of ["- banner:", "- main:", '- tablist "Services":', "- status: Connected"]
      .concat(['- region "Players":', '- region "Log":', '- region "Bans":', "- caption: Players,"])
      .concat(['- columnheader "Name"', '- rowheader "ada"', '- searchbox "Find"'])
      .concat(['- textbox "IP address or network"', '- heading "netsync" [level=1]'])
      .concat(['- tabpanel "sync (SimpleNetSync)":', '- button "Kick ada"'])
      .concat(['- img "Packets in the last', '- img "Lateness in the last'])
  ) {
    assert(lines.some((line) => line.startsWith(part)), `${part} in\n${tree}`);
  }
});

browserTest("what changes every second is not read out", {}, async ({ page }) => {
  const live = await page.locator("[aria-live], [role=status], [role=alert], [role=log]").all();
  const ids = await Promise.all(live.map((element) => element.getAttribute("id")));
  assertEquals(ids, ["connection", "ban-error", "result"]);
  const label = (): Promise<string | null> =>
    page.locator(".plot").nth(1).getAttribute("aria-label");
  await until(
    "a chart in words",
    async () => /^Packets in the last \d+ seconds?: in .*\/s; out .*\/s$/.test(await label() ?? ""),
  );
});

browserTest("all that has the focus shows it", {}, async ({ page }) => {
  const seen = new Set<string>();
  for (let presses = 0; presses < 40; presses++) {
    await page.keyboard.press("Tab");
    const [name, outline] = await page.evaluate(() => {
      const element = document.activeElement!;
      const { outlineStyle, outlineWidth } = getComputedStyle(element);
      const name = element.getAttribute("aria-label") ?? element.id ?? element.textContent;
      return [`${element.tagName} ${name}`, `${outlineStyle} ${outlineWidth}`];
    });
    assertEquals(outline, "solid 2px", name);
    seen.add(name!);
  }
  assert(seen.size > 20, [...seen].join());
});
