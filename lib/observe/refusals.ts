import type { Logger } from "@logtape/logtape";

/** What a refusal means to the person who runs the server, and what to do about it. */
export interface RefusalHint {
  hint: string;
  level: "debug" | "warning";
}

/** A reason that keeps coming is one line per interval. */
const LINE_EVERY_MS = 10_000;

/** Counts what a server refused, and says so without flooding the log. */
export class RefusalLog<Reason extends string> {
  /** How many times each reason came; the keys are metric labels. */
  readonly counts: Record<Reason, number>;
  readonly #hints: Record<Reason, RefusalHint>;
  readonly #logger: Logger;
  readonly #now: () => number;
  readonly #lines = new Map<Reason, { loggedAt: number; unlogged: number }>();

  /** @param now A monotonic clock in ms. */
  constructor(hints: Record<Reason, RefusalHint>, logger: Logger, now: () => number) {
    this.#hints = hints;
    this.#logger = logger;
    this.#now = now;
    const none = Object.fromEntries(Object.keys(hints).map((reason) => [reason, 0]));
    this.counts = none as Record<Reason, number>;
  }

  /** Takes one refusal. The address is asked for only when there is something to say: making it is work. */
  add(reason: Reason, peer: { readonly address: string }): void {
    this.counts[reason]++;
    const now = this.#now();
    const line = this.#lines.get(reason) ?? { loggedAt: -Infinity, unlogged: 0 };
    this.#lines.set(reason, line);
    line.unlogged++;
    if (now - line.loggedAt < LINE_EVERY_MS) return;
    const { hint, level } = this.#hints[reason];
    const others = line.unlogged - 1;
    const { address } = peer;
    this.#logger[level](
      others === 0
        ? "refused from {address}: {hint}"
        : "refused from {address} and {others} more: {hint}",
      { event: "refused", reason, address, others, hint },
    );
    line.loggedAt = now;
    line.unlogged = 0;
  }
}
