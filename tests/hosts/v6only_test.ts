/**
 * The UDP and TCP hosts where IPv6 sockets take no IPv4, as on Windows, and where there is no IPv6.
 *
 * Linux can be made to behave so, but only as a whole: each test has a network of its own, which
 * unshare(1) makes and which ends with it. That takes root, or a system that lets everybody have user
 * namespaces (Ubuntu: sysctl kernel.apparmor_restrict_unprivileged_userns=0).
 */
import { assertEquals } from "@std/assert";
import type { Report } from "./fixtures/namespace_host.ts";

const FIXTURE = new URL("./fixtures/namespace_host.ts", import.meta.url);
const ROOT = new URL("../../", import.meta.url);
// Only Linux has network namespaces; Windows is itself what the first test imitates.
const ignore = Deno.build.os !== "linux";

/** What the fixture reports from a new network with these settings under /proc/sys/net/ipv6. */
async function reportFrom(args: string[], settings: Record<string, string>): Promise<Report> {
  const set = Object.entries(settings)
    .map(([name, value]) => `echo ${value} > /proc/sys/net/ipv6/${name}`);
  const inside = ["ip link set lo up", ...set, 'exec "$@"'].join(" && ");
  const outside = 'unshare --net true 2>&- || as=--map-root-user; exec unshare $as --net "$@"';
  const deno = [Deno.execPath(), "run", "--no-check", "--cached-only", "--allow-net"];
  const words = ["sh", "-c", inside, "sh", ...deno, FIXTURE.pathname, ...args];
  const { success, stdout, stderr } = await new Deno.Command("sh", {
    args: ["-c", outside, "sh", ...words],
    cwd: ROOT,
    env: { NO_COLOR: "1" },
  }).output();
  const decoder = new TextDecoder();
  if (!success) throw new Error(`the namespace program failed:\n${decoder.decode(stderr)}`);
  return JSON.parse(decoder.decode(stdout));
}

for (const [transport, open] of [["udp", "openUdp()"], ["tcp", "openTcp()"]] as const) {
  Deno.test({
    name: `${open} opens one socket for both families where IPv6 sockets take IPv4`,
    ignore,
    async fn(): Promise<void> {
      assertEquals(await reportFrom([transport], { bindv6only: "0" }), {
        sockets: 1,
        addresses: ["[::]", "0.0.0.0"],
        served: { "127.0.0.1": "127.0.0.1", "::1": "[::1]" },
      });
    },
  });

  Deno.test({
    name: `${open} opens a socket for each family where IPv6 sockets take IPv6 only`,
    ignore,
    async fn(): Promise<void> {
      assertEquals(await reportFrom([transport], { bindv6only: "1" }), {
        sockets: 2,
        addresses: ["[::]", "0.0.0.0"],
        served: { "127.0.0.1": "127.0.0.1", "::1": "[::1]" },
      });
    },
  });

  Deno.test({
    name: `${open} refuses a port of which another program has one family, with either setting`,
    ignore,
    async fn(): Promise<void> {
      for (const bindv6only of ["0", "1"]) {
        for (const taken of ["0.0.0.0", "::"]) {
          const report = await reportFrom([transport, taken], { bindv6only });
          assertEquals(report, { refused: "AddrInUse" }, `${taken}, bindv6only=${bindv6only}`);
        }
      }
    },
  });

  Deno.test({
    name: `${open} serves IPv4 where IPv6 is switched off`,
    ignore,
    async fn(): Promise<void> {
      for (const bindv6only of ["0", "1"]) {
        const settings = { "conf/all/disable_ipv6": "1", bindv6only };
        const { served } = await reportFrom([transport], settings);
        assertEquals(served, { "127.0.0.1": "127.0.0.1" }, `bindv6only=${bindv6only}`);
      }
    },
  });
}
