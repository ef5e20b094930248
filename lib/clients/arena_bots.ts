/**
 * Many players in one process: to load an arena and to measure what its players see.
 *
 * A bot turns round at every input: to the left if it went to the right. The first list in which it has
 * moved the new way echoes the input; sender and receiver are one process, so the difference is the
 * latency, without clocks to compare. Some bots look for themselves in the lists; the others only count.
 */
import type { HostPort } from "../hosts/address.ts";
import { resolveHost } from "../hosts/resolve.ts";
import { UdpHost, type UdpSocket } from "../hosts/udp.ts";
import { Histogram } from "../parts/histogram.ts";
import { type Random, seededRandom } from "../parts/random.ts";
import { SEQUENCE_MAX } from "../protocols/events/delivery.ts";
import { ArenaBot } from "./arena_bot.ts";
import { connectCrowd, isTrueBefore, Turns } from "./crowd.ts";
import { openTowards, type SocketOptions } from "./reach.ts";

/** Options of {@link ArenaBots.connect}. */
export interface ArenaBotsOptions extends SocketOptions {
  server: HostPort;
  /** Players. */
  count: number;
  /** How long each moves in one direction, in seconds. */
  turnSeconds: number;
  /** Whether each fires whenever it turns. Default false. */
  fires?: boolean;
  /** How long to wait for all to be let in. Default 10,000. */
  connectTimeoutMs?: number;
  /** Chooses the directions. Default 1. */
  seed?: number;
}

/** What the bots measured. */
export interface ArenaBotsReport {
  /** Bots the server let in, and welcomes they got: more when it forgot some. */
  players: number;
  welcomes: number;
  seconds: number;
  /** Inputs sent in all, and those that were never seen to have an effect. */
  inputs: number;
  inputsUnseen: number;
  /** Datagrams received in all, their bytes, and the largest. */
  datagrams: number;
  bytes: number;
  bytesMax: number;
  /** Lists of players that one bot got a second, and those in which it found itself. */
  listsHz: number;
  ownUpdatesHz: number;
  /** From sending an input until the own movement is seen. */
  latencyMsP50: number;
  latencyMsP99: number;
  /** Messages that came again although they were acked. */
  resends: number;
  /** Of the lists that went to several bots: what did not arrive. Undefined when none did. */
  lossPercent: number | undefined;
  /** How late the bots were with their own inputs: if high, the figures are their own. */
  lateMsP99: number;
}

/** So many bots look for themselves. */
const PROBES = 64;

/** Players that move by themselves. */
export class ArenaBots {
  readonly #options: ArenaBotsOptions;
  readonly #random: Random;
  readonly #bots: Bot[] = [];
  readonly #latency = new Histogram();
  readonly #turns = new Turns();
  readonly #lists = new ListLoss();
  #measuringSince: number | undefined;
  #inputs = 0;

  /**
   * Connects the bots; they start to move once everybody is in or the time is over.
   *
   * @param onProgress Told how many are in, whenever one more is.
   * @throws {Error} The host name is unknown.
   */
  static async connect(
    options: ArenaBotsOptions,
    onProgress: (players: number) => void = (): void => {},
  ): Promise<ArenaBots> {
    const bots = new ArenaBots(options);
    const [ip] = await resolveHost(options.server.hostname);
    await bots.#connectAll(ip!, onProgress);
    bots.#move();
    return bots;
  }

  private constructor(options: ArenaBotsOptions) {
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
    this.#inputs = 0;
    this.#latency.clear();
    this.#turns.lateness.clear();
    this.#lists.clear(this.#measuringSince);
    for (const { engine } of this.#bots) engine.clear();
  }

  /** What was measured since {@link startMeasuring}. */
  report(): ArenaBotsReport {
    const now = performance.now();
    const seconds = (now - (this.#measuringSince ?? now)) / 1_000;
    const engines = this.#bots.map(({ engine }) => engine);
    const sum = (of: (bot: ArenaBot) => number): number => engines.reduce((n, b) => n + of(b), 0);
    const probes = engines.filter((engine) => engine.isProbe);
    const each = (total: number, bots: number): number => total / (bots * seconds || 1);
    return {
      players: this.players,
      welcomes: sum(({ welcomes }) => welcomes),
      seconds,
      inputs: this.#inputs,
      inputsUnseen: sum(({ inputsUnseen }) => inputsUnseen),
      datagrams: sum(({ datagrams }) => datagrams),
      bytes: sum(({ bytes }) => bytes),
      bytesMax: Math.max(0, ...engines.map(({ bytesMax }) => bytesMax)),
      listsHz: each(sum(({ lists }) => lists), this.players),
      ownUpdatesHz: each(sum(({ ownUpdates }) => ownUpdates), probes.length),
      latencyMsP50: this.#latency.percentile(0.5),
      latencyMsP99: this.#latency.percentile(0.99),
      resends: sum(({ resends }) => resends),
      lossPercent: this.#lists.percent(this.players, now),
      lateMsP99: this.#turns.lateness.percentile(0.99),
    };
  }

  /** All bots leave. */
  async close(): Promise<void> {
    this.#turns.stop();
    await Promise.all(this.#bots.map(({ host }) => host.close()));
  }

  async #connectAll(ip: string, onProgress: (players: number) => void): Promise<void> {
    const { count, connectTimeoutMs = 10_000 } = this.#options;
    await connectCrowd({
      count,
      timeoutMs: connectTimeoutMs,
      connect: (index, giveUpAt) => this.#connect(ip, index < PROBES, giveUpAt),
      onConnected: (bot) => {
        this.#bots.push(bot);
        onProgress(this.players);
      },
    });
  }

  /** Undefined when there was no welcome before the deadline. */
  async #connect(ip: string, isProbe: boolean, deadline: number): Promise<Bot | undefined> {
    const { promise: isIn, resolve } = Promise.withResolvers<void>();
    const engine = new ArenaBot(isProbe, {
      onIn: resolve,
      onLatency: (ms) => this.#latency.record(ms),
      onList: (sequence, now) => this.#lists.add(sequence, this.players, now),
    });
    const socket: UdpSocket = await openTowards([ip], { through: this.#options.through });
    const host = new UdpHost<never>(engine, socket, { onFault: reportError });
    const server = host.peerAt(ip, this.#options.server.port);
    host.act((now, out) => engine.connect(server, now, out));
    if (await isTrueBefore(deadline, isIn)) return { engine, host };
    await host.close();
    return undefined;
  }

  /** Number k of all inputs leaves k * seconds / bots after the first. */
  #move(): void {
    if (this.players === 0) return;
    const gapMs = (1_000 * this.#options.turnSeconds) / this.players;
    this.#turns.start(gapMs, (turn) => this.#turn(this.#bots[turn % this.players]!));
  }

  #turn({ engine, host }: Bot): void {
    const dy = Math.floor(3 * this.#random()) - 1;
    this.#inputs++;
    host.act((now, out) => {
      engine.turn(dy, now, out);
      if (this.#options.fires) engine.say({ kind: "fire" }, now, out);
    });
  }
}

interface Bot {
  readonly engine: ArenaBot;
  readonly host: UdpHost<never>;
}

/** A number that comes back after so long is another list's: the numbers went round. */
const SAME_LIST_MS = 3_000;
/** By then a list has reached everybody that it will reach. */
const ARRIVED_MS = 500;

/**
 * How many bots each list reached. A list for everybody goes to all under one number; those that reached
 * no more than half of the bots were for some of them only.
 */
class ListLoss {
  readonly #firstAt = new Float64Array(SEQUENCE_MAX + 1).fill(-Infinity);
  readonly #receivers = new Uint16Array(SEQUENCE_MAX + 1);
  #since = -Infinity;
  #sent = 0;
  #received = 0;

  /** Forgets what was counted, and what is on its way now. */
  clear(now: number): void {
    this.#since = now;
    this.#firstAt.fill(-Infinity);
    this.#receivers.fill(0);
    this.#sent = 0;
    this.#received = 0;
  }

  add(sequence: number, bots: number, now: number): void {
    if (now - this.#firstAt[sequence]! > SAME_LIST_MS) {
      this.#settle(sequence, bots);
      this.#firstAt[sequence] = now;
    }
    this.#receivers[sequence]!++;
  }

  percent(bots: number, now: number): number | undefined {
    for (let sequence = 0; sequence <= SEQUENCE_MAX; sequence++) {
      if (now - this.#firstAt[sequence]! > ARRIVED_MS) this.#settle(sequence, bots);
    }
    return this.#sent === 0 ? undefined : 100 * (1 - this.#received / this.#sent);
  }

  #settle(sequence: number, bots: number): void {
    const receivers = this.#receivers[sequence]!;
    const wasOnItsWay = this.#firstAt[sequence]! < this.#since + ARRIVED_MS;
    this.#receivers[sequence] = 0;
    this.#firstAt[sequence] = -Infinity;
    if (2 * receivers <= bots || receivers < 2 || wasOnItsWay) return;
    this.#sent += bots;
    this.#received += receivers;
  }
}
