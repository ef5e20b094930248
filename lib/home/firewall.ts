/** The line that lets a service through the firewall of its own computer. */

/** Whether something is at work; undefined when nobody may look. */
export type Activity = "active" | "inactive" | undefined;

/** What is known of a service and of the firewalls around it. */
export interface FirewallSigns {
  os: typeof Deno.build.os;
  transport: "UDP" | "TCP";
  port: number;
  /** Whether it listens to this computer only. */
  isLoopbackOnly: boolean;
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
 * What to type to let others reach a service. Where it is not known whether a firewall is on, the line says
 * for which case it is.
 *
 * @returns undefined when nothing is needed, or nothing exact is known.
 */
export function firewallLine(signs: FirewallSigns): string | undefined {
  if (signs.isLoopbackOnly) return undefined;
  switch (signs.os) {
    case "linux":
      return linuxLine(signs);
    case "windows":
      return windowsLine(signs);
    case "darwin":
      return macosLine(signs);
    default:
      return undefined;
  }
}

function linuxLine({ transport, port, ufw, firewalld }: FirewallSigns): string | undefined {
  const what = `${port}/${transport.toLowerCase()}`;
  const lines = [
    { name: "ufw", activity: ufw, line: `sudo ufw allow ${what}` },
    { name: "firewalld", activity: firewalld, line: `sudo firewall-cmd --add-port=${what}` },
  ];
  const active = lines.filter(({ activity }) => activity === "active");
  if (active.length > 0) return active.map(({ line }) => line).join(" && ");
  const possible = lines.filter(({ activity }) => activity === undefined);
  if (possible.length === 0) return undefined;
  return possible.map(({ name, line }) => `if ${name} is on: ${line}`).join("; ");
}

/** Windows asks only about a program that it does not know yet, and only who sits before it. */
function windowsLine({ transport, port }: FirewallSigns): string {
  return "if Windows did not ask to allow it, in a terminal as administrator: " +
    `netsh advfirewall firewall add rule name="netsync ${transport} ${port}" ` +
    `dir=in action=allow protocol=${transport} localport=${port}`;
}

const MACOS_TOOL = "/usr/libexec/ApplicationFirewall/socketfilterfw";

function macosLine({ executable, applicationFirewall }: FirewallSigns): string | undefined {
  if (applicationFirewall === "inactive" || executable === undefined) return undefined;
  const program = shellWord(executable);
  const line = `sudo ${MACOS_TOOL} --add ${program} && sudo ${MACOS_TOOL} --unblockapp ${program}`;
  return applicationFirewall === "active" ? line : `if the firewall is on: ${line}`;
}

/** A path as a shell takes it. */
function shellWord(path: string): string {
  return /^[\w./:@%+,-]+$/.test(path) ? path : `'${path.replaceAll("'", `'\\''`)}'`;
}

/** Where a service listens. */
interface Listening {
  transport: "UDP" | "TCP";
  port: number;
  /** `[::]:55555`. */
  addresses: readonly string[];
}

/** Where the signs are. */
const UFW_CONFIG = "/etc/ufw/ufw.conf";
const FIREWALLD_ENABLED = "/etc/systemd/system/multi-user.target.wants/firewalld.service";

/** Looks for signs as far as Deno allows: nobody is asked for a permission, and nothing is thrown. */
export function firewallSigns({ transport, port, addresses }: Listening): FirewallSigns {
  const { os } = Deno.build;
  return {
    ...{ os, transport, port },
    isLoopbackOnly: addresses.every((address) => /^(127\.|\[::1\]:|localhost:)/.test(address)),
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
