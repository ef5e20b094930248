import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { BanList, parseBan } from "../../lib/parts/ban_list.ts";
import { canonicalIp } from "../../lib/parts/ip.ts";
import { type Random, seededRandom } from "../../lib/parts/random.ts";
import { forEachSeed } from "../support/seeds.ts";

/** A list of these bans. */
function listOf(...bans: string[]): BanList {
  const list = new BanList();
  for (const ban of bans) assert(list.add(ban).ok, ban);
  return list;
}

function assertRefused(text: string, reason: string): void {
  for (const answer of [parseBan(text), new BanList().add(text)]) {
    assert(!answer.ok, text);
    assertStringIncludes(answer.reason, reason);
  }
}

Deno.test("parseBan() gives every ban its one spelling", () => {
  const spellings: Record<string, string> = {
    "192.0.2.7": "192.0.2.7",
    " 192.0.2.7\t": "192.0.2.7",
    "192.0.2.7/32": "192.0.2.7",
    "192.0.2.7/24": "192.0.2.0/24",
    "192.0.2.255/25": "192.0.2.128/25",
    "255.255.255.255/8": "255.0.0.0/8",
    "10.255.0.0/9": "10.128.0.0/9",
    "::ffff:192.0.2.7": "192.0.2.7",
    "::FFFF:c000:0207": "192.0.2.7",
    "::ffff:192.0.2.7/120": "192.0.2.0/24",
    "::ffff:192.0.2.7/128": "192.0.2.7",
    "2001:DB8::7": "2001:db8::/64",
    "2001:db8:1:2:3:4:5:6": "2001:db8:1:2::/64",
    "2001:db8::7/128": "2001:db8::7/128",
    "2001:db8::7/64": "2001:db8::/64",
    "2001:db8:ffff::/33": "2001:db8:8000::/33",
    "2001:db8::f/127": "2001:db8::e/127",
    "2001:db8::f/125": "2001:db8::8/125",
    "fe80::1/16": "fe80::/16",
    "::1": "::/64",
  };
  for (const [text, ban] of Object.entries(spellings)) {
    assertEquals(parseBan(text), { ok: true, ban }, text);
    assertEquals(parseBan(ban), { ok: true, ban });
  }
});

Deno.test("parseBan() says of what is no ban why", () => {
  const none = ["", "/", "/24", "localhost", "192.0.2", "192.0.2.256", "192.0.2.7:5000", "1.2.3.*"]
    .concat(["[2001:db8::7]:5000", "fe80::1%eth0", "1.2.3.4-1.2.3.9", "1.2.3.4/x", "1.2.3.4/"])
    .concat(["1.2.3.4/-1", "1.2.3.4/24/8", "1.2.3.4/0024", "2001:db8::7/", "1.2.3.4 5.6.7.8"]);
  for (const text of none) {
    assertRefused(text, `${JSON.stringify(text)} is no IP address or network: write 192.0.2.7,`);
  }
  assertRefused("x".repeat(1_000), `"${"x".repeat(60)}..." is no IP address`);
  assertRefused("192.0.2.7/33", "an IPv4 network is from /8 to /32, not /33");
  assertRefused("2001:db8::/129", "an IPv6 network is from /16 to /128, not /129");
});

Deno.test("parseBan() refuses what would lock out everybody", () => {
  for (const text of ["0.0.0.0/0", "10.0.0.0/7", "::ffff:0:0/96", "::ffff:10.0.0.0/103"]) {
    assertRefused(text, "would lock out too many: an IPv4 ban is from /8 to /32");
  }
  for (const text of ["::/0", "2000::/3", "2001::/15"]) {
    assertRefused(text, "would lock out too many: an IPv6 ban is from /16 to /128");
  }
  // Of all IPv6 addresses these would be IPv4 ones.
  assertRefused("::ffff:1.2.3.4/80", "is an IPv4 address in IPv6: write it as IPv4");
});

Deno.test("BanList.has() knows addresses, alone and in networks, and no others", () => {
  const list = listOf("192.0.2.7", "198.51.100.0/24", "10.0.0.0/9", "2001:db8::7", "fd00::/31");
  const banned = ["192.0.2.7", "::ffff:192.0.2.7", "::FFFF:192.0.2.7", "198.51.100.0"]
    .concat(["198.51.100.255", "::ffff:198.51.100.9", "10.0.0.0", "10.127.255.255"])
    .concat(["2001:db8::", "2001:db8::7", "2001:db8:0:0:ffff:ffff:ffff:ffff", "2001:db8::8%eth0"])
    .concat(["fd00::", "fd00:1:ffff::1"]);
  for (const ip of banned) assertEquals(list.has(ip), true, ip);
  const free = ["192.0.2.6", "192.0.2.70", "::ffff:192.0.2.8", "198.51.101.0", "198.51.99.255"]
    .concat(["10.128.0.0", "9.255.255.255", "2001:db8:0:1::7", "2001:db7::", "::2001:db8"])
    .concat(["fd00:2::", "fcff::1", "::", "::1", "::192.0.2.7", "0.0.0.0"]);
  for (const ip of free) assertEquals(list.has(ip), false, ip);
});

Deno.test("BanList.has() of an IPv6 address with /128 is that address alone", () => {
  const list = listOf("2001:db8::7/128");
  const ips = ["2001:db8::7", "2001:db8::7%eth0", "2001:db8::8", "2001:db8::70%7"];
  assertEquals(ips.map((ip) => list.has(ip)), [true, true, false, false]);
});

Deno.test("BanList is a set of networks, in the order they came", () => {
  const list = new BanList();
  assertEquals(list.add("2001:DB8::9"), { ok: true, ban: "2001:db8::/64", isNew: true });
  assertEquals(list.add("192.0.2.9/24"), { ok: true, ban: "192.0.2.0/24", isNew: true });
  assertEquals(list.add("2001:db8::/64"), { ok: true, ban: "2001:db8::/64", isNew: false });
  assertEquals(list.add("192.0.2.9"), { ok: true, ban: "192.0.2.9", isNew: true });
  assertEquals([...list], ["2001:db8::/64", "192.0.2.0/24", "192.0.2.9"]);
  assertEquals(list.size, 3);
  assert(list.includes("192.0.2.0/24") && !list.includes("192.0.2.8"));
});

Deno.test("BanList.remove() takes back that ban, however it is written, and no other", () => {
  const list = listOf("192.0.2.0/24", "192.0.2.7", "198.51.100.7", "2001:db8::/64");
  assertEquals(list.remove("192.0.2.8"), undefined); // The network covers it, and stays.
  assertEquals(list.remove("nonsense"), undefined);
  assertEquals(list.remove("::ffff:192.0.2.7"), "192.0.2.7");
  assertEquals(list.remove("192.0.2.7"), undefined);
  assertEquals(list.has("192.0.2.7"), true);
  assertEquals(list.remove("192.0.2.99/24"), "192.0.2.0/24");
  assertEquals(list.has("192.0.2.7"), false);
  assertEquals(list.has("198.51.100.7"), true);
  assertEquals(list.remove("2001:db8::5"), "2001:db8::/64");
  assertEquals(list.has("2001:db8::7"), false);
  assertEquals(list.remove("198.51.100.7"), "198.51.100.7");
  assertEquals([list.size, [...list], list.has("198.51.100.7")], [0, [], false]);
});

Deno.test("BanList keeps as many as it is told, and says why it takes no more", () => {
  const list = new BanList(2);
  listOf();
  assert(list.add("192.0.2.1").ok && list.add("192.0.2.2").ok);
  const reason = "there are 2 bans already, and no more can be";
  assertEquals(list.add("192.0.2.3"), { ok: false, reason });
  assertEquals(list.add("192.0.2.1"), { ok: true, ban: "192.0.2.1", isNew: false });
  assertEquals([list.size, list.has("192.0.2.3")], [2, false]);
  list.remove("192.0.2.1");
  assert(list.add("192.0.2.3").ok);
});

/** The bits of an address, by another way than that of the list. */
function bitsOf(ip: string): string {
  if (!ip.includes(":")) {
    return ip.split(".").map((byte) => Number(byte).toString(2).padStart(8, "0")).join("");
  }
  const [head, tail] = ip.split("::");
  const [before, after] = [head, tail].map((part) => part ? part.split(":") : []);
  const gap = Array(tail === undefined ? 0 : 8 - before!.length - after!.length).fill("0");
  return [...before!, ...gap, ...after!]
    .map((group) => parseInt(group, 16).toString(2).padStart(16, "0")).join("");
}

/** An address of few different ones, so that bans meet their addresses. */
function anyIp(random: Random): string {
  const digit = (): number => Math.floor(random() * 4) * 85;
  if (random() < 0.5) return [10, digit(), digit(), digit()].join(".");
  const groups = Array.from({ length: 8 }, () => random() < 0.5 ? "0" : digit().toString(16));
  return canonicalIp(["2001", ...groups.slice(1)].join(":"))!;
}

Deno.test("BanList.has() agrees with a comparison of bits", () => {
  forEachSeed(200, (seed) => {
    const random = seededRandom(seed);
    const list = new BanList();
    const bans = new Set<string>();
    for (let step = 0; step < 60; step++) {
      const ip = anyIp(random);
      const [min, max] = ip.includes(":") ? [16, 128] : [8, 32];
      const prefix = min! + Math.floor(random() * (max! - min! + 1));
      const parsed = parseBan(`${ip}/${prefix}`);
      assert(parsed.ok);
      const what = random();
      if (what < 0.3) {
        const isIn = bans.delete(parsed.ban);
        assertEquals(list.remove(`${ip}/${prefix}`), isIn ? parsed.ban : undefined);
      } else if (what < 0.6) {
        list.add(parsed.ban);
        bans.add(parsed.ban);
      }
      const asked = anyIp(random);
      const expected = [...bans].some((ban) => {
        const [network, length] = ban.split("/");
        if (network!.includes(":") !== asked.includes(":")) return false;
        return bitsOf(asked).startsWith(bitsOf(network!).slice(0, Number(length ?? 32)));
      });
      assertEquals(list.has(asked), expected, `${asked} in ${[...bans]}`);
    }
    assertEquals([...list].sort(), [...bans].sort());
  });
});
