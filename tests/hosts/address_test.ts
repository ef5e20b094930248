import { assertEquals } from "@std/assert";
import {
  formatHostPort,
  type HostPort,
  networkOf,
  parseHostPort,
} from "../../lib/hosts/address.ts";

Deno.test("formatHostPort() puts an IPv6 address in brackets", () => {
  assertEquals(formatHostPort("192.0.2.7", 5000), "192.0.2.7:5000");
  assertEquals(formatHostPort("example.org", 1), "example.org:1");
  assertEquals(formatHostPort("2001:db8::7", 5000), "[2001:db8::7]:5000");
});

Deno.test("networkOf() counts an IPv4 address alone", () => {
  assertEquals(networkOf("192.0.2.7"), "192.0.2.7");
});

Deno.test("networkOf() counts a /64 of IPv6 as one, however it is written", () => {
  for (
    const [ip, network] of [
      ["2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"],
      ["2001:db8:1:2::", "2001:db8:1:2::/64"],
      ["2001:db8:1:2::9", "2001:db8:1:2::/64"],
      ["2001:0db8:0001:0002::9", "2001:db8:1:2::/64"],
      ["2001:DB8:1:2::9", "2001:db8:1:2::/64"],
      ["2001:db8:1:3::9", "2001:db8:1:3::/64"],
      ["2001:db8::9", "2001:db8:0:0::/64"],
      ["2001:db8::1:2:3:4:5", "2001:db8:0:1::/64"],
      ["::1", "0:0:0:0::/64"],
      ["::", "0:0:0:0::/64"],
      ["fe80::1%eth0", "fe80:0:0:0::/64"],
      ["64:ff9b::192.0.2.7", "64:ff9b:0:0::/64"],
    ] as const
  ) {
    assertEquals(networkOf(ip), network, ip);
  }
});

Deno.test("parseHostPort() reads names and addresses, with a port and without", () => {
  const cases: [text: string, expected: HostPort][] = [
    ["localhost", { hostname: "localhost", port: 7 }],
    ["localhost:1", { hostname: "localhost", port: 1 }],
    ["play.example.org:65535", { hostname: "play.example.org", port: 65_535 }],
    ["192.0.2.7:5000", { hostname: "192.0.2.7", port: 5000 }],
    ["::1", { hostname: "::1", port: 7 }],
    ["2001:db8::7", { hostname: "2001:db8::7", port: 7 }],
    ["[::1]", { hostname: "::1", port: 7 }],
    ["[2001:db8::7]:5000", { hostname: "2001:db8::7", port: 5000 }],
    ["[::ffff:192.0.2.7]:5000", { hostname: "::ffff:192.0.2.7", port: 5000 }],
    ["[fe80::1%eth0]:5000", { hostname: "fe80::1%eth0", port: 5000 }],
    ["fe80::1%eth0", { hostname: "fe80::1%eth0", port: 7 }],
  ];
  for (const [text, expected] of cases) assertEquals(parseHostPort(text, 7), expected, text);
});

Deno.test("parseHostPort() refuses what is no host or no port", () => {
  for (
    const text of [
      "",
      " ",
      ":",
      ":5000",
      "host:",
      "host:0",
      "host:65536",
      "host:123456",
      "host:-1",
      "host:5e3",
      "host:port",
      "host name:5000",
      "a:b:c",
      ":::",
      "1:2:3",
      "[::1",
      "::1]:5000",
      "[]:5000",
      "[::1]5000",
      "[::1]:",
      "[::1]:0",
      "[localhost]:5000",
      "[192.0.2.7]:5000",
      "udp://host:5000",
      "ada@host",
    ]
  ) {
    assertEquals(parseHostPort(text, 7), undefined, text);
  }
});
