import { assert, assertEquals } from "@std/assert";
import type { Hosted } from "../../lib/home/hosted.ts";
import { memoryBytes, Monitor } from "../../lib/home/monitor.ts";
import type { Report, ServiceReport } from "../../lib/observe/report.ts";
import { until } from "../support/wait.ts";

/** Services that only note for how long they are to report. */
function noting(seconds: (number | undefined)[]): Hosted {
  return {
    report(time?: number): ServiceReport {
      seconds.push(time);
      return { service: "sync" } as ServiceReport;
    },
  } as Hosted;
}

Deno.test("Monitor reports at once and when it is told to, and takes a sample each second only", async () => {
  const seconds: (number | undefined)[] = [];
  let bans = ["192.0.2.7"];
  const services = [noting(seconds)];
  using monitor = new Monitor({ version: "1.2.3", services, bans: () => bans });
  const reports: Report[] = [];
  const startedAt = performance.now();
  monitor.listen((report) => reports.push(report));
  assertEquals(reports.length, 1);
  const { version, uptimeMs, memoryBytes: bytes, services: [sync], time } = reports[0]!;
  assertEquals([version, reports[0]!.bans, sync!.service], ["1.2.3", ["192.0.2.7"], "sync"]);
  assert(Math.abs(time - Date.now()) < 5_000 && uptimeMs >= 0 && uptimeMs < 5_000);
  assert(bytes! > 1_000_000, `${bytes} bytes`);
  bans = [];
  monitor.tell();
  assertEquals([reports.length, reports[1]!.bans], [2, []]);
  await until("the next one", () => reports.length === 3);
  monitor.tell();
  assertEquals(seconds.map((each) => each === undefined), [true, true, false, true]);
  // The history of a page takes a second once.
  assertEquals(reports.map(({ time }) => time), [time, time, reports[2]!.time, reports[2]!.time]);
  assert(reports[2]!.time > time);
  const tookMs = performance.now() - startedAt;
  assert(tookMs > 900 && tookMs < 5_000, `${tookMs} ms`);
  assert(Math.abs(1_000 * seconds[2]! - tookMs) < 100, `${seconds[2]} s of ${tookMs} ms`);
  await until("the second one", () => reports.length === 5);
  assert(seconds[4]! > 0.5, `${seconds[4]} s since the first one`);
});

Deno.test("Monitor gives the same report to all who listen, and looks once for them", async () => {
  const seconds: (number | undefined)[] = [];
  using monitor = new Monitor({ version: "", services: [noting(seconds)], bans: () => [] });
  const heard: Report[][] = [[], []];
  for (const reports of heard) monitor.listen((report) => reports.push(report));
  await until("the next one", () => heard[1]!.length >= 2);
  assertEquals([heard[0]!.length, heard[1]!.length, seconds.length], [3, 2, 3]);
  assert(heard[0]!.at(-1) === heard[1]!.at(-1));
});

Deno.test("Monitor tells of services that come later", () => {
  const services: Hosted[] = [];
  using monitor = new Monitor({ version: "", services, bans: () => [] });
  const counts: number[] = [];
  monitor.listen(({ services }) => counts.push(services.length));
  services.push(noting([]));
  monitor.tell();
  assertEquals(counts, [0, 1]);
});

Deno.test("Monitor keeps no time for nobody, and none after its end", () => {
  {
    using monitor = new Monitor({ version: "", services: [], bans: () => [] });
    monitor.tell();
  }
  const monitor = new Monitor({ version: "", services: [], bans: () => [] });
  monitor.listen(() => {});
  monitor[Symbol.dispose](); // A timer that is left would be noticed by the sanitizer.
});

Deno.test("memoryBytes() tells what the process holds, or nothing where the system does not", () => {
  assert(memoryBytes()! > 1_000_000);
  const { memoryUsage } = Deno;
  try {
    Deno.memoryUsage = () => ({ ...memoryUsage(), rss: 0 });
    assertEquals(memoryBytes(), undefined);
    Deno.memoryUsage = () => {
      throw new Error("not here");
    };
    assertEquals(memoryBytes(), undefined);
  } finally {
    Deno.memoryUsage = memoryUsage;
  }
});

Deno.test("Monitor goes on after a report that failed, and tells why", () => {
  const problems: string[] = [];
  let isBroken = true;
  const service: Hosted = {
    ...noting([]),
    report(): ServiceReport {
      if (isBroken) throw new Error("no figures");
      return { service: "sync" } as ServiceReport;
    },
  };
  const onProblem = (problem: string): void => void problems.push(problem);
  const monitored = { version: "", services: [service], bans: (): string[] => [], onProblem };
  using monitor = new Monitor(monitored);
  const reports: Report[] = [];
  monitor.listen((report) => reports.push(report));
  assertEquals([reports.length, problems.length], [0, 1]);
  assert(problems[0]!.startsWith("internal error: Error: no figures"), problems[0]);
  isBroken = false;
  monitor.tell();
  assertEquals([reports.length, problems.length], [1, 1]);
});
