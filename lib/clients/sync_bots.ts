/**
 * Many players in one process: to load a sync server and to measure what its players see.
 *
 * Each state begins with the time it was sent, `t<10 digits of microseconds>;`. Sender and receiver are
 * one process, so the difference is the latency, without clocks to compare. To stay cheap each bot
 * follows a few others and looks where it found them the last time; a few *probes* follow everybody,
 * and count how many of the states sent were seen at all.
 */
import type { HostPort } from "../hosts/address.ts";
import { resolveHost } from "../hosts/resolve.ts";
import { UdpHost } from "../hosts/udp.ts";
import { Histogram } from "../parts/histogram.ts";
import { type Random, seededRandom } from "../parts/random.ts";
import {
  createSyncClient,
  type SyncClientEngine,
  type SyncClientEvent,
} from "../protocols/sync/client.ts";
import { NUMBER_BYTES } from "../protocols/sync/wire.ts";
import { connectCrowd, isTrueBefore, Turns } from "./crowd.ts";
import { openTowards, type SocketOptions } from "./reach.ts";

/** Options of {@link SyncBots.connect}. */
export interface SyncBotsOptions extends SocketOptions {
  server: HostPort;
  /** Players. */
  count: number;
  /** States a second from each, spread evenly over time. */
  rateHz: number;
  /** Length of a state, at least {@link BOT_STATE_BYTES_MIN}. */
  stateBytes: number;
  /** How long to wait for all to be let in. Default 10,000. */
  connectTimeoutMs?: number;
  /** Chooses who follows whom. Default 1. */
  seed?: number;
}

/** What the bots measured. */
export interface SyncBotsReport {
  /** Bots the server let in. */
  players: number;
  seconds: number;
  /** States sent in all. */
  statesSent: number;
  /** Snapshots received in all, their bytes, and the largest. */
  snapshots: number;
  snapshotBytes: number;
  snapshotBytesMax: number;
  /** From sending a state until another player reads it. */
  latencyMsP50: number;
  latencyMsP99: number;
  /** Fresh states of others that one player saw a second, and their share of those sent. */
  updatesSeenHz: number;
  updatesSeenPercent: number;
  /** Snapshot numbers that were skipped. */
  lossPercent: number;
  /** How late the bots were with their own sending: if high, the figures are their own. */
  lateMsP99: number;
}

/** The shortest state that can hold the time it was sent. */
export const BOT_STATE_BYTES_MIN = 12;

const STAMP_DIGITS = 10;
const FOLLOWED = 4;
const PROBES = 8;
/** Whoever is shown nothing for so long is not in: a first state that is lost is sent again after a second. */
const SHOWN_MS = 3_000;
const SHOWN_LOOK_MS = 20;
/** After a search that found nothing, so many snapshots are not searched. */
const SEARCH_PAUSE = 16;

/** Players that move by themselves. */
export class SyncBots {
  readonly #options: SyncBotsOptions;
  readonly #random: Random;
  readonly #bots: Bot[] = [];
  readonly #latency = new Histogram();
  readonly #turns = new Turns();
  #measuringSince: number | undefined;
  #statesSent = 0;

  /**
   * Connects the bots; they start to move once everybody is in or the time is over.
   *
   * @throws {Error} The host name is unknown.
   */
  static async connect(options: SyncBotsOptions): Promise<SyncBots> {
    const bots = new SyncBots(options);
    const [ip] = await resolveHost(options.server.hostname);
    await bots.#connectAll(ip!);
    bots.#move();
    await bots.#sendAwayUnseen();
    bots.#choose();
    return bots;
  }

  private constructor(options: SyncBotsOptions) {
    this.#options = options;
    this.#random = seededRandom(options.seed ?? 1);
  }

  /** Bots the server let in. */
  get players(): number {
    return this.#bots.length;
  }

  /** Forgets what was measured so far and starts anew. */
  startMeasuring(): void {
    this.#measuringSince = performance.now();
    this.#statesSent = 0;
    for (const histogram of [this.#latency, this.#turns.lateness]) histogram.clear();
    for (const bot of this.#bots) bot.clear();
  }

  /** What was measured since {@link startMeasuring}. */
  report(): SyncBotsReport {
    const seconds = (performance.now() - (this.#measuringSince ?? performance.now())) / 1_000;
    const sum = (of: (bot: Bot) => number): number => this.#bots.reduce((n, b) => n + of(b), 0);
    const snapshots = sum((bot) => bot.snapshots);
    const skipped = sum((bot) => bot.skipped);
    const probes = this.#bots.filter((bot) => bot.isProbe);
    const seen = probes.reduce((n, bot) => n + bot.updates, 0) / Math.max(1, probes.length);
    const sentByOthers = this.#statesSent * (1 - 1 / Math.max(1, this.players));
    return {
      players: this.players,
      seconds,
      statesSent: this.#statesSent,
      snapshots,
      snapshotBytes: sum((bot) => bot.snapshotBytes),
      snapshotBytesMax: Math.max(0, ...this.#bots.map((bot) => bot.snapshotBytesMax)),
      latencyMsP50: this.#latency.percentile(0.5),
      latencyMsP99: this.#latency.percentile(0.99),
      updatesSeenHz: seconds > 0 ? seen / seconds : 0,
      updatesSeenPercent: sentByOthers > 0 ? (100 * seen) / sentByOthers : 0,
      lossPercent: snapshots > 0 ? (100 * skipped) / (snapshots + skipped) : 0,
      lateMsP99: this.#turns.lateness.percentile(0.99),
    };
  }

  /** All bots leave. */
  async close(): Promise<void> {
    this.#turns.stop();
    await Promise.all(this.#bots.map((bot) => bot.close()));
  }

  async #connectAll(ip: string): Promise<void> {
    const { count, connectTimeoutMs = 10_000 } = this.#options;
    await connectCrowd({
      count,
      timeoutMs: connectTimeoutMs,
      connect: (_, giveUpAt) =>
        Bot.connect(ip, this.#options, giveUpAt, (ms) => this.#onLatency(ms)),
      onConnected: (bot) => this.#bots.push(bot),
    });
  }

  /** A server gives ids to more than it has places for: only who has one is shown the states. */
  async #sendAwayUnseen(): Promise<void> {
    const giveUpAt = performance.now() + SHOWN_MS;
    const isWaiting = (): boolean => this.#bots.some(({ isShown }) => !isShown);
    while (isWaiting() && performance.now() < giveUpAt) {
      await new Promise((resolve) => setTimeout(resolve, SHOWN_LOOK_MS));
    }
    if (!isWaiting()) return;
    this.#turns.stop();
    const [shown, unseen] = [true, false].map((is) => this.#bots.filter((b) => b.isShown === is));
    this.#bots.splice(0, Infinity, ...shown!);
    await Promise.all(unseen!.map((bot) => bot.close()));
    this.#move();
  }

  #choose(): void {
    const probes = Math.min(PROBES, this.players);
    this.#bots.forEach((bot, index) => {
      const others = this.#bots.filter((other) => other !== bot);
      // Spread over the order of joining.
      bot.isProbe = Math.floor((index * probes) / this.players) !==
        Math.floor(((index + 1) * probes) / this.players);
      const chosen = bot.isProbe ? others : this.#pick(others, FOLLOWED);
      bot.follow(chosen.map(({ id }) => id));
    });
  }

  #pick<T>(items: readonly T[], count: number): T[] {
    const chosen = new Set<T>();
    while (chosen.size < Math.min(count, items.length)) {
      chosen.add(items[Math.floor(this.#random() * items.length)]!);
    }
    return [...chosen];
  }

  /** Number k of all states leaves k / (bots * rate) seconds after the first. */
  #move(): void {
    if (this.players === 0) return;
    this.#turns.start(1_000 / (this.#options.rateHz * this.players), (turn) => {
      this.#bots[turn % this.players]!.move();
      this.#statesSent++;
    });
  }

  #onLatency(ms: number): void {
    if (this.#measuringSince !== undefined) this.#latency.record(ms);
  }
}

/** Another player whose states a bot looks for. */
interface Followed {
  /** `"<id>":"t`: what stands before the time in a snapshot. */
  readonly key: Uint8Array;
  readonly keyText: string;
  /** Where it stood in the last snapshot. */
  at: number;
  /** Snapshots not to search. */
  pause: number;
  /** The newest time seen; -1 before the first. */
  stamp: number;
}

class Bot {
  readonly #engine: SyncClientEngine = createSyncClient();
  readonly #state: Uint8Array;
  readonly #onLatency: (ms: number) => void;
  #host: UdpHost<SyncClientEvent> | undefined;
  #followed: Followed[] = [];
  #lastNumber = -1n;
  isProbe = false;
  updates = 0;
  snapshots = 0;
  snapshotBytes = 0;
  snapshotBytesMax = 0;
  skipped = 0;

  /** Undefined when there was no answer before the deadline. */
  static async connect(
    ip: string,
    { server, stateBytes, through }: SyncBotsOptions,
    deadline: number,
    onLatency: (ms: number) => void,
  ): Promise<Bot | undefined> {
    const bot = new Bot(stateBytes, onLatency);
    const socket = await openTowards([ip], { through });
    const { promise: connected, resolve } = Promise.withResolvers<void>();
    const host = new UdpHost(bot.#engine, socket, {
      onEvent: (event) => {
        if (event.kind === "connected") resolve();
        else if (event.kind === "snapshot") bot.#onSnapshot(event.number, event.json);
      },
      onFault: reportError,
    });
    bot.#host = host;
    const peer = host.peerAt(ip, server.port);
    host.act((now) => bot.#engine.connect([peer], now));
    if (await isTrueBefore(deadline, connected)) return bot;
    await host.close();
    return undefined;
  }

  private constructor(stateBytes: number, onLatency: (ms: number) => void) {
    this.#state = new Uint8Array(stateBytes).fill(LETTER_X);
    this.#state[0] = LETTER_T;
    this.#state[STAMP_DIGITS + 1] = SEMICOLON;
    this.#onLatency = onLatency;
  }

  get id(): string {
    return String(this.#engine.id);
  }

  /** Whether it was sent the states of those who are in. */
  get isShown(): boolean {
    return this.#lastNumber >= 0n;
  }

  clear(): void {
    this.updates = 0;
    this.snapshots = 0;
    this.snapshotBytes = 0;
    this.snapshotBytesMax = 0;
    this.skipped = 0;
  }

  follow(ids: readonly string[]): void {
    this.#followed = ids.map((id) => {
      const keyText = `"${id}":"t`;
      return { keyText, key: ascii.encode(keyText), at: 0, pause: 0, stamp: -1 };
    });
  }

  move(): void {
    this.#host!.act((now, out) => {
      let left = Math.floor(now * 1_000);
      for (let at = STAMP_DIGITS; at >= 1; at--) {
        this.#state[at] = DIGIT_0 + (left % 10);
        left = Math.floor(left / 10);
      }
      this.#engine.setState(this.#state, now, out);
    });
  }

  async close(): Promise<void> {
    await this.#host!.close();
  }

  #onSnapshot(number: bigint, json: Uint8Array): void {
    if (this.#lastNumber >= 0n) this.skipped += Number(number - this.#lastNumber - 1n);
    this.#lastNumber = number;
    this.snapshots++;
    const bytes = NUMBER_BYTES + json.length;
    this.snapshotBytes += bytes;
    this.snapshotBytesMax = Math.max(this.snapshotBytesMax, bytes);
    const now = performance.now();
    let text: string | undefined;
    for (const followed of this.#followed) {
      if (!startsAt(json, followed.key, followed.at)) {
        if (followed.pause > 0) {
          followed.pause--;
          continue;
        }
        text ??= latin1.decode(json);
        followed.at = Math.max(0, text.indexOf(followed.keyText));
        if (followed.at === 0) followed.pause = SEARCH_PAUSE;
        if (followed.at === 0) continue;
      }
      this.#onState(followed, stampAt(json, followed.at + followed.key.length), now);
    }
  }

  #onState(followed: Followed, stamp: number, now: number): void {
    if (stamp <= followed.stamp) return;
    const isFirst = followed.stamp < 0; // Perhaps sent before this bot came.
    followed.stamp = stamp;
    if (isFirst) return;
    this.updates++;
    if (!this.isProbe || this.#followed.length <= FOLLOWED) this.#onLatency(now - stamp / 1_000);
  }
}

const ascii = new TextEncoder();
const latin1 = new TextDecoder("latin1");
const DIGIT_0 = 0x30;
const SEMICOLON = 0x3b;
const LETTER_T = 0x74;
const LETTER_X = 0x78;

function startsAt(bytes: Uint8Array, key: Uint8Array, at: number): boolean {
  for (let i = 0; i < key.length; i++) {
    if (bytes[at + i] !== key[i]) return false;
  }
  return true;
}

/** The microseconds that stand at `at`, or -1. */
function stampAt(bytes: Uint8Array, at: number): number {
  let stamp = 0;
  for (let i = 0; i < STAMP_DIGITS; i++) stamp = 10 * stamp + (bytes[at + i]! - DIGIT_0);
  return bytes[at + STAMP_DIGITS] === SEMICOLON ? stamp : -1;
}
