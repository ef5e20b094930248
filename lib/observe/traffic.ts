/** What goes through a service a second: the statistics line. */
/** Messages and bytes a second since the last report, in all and for each client. */
export interface TrafficFigures {
  clients: number;
  inHz: number;
  inBytesHz: number;
  outHz: number;
  outBytesHz: number;
  inHzEach: number;
  inBytesHzEach: number;
  outHzEach: number;
  outBytesHzEach: number;
}

/** What every host counts: messages and bytes in both directions. */
export type Counted = Record<"received" | "receivedBytes" | "sent" | "sentBytes", number>;

/** Turns counters that only grow into figures a second. */
export class Traffic {
  readonly #now: () => number;
  #at: number;
  #before: Counted = { received: 0, receivedBytes: 0, sent: 0, sentBytes: 0 };

  /** @param now A monotonic clock in ms. */
  constructor(now: () => number) {
    this.#now = now;
    this.#at = now();
  }

  /** What went through since the last call. */
  take(counters: Counted, clients: number): TrafficFigures {
    const now = this.#now();
    const seconds = Math.max(0.001, (now - this.#at) / 1_000);
    const hz = (name: keyof Counted, share: number): number =>
      rounded((counters[name] - this.#before[name]) / seconds / share);
    const each = Math.max(1, clients);
    const figures = {
      clients,
      inHz: hz("received", 1),
      inBytesHz: hz("receivedBytes", 1),
      outHz: hz("sent", 1),
      outBytesHz: hz("sentBytes", 1),
      inHzEach: hz("received", each),
      inBytesHzEach: hz("receivedBytes", each),
      outHzEach: hz("sent", each),
      outBytesHzEach: hz("sentBytes", each),
    };
    this.#at = now;
    this.#before = { ...counters };
    return figures;
  }
}

/** The figures as a line for people: `in 12.0/s 0.3 kB/s, out 720/s 61.2 kB/s`. */
export function trafficText(figures: TrafficFigures): string {
  const { inHz, inBytesHz, outHz, outBytesHz } = figures;
  const { inHzEach, inBytesHzEach, outHzEach, outBytesHzEach } = figures;
  return `in ${rate(inHz, inBytesHz)}, out ${rate(outHz, outBytesHz)}; ` +
    `each in ${rate(inHzEach, inBytesHzEach)}, out ${rate(outHzEach, outBytesHzEach)}`;
}

function rate(hz: number, bytesHz: number): string {
  return `${digits(hz)}/s ${digits(bytesHz / 1_000)} kB/s`;
}

/** Three digits that say something, or all before the point. */
function digits(value: number): string {
  return value.toFixed(value >= 99.95 ? 0 : value >= 9.995 ? 1 : 2);
}

function rounded(value: number): number {
  return Math.round(value * 1_000) / 1_000;
}
