import { assert, assertEquals } from "@std/assert";
import { mappedIpv4 } from "../../lib/hosts/address.ts";
import { canonicalIp, isLoopback, isUnicast, normalizeIp } from "../../lib/parts/ip.ts";

Deno.test("normalizeIp() writes an IPv4-mapped address as the IPv4 address it is", () => {
  assertEquals(normalizeIp("::ffff:192.0.2.7"), "192.0.2.7");
  assertEquals(normalizeIp("::FFFF:192.0.2.7"), "192.0.2.7");
  assertEquals(normalizeIp(mappedIpv4("192.0.2.7")), "192.0.2.7");
});

Deno.test("normalizeIp() leaves any other address as it stands", () => {
  for (const ip of ["192.0.2.7", "2001:db8::7", "::1", "::ffff:2001:db8", "not an address"]) {
    assertEquals(normalizeIp(ip), ip);
  }
});

Deno.test("canonicalIp() spells every address as RFC 5952 does, mapped ones as IPv4", () => {
  const spellings: Record<string, string> = {
    "0.0.0.0": "0.0.0.0",
    "192.0.2.7": "192.0.2.7",
    "255.255.255.255": "255.255.255.255",
    "::": "::",
    "::1": "::1",
    "0:0:0:0:0:0:0:1": "::1",
    "2001:0DB8:0000:0000:0001:0000:0000:0001": "2001:db8::1:0:0:1",
    "2001:db8:0:1:1:1:1:1": "2001:db8:0:1:1:1:1:1",
    "2001:db8::0:1": "2001:db8::1",
    "FE80::AbCd": "fe80::abcd",
    "::ffff:192.0.2.7": "192.0.2.7",
    "::FFFF:c000:0207": "192.0.2.7",
    "0:0:0:0:0:ffff:7f00:1": "127.0.0.1",
    "::ffff:0:0": "0.0.0.0",
    "64:ff9b::192.0.2.33": "64:ff9b::c000:221",
  };
  for (const [text, ip] of Object.entries(spellings)) assertEquals(canonicalIp(text), ip, text);
});

Deno.test("canonicalIp() knows what is none", () => {
  const others = [
    "",
    "localhost",
    "192.0.2",
    "192.0.2.7.1",
    "192.0.2.256",
    "192.0.2.07",
    "1.2.3.4 ",
  ]
    .concat(["0x7f.0.0.1", "127.1", "2130706433", "1.2.3.4.", ".1.2.3.4", "１.2.3.4"])
    .concat(["fe80::1%eth0", "[::1]", "::1]", "1:2:3:4:5:6:7:8:9", "1::2::3", "12345::", ":::"])
    .concat(["::1/64", "::1.2.3", "1:2:3:4:5:6:7", ":", "g::1", `::${"0".repeat(60)}1`]);
  for (const text of others) assertEquals(canonicalIp(text), undefined, text);
});

Deno.test("isUnicast() tells the addresses of one host from those of none or many", () => {
  const one = ["1.0.0.1", "10.0.0.1", "127.0.0.1", "192.168.1.5", "223.255.255.255", "::1"]
    .concat(["fe80::1", "2001:db8::7", "fd00::1"]);
  for (const ip of one) assertEquals(isUnicast(ip), true, ip);
  const others = ["0.0.0.0", "0.1.2.3", "224.0.0.1", "239.255.255.250", "240.0.0.1"]
    .concat(["255.255.255.255", "::", "ff02::1", "ff0e::fb"]);
  for (const ip of others) assertEquals(isUnicast(ip), false, ip);
});

Deno.test("isLoopback() knows the addresses of the machine itself", () => {
  for (const ip of ["127.0.0.1", "127.255.255.254", "::1"]) assert(isLoopback(ip), ip);
  for (const ip of ["128.0.0.1", "12.7.0.0", "1.127.0.1", "::", "::11", "fe80::1", "::127.0.0.1"]) {
    assert(!isLoopback(ip), ip);
  }
});
