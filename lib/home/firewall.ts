/** What lets services through the firewall of their own computer. */

/** Whether something is at work; undefined when nobody may look. */
export type Activity = "active" | "inactive" | undefined;

/** A port that others are to reach. */
export interface OpenPort {
  transport: "UDP" | "TCP";
  port: number;
}

/** What is known of the services of a process and of the firewalls around them. */
export interface FirewallSigns {
  os: typeof Deno.build.os;
  /** Those that more than this computer can reach. */
  ports: readonly OpenPort[];
  /** The path of the program that listens; undefined when it is not known. */
  executable: string | undefined;
  /** On Linux, of Ubuntu and its like. */
  ufw?: Activity;
  /** On Linux, of Fedora and its like. */
  firewalld?: Activity;
  /** The firewall of macOS, which knows programs instead of ports. */
  applicationFirewall?: Activity;
}

/**
 * What to type to let others reach services: a command that is whole each, and after it, where it is not
 * known whether that firewall is on, for which case it is.
 *
 * @returns None when nothing is needed, or nothing exact is known.
 */
export function firewallLines(signs: FirewallSigns): string[] {
  if (signs.ports.length === 0) return [];
  switch (signs.os) {
    case "linux":
      return linuxLines(signs);
    case "windows":
      return byTransport(signs.ports).map(windowsLine);
    case "darwin":
      return macosLines(signs);
    default:
      return [];
  }
}

/** Ports of one transport. */
interface Ports {
  transport: "UDP" | "TCP";
  ports: readonly number[];
}

/** Each port once, so many together at most. */
function byTransport(open: readonly OpenPort[], portsMax: number = open.length): Ports[] {
  return (["UDP", "TCP"] as const).flatMap((transport) => {
    const its = open.filter((one) => one.transport === transport);
    const ports = [...new Set(its.map(({ port }) => port))];
    return Array.from({ length: Math.ceil(ports.length / portsMax) }, (_, at) => ({
      transport,
      ports: ports.slice(portsMax * at, portsMax * (at + 1)),
    }));
  });
}

function linuxLines({ ports, ufw, firewalld }: FirewallSigns): string[] {
  const lines = [
    { name: "ufw", activity: ufw, line: ufwLine(ports) },
    { name: "firewalld", activity: firewalld, line: firewalldLine(ports) },
  ];
  const active = lines.filter(({ activity }) => activity === "active");
  if (active.length > 0) return active.map(({ line }) => line);
  const possible = lines.filter(({ activity }) => activity === undefined);
  // One of the two files decides on both in most cases.
  const hint = possible.length > 1 ? ` (--allow-read=${UFW_CONFIG} tells)` : "";
  return possible.map(({ name, line }) => `${line}, if ${name} is on${name === "ufw" ? hint : ""}`);
}

/** As many ports does ufw take in a rule. */
const UFW_PORTS_MAX = 15;

function ufwLine(open: readonly OpenPort[]): string {
  return byTransport(open, UFW_PORTS_MAX).map(({ transport, ports }) => {
    const proto = transport.toLowerCase();
    return ports.length === 1
      ? `sudo ufw allow ${ports[0]}/${proto}`
      : `sudo ufw allow proto ${proto} to any port ${ports.join(",")}`;
  }).join(" && ");
}

/** For good: what is added without `--permanent` is gone after the next start of the system. */
function firewalldLine(open: readonly OpenPort[]): string {
  const ports = byTransport(open).flatMap(({ transport, ports }) =>
    ports.map((port) => `--add-port=${port}/${transport.toLowerCase()}`)
  );
  return `sudo firewall-cmd --permanent ${ports.join(" ")} && sudo firewall-cmd --reload`;
}

/** Windows asks only about a program that it does not know yet, and only who sits before it. */
function windowsLine({ transport, ports }: Ports): string {
  const list = ports.join(",");
  return `netsh advfirewall firewall add rule name="netsync ${transport} ${list}" ` +
    `dir=in action=allow protocol=${transport} localport=${list}, ` +
    "in a terminal as administrator, if Windows did not ask to allow it";
}

const MACOS_TOOL = "/usr/libexec/ApplicationFirewall/socketfilterfw";

function macosLines({ executable, applicationFirewall }: FirewallSigns): string[] {
  if (applicationFirewall === "inactive" || executable === undefined) return [];
  const program = shellWord(executable);
  const line = `sudo ${MACOS_TOOL} --add ${program} && sudo ${MACOS_TOOL} --unblockapp ${program}`;
  return [applicationFirewall === "active" ? line : `${line}, if the firewall is on`];
}

/** A path as a shell takes it. */
function shellWord(path: string): string {
  return /^[\w./:@%+,-]+$/.test(path) ? path : `'${path.replaceAll("'", `'\\''`)}'`;
}

/** Where the signs are. */
const UFW_CONFIG = "/etc/ufw/ufw.conf";
const FIREWALLD_ENABLED = "/etc/systemd/system/multi-user.target.wants/firewalld.service";

/** Looks for signs as far as Deno allows: nobody is asked for a permission, and nothing is thrown. */
export function firewallSigns(ports: readonly OpenPort[]): FirewallSigns {
  const { os } = Deno.build;
  return {
    ...{ os, ports },
    executable: attempt(() => Deno.execPath()),
    ufw: os === "linux" ? ufwActivity() : undefined,
    firewalld: os === "linux" ? firewalldActivity() : undefined,
    applicationFirewall: os === "darwin" ? applicationFirewallActivity() : undefined,
  };
}

/** What is on at the start of the system is taken to be on now: ufw keeps both alike. */
function ufwActivity(): Activity {
  const path = UFW_CONFIG;
  if (!isGranted({ name: "read", path })) return undefined;
  return activityOf(() => /^\s*ENABLED\s*=\s*"?yes\b/im.test(Deno.readTextFileSync(path)));
}

function firewalldActivity(): Activity {
  const path = FIREWALLD_ENABLED;
  if (!isGranted({ name: "read", path })) return undefined;
  return activityOf(() => Deno.lstatSync(path).isSymlink);
}

function applicationFirewallActivity(): Activity {
  if (!isGranted({ name: "run", command: MACOS_TOOL })) return undefined;
  return activityOf(() => {
    const { stdout } = new Deno.Command(MACOS_TOOL, { args: ["--getglobalstate"] }).outputSync();
    return /State = [12]/.test(new TextDecoder().decode(stdout));
  });
}

/** A firewall that is not installed is not at work; one that cannot be looked at may be. */
function activityOf(isActive: () => boolean): Activity {
  try {
    return isActive() ? "active" : "inactive";
  } catch (error) {
    return error instanceof Deno.errors.NotFound ? "inactive" : undefined;
  }
}

function isGranted(permission: Deno.PermissionDescriptor): boolean {
  return Deno.permissions.querySync(permission).state === "granted";
}

function attempt<T>(call: () => T): T | undefined {
  try {
    return call();
  } catch {
    return undefined;
  }
}
