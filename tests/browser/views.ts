/** Where things are on the page, and how people get there. */
import type { Locator, Page } from "playwright-core";

/** The players who are shown. */
export const rows = (page: Page): Locator => page.locator("#players-table tbody tr");

/** One of them. */
export const rowOf = (page: Page, name: string): Locator => rows(page).filter({ hasText: name });

/** How the last action ended. */
export const result = (page: Page): Locator => page.locator("#result");

/** Says yes to the question that is asked. */
export const sayYes = (page: Page): Promise<void> => page.locator("#ask-yes").click();

/** Waits until something has a text. */
export async function untilText(
  what: Locator,
  text: RegExp | string,
  timeoutMs = 30_000,
): Promise<void> {
  await what.filter({ hasText: text }).waitFor({ timeout: timeoutMs });
}

/** The name, or else the id, of what has the focus. */
export function focused(page: Page): Promise<string> {
  return page.evaluate(() => {
    const element = document.activeElement;
    return element?.getAttribute("aria-label") ?? element?.id ?? "";
  });
}

/** Presses Tab until something of this name has the focus. */
export async function tabTo(page: Page, name: string): Promise<void> {
  for (let presses = 0; presses < 100; presses++) {
    if (await focused(page) === name) return;
    await page.keyboard.press("Tab");
  }
  throw new Error(`${name} cannot be reached by Tab`);
}

/** Waits until the table has changed with three reports. */
export function threeReports(page: Page): Promise<void> {
  return page.evaluate(() =>
    new Promise<void>((resolve) => {
      let reports = 0;
      const observer = new MutationObserver(() => {
        if (++reports >= 3) resolve(observer.disconnect());
      });
      const body = document.querySelector("#players-table tbody")!;
      observer.observe(body, { subtree: true, childList: true, characterData: true });
    })
  );
}
