/** What all load testers have in common: how bots connect, and when it is whose turn. */
import { Histogram } from "../parts/histogram.ts";

/** A small receive queue must not be overrun. */
const CONNECTING_MAX = 64;
/** A bot that asked to be let in for so long gets nothing. */
const UNANSWERED_MS_MAX = 5_000;
const BURST_MAX = 64;
/** Later than this, turns are given up rather than made up for in a flood. */
const HOPELESS_MS = 1_000;

/** Options of {@link connectCrowd}. */
export interface CrowdOptions<B> {
  /** How many bots. */
  count: number;
  /** How long to wait for all of them. */
  timeoutMs: number;
  /** Connects the bot of this number, from 0; undefined when it was not let in before `giveUpAt`. */
  connect: (index: number, giveUpAt: number) => Promise<B | undefined>;
  /** Told of each that is in. */
  onConnected: (bot: B) => void;
}

/** Connects bots, some at a time, until all are in, the time is over, or the server has no more places. */
export async function connectCrowd<B>(options: CrowdOptions<B>): Promise<void> {
  const { count, timeoutMs, connect, onConnected } = options;
  const deadline = performance.now() + timeoutMs;
  let started = 0;
  const connectInTurn = async (): Promise<void> => {
    while (started < count && performance.now() < deadline) {
      const giveUpAt = Math.min(deadline, performance.now() + UNANSWERED_MS_MAX);
      const bot = await connect(started++, giveUpAt);
      if (!bot) return; // Nobody is there, or every place is taken.
      onConnected(bot);
    }
  };
  await Promise.all(Array.from({ length: Math.min(CONNECTING_MAX, count) }, connectInTurn));
}

/** Whether something came true before a time on the clock of `performance`. */
export async function isTrueBefore(giveUpAt: number, promise: Promise<unknown>): Promise<boolean> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const late = new Promise<boolean>((resolve) => {
    timer = setTimeout(() => resolve(false), Math.max(0, giveUpAt - performance.now()));
  });
  const isTrue = await Promise.race([promise.then(() => true), late]);
  clearTimeout(timer);
  return isTrue;
}

/** Gives turns at even distances, on time as a whole even when timers are late. */
export class Turns {
  /** How late each turn was, in ms. */
  readonly lateness: Histogram = new Histogram();
  #timer: ReturnType<typeof setTimeout> | undefined;

  /** Turn k comes k * gapMs from now. */
  start(gapMs: number, takeTurn: (turn: number) => void): void {
    const startedAt = performance.now();
    let turn = 0;
    const tick = (): void => {
      const now = performance.now();
      const behindMs = now - startedAt - turn * gapMs;
      if (behindMs > HOPELESS_MS) turn += Math.floor(behindMs / gapMs);
      for (let burst = 0; burst < BURST_MAX; burst++, turn++) {
        const dueAt = startedAt + turn * gapMs;
        if (dueAt > now) break;
        this.lateness.record(now - dueAt);
        takeTurn(turn);
      }
      this.#timer = setTimeout(tick, Math.max(0, startedAt + turn * gapMs - performance.now()));
    };
    tick();
  }

  /** No more turns. */
  stop(): void {
    clearTimeout(this.#timer);
  }
}
