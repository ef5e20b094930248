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
  // On Windows the X of the window; elsewhere a terminal that is gone. Without one it is left alone: `nohup`.
  const hasWindow = Deno.build.os === "windows" || Deno.stdout.isTerminal();
  const known = [...SIGNALS, ...(hasWindow ? ["SIGHUP"] as const : [])].filter((signal) => {
    try {
      Deno.addSignalListener(signal, send);
      return true;
    } catch {
      return false;
    }
  });
  const ignore = (): void => known.forEach((name) => Deno.removeSignalListener(name, send));
  return { received, send, ignore };
}
