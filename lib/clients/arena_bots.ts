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
import { Recent } from "../parts/recent.ts";
import {
  type Action,
  type ClientMessage,
  decodeServerMessage,
  encodeClientMessage,
  type PlayerState,
} from "../protocols/arena/wire.ts";
import type { Engine, Outbox, Peer } from "../protocols/engine.ts";
import { Attachment } from "../protocols/events/attachment.ts";
import { SEQUENCE_MAX } from "../protocols/events/delivery.ts";
import { openTowards } from "./reach.ts";

/** Options of {@link ArenaBots.connect}. */
export interface ArenaBotsOptions {
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
/** A small receive queue must not be overrun. */
const CONNECTING_MAX = 64;
/** A bot that asked to be let in for so long gets nothing. */
const UNANSWERED_MS_MAX = 5_000;
const HEARTBEAT_MS = 2_000;
const BURST_MAX = 64;
/** Later than this, turns are given up rather than made up for in a flood. */
const HOPELESS_MS = 1_000;

/** Players that move by themselves. */
export class ArenaBots {
  readonly #options: ArenaBotsOptions;
  readonly #random: Random;
  readonly #bots: Bot[] = [];
  readonly #latency = new Histogram();
  readonly #lateness = new Histogram();
  readonly #lists = new ListLoss();
  #timer: ReturnType<typeof setTimeout> | undefined;
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
    this.#lateness.clear();
    this.#lists.clear(this.#measuringSince);
    for (const { engine } of this.#bots) engine.clear();
  }

  /** What was measured since {@link startMeasuring}. */
  report(): ArenaBotsReport {
    const now = performance.now();
    const seconds = (now - (this.#measuringSince ?? now)) / 1_000;
    const engines = this.#bots.map(({ engine }) => engine);
    const sum = (of: (bot: BotEngine) => number): number => engines.reduce((n, b) => n + of(b), 0);
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
      lateMsP99: this.#lateness.percentile(0.99),
    };
  }

  /** All bots leave. */
  async close(): Promise<void> {
    clearTimeout(this.#timer);
    await Promise.all(this.#bots.map(({ host }) => host.close()));
  }

  async #connectAll(ip: string, onProgress: (players: number) => void): Promise<void> {
    const { count, connectTimeoutMs = 10_000 } = this.#options;
    const deadline = performance.now() + connectTimeoutMs;
    let started = 0;
    const connectInTurn = async (): Promise<void> => {
      while (started < count && performance.now() < deadline) {
        const isProbe = started++ < PROBES;
        const giveUpAt = Math.min(deadline, performance.now() + UNANSWERED_MS_MAX);
        const bot = await this.#connect(ip, isProbe, giveUpAt);
        if (!bot) return; // Nobody is there, or every place is taken.
        this.#bots.push(bot);
        onProgress(this.players);
      }
    };
    await Promise.all(Array.from({ length: Math.min(CONNECTING_MAX, count) }, connectInTurn));
  }

  /** Undefined when there was no welcome before the deadline. */
  async #connect(ip: string, isProbe: boolean, deadline: number): Promise<Bot | undefined> {
    const { promise: isIn, resolve } = Promise.withResolvers<boolean>();
    const engine = new BotEngine(isProbe, {
      onIn: () => resolve(true),
      onLatency: (ms) => this.#latency.record(ms),
      onList: (sequence, now) => this.#lists.add(sequence, this.players, now),
    });
    const socket: UdpSocket = await openTowards([ip]);
    const host = new UdpHost<never>(engine, socket, { onFault: reportError });
    const server = host.peerAt(ip, this.#options.server.port);
    host.act((now, out) => engine.connect(server, now, out));
    const timer = setTimeout(() => resolve(false), Math.max(0, deadline - performance.now()));
    const wasLetIn = await isIn;
    clearTimeout(timer);
    if (wasLetIn) return { engine, host };
    await host.close();
    return undefined;
  }

  /** Number k of all inputs leaves k * seconds / bots after the first. */
  #move(): void {
    if (this.players === 0) return;
    const gapMs = (1_000 * this.#options.turnSeconds) / this.players;
    const startedAt = performance.now();
    let turn = 0;
    const tick = (): void => {
      const now = performance.now();
      const behindMs = now - startedAt - turn * gapMs;
      if (behindMs > HOPELESS_MS) turn += Math.floor(behindMs / gapMs);
      for (let burst = 0; burst < BURST_MAX; burst++, turn++) {
        const dueAt = startedAt + turn * gapMs;
        if (dueAt > now) break;
        this.#lateness.record(now - dueAt);
        this.#turn(this.#bots[turn % this.players]!);
      }
      this.#timer = setTimeout(tick, Math.max(0, startedAt + turn * gapMs - performance.now()));
    };
    tick();
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
  readonly engine: BotEngine;
  readonly host: UdpHost<never>;
}

interface BotListeners {
  /** It is in the game. */
  onIn: () => void;
  onLatency: (ms: number) => void;
  onList: (sequence: number, now: number) => void;
}

const HEAD = { array4: 0x94, updates: 11, bullets: 35, uint16: 0xcd } as const;

/** A player that reads no more than it must: lists that it is not in are only counted. */
class BotEngine implements Engine<never> {
  readonly isProbe: boolean;
  readonly #listeners: BotListeners;
  readonly #attachment: Attachment;
  readonly #acked = new Recent(256);
  #own: PlayerState | undefined;
  #ownKey: Uint8Array = new Uint8Array(0);
  #direction: 1 | -1 = 1;
  #turnedAt: number | undefined;
  welcomes = 0;
  inputsUnseen = 0;
  datagrams = 0;
  bytes = 0;
  bytesMax = 0;
  lists = 0;
  ownUpdates = 0;
  resends = 0;

  constructor(isProbe: boolean, listeners: BotListeners) {
    this.isProbe = isProbe;
    this.#listeners = listeners;
    this.#attachment = new Attachment({
      join: encodeClientMessage({ kind: "join" }),
      heartbeat: encodeClientMessage({ kind: "heartbeat" }),
      heartbeatMs: HEARTBEAT_MS,
      silenceMs: Infinity,
    });
  }

  connect(server: Peer, now: number, out: Outbox<never>): void {
    this.#attachment.begin([server], now, out);
  }

  clear(): void {
    this.inputsUnseen =
      this.datagrams =
      this.bytes =
      this.bytesMax =
        0;
    this.lists = this.ownUpdates = this.resends = 0;
  }

  turn(dy: number, now: number, out: Outbox<never>): void {
    if (this.#turnedAt !== undefined) this.inputsUnseen++;
    this.#direction = this.#direction === 1 ? -1 : 1;
    this.#turnedAt = this.isProbe ? now : undefined;
    this.say({ kind: "input", dx: this.#direction, dy }, now, out);
  }

  say(message: Action | ClientMessage, now: number, out: Outbox<never>): void {
    this.#attachment.say(encodeClientMessage(message), now, out);
  }

  receive(datagram: Uint8Array, from: Peer, now: number, out: Outbox<never>): void {
    if (!this.#attachment.isServer(from)) return;
    this.datagrams++;
    this.bytes += datagram.length;
    this.bytesMax = Math.max(this.bytesMax, datagram.length);
    this.#attachment.heard(now);
    if (datagram[0] === HEAD.array4 && datagram[1] === HEAD.updates) {
      return this.#onList(datagram, now);
    }
    if (datagram[1] === HEAD.bullets) return;
    const message = decodeServerMessage(datagram);
    if (message.kind === "refused") return;
    if (message.kind === "welcome") this.#onWelcome(message.player, from, now);
    // Welcomed is who asks; a full server tells nobody more about the world.
    if (message.kind === "worldInfo") this.#listeners.onIn();
    if (!message.needsAck) return;
    if (!this.#acked.add(message.sequence)) this.resends++;
    this.say({ kind: "ack", sequences: [message.sequence] }, now, out);
  }

  advance(now: number, out: Outbox<never>): void {
    this.#attachment.advance(now, out);
  }

  nextDeadline(): number {
    return this.#attachment.nextDeadline();
  }

  remembers(peer: Peer): boolean {
    return this.#attachment.remembers(peer);
  }

  #onWelcome(player: PlayerState, from: Peer, now: number): void {
    this.#attachment.attach(from, now);
    if (player.number === this.#own?.number) return;
    this.#own = player;
    this.#ownKey = keyOf(player.number);
    this.welcomes++;
  }

  #onList(datagram: Uint8Array, now: number): void {
    this.lists++;
    this.#listeners.onList(sequenceIn(datagram), now);
    if (!this.isProbe || !this.#own || !contains(datagram, this.#ownKey)) return;
    const list = decodeServerMessage(datagram);
    if (list.kind !== "updates") return;
    const own = list.players.find(({ number }) => number === this.#own!.number);
    if (own) this.#onOwn(own, now);
  }

  #onOwn(own: PlayerState, now: number): void {
    const moved = own.x - this.#own!.x;
    this.#own = own;
    this.ownUpdates++;
    if (this.#turnedAt === undefined || Math.sign(moved) !== this.#direction) return;
    this.#listeners.onLatency(now - this.#turnedAt);
    this.#turnedAt = undefined;
  }
}

/** The number behind `[id, ...` as the server writes it. */
function sequenceIn(datagram: Uint8Array): number {
  const head = datagram[2]!;
  if (head < 0x80) return head;
  return head === HEAD.uint16 ? 256 * datagram[3]! + datagram[4]! : datagram[3]!;
}

/** How a player's number stands in a list: `uuid` and the number, from a datagram that has it. */
function keyOf(number: number): Uint8Array {
  const ack = encodeClientMessage({ kind: "ack", sequences: [number] });
  // [2, 0, 0, raw [number]]: six bytes stand before the number.
  return Uint8Array.of(0xa4, 0x75, 0x75, 0x69, 0x64, ...ack.subarray(6));
}

function contains(bytes: Uint8Array, part: Uint8Array): boolean {
  const last = bytes.length - part.length;
  for (
    let at = bytes.indexOf(part[0]!);
    at >= 0 && at <= last;
    at = bytes.indexOf(part[0]!, at + 1)
  ) {
    let same = 1;
    while (same < part.length && bytes[at + same] === part[same]) same++;
    if (same === part.length) return true;
  }
  return false;
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
