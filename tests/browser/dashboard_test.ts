/** The dashboard in a real browser, as people use it: by mouse and by keyboard. */
import { assert, assertEquals } from "@std/assert";
import { until } from "../support/wait.ts";
import { browserTest } from "./browser.ts";
import { Program } from "./program.ts";
import { focused, result, rowOf, rows, sayYes, tabTo, threeReports, untilText } from "./views.ts";

browserTest("the page shows who is in, and changes rows in place", {}, async ({ page }) => {
  assertEquals(await rows(page).count(), 12);
  assertEquals(await page.title(), "15 players · netsync");
  assertEquals(await page.locator("#players-count").innerText(), "12");
  const first = await rows(page).first().elementHandle();
  const cell = rowOf(page, "ada").locator(".in-bytes");
  const before = await cell.innerText();
  await until("another number", async () => await cell.innerText() !== before);
  assert(await first!.evaluate((row) => row.isConnected));
});

browserTest("names and log lines of strangers are shown as text", {}, async ({ page }) => {
  const names = await rows(page).locator(".name").allInnerTexts();
  const [image, script] = ["<img src=x onerror=alert(1)>", "</td><script>alert(2)</script>"];
  assertEquals(names.slice(1, 3), [image, script]);
  await untilText(page.locator("#log"), "<b>not bold</b>");
  await rowOf(page, image).getByRole("button", { name: /^Kick/ }).click();
  assertEquals(await page.locator("#ask-title").innerText(), `Kick ${image}?`);
  await sayYes(page);
  await untilText(result(page), `${image} (192.0.0.2:50001) was kicked.`);
  assertEquals(await page.locator("main img, main script, #log b, #result *").count(), 0);
});

browserTest("a player is kicked by keyboard alone", {}, async ({ page }) => {
  await tabTo(page, "Kick ada");
  await page.keyboard.press("Enter");
  await page.locator("dialog[open]").waitFor();
  assertEquals(await page.locator("#ask-title").innerText(), "Kick ada?");
  // The focus is on No, and Escape means no; after it one is where one was.
  assertEquals(await focused(page), "ask-no");
  await page.keyboard.press("Escape");
  await page.locator("dialog").waitFor({ state: "hidden" });
  assertEquals([await focused(page), await rows(page).count()], ["Kick ada", 12]);
  await page.keyboard.press("Space");
  await page.keyboard.press("Tab");
  assertEquals(await focused(page), "ask-yes");
  await page.keyboard.press("Enter");
  await untilText(result(page), "was kicked");
  await until("a row less", async () => await rows(page).count() === 11);
  // The focus of the row that is gone went to the next one.
  assertEquals(await focused(page), "Kick <img src=x onerror=alert(1)>");
});

browserTest("the focus stays where it is when reports come", {}, async ({ page }) => {
  for (const name of ["Kick Linus", "players-filter", "log-level", "ban-text"]) {
    await tabTo(page, name);
    await threeReports(page);
    assertEquals(await focused(page), name);
  }
});

browserTest("no row moves while one is about to press its button", {}, async ({ page }) => {
  await page.getByRole("columnheader", { name: "Packets in" }).getByRole("button").click();
  await rows(page).nth(3).hover();
  const order = (): Promise<string[]> => rows(page).locator(".address").allInnerTexts();
  const before = await order();
  for (let n = 0; n < 5; n++) {
    await threeReports(page);
    assertEquals(await order(), before);
  }
  await page.mouse.move(0, 0);
  await until("another order", async () => String(await order()) !== String(before), 30_000);
});

browserTest("a player's address is banned, and let in again", {}, async ({ page }) => {
  await rowOf(page, "Linus").getByRole("button", { name: /^Ban/ }).click();
  await untilText(page.locator("#ask-title"), "Ban 192.0.0.8?");
  await sayYes(page);
  await untilText(result(page), "Banned: 192.0.0.8");
  await rowOf(page, "Linus").waitFor({ state: "detached" });
  await page.getByRole("button", { name: "Lift the ban of 192.0.0.8" }).click();
  await untilText(result(page), "192.0.0.8 may come in again.");
  await page.locator("#ban-list", { hasText: "192.0.0.8" }).waitFor({ state: "detached" });
});

// That a request was answered with 400 the browser says itself.
const BAD_REQUEST = { complaint: /status of 400/ };

browserTest("the ban form says what is wrong", BAD_REQUEST, async ({ page }) => {
  const [input, error] = [page.getByLabel("IP address or network"), page.locator("#ban-error")];
  const state = async (): Promise<unknown[]> => [
    ...[await focused(page), await input.getAttribute("aria-invalid"), await input.inputValue()],
  ];
  for (const [text, complaint] of Object.entries({ "": "Which address?", me: "no IP address" })) {
    await input.fill(text);
    await input.press("Enter");
    await untilText(error, complaint);
    assertEquals(await state(), ["ban-text", "true", text]);
  }
  await input.fill("203.0.113.0/24");
  assertEquals(await error.innerText(), "");
  await input.press("Enter");
  await untilText(page.locator("#ban-list"), "203.0.113.0/24");
  assertEquals(await state(), ["ban-text", null, ""]);
  await input.fill("203.0.113.0/24");
  await page.locator("#ban-lift").click();
  await untilText(result(page), "203.0.113.0/24 may come in again");
});

browserTest("players are found and ordered by keyboard", {}, async ({ page }) => {
  const find = page.getByLabel("Find");
  await find.fill("hopper");
  await until("one row", async () => await rows(page).count() === 1);
  assertEquals(await page.locator("#players-count").innerText(), "12, 1 found");
  await find.fill("nobody of this name");
  await untilText(page.locator("#players-none"), "Nobody of this name or address.");
  await find.fill("");
  const head = page.getByRole("columnheader", { name: "State" });
  const sizes = async (): Promise<number[]> =>
    (await rows(page).locator(".state").allInnerTexts()).map(parseFloat);
  await head.getByRole("button").press("Enter");
  assertEquals(await head.getAttribute("aria-sort"), "descending");
  assertEquals(await sizes(), (await sizes()).toSorted((a, b) => b - a));
  await head.getByRole("button").press("Enter");
  assertEquals(await head.getAttribute("aria-sort"), "ascending");
  assertEquals(await sizes(), (await sizes()).toSorted((a, b) => a - b));
  await head.getByRole("button").press("Enter");
  assertEquals(await head.getAttribute("aria-sort"), null);
});

const THREE = { program: { members: { sync: 12, arena: 3, messages: 0 } } };

browserTest("services are chosen by arrow keys", THREE, async ({ page }) => {
  const [tabs, title] = [page.getByRole("tab"), page.locator("#service-title")];
  assertEquals(await tabs.allInnerTexts(), ["sync12", "arena3", "messages0"]);
  await tabs.first().focus();
  await page.keyboard.press("ArrowRight");
  assertEquals(await title.innerText(), "arena (udp-socket-server)");
  assertEquals(await rows(page).count(), 3);
  assertEquals(await tabs.nth(1).getAttribute("aria-selected"), "true");
  // Round trips are measured there, and there are no states.
  assertEquals(await page.getByRole("columnheader", { name: "Round trip" }).count(), 1);
  assertEquals(await page.getByRole("columnheader", { name: "State" }).count(), 0);
  await page.keyboard.press("End");
  assertEquals(await title.innerText(), "messages (SimpleServer)");
  await untilText(page.locator("#players-none"), "Nobody is here yet.");
});

browserTest("who may only look sees nothing to press", {
  program: { isReadonly: true },
}, async ({ page }) => {
  assertEquals(await page.getByRole("button", { name: /^(Kick|Ban|Lift)/ }).count(), 0);
  assertEquals(await page.getByLabel("IP address or network").isVisible(), false);
  assert(await page.locator("#readonly").isVisible());
  assertEquals(await page.locator("#ban-list").innerText(), "198.51.100.0/24");
});

browserTest("the log is filtered and held still", {
  program: { hasPast: true },
}, async ({ page }) => {
  const lines = page.locator("#log li");
  await page.getByLabel("Show").selectOption("error");
  const levels = await lines.locator(".level").allInnerTexts();
  assert(levels.length > 10 && levels.every((level) => level === "error"), String(levels));
  await page.getByLabel("Show").selectOption("debug");
  const pause = page.getByRole("button", { name: "Pause" });
  await pause.click();
  assertEquals(await pause.getAttribute("aria-pressed"), "true");
  const before = await lines.count();
  await untilText(page.locator("#log-note"), /paused, [2-9]\d* new lines/);
  assertEquals(await lines.count(), before);
  await pause.click();
  assert(await lines.count() >= before + 2);
});

// That it cannot connect the browser says itself.
const UNREACHABLE = { complaint: /net::ERR_/ };

browserTest("the page connects again by itself", UNREACHABLE, async ({ page, program }) => {
  await program[Symbol.asyncDispose]();
  const connection = page.locator("#connection");
  // At once, and not only because nothing is heard for long.
  await untilText(connection, /Connection lost.*What is shown is from \d\d:/, 6_000);
  assertEquals(await page.title(), "Connection lost · netsync");
  assertEquals(await rows(page).count(), 12);
  await page.getByRole("button", { name: "Kick ada" }).click();
  await sayYes(page);
  await untilText(result(page), "netsync cannot be reached");
  await using _again = await Program.start({ port: program.port, members: { sync: 5 } });
  await untilText(connection, /^Connected$/);
  await until("the rows of now", async () => await rows(page).count() === 5);
  assertEquals(await page.title(), "5 players · netsync");
});

browserTest("the page says what to do when its token is another one", {
  complaint: /net::ERR_|status of 401/,
}, async ({ page, program }) => {
  await program[Symbol.asyncDispose]();
  await using again = await Program.start({ port: program.port, token: "another-token-here" });
  await untilText(page.locator("#connection"), "Open the address that netsync printed");
  await page.reload();
  await untilText(page.locator("body"), "open the address that netsync printed");
  await page.goto(again.url);
  await untilText(page.locator("#connection"), /^Connected$/);
});

browserTest("a chart tells what it shows where one points", {
  program: { hasPast: true },
}, async ({ page }) => {
  const chart = page.locator("figure").nth(1);
  const values = chart.locator("strong");
  await chart.locator(".plot").hover({ position: { x: 150, y: 60 } });
  await untilText(chart.locator(".when"), /^\d+ s ago$/);
  const [now] = await values.allInnerTexts();
  await page.mouse.move(0, 0);
  await until("the newest again", async () => await chart.locator(".when").innerText() === "");
  assert(await values.first().innerText() !== now);
});

browserTest("a thousand players do not freeze the page", {
  program: { members: { sync: 1_000 } },
}, async ({ page }) => {
  assertEquals(await rows(page).count(), 200);
  assertEquals(await page.locator("#players-count").innerText(), "1,000, 200 shown");
  const longestMs = await page.evaluate(() =>
    new Promise<number>((resolve) => {
      let longestMs = 0;
      new PerformanceObserver((list) => {
        for (const { duration } of list.getEntries()) longestMs = Math.max(longestMs, duration);
      }).observe({ type: "longtask" });
      setTimeout(() => resolve(longestMs), 2_000); // Eight reports.
    })
  );
  // For people a report has a second, four times as long as here.
  assert(longestMs < 1_000, `${longestMs} ms`);
  await page.getByLabel("Find").fill("player 987");
  await until("one row", async () => await rows(page).count() === 1);
});
