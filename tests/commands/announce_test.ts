import { assertEquals, assertMatch } from "@std/assert";
import {
  isForwardable,
  isOpenToOthers,
  type Row,
  rowsOf,
} from "../../lib/commands/hosting/announce.ts";
import type { Opened } from "../../lib/commands/hosting/service_kind.ts";
import type { Hosted } from "../../lib/home/hosted.ts";

/** Where a service listens that is told nothing. */
const everywhere = (port: number): string[] => [`[::]:${port}`, `0.0.0.0:${port}`];

/** A service that was opened, as far as the first lines are about it. */
function opened(
  name: string,
  port: number,
  addresses = everywhere(port),
  transport = "UDP",
): Opened {
  return {
    hosted: { name, title: `${name} (Original)`, transport, port, addresses } as unknown as Hosted,
    rows: (near) => [["see it", `watch ${near}`]],
  };
}

/** What the first lines say of these, when this computer has such addresses; undefined: nobody may know. */
function rowsWith(near: string[] | undefined, ...services: Opened[]): Record<string, string> {
  const { querySync } = Deno.permissions;
  const { networkInterfaces } = Deno;
  const state = near ? "granted" : "prompt";
  Deno.permissions.querySync = (): Deno.PermissionStatus => ({ state }) as Deno.PermissionStatus;
  Object.assign(Deno, {
    networkInterfaces: () => near?.map((address) => ({ name: "eth0", address })),
  });
  try {
    return Object.fromEntries(rowsOf(services).filter(([what]: Row) => !/^$|firewall/.test(what)));
  } finally {
    Deno.permissions.querySync = querySync;
    Object.assign(Deno, { networkInterfaces });
  }
}

Deno.test("rowsOf() says of one service where it listens, and how it is reached from each place", () => {
  const expected = {
    "listening on": "[::]:5000 and 0.0.0.0:5000",
    "on this computer": "localhost:5000",
    "on your network": "192.168.1.5:5000  [2001:db8::5]:5000",
    "from outside":
      "your public address, once your router forwards UDP port 5000 to this computer " +
      "(--upnp asks it to)",
    "see it": "watch localhost:5000",
  };
  assertEquals(rowsWith(["192.168.1.5", "2001:db8::5"], opened("sync", 5_000)), expected);
  const toNameIt = "; with --allow-sys=networkInterfaces it is named here";
  assertEquals(rowsWith(undefined, opened("sync", 5_000)), {
    ...expected,
    "on your network": `this computer's address, port 5000${toNameIt}`,
  });
  assertEquals(rowsWith([], opened("sync", 5_000)), {
    ...expected,
    "on your network": "this computer's address, port 5000",
  });
});

Deno.test("rowsOf() says of a service at one address that others reach it there, and only there", () => {
  const { "from outside": outside, ...rows } = rowsWith(
    ["192.168.1.5", "192.168.1.6"],
    opened("sync", 5_000, ["192.168.1.5:5000"]),
  );
  assertEquals(rows, {
    "listening on": "192.168.1.5:5000",
    "on your network": "192.168.1.5:5000",
    "see it": "watch 192.168.1.5:5000",
  });
  assertMatch(outside!, /forwards UDP port 5000 to this computer/);
  const ipv6 = rowsWith(undefined, opened("sync", 5_000, ["[2001:db8::5]:5000"]));
  assertEquals(ipv6["on your network"], "[2001:db8::5]:5000");
  assertEquals(ipv6["from outside"], "there too, if your router lets UDP port 5000 through");
});

Deno.test("rowsOf() says of a service for this computer alone nothing about others", () => {
  assertEquals(rowsWith(["192.168.1.5"], opened("sync", 5_000, ["127.0.0.1:5000"])), {
    "listening on": "127.0.0.1:5000",
    "see it": "watch 127.0.0.1:5000",
  });
});

Deno.test("rowsOf() gives each of several services a row, and its name where it is told of", () => {
  const three = [
    opened("sync:5000", 5_000),
    opened("echo", 5_001, ["127.0.0.1:5001"]),
    opened("messages", 5_002, everywhere(5_002), "TCP"),
    opened("sync:5003", 5_003),
  ];
  const rows = {
    "sync:5000": "sync:5000 (Original) on UDP [::]:5000 and 0.0.0.0:5000",
    "echo": "echo (Original) on UDP 127.0.0.1:5001",
    "messages": "messages (Original) on TCP [::]:5002 and 0.0.0.0:5002",
    "sync:5003": "sync:5003 (Original) on UDP [::]:5003 and 0.0.0.0:5003",
    "on this computer": "sync:5000 localhost:5000  echo 127.0.0.1:5001  messages localhost:5002  " +
      "sync:5003 localhost:5003",
    "on your network": "sync:5000 192.168.1.5:5000  messages 192.168.1.5:5002  " +
      "sync:5003 192.168.1.5:5003  or at [2001:db8::5]",
    "from outside": "your public address, once your router forwards UDP ports 5000, 5003 and TCP " +
      "port 5002 to this computer (--upnp asks it to)",
    "sync:5000: see it": "watch localhost:5000",
    "echo: see it": "watch 127.0.0.1:5001",
    "messages: see it": "watch localhost:5002",
    "sync:5003: see it": "watch localhost:5003",
  };
  assertEquals(rowsWith(["192.168.1.5", "2001:db8::5"], ...three), rows);
  assertEquals(rowsWith([], ...three), {
    ...rows,
    "on your network": "this computer's address in place of localhost",
  });
  const two = [three[0]!, opened("echo", 5_001, ["192.0.2.7:5001"])];
  assertEquals(
    rowsWith(["192.168.1.5", "192.0.2.7"], ...two)["on your network"],
    "sync:5000 192.168.1.5:5000  echo 192.0.2.7:5001",
  );
});

Deno.test({
  name: "rowsOf() has one firewall line for all services that others reach",
  permissions: { net: true }, // So that nobody knows which firewall is on.
  ignore: Deno.build.os !== "linux",
  fn(): void {
    const alone = opened("echo", 5_002, ["127.0.0.1:5002"]);
    const rows = rowsOf([opened("sync", 5_000), opened("arena", 5_001), alone]);
    const firewall = rows.filter(([what]) => what === "firewall");
    assertEquals(firewall.length, 1);
    assertMatch(firewall[0]![1], /^sudo ufw allow proto udp to any port 5000,5001, if ufw is on/);
    assertEquals(rowsOf([alone]).filter(([what]) => what === "firewall"), []);
  },
});

Deno.test("isOpenToOthers() and isForwardable() look at the addresses of a service", () => {
  const isOpen = (...addresses: string[]): boolean[] => {
    const { hosted } = opened("sync", 5_000, addresses);
    return [isOpenToOthers(hosted), isForwardable(hosted)];
  };
  assertEquals(isOpen("127.0.0.1:5000"), [false, false]);
  assertEquals(isOpen("127.3.2.1:5000", "[::1]:5000"), [false, false]);
  assertEquals(isOpen("[::1]:5000", "0.0.0.0:5000"), [true, true]);
  assertEquals(isOpen("[::]:5000"), [true, true]);
  assertEquals(isOpen("192.0.2.7:5000"), [true, true]);
  assertEquals(isOpen("[2001:db8::7]:5000"), [true, false]);
});
