import { assertEquals } from "@std/assert";
import { firewallLine, type FirewallSigns, firewallSigns } from "../../lib/home/firewall.ts";

/** A service that everybody can reach, on Linux, as --allow-net alone sees it. */
const signs: FirewallSigns = {
  ...{ os: "linux", transport: "UDP", port: 55_555, isLoopbackOnly: false },
  executable: "/opt/netsync",
};

Deno.test("firewallLine() tells ufw and firewalld which port", () => {
  const both = { ...signs, ufw: "active", firewalld: "inactive" } as const;
  assertEquals(firewallLine(both), "sudo ufw allow 55555/udp");
  assertEquals(
    firewallLine({ ...both, ufw: undefined, firewalld: "active", transport: "TCP", port: 7 }),
    "sudo firewall-cmd --add-port=7/tcp",
  );
  assertEquals(
    firewallLine({ ...both, firewalld: "active" }),
    "sudo ufw allow 55555/udp && sudo firewall-cmd --add-port=55555/udp",
  );
});

Deno.test("firewallLine() says for which case it is when it is not known", () => {
  assertEquals(
    firewallLine(signs),
    "if ufw is on: sudo ufw allow 55555/udp; " +
      "if firewalld is on: sudo firewall-cmd --add-port=55555/udp",
  );
  assertEquals(
    firewallLine({ ...signs, firewalld: "inactive" }),
    "if ufw is on: sudo ufw allow 55555/udp",
  );
});

Deno.test("firewallLine() is not there when nothing is in the way, or nothing is known", () => {
  const off = { ...signs, ufw: "inactive", firewalld: "inactive" } as const;
  assertEquals(firewallLine(off), undefined);
  assertEquals(firewallLine({ ...signs, os: "freebsd" }), undefined);
  assertEquals(
    firewallLine({ ...signs, os: "darwin", applicationFirewall: "inactive" }),
    undefined,
  );
  for (const os of ["linux", "windows", "darwin"] as const) {
    const alone = { ...signs, os, isLoopbackOnly: true, ufw: "active" } as const;
    assertEquals(firewallLine(alone), undefined);
  }
});

Deno.test("firewallLine() gives a rule for Windows", () => {
  assertEquals(
    firewallLine({ ...signs, os: "windows" }),
    "if Windows did not ask to allow it, in a terminal as administrator: " +
      'netsh advfirewall firewall add rule name="netsync UDP 55555" ' +
      "dir=in action=allow protocol=UDP localport=55555",
  );
});

Deno.test("firewallLine() lets the program through the firewall of macOS, whatever its path", () => {
  const mac = { ...signs, os: "darwin", applicationFirewall: "active" } as const;
  const tool = "sudo /usr/libexec/ApplicationFirewall/socketfilterfw";
  assertEquals(
    firewallLine(mac),
    `${tool} --add /opt/netsync && ${tool} --unblockapp /opt/netsync`,
  );
  assertEquals(
    firewallLine({
      ...mac,
      executable: "/My Games/Ada's $(x)/netsync",
      applicationFirewall: undefined,
    }),
    `if the firewall is on: ${tool} --add '/My Games/Ada'\\''s $(x)/netsync' && ` +
      `${tool} --unblockapp '/My Games/Ada'\\''s $(x)/netsync'`,
  );
  assertEquals(firewallLine({ ...mac, executable: undefined }), undefined);
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
  addresses: readonly string[] = ["[::]:55555"],
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
    return firewallSigns({ transport: "UDP", port: 55_555, addresses });
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

Deno.test("firewallSigns() sees whether only this computer can reach it", () => {
  const isAlone = (...addresses: string[]): boolean => probe({}, addresses).isLoopbackOnly;
  assertEquals(isAlone("127.0.0.1:55555"), true);
  assertEquals(isAlone("127.3.2.1:55555", "[::1]:55555"), true);
  assertEquals(isAlone("[::1]:55555", "0.0.0.0:55555"), false);
  assertEquals(isAlone("[::]:55555"), false);
  assertEquals(isAlone("192.0.2.7:55555"), false);
});

Deno.test("firewallSigns() needs nothing but --allow-net", { permissions: { net: true } }, () => {
  const signs = firewallSigns({ transport: "UDP", port: 55_555, addresses: ["[::]:55555"] });
  assertEquals(
    firewallLine({ ...signs, os: "linux" }),
    "if ufw is on: sudo ufw allow 55555/udp; " +
      "if firewalld is on: sudo firewall-cmd --add-port=55555/udp",
  );
});
