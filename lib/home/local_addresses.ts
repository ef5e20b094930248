/**
 * The addresses under which other machines of the same network reach this one, IPv4 first.
 *
 * Reading them takes the permission `--allow-sys=networkInterfaces`; nobody is asked for it.
 *
 * @returns IP addresses without loopback and link-local ones; undefined without the permission.
 */
export function localAddresses(): string[] | undefined {
  const permission = { name: "sys", kind: "networkInterfaces" } as const;
  if (Deno.permissions.querySync(permission).state !== "granted") return undefined;
  const reachable = Deno.networkInterfaces()
    .map(({ address }) => address)
    .filter((address) => !/^(127\.|169\.254\.|::1$|fe80:)/i.test(address));
  const isIpv6 = (address: string): number => Number(address.includes(":"));
  return [...new Set(reachable)].sort((a, b) => isIpv6(a) - isIpv6(b));
}
