/** Whether a program has its terminal for itself. */

/**
 * Whether this program was started as a job in the background: a shell stops such a one as soon as it asks
 * for keys (SIGTTOU), and a server that is stopped serves nobody. Only Linux tells, and only a program with
 * all permissions; for others the answer is false. It never asks for a permission.
 */
export function isInBackground(): boolean {
  if (Deno.build.os !== "linux") return false;
  if (Deno.permissions.querySync({ name: "read" }).state !== "granted") return false;
  try {
    return isBackgroundJob(Deno.readTextFileSync("/proc/self/stat"));
  } catch {
    return false; // Some permission is missing.
  }
}

/** The same from a line of /proc/PID/stat: whether the terminal is in the hands of another process group. */
export function isBackgroundJob(stat: string): boolean {
  // The name of the program, in brackets, may hold anything.
  const [, , group, , , foreground] = stat.slice(stat.lastIndexOf(")") + 1).trim().split(/ +/);
  return foreground !== undefined && foreground !== "-1" && foreground !== group;
}
