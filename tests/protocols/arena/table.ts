/** An arena and what players do to it, and what they are told. */
import type { Peer } from "../../../lib/protocols/engine.ts";
import {
  type ArenaEvent,
  type ArenaServer,
  type ArenaServerOptions,
  createArenaServer,
} from "../../../lib/protocols/arena/server.ts";
import {
  type ClientMessage,
  decodeServerMessage,
  encodeClientMessage,
  type Numbered,
  type PlayerState,
} from "../../../lib/protocols/arena/wire.ts";
import { peerAt, Play, type Recorder } from "../../support/recorder.ts";

/** A message to a player, and when it was sent. */
export type Heard = Numbered & { at: number };

/** A server, and players who say what they are told to. With chance out of the game all begin at [0, 0]. */
export class Table {
  readonly server: ArenaServer;
  readonly play: Play<ArenaEvent>;
  readonly out: Recorder<ArenaEvent>;

  constructor(options: Partial<ArenaServerOptions> = {}) {
    this.server = createArenaServer({ random: (): number => 0.5, ...options });
    this.play = new Play(this.server);
    this.out = this.play.out;
  }

  get now(): number {
    return this.play.now;
  }

  say(peer: Peer, message: ClientMessage): void {
    this.play.receive(encodeClientMessage(message), peer);
  }

  ask(peer: Peer): void {
    this.say(peer, { kind: "join" });
  }

  steer(peer: Peer, dx: number, dy: number): void {
    this.say(peer, { kind: "input", dx, dy });
  }

  fire(peer: Peer): void {
    this.say(peer, { kind: "fire" });
  }

  beat(peer: Peer): void {
    this.say(peer, { kind: "heartbeat" });
  }

  ack(peer: Peer, ...sequences: number[]): void {
    this.say(peer, { kind: "ack", sequences });
  }

  /** What a peer was sent since it was looked at last. */
  take(peer: Peer): Heard[] {
    const mine = this.out.sent.filter(({ to }) => to === peer);
    this.out.takeSentTo(peer);
    return mine.map(({ at, bytes }) => ({ at, ...heardIn(bytes) }));
  }

  /** The same, and acks what asks for it until nothing does. */
  answer(peer: Peer): Heard[] {
    const all: Heard[] = [];
    for (let heard; (heard = this.take(peer)).length > 0;) {
      all.push(...heard);
      for (const { needsAck, sequence } of heard) if (needsAck) this.ack(peer, sequence);
    }
    return all;
  }

  /** Somebody who joins and acks everything so far; what it was told is forgotten. */
  join(address: string): Peer {
    const peer = peerAt(address);
    this.ask(peer);
    this.answer(peer);
    return peer;
  }

  /** So many, each from its own network. */
  crowd(count: number): Peer[] {
    return Array.from({ length: count }, (_, index) => {
      return this.join(`10.1.${index >> 8}.${index & 255}:5000`);
    });
  }

  wait(ms: number): void {
    this.play.wait(ms);
  }

  /** Time passes; these ack what they are sent, and are heard every 5 s. What they were told is returned. */
  waitWith(peers: readonly Peer[], ms: number): Map<Peer, Heard[]> {
    const heard = new Map<Peer, Heard[]>(peers.map((peer) => [peer, []]));
    const end = this.now + ms;
    while (this.now < end) {
      for (const peer of peers) {
        this.beat(peer);
        heard.get(peer)!.push(...this.answer(peer));
      }
      const next = Math.min(end, this.now + 5_000);
      for (let at = this.now + 100; at < next; at += 100) {
        this.play.waitUntil(at);
        for (const peer of peers) heard.get(peer)!.push(...this.answer(peer));
      }
      this.play.waitUntil(next);
    }
    for (const peer of peers) heard.get(peer)!.push(...this.answer(peer));
    return heard;
  }

  /** One of the players as the server knows it. */
  stateOf(number: number): PlayerState | undefined {
    return this.server.players().find((player) => player.number === number);
  }

  positionOf(number: number): [x: number, y: number] {
    const { x, y } = this.stateOf(number)!;
    return [x, y];
  }

  /** The events in short: `joined 1`, `left 1 silent`, `refused syntax`. */
  takeEvents(): string[] {
    return this.out.takeEvents().map((event) => {
      const words: unknown[] = [event.kind];
      if ("number" in event) words.push(event.number);
      if ("reason" in event) words.push(event.reason);
      return words.join(" ");
    });
  }
}

/** A server's datagram, which has to be one. */
export function heardIn(bytes: Uint8Array): Numbered {
  const message = decodeServerMessage(bytes);
  if (message.kind === "refused") throw new Error(`the server said something odd: ${bytes}`);
  return message;
}

/** Messages in short: `welcome 1!` (asks for an ack), `world!`, `players 1 2`, `left 1`, `bullets 3`. */
export function inShort(messages: readonly Numbered[]): string[] {
  return messages.map((message) => {
    const words: (string | number)[] = [];
    switch (message.kind) {
      case "welcome":
        words.push("welcome", message.player.number);
        break;
      case "worldInfo":
        words.push("world");
        break;
      case "updates":
        words.push("players", ...message.players.map(({ number }) => number));
        break;
      case "left":
        words.push("left", message.number);
        break;
      case "bullets":
        words.push("bullets", message.bullets.length);
        break;
      default:
        message satisfies never;
    }
    return words.join(" ") + (message.needsAck ? "!" : "");
  });
}

/** Every number that a message names. */
export function namesIn(message: Numbered): number[] {
  switch (message.kind) {
    case "welcome":
      return [message.player.number];
    case "updates":
      return message.players.map(({ number }) => number);
    default:
      return [];
  }
}
