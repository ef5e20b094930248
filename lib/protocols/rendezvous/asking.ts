import type { Deadlines } from "../../parts/deadlines.ts";
import type { Outbox, Peer } from "../engine.ts";
import type { Task } from "./link.ts";
import type { Dialect, Message, Reply } from "./message.ts";
import type { PlayerEvent, PlayerOptions } from "./player.ts";
import { encode, isAuthentic, type Letter, SERVER_NAME } from "./wire.ts";

/** What a session does with what the server says. */
export interface AskingOwner {
  readonly tasks: Deadlines<Task<PlayerEvent>>;
  /** Whether there is anybody who would be lost if the session ended. */
  hasCompany(): boolean;
  onIntroduction(
    introduction: Reply & { kind: "introduction" },
    from: Peer,
    now: number,
    out: Outbox<PlayerEvent>,
  ): void;
  /** Without the server there is nothing to begin with. */
  onFailed(reason: "server" | "refused", out: Outbox<PlayerEvent>): void;
}

const ASK_EVERY_MS = 1_000;
const ASKS_MAX = 5;
/** A refresh that is unanswered so often may be of a name the server has forgotten: register again. */
const REFRESHES_MAX = 2;
const REFRESH_MS = 15_000;
const KEY_CHARACTERS = 10;
const ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";

/** Asks the rendezvous server: a host to be known there, and again and again; a player for its host. */
export class Asking {
  readonly #owner: AskingOwner;
  readonly #options: PlayerOptions;
  readonly #dialect: Dialect;
  /** Dialect 2: what the server knows this session by. */
  readonly #key: string;
  readonly #ask: Task<PlayerEvent> = { due: (now, out) => this.#askOnce(now, out) };
  #servers: readonly Peer[] = [];
  /** The one that answered. */
  #server: Peer | undefined;
  #asks = 0;
  #registered = false;

  constructor(owner: AskingOwner, options: PlayerOptions) {
    this.#owner = owner;
    this.#options = options;
    this.#dialect = options.dialect ?? 1;
    this.#key = Array.from(
      { length: KEY_CHARACTERS },
      () => ALPHABET[Math.floor(options.random() * ALPHABET.length)],
    ).join("");
  }

  /** Whether this is the server, and it is listened to. */
  isServer(peer: Peer): boolean {
    return this.#servers.includes(peer);
  }

  begin(servers: readonly Peer[], now: number, out: Outbox<PlayerEvent>): void {
    this.#servers = servers;
    this.#askOnce(now, out);
  }

  /** Asks no more, and hears no more. */
  end(out: Outbox<PlayerEvent>): void {
    if (this.#registered && this.#dialect === 2 && this.#server) {
      this.#tell({ kind: "drop", name: this.#options.name }, this.#server, out);
    }
    this.#registered = false;
    this.#servers = [];
    this.#owner.tasks.delete(this.#ask);
  }

  /**
   * Takes what the server says.
   *
   * @returns Why it means nothing, if so.
   */
  receive(
    letter: Letter,
    reply: Reply,
    from: Peer,
    now: number,
    out: Outbox<PlayerEvent>,
  ): "stranger" | "hash" | undefined {
    const { name, host } = this.#options;
    if (letter.dialect !== this.#dialect || letter.recipient !== name) return "stranger";
    if (!isAuthentic(letter, this.#key)) return "hash";
    out.emit({ kind: "packet", from, fields: letter.fields });
    this.#server = from;
    switch (reply.kind) {
      case "registered":
      case "refreshed":
        if (host === undefined) this.#onRegistered(from, now, out);
        return;
      case "introduction":
        if (host !== undefined && reply.peer !== host) return;
        this.#owner.onIntroduction(reply, from, now, out);
        // Without it, this was no answer.
        if (host !== undefined && this.#owner.hasCompany()) this.#owner.tasks.delete(this.#ask);
        return;
      case "error":
        return void this.#onError(reply.message, now, out);
      case "servers":
        return; // Never asked for by a player.
      default:
        reply satisfies never;
    }
  }

  #askOnce(now: number, out: Outbox<PlayerEvent>): void {
    if (this.#asks >= ASKS_MAX) return this.#onSilence(now, out);
    const server = this.#server ?? this.#servers[this.#asks % this.#servers.length];
    this.#asks++;
    if (server) this.#tell(this.#request(), server, out);
    this.#owner.tasks.set(this.#ask, now + ASK_EVERY_MS);
  }

  #request(): Message {
    const { host, local, password, validSeconds = 60 } = this.#options;
    if (host !== undefined) return { kind: "join", local, host, password: this.#key };
    if (this.#registered && this.#dialect === 2 && this.#asks <= REFRESHES_MAX) {
      return { kind: "refresh", validSeconds };
    }
    const passwordRequired = password !== undefined;
    return { kind: "register", local, validSeconds, password: this.#key, passwordRequired };
  }

  #tell(message: Message, to: Peer, out: Outbox<PlayerEvent>): void {
    const { name: sender } = this.#options;
    const recipient = this.#dialect === 1 ? "" : SERVER_NAME;
    const dialect = this.#dialect;
    out.send(to, encode(message, { dialect, sender, recipient, to, password: this.#key }));
  }

  #onSilence(now: number, out: Outbox<PlayerEvent>): void {
    if (!this.#registered && !this.#owner.hasCompany()) return this.#owner.onFailed("server", out);
    out.emit({ kind: "serverLost" });
    this.#pause(now);
  }

  #pause(now: number): void {
    this.#asks = 0;
    this.#owner.tasks.set(this.#ask, now + (this.#options.refreshMs ?? REFRESH_MS));
  }

  #onRegistered(server: Peer, now: number, out: Outbox<PlayerEvent>): void {
    this.#pause(now);
    if (this.#registered) return;
    this.#registered = true;
    out.emit({ kind: "registered", server });
  }

  /**
   * Whoever has a way to others does not lose it by what a server says, or somebody in its name. A host
   * that was known goes on asking: with a new public address its own old name is in the way for a while.
   */
  #onError(message: string, now: number, out: Outbox<PlayerEvent>): void {
    const hasCompany = this.#owner.hasCompany();
    if (hasCompany && this.#options.host !== undefined) return;
    out.emit({ kind: "serverError", message });
    if (hasCompany || this.#registered) this.#pause(now);
    else this.#owner.onFailed("refused", out);
  }
}
