/** A clock that is set back or ahead while things run that show the time of day. */
import { assertEquals } from "@std/assert";
import { History } from "../../lib/home/dashboard/history.ts";
import { readResumeFile, ResumeFile } from "../../lib/home/resume_file.ts";
import type { Report, ServiceReport } from "../../lib/observe/report.ts";
import { withFolder } from "../support/folder.ts";

const NOON = 1_700_000_000_000;
const HOUR_MS = 3_600_000;

function reportAt(time: number): Report {
  const rates = { inHz: 0, inBytesHz: 0, outHz: 0, outBytesHz: 0 };
  const service: ServiceReport = {
    ...{ service: "sync", title: "sync", transport: "UDP", port: 1, rates, members: 0 },
    ...{ lateMs: { p50: 0, p99: 0, max: 0 }, roster: [], figures: [], refused: {} },
  };
  const services = [service];
  return { time, version: "0", uptimeMs: 0, memoryBytes: undefined, services, bans: [] };
}

Deno.test("History begins anew when the clock is set back, and goes on when it is set ahead", () => {
  const history = new History();
  const times = (): number[] => (history.toJSON().sync ?? []).map(([time]) => time!);
  for (const time of [NOON, NOON + 1_000, NOON + HOUR_MS, NOON + HOUR_MS]) {
    history.add(reportAt(time));
  }
  assertEquals(times(), [NOON, NOON + 1_000, NOON + HOUR_MS]);
  history.add(reportAt(NOON + 2_000));
  history.add(reportAt(NOON + 3_000));
  assertEquals(times(), [NOON + 2_000, NOON + 3_000]);
});

Deno.test("ResumeFile goes on from what was saved before the clock was set back, not from an hour ago", async () => {
  await withFolder(async (folder) => {
    const path = `${folder}/sync.resume`;
    const options = { path, service: "sync", save: () => ({ version: 1 }), onProblem: () => {} };
    await (await ResumeFile.open(options))[Symbol.asyncDispose]();
    const kinds: string[] = [];
    for (const shiftMs of [-HOUR_MS, 0, HOUR_MS]) {
      kinds.push((await readResumeFile(path, "sync", Date.now() + shiftMs)).kind);
    }
    assertEquals(kinds, ["saved", "saved", "old"]);
  });
});
