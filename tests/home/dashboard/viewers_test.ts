/** What pages are told, and those that do not listen. */
import { assert, assertEquals } from "@std/assert";
import type { Dashboard } from "../../../lib/home/dashboard/dashboard.ts";
import { LOG_LINES_MAX, SKIPS_MAX, VIEWERS_MAX } from "../../../lib/home/dashboard/viewers.ts";
import type { LogLine } from "../../../lib/observe/log.ts";
import type { Report } from "../../../lib/observe/report.ts";
import { until, within } from "../../support/wait.ts";
import { EventStream } from "./events.ts";
import { MadeUp } from "./made_up.ts";
import { ask, sendRaw, TOKEN, withDashboard } from "./open.ts";

const made = new MadeUp({ members: { sync: 3, arena: 1 }, startedAt: 0 });
const reportAt = (seconds: number): Report => made.report(1_000 * seconds);
const line = (message: string): LogLine => ({ time: 5, level: "info", service: "sync", message });

/** So large that a connection has room for a few only. */
function largeReport(seconds: number): Report {
  return { ...reportAt(seconds), bans: ["x".repeat(1_000_000)] };
}

/** Lets streams take what they have room for. */
const aMoment = (): Promise<void> => new Promise((resolve) => setTimeout(resolve));

/** Publishes twenty large ones; a connection has room for a few. */
async function publishLarge(dashboard: Dashboard, from: number): Promise<void> {
  for (let seconds = from; seconds < from + 20; seconds++) {
    dashboard.publish(largeReport(seconds));
    await aMoment();
  }
}

Deno.test("Dashboard tells a new page what is known, and then each report", async () => {
  await withDashboard(async (dashboard) => {
    dashboard.publish(reportAt(1));
    dashboard.publish(reportAt(2));
    const page = await EventStream.open(dashboard);
    const { rates, lateMs } = reportAt(1).services[0]!;
    const { log, isReadonly, history } = await page.nextOf("hello");
    assertEquals([log, isReadonly], [[line("before")], true]);
    assertEquals(Object.keys(history), ["sync", "arena"]);
    assertEquals(history.sync.map(([time]: number[]) => time), [1_000, 2_000]);
    assertEquals(history.sync[0].slice(1, 6), [
      ...[3, rates.inHz, rates.outHz, rates.inBytesHz, rates.outBytesHz],
    ]);
    assertEquals(history.sync[0][6], Math.round(1_000 * lateMs.p99) / 1_000);
    assertEquals(await page.next(), { name: "report", data: asJson(reportAt(2)) });
    dashboard.publish(reportAt(3));
    assertEquals(await page.nextOf("report"), asJson(reportAt(3)));
    await page.close();
  }, { logTail: () => [line("before")], isReadonly: true });
});

Deno.test("Dashboard tells of what is done at once, and keeps each second once", async () => {
  await withDashboard(async (dashboard) => {
    const again: Report = { ...reportAt(2), bans: ["192.0.2.7"] };
    for (const report of [reportAt(1), reportAt(2), again]) dashboard.publish(report);
    const page = await EventStream.open(dashboard);
    const { history } = await page.nextOf("hello");
    assertEquals(history.sync.map(([time]: number[]) => time), [1_000, 2_000]);
    assertEquals(await page.nextOf("report"), asJson(again));
    await page.close();
  });
});

Deno.test("Dashboard tells a page that is opened first of all, too", async () => {
  await withDashboard(async (dashboard) => {
    const page = await EventStream.open(dashboard);
    assertEquals((await page.nextOf("hello")).history, {});
    dashboard.publish(reportAt(1));
    assertEquals((await page.next())?.name, "report");
    await page.close();
  });
});

Deno.test("Dashboard tells log lines before the next report, whatever is in them", async () => {
  await withDashboard(async (dashboard) => {
    dashboard.log(line("nobody is there"));
    const page = await EventStream.open(dashboard);
    await page.nextOf("hello");
    const lines = ["a\n\nevent: report\ndata: {}", "\u2028\r\n", "</script>\0"].map(line);
    for (const one of lines) dashboard.log(one);
    dashboard.publish(reportAt(1));
    assertEquals(await page.next(), { name: "log", data: { lines, lost: 0 } });
    assertEquals((await page.next())?.name, "report");
    for (let n = 0; n < LOG_LINES_MAX + 5; n++) dashboard.log(line(`line ${n}`));
    dashboard.publish(reportAt(2));
    const log = await page.nextOf("log");
    assertEquals([log.lines.length, log.lost], [LOG_LINES_MAX, 5]);
    assertEquals(log.lines.at(-1).message, `line ${LOG_LINES_MAX + 4}`);
    dashboard.log(line("after"));
    dashboard.publish(reportAt(3));
    assertEquals(await page.nextOf("log"), { lines: [line("after")], lost: 0 });
    await page.close();
  });
});

Deno.test("Dashboard keeps five minutes of each service that is still there", async () => {
  await withDashboard(async (dashboard) => {
    for (let seconds = 0; seconds < 310; seconds++) dashboard.publish(reportAt(seconds));
    const [sync] = reportAt(310).services;
    dashboard.publish({ ...reportAt(310), services: [sync!] });
    const page = await EventStream.open(dashboard);
    const { history } = await page.nextOf("hello");
    assertEquals(Object.keys(history), ["sync"]);
    const times = history.sync.map(([time]: number[]) => time);
    assertEquals([times.length, times[0], times.at(-1)], [300, 11_000, 310_000]);
    await page.close();
  });
});

Deno.test("Dashboard tells so many pages at a time, and the next when one is closed", async () => {
  await withDashboard(async (dashboard) => {
    const { status } = await ask(dashboard, "/events", { method: "HEAD" });
    assertEquals(status, 200);
    await until("nobody", () => dashboard.viewers === 0);
    const pages = await Promise.all(
      Array.from({ length: VIEWERS_MAX }, () => EventStream.open(dashboard)),
    );
    assertEquals(dashboard.viewers, VIEWERS_MAX);
    const refused = await ask(dashboard, "/events");
    assertEquals(refused.status, 503);
    assert(/close one of them/.test(refused.text));
    assertEquals((await ask(dashboard, "/events", { method: "HEAD" })).status, 503);
    assertEquals((await ask(dashboard, "/")).status, 200);
    await pages.pop()!.close();
    await until("a free place", () => dashboard.viewers < VIEWERS_MAX);
    pages.push(await EventStream.open(dashboard));
    await Promise.all(pages.map((page) => page.close()));
    await until("nobody", () => dashboard.viewers === 0);
  });
});

Deno.test("Dashboard keeps one report for a page that reads slowly: the newest", async () => {
  await withDashboard(async (dashboard) => {
    const request = `GET /events?token=${TOKEN} HTTP/1.0\r\nHost: localhost\r\n\r\n`;
    const slow = await sendRaw(dashboard, request);
    await until("a viewer", () => dashboard.viewers === 1);
    // Each time it is behind, but never for so long as to be given up.
    for (const from of [100, 200, 300, 400, 500]) {
      await publishLarge(dashboard, from);
      const text = await within("all", readUntil(slow, `"time":${1_000 * (from + 19)},`));
      const times = [...text.matchAll(/^data: \{"time":(\d+)/gm)].map(([, time]) => Number(time));
      // What its connection held, and then the newest: not all that there was. (Once somebody reads, the
      // system has room for more.)
      assert(times.length < (from === 100 ? 15 : 21), `${times.length} of 20`);
      assertEquals(times.at(-1), 1_000 * (from + 19));
      assertEquals(times, times.toSorted((a, b) => a - b));
    }
    assertEquals(dashboard.viewers, 1);
    slow.close();
  });
});

Deno.test("Dashboard does not let one who is slow delay the others", async () => {
  await withDashboard(async (dashboard) => {
    const request = `GET /events?token=${TOKEN} HTTP/1.1\r\nHost: localhost\r\n\r\n`;
    using _asleep = await sendRaw(dashboard, request);
    const page = await EventStream.open(dashboard);
    await until("two viewers", () => dashboard.viewers === 2);
    for (let seconds = 1; seconds <= 20; seconds++) {
      dashboard.publish(largeReport(seconds));
      assertEquals((await page.nextOf("report")).time, 1_000 * seconds);
    }
    await page.close();
  });
});

Deno.test("Dashboard gives up a page that does not read at all", async () => {
  await withDashboard(async (dashboard) => {
    const request = `GET /events?token=${TOKEN} HTTP/1.1\r\nHost: localhost\r\n\r\n`;
    using _asleep = await sendRaw(dashboard, request);
    await until("a viewer", () => dashboard.viewers === 1);
    await publishLarge(dashboard, 1);
    assertEquals(dashboard.viewers, 1);
    for (let n = 0; n < SKIPS_MAX; n++) dashboard.publish(largeReport(100 + n));
    assertEquals(dashboard.viewers, 0);
    await within("the end", dashboard.close(), 2_000);
  });
});

function asJson(value: unknown): unknown {
  return JSON.parse(JSON.stringify(value));
}

async function readUntil(connection: Deno.TcpConn, end: string): Promise<string> {
  const chunks: string[] = [];
  const decoder = new TextDecoder();
  const bytes = new Uint8Array(1 << 20);
  let tail = "";
  while (!tail.includes(end)) {
    const read = await connection.read(bytes);
    if (read === null) throw new Error("the connection ended");
    const chunk = decoder.decode(bytes.subarray(0, read), { stream: true });
    chunks.push(chunk);
    tail = tail.slice(-2 * end.length) + chunk;
  }
  return chunks.join("");
}
