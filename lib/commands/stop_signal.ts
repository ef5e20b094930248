/** What ends a command: signals, and whoever else wants it to. */

/** A system that does not know one has the others. SIGBREAK is Ctrl+Break. */
const SIGNALS: readonly Deno.Signal[] = ["SIGINT", "SIGTERM", "SIGBREAK"];

/** A command that can be told to stop. */
export interface StopSignal {
  /** Resolves when it is. */
  received: Promise<void>;
  /** Tells it, as a signal does. */
  send: () => void;
  /** Leaves signals to the system again. */
  ignore: () => void;
}

/** The first stop signal as a promise. A second one ends the process with status 130. */
export function stopSignal(): StopSignal {
  const { promise: received, resolve } = Promise.withResolvers<void>();
  let signals = 0;
  const send = (): void => {
    if (++signals > 1) Deno.exit(130);
    resolve();
  };
  const listeners: [Deno.Signal, () => void][] = SIGNALS.map((signal) => [signal, send]);
  // It may come twice when a window is closed, so it never is the second one.
  if (hasWindow()) listeners.push(["SIGHUP", () => resolve()]);
  const known = listeners.filter(([signal, listener]) => {
    try {
      Deno.addSignalListener(signal, listener);
      return true;
    } catch {
      return false;
    }
  });
  const ignore = (): void => known.forEach((each) => Deno.removeSignalListener(...each));
  return { received, send, ignore };
}

/**
 * Whether SIGHUP says stop: on Windows it is the X of the window; elsewhere a terminal that is gone, whatever
 * was sent elsewhere of what is printed. Without one it is left alone: `nohup`.
 */
function hasWindow(): boolean {
  const { stdin, stdout, stderr } = Deno;
  return Deno.build.os === "windows" || [stdin, stdout, stderr].some((each) => each.isTerminal());
}
