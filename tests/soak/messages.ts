/** Clients of messages, over TCP: each hears all that the others say while it is there, once, in order. */
import { MessageClient } from "../../lib/clients/message_client.ts";
import { NetworkMessage } from "../../lib/protocols/messages/message.ts";
import { Gate } from "./gate.ts";
import { Names, type Stage } from "./stage.ts";
import { type Player, Troupe } from "./troupe.ts";
import { within } from "../support/wait.ts";

const STALL_MS = 3_000;
/** Longest body, beside the name and the count. */
const PADDING_MAX = 2_000;
const ANSWER_MS = 20_000;
const SAY_EVERY_MS = 2_000;
const names = new Names();

class MessagesPlayer implements Player {
  readonly name = names.next("messages");
  readonly line = undefined;
  mayChange = false;
  readonly client = new MessageClient();
  readonly gate: Gate;
  /** How much it said. */
  count = 0;
  /** By player, the last count that was heard. */
  readonly heard = new Map<string, number>();
  /** By player, what was said before this one was in: it may be heard or not. */
  readonly #before = new Map<string, number>();
  #saidAt = -Infinity;
  readonly #stage: Stage;
  readonly #isWelcome = Promise.withResolvers<void>();
  /** Settles when the connection has ended. */
  readonly over: Promise<void>;

  /** @param others Those who are there before it. */
  static async enter(
    stage: Stage,
    others: Iterable<MessagesPlayer>,
  ): Promise<MessagesPlayer> {
    const gate = new Gate(stage.ports.messages);
    const player = new MessagesPlayer(stage, gate);
    try {
      const { ok, reason } = await player.client.connect("127.0.0.1", gate.port);
      if (!ok) throw new Error(reason);
      await player.#shakeHands(others);
      return player;
    } catch (error) {
      await player.leave();
      throw error;
    }
  }

  private constructor(stage: Stage, gate: Gate) {
    this.#stage = stage;
    this.gate = gate;
    this.over = new Promise((resolve) => this.client.onDisconnect.addListener(() => resolve()));
  }

  play(): void {
    this.#saidAt = performance.now();
    const padding = "~".repeat(Math.floor(this.#stage.random() * PADDING_MAX));
    this.#say(new NetworkMessage(this.#word(padding)));
  }

  /** Who came together may not know of each other before they say something. */
  rest(): void {
    if (performance.now() - this.#saidAt >= SAY_EVERY_MS) this.play();
  }

  /** How far another one was heard. */
  progressOf(other: string): number | undefined {
    return this.heard.get(other) ?? this.#before.get(other);
  }

  async leave(): Promise<void> {
    await this.client.close();
    await this.gate[Symbol.asyncDispose]();
  }

  /** After that it is in: what others say from now on it is told. */
  async #shakeHands(others: Iterable<MessagesPlayer>): Promise<void> {
    void this.#listen();
    this.#say(new NetworkMessage(this.#word("")).addHeader("handshake"));
    const ended = this.over.then(() => Promise.reject(new Error("the server ended it")));
    ended.catch(() => {});
    await within("the handshake", Promise.race([this.#isWelcome.promise, ended]), ANSWER_MS);
    for (const { name, count } of others) this.#before.set(name, count);
  }

  #word(padding: string): string {
    return JSON.stringify({ player: this.name, count: ++this.count, padding });
  }

  #say(message: NetworkMessage): void {
    const { ok, reason, failure } = this.client.send(message);
    if (!ok && failure !== "gone") {
      this.#stage.book.violate(`messages: ${this.name} cannot send: ${reason}`);
    }
  }

  async #listen(): Promise<void> {
    for await (const message of this.client) {
      if (message.body.startsWith("{")) this.#hear(message.body);
      else if (message.hasHeader("handshake")) this.#isWelcome.resolve();
    }
  }

  #hear(body: string): void {
    const { book } = this.#stage;
    const { player, count } = JSON.parse(body);
    book.checked("messages: each message once and in order");
    const last = this.heard.get(player);
    const first = this.#before.get(player);
    this.heard.set(player, count);
    if (last !== undefined && count !== last + 1) {
      const how = count > last + 1 ? "some are lost" : "twice, or in another order";
      book.violate(`messages: ${this.name} heard ${count} of ${player} after ${last}: ${how}`);
    } else if (last === undefined && first !== undefined && count > first + 1) {
      book.violate(`messages: ${this.name} first heard ${count} of ${player}, not ${first + 1}`);
    }
  }

  /** Only who is still there is remembered. */
  forgetOthers(known: ReadonlySet<string>): void {
    for (const map of [this.heard, this.#before]) {
      for (const name of map.keys()) if (!known.has(name)) map.delete(name);
    }
  }
}

/** All clients of messages. */
export class MessagesTroupe extends Troupe<MessagesPlayer> {
  /** Gone, but for the server. */
  readonly #halfOpen = new Set<MessagesPlayer>();

  constructor(stage: Stage, size: number) {
    super("messages", stage, size);
  }

  protected override async enter(): Promise<MessagesPlayer> {
    const { epoch } = this.stage.server;
    const player = await MessagesPlayer.enter(this.stage, this.players);
    void player.over.then(() => this.#onOver(player, epoch));
    return player;
  }

  override beat(): void {
    super.beat();
    const { random, book } = this.stage;
    for (const { gate } of this.players) {
      if (random() > 0.01) continue;
      book.fault("a TCP connection stands still for up to 3 s");
      gate.stall(random() * STALL_MS);
    }
  }

  /** Some of those who leave leave the server a connection without an end. */
  protected override async leave(player: MessagesPlayer): Promise<void> {
    const { isCalm, random, book } = this.stage;
    if (isCalm || random() < 0.7 || !this.lose(player)) return await super.leave(player);
    book.fault("a TCP connection is left half open");
    player.gate.forsake();
    this.#halfOpen.add(player);
  }

  override async calmDown(): Promise<void> {
    for (const { gate } of this.players) gate.flow();
    await super.calmDown();
    await this.#closeHalfOpen();
  }

  override async end(): Promise<void> {
    await super.end();
    await this.#closeHalfOpen();
  }

  override disagreement(): string | undefined {
    for (const viewer of this.players) {
      for (const other of this.players) {
        const heard = viewer.progressOf(other.name);
        if (viewer === other || heard === other.count) continue;
        return `${viewer.name} heard ${heard} of ${other.name}, who said ${other.count}`;
      }
    }
    return undefined;
  }

  override settled(): void {
    super.settled();
    const known = new Set(Array.from(this.players, ({ name }) => name));
    for (const player of this.players) player.forgetOthers(known);
    this.stage.book.checked("messages: all heard the last of all", this.players.size ** 2);
  }

  async #closeHalfOpen(): Promise<void> {
    await Promise.all([...this.#halfOpen].map((player) => player.leave()));
    this.#halfOpen.clear();
  }

  /** Its connection ended: by its own doing, or with the server. */
  #onOver(player: MessagesPlayer, epoch: number): void {
    if (!this.lose(player)) return;
    const { server, book } = this.stage;
    if (server.epoch === epoch && server.wellSince < Infinity) {
      book.violate(`messages: the connection of ${player.name} ended`);
    }
    void player.leave();
  }
}
