import { assertEquals } from "@std/assert";
import { localAddresses } from "../../lib/hosts/local_addresses.ts";

/** Runs `call` on a computer with these addresses. */
function on<T>(state: Deno.PermissionState, addresses: readonly string[], call: () => T): T {
  const { networkInterfaces } = Deno;
  const querySync = Deno.permissions.querySync;
  const asked: Deno.PermissionDescriptor[] = [];
  Deno.networkInterfaces = () =>
    addresses.map((address) => ({ address }) as Deno.NetworkInterfaceInfo);
  Deno.permissions.querySync = (permission) => {
    asked.push(permission);
    return { state } as Deno.PermissionStatus;
  };
  try {
    return call();
  } finally {
    Deno.networkInterfaces = networkInterfaces;
    Deno.permissions.querySync = querySync;
    assertEquals(asked, [{ name: "sys", kind: "networkInterfaces" }]);
  }
}

Deno.test("localAddresses() gives what others can reach, IPv4 first, each once", () => {
  const addresses = [
    "127.0.0.1",
    "::1",
    "2001:db8::7",
    "192.0.2.7",
    "fe80::1",
    "FE80::2",
    "169.254.3.4",
    "fd00::7",
    "198.51.100.2",
    "192.0.2.7",
  ];
  assertEquals(on("granted", addresses, localAddresses), [
    "192.0.2.7",
    "198.51.100.2",
    "2001:db8::7",
    "fd00::7",
  ]);
});

Deno.test("localAddresses() is empty on a computer without a network", () => {
  assertEquals(on("granted", ["127.0.0.1", "::1"], localAddresses), []);
});

Deno.test("localAddresses() asks nobody for a permission it does not have", () => {
  for (const state of ["prompt", "denied"] as const) {
    assertEquals(on(state, ["192.0.2.7"], localAddresses), undefined);
  }
});
