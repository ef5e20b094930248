import { assert, assertEquals } from "@std/assert";
import { Pace, PACKET_OVERHEAD_BYTES } from "../../../lib/protocols/world/pace.ts";
import { seededRandom } from "../../../lib/parts/random.ts";
import { forEachSeed } from "../../support/seeds.ts";

const BURST_BYTES_MIN = 16_384;
const PER_SECOND_MIN = 16_384;

/** A second goes by in which so many of 100 packets are lost. */
function lose(pace: Pace, percent: number, second: number): void {
  pace.count("arrived", 100 - percent, second * 1_000 - 500);
  pace.count("lost", percent, second * 1_000);
}

Deno.test("Pace lets a quarter of a second's bytes leave at once, and always 16 kB", () => {
  assertEquals(new Pace(1_000_000, 0).left(0), 250_000);
  assertEquals(new Pace(65_536, 0).left(0), BURST_BYTES_MIN);
  assertEquals(new Pace(65_540, 0).left(0), 16_385);
  assertEquals(new Pace(10_000, 500).left(500), BURST_BYTES_MIN);
});

Deno.test("Pace.left() grows with time up to the burst, and no further", () => {
  const pace = new Pace(100_000, 1_000);
  pace.spend(20_000 - PACKET_OVERHEAD_BYTES);
  assertEquals(pace.left(1_000), 5_000);
  assertEquals(pace.left(1_010), 6_000);
  assertEquals(pace.left(1_010), 6_000, "no time has passed");
  assertEquals(pace.left(1_200), 25_000);
  assertEquals(pace.left(100_000), 25_000);
});

Deno.test("Pace.spend() counts the headers of each datagram, and may go below zero", () => {
  assertEquals(PACKET_OVERHEAD_BYTES, 28);
  const pace = new Pace(100_000, 0);
  pace.spend(24_972);
  assertEquals(pace.left(0), 0);
  pace.spend(972);
  assertEquals(pace.left(0), -1_000);
  assertEquals(pace.left(5), -500);
  assertEquals(pace.left(20), 1_000);
});

Deno.test("Pace.allows() what is left with the headers of each datagram, to the byte", () => {
  const pace = new Pace(100_000, 0);
  assert(pace.allows(25_000 - 28, 1, 0));
  assert(!pace.allows(25_000 - 27, 1, 0));
  assert(pace.allows(25_000 - 280, 10, 0));
  assert(!pace.allows(25_000 - 279, 10, 0));
  pace.spend(24_972);
  assert(pace.allows(0, 0, 0));
  assert(!pace.allows(0, 1, 0));
  assert(!pace.allows(72, 1, 0.5));
  assert(pace.allows(72, 1, 1));
});

Deno.test("Pace keeps to its rate over any time", () => {
  forEachSeed(50, (seed) => {
    const random = seededRandom(seed);
    const perSecond = 20_000 + random() * 500_000;
    const pace = new Pace(perSecond, 0);
    let now = 0;
    let spent = 0;
    while (now < 20_000) {
      now += random() * 30;
      while (pace.allows(1_200, 1, now)) {
        pace.spend(1_200);
        spent += 1_228;
      }
    }
    const burst = Math.max(BURST_BYTES_MIN, perSecond / 4);
    const most = burst + perSecond * now / 1_000;
    assert(spent <= most + 1e-3, `${spent} of ${most}`);
    assert(spent > most - 1_228 - 30 * perSecond / 1_000, `only ${spent} of ${most}`);
  });
});

Deno.test("Pace gets slower while more than half is lost, and faster when little is, to the limit", () => {
  const pace = new Pace(1_000_000, 0);
  assertEquals(Math.round(pace.bytesPerSecond), 1_000_000);
  lose(pace, 51, 1);
  assertEquals(Math.round(pace.bytesPerSecond), 700_000);
  lose(pace, 100, 2);
  assertEquals(Math.round(pace.bytesPerSecond), 490_000);
  lose(pace, 50, 3);
  assertEquals(Math.round(pace.bytesPerSecond), 490_000, "half");
  lose(pace, 10, 4);
  assertEquals(Math.round(pace.bytesPerSecond), 490_000, "a tenth");
  lose(pace, 9, 5);
  assertEquals(Math.round(pace.bytesPerSecond), 612_500);
  lose(pace, 0, 6);
  lose(pace, 0, 7);
  lose(pace, 0, 8);
  assertEquals(Math.round(pace.bytesPerSecond), 1_000_000);
});

Deno.test("Pace leaves everybody 16 kB a second, but never more than the limit", () => {
  const pace = new Pace(1_000_000, 0);
  for (let second = 1; second <= 30; second++) lose(pace, 100, second);
  assertEquals(Math.round(pace.bytesPerSecond), PER_SECOND_MIN);
  const slow = new Pace(5_000, 0);
  lose(slow, 100, 1);
  assertEquals(Math.round(slow.bytesPerSecond), 5_000);
  lose(slow, 0, 2);
  assertEquals(Math.round(slow.bytesPerSecond), 5_000);
});

Deno.test("Pace looks at the loss once a second, when the fate of 20 packets is known", () => {
  const pace = new Pace(1_000_000, 500);
  pace.count("lost", 100, 1_499);
  assertEquals(Math.round(pace.bytesPerSecond), 1_000_000);
  pace.count("lost", 0, 1_500);
  assertEquals(Math.round(pace.bytesPerSecond), 700_000);
  pace.count("lost", 19, 3_000);
  assertEquals(Math.round(pace.bytesPerSecond), 700_000, "too few");
  pace.count("lost", 1, 3_001);
  assertEquals(Math.round(pace.bytesPerSecond), 490_000);
  pace.count("lost", 20, 4_000);
  assertEquals(Math.round(pace.bytesPerSecond), 490_000, "too soon");
  pace.count("arrived", 30, 4_001);
  assertEquals(Math.round(pace.bytesPerSecond), 490_000, "20 of 50");
  pace.count("arrived", 20, 5_001);
  assertEquals(Math.round(pace.bytesPerSecond), 612_500, "what was looked at does not count again");
});

Deno.test("Pace fills and bursts at the rate of the moment", () => {
  const pace = new Pace(400_000, 0);
  lose(pace, 100, 1);
  assertEquals(Math.round(pace.bytesPerSecond), 280_000);
  assertEquals(pace.left(1_000), 70_000);
  pace.spend(70_000 - PACKET_OVERHEAD_BYTES);
  assertEquals(pace.left(1_000), 0);
  assertEquals(pace.left(1_100), 28_000);
});
