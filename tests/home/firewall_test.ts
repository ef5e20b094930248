import { assertEquals } from "@std/assert";
import {
  firewallLines,
  type FirewallSigns,
  firewallSigns,
  type OpenPort,
} from "../../lib/home/firewall.ts";

const udp = (...ports: number[]): OpenPort[] => ports.map((port) => ({ transport: "UDP", port }));
const tcp = (...ports: number[]): OpenPort[] => ports.map((port) => ({ transport: "TCP", port }));

/** A service that everybody can reach, on Linux, as --allow-net alone sees it. */
const signs: FirewallSigns = {
  ...{ os: "linux", ports: udp(55_555) },
  executable: "/opt/netsync",
};

Deno.test("firewallLines() tells ufw and firewalld which port", () => {
  const both = { ...signs, ufw: "active", firewalld: "inactive" } as const;
  assertEquals(firewallLines(both), ["sudo ufw allow 55555/udp"]);
  assertEquals(
    firewallLines({ ...both, ufw: undefined, firewalld: "active", ports: tcp(7) }),
    ["sudo firewall-cmd --permanent --add-port=7/tcp && sudo firewall-cmd --reload"],
  );
  assertEquals(firewallLines({ ...both, firewalld: "active" }), [
    "sudo ufw allow 55555/udp",
    "sudo firewall-cmd --permanent --add-port=55555/udp && sudo firewall-cmd --reload",
  ]);
});

Deno.test("firewallLines() tells all ports in one line, each once", () => {
  const ports = [...udp(55_555), ...tcp(8_080), ...udp(9_999, 55_555)];
  assertEquals(firewallLines({ ...signs, ports, ufw: "active" }), [
    "sudo ufw allow proto udp to any port 55555,9999 && sudo ufw allow 8080/tcp",
  ]);
  assertEquals(firewallLines({ ...signs, ports, firewalld: "active" }), [
    "sudo firewall-cmd --permanent --add-port=55555/udp --add-port=9999/udp --add-port=8080/tcp " +
    "&& sudo firewall-cmd --reload",
  ]);
  const after = ", in a terminal as administrator, if Windows did not ask to allow it";
  assertEquals(firewallLines({ ...signs, ports, os: "windows" }), [
    'netsh advfirewall firewall add rule name="netsync UDP 55555,9999" ' +
    `dir=in action=allow protocol=UDP localport=55555,9999${after}`,
    'netsh advfirewall firewall add rule name="netsync TCP 8080" ' +
    `dir=in action=allow protocol=TCP localport=8080${after}`,
  ]);
  assertEquals(
    firewallLines({ ...signs, ports, os: "darwin", applicationFirewall: "active" }).length,
    1,
  );
});

Deno.test("firewallLines() gives ufw 15 ports in a rule at most", () => {
  const ports = Array.from({ length: 16 }, (_, at) => 5_000 + at);
  const first = ports.slice(0, 15).join(",");
  assertEquals(firewallLines({ ...signs, ports: udp(...ports), ufw: "active" }), [
    `sudo ufw allow proto udp to any port ${first} && sudo ufw allow 5015/udp`,
  ]);
});

Deno.test("firewallLines() begins with the command, and then says for which case it is", () => {
  assertEquals(firewallLines(signs), [
    "sudo ufw allow 55555/udp, if ufw is on (--allow-read=/etc/ufw/ufw.conf tells)",
    "sudo firewall-cmd --permanent --add-port=55555/udp && sudo firewall-cmd --reload, " +
    "if firewalld is on",
  ]);
  assertEquals(firewallLines({ ...signs, firewalld: "inactive" }), [
    "sudo ufw allow 55555/udp, if ufw is on",
  ]);
});

Deno.test("firewallLines() are none when nothing is in the way, or nothing is known", () => {
  const off = { ...signs, ufw: "inactive", firewalld: "inactive" } as const;
  assertEquals(firewallLines(off), []);
  assertEquals(firewallLines({ ...signs, os: "freebsd" }), []);
  assertEquals(firewallLines({ ...signs, os: "darwin", applicationFirewall: "inactive" }), []);
  for (const os of ["linux", "windows", "darwin"] as const) {
    const active = { ufw: "active", applicationFirewall: "active" } as const;
    assertEquals(firewallLines({ ...signs, ...active, os, ports: [] }), []);
  }
});

Deno.test("firewallLines() gives a rule for Windows", () => {
  assertEquals(firewallLines({ ...signs, os: "windows" }), [
    'netsh advfirewall firewall add rule name="netsync UDP 55555" ' +
    "dir=in action=allow protocol=UDP localport=55555, " +
    "in a terminal as administrator, if Windows did not ask to allow it",
  ]);
});

Deno.test("firewallLines() let the program through the firewall of macOS, whatever its path", () => {
  const mac = { ...signs, os: "darwin", applicationFirewall: "active" } as const;
  const tool = "sudo /usr/libexec/ApplicationFirewall/socketfilterfw";
  assertEquals(firewallLines(mac), [
    `${tool} --add /opt/netsync && ${tool} --unblockapp /opt/netsync`,
  ]);
  assertEquals(
    firewallLines({
      ...mac,
      executable: "/My Games/Ada's $(x)/netsync",
      applicationFirewall: undefined,
    }),
    [
      `${tool} --add '/My Games/Ada'\\''s $(x)/netsync' && ` +
      `${tool} --unblockapp '/My Games/Ada'\\''s $(x)/netsync', if the firewall is on`,
    ],
  );
  assertEquals(firewallLines({ ...mac, executable: undefined }), []);
});

/** What of the system is played. */
interface System {
  state?: Deno.PermissionState;
  readTextFile?: () => string;
  lstat?: () => Partial<Deno.FileInfo>;
}

/** What the probe finds on such a system. What it touches without being allowed to is thrown. */
function probe(
  { state = "granted", readTextFile = notThere, lstat = notThere }: System,
): FirewallSigns {
  const { querySync } = Deno.permissions;
  const { readTextFileSync, lstatSync } = Deno;
  let isAllowed = false;
  const allowed = <T>(call: () => T): T => {
    if (isAllowed) return call();
    throw new Error("was not asked about");
  };
  Deno.permissions.querySync = (): Deno.PermissionStatus => {
    isAllowed = state === "granted";
    return { state } as Deno.PermissionStatus;
  };
  Deno.readTextFileSync = (): string => allowed(readTextFile);
  Deno.lstatSync = (): Deno.FileInfo => allowed(lstat) as Deno.FileInfo;
  try {
    return firewallSigns(udp(55_555));
  } finally {
    Deno.permissions.querySync = querySync;
    Object.assign(Deno, { readTextFileSync, lstatSync });
  }
}

function notThere(): never {
  throw new Deno.errors.NotFound();
}

const onLinux = { ignore: Deno.build.os !== "linux" };

Deno.test("firewallSigns() reads whether ufw and firewalld are on", onLinux, () => {
  const ufw = (text: string): FirewallSigns["ufw"] => probe({ readTextFile: () => text }).ufw;
  assertEquals(ufw("# Set to yes to start on boot\nENABLED=yes\nLOGLEVEL=low\n"), "active");
  assertEquals(ufw("# ENABLED=yes\nENABLED=no\n"), "inactive");
  assertEquals(probe({}).ufw, "inactive");
  assertEquals(probe({ lstat: () => ({ isSymlink: true }) }).firewalld, "active");
  assertEquals(probe({}).firewalld, "inactive");
});

Deno.test("firewallSigns() knows nothing of what it may not see, and asks nobody", onLinux, () => {
  for (const state of ["prompt", "denied"] as const) {
    const { ufw, firewalld } = probe({ state, readTextFile: () => "ENABLED=yes" });
    assertEquals([ufw, firewalld], [undefined, undefined]);
  }
  const forbidden = (): never => {
    throw new Deno.errors.PermissionDenied();
  };
  const { ufw, firewalld } = probe({ readTextFile: forbidden, lstat: forbidden });
  assertEquals([ufw, firewalld], [undefined, undefined]);
});

Deno.test("firewallSigns() needs nothing but --allow-net", { permissions: { net: true } }, () => {
  const { os: _, ...found } = firewallSigns(udp(55_555));
  assertEquals(firewallLines({ ...found, os: "linux" }).length, 2);
});
