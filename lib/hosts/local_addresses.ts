/**
 * The addresses under which other machines of the same network reach this one, IPv4 first, and
 * virtual networks last.
 *
 * Reading them takes the permission `--allow-sys=networkInterfaces`; nobody is asked for it.
 *
 * @returns IP addresses without loopback and link-local ones; undefined without the permission.
 */
export function localAddresses(): string[] | undefined {
  const permission = { name: "sys", kind: "networkInterfaces" } as const;
  if (Deno.permissions.querySync(permission).state !== "granted") return undefined;
  const reachable = Deno.networkInterfaces()
    .filter(({ address }) => !/^(127\.|169\.254\.|::1$|fe80:)/i.test(address));
  const rank = ({ name, address }: Deno.NetworkInterfaceInfo): number =>
    2 * Number(address.includes(":")) + Number(VIRTUAL.test(name));
  reachable.sort((one, other) => rank(one) - rank(other));
  return [...new Set(reachable.map(({ address }) => address))];
}

/** Networks inside of this machine, of containers and virtual machines. */
const VIRTUAL = /^(docker|br-|veth|virbr|vmnet|vboxnet|vEthernet)/i;
