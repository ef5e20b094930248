import { assertEquals } from "@std/assert";
import { HealthWatch, type Watched } from "../../lib/home/health.ts";
import type { Report } from "../../lib/observe/report.ts";
import { MadeUp } from "./dashboard/made_up.ts";

const made = new MadeUp({ members: { sync: 3, arena: 1 }, startedAt: 0 });

/** A report in which each service was at most so late. */
function reportAt(time: number, late: Record<string, number> = {}): Report {
  const report = made.report(time);
  const services = report.services.map((service) => ({
    ...service,
    lateMs: { p50: 0, p99: 0, max: late[service.service] ?? 5 },
  }));
  return { ...report, services };
}

function watched(name: string, counters: { faults: number }): Watched {
  return { name, counters: counters as Watched["counters"] };
}

Deno.test("HealthWatch finds nothing wrong before the first report, nor with a good one", () => {
  const watch = new HealthWatch([watched("sync", { faults: 0 })]);
  assertEquals(watch.troubles(0), []);
  watch.look(reportAt(1, { sync: 1_000 }), 0);
  watch.look(reportAt(2), 1_900);
  assertEquals(watch.troubles(1_900), []);
});

Deno.test("HealthWatch names a service that is late, for as long as reports say so", () => {
  const watch = new HealthWatch([]);
  watch.look(reportAt(1, { sync: 1_001, arena: 999 }), 0);
  assertEquals(watch.troubles(10), ["sync was 1.0 s late"]);
  watch.look(reportAt(2, { sync: 3_456, arena: 2_000 }), 1_000);
  assertEquals(watch.troubles(1_010), ["sync was 3.5 s late", "arena was 2.0 s late"]);
  watch.look(reportAt(3), 2_000);
  assertEquals(watch.troubles(2_010), []);
});

Deno.test("HealthWatch notices that everything stood still, whatever came in between", () => {
  const watch = new HealthWatch([]);
  watch.look(reportAt(1), 0);
  watch.look(reportAt(1), 1_500);
  assertEquals(watch.troubles(1_500), []);
  watch.look(reportAt(2), 3_500);
  assertEquals(watch.troubles(3_500), ["the process was 2.5 s late"]);
  watch.look(reportAt(2), 3_600);
  assertEquals(watch.troubles(3_600).length, 1);
  watch.look(reportAt(3), 4_500);
  assertEquals(watch.troubles(4_500), []);
});

Deno.test("HealthWatch remembers an internal error for a minute, of services that come later, too", () => {
  const services: Watched[] = [];
  const watch = new HealthWatch(services);
  const counters = { faults: 0 };
  services.push(watched("sync", { faults: 0 }), watched("arena", counters));
  assertEquals(watch.troubles(0), []);
  counters.faults = 2;
  const told = ["arena had an internal error: see the log"];
  assertEquals([watch.troubles(1_000), watch.troubles(60_999)], [told, told]);
  assertEquals(watch.troubles(61_000), []);
  counters.faults = 3;
  watch.look(reportAt(1), 100_000);
  assertEquals([watch.troubles(159_999), watch.troubles(160_000)], [told, []]);
});
