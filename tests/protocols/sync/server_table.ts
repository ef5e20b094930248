import type { Peer } from "../../../lib/protocols/engine.ts";
import {
  createSyncServer,
  type SyncEvent,
  type SyncServer,
  type SyncServerOptions,
} from "../../../lib/protocols/sync/server.ts";
import {
  decodeServerMessage,
  encodeIdRequest,
  encodeState,
  parseStates,
} from "../../../lib/protocols/sync/wire.ts";
import { peerAt, Play, type Recorder } from "../../support/recorder.ts";

const utf8 = new TextEncoder();
/** The first snapshot's number, unless a test asks for another one. */
export const FIRST = 1_000;

/** What a player gets. */
export interface Snapshot {
  at: number;
  number: number;
  states: Record<string, string>;
}

/** A server and what clients do to it. */
export class Table {
  readonly server: SyncServer;
  readonly play: Play<SyncEvent>;
  readonly out: Recorder<SyncEvent>;

  constructor(options: Partial<SyncServerOptions> = {}) {
    this.server = createSyncServer({ firstSnapshotNumber: FIRST, ...options });
    this.play = new Play(this.server);
    this.out = this.play.out;
  }

  /** Asks for an id and sends a first state, number 0. */
  join(address: string, state = "x"): Peer {
    const peer = peerAt(address);
    this.ask(peer);
    this.say(peer, 0, state);
    return peer;
  }

  ask(peer: Peer): void {
    this.play.receive(encodeIdRequest(), peer);
  }

  say(peer: Peer, number: number | bigint, state: string | Uint8Array): void {
    const bytes = typeof state === "string" ? utf8.encode(state) : state;
    this.play.receive(encodeState(BigInt(number), bytes), peer);
  }

  /** The keep-alive of the Python client. */
  keepAlive(peer: Peer): void {
    this.say(peer, 0, "");
  }

  wait(ms: number): void {
    this.play.wait(ms);
  }

  /** Time passes, and these send a keep-alive each second. */
  waitWith(peers: readonly Peer[], ms: number): void {
    const end = this.play.now + ms;
    while (this.play.now < end) {
      for (const peer of peers) this.keepAlive(peer);
      this.play.waitUntil(Math.min(end, this.play.now + 1_000));
    }
  }

  /** The ids in the replies to a peer; snapshots to it are lost. */
  takeIds(peer: Peer): bigint[] {
    return this.out.takeSentTo(peer).flatMap((bytes) => {
      const message = decodeServerMessage(bytes);
      return message.kind === "idReply" ? [message.id] : [];
    });
  }

  /** The snapshots to a peer; replies to it are lost. */
  takeSnapshots(peer: Peer): Snapshot[] {
    const mine = this.out.sent.filter(({ to }) => to === peer);
    this.out.takeSentTo(peer);
    return mine.flatMap(({ at, bytes }) => {
      const message = decodeServerMessage(bytes);
      if (message.kind !== "snapshot") return [];
      const states = Object.fromEntries(parseStates(message.json)!);
      return [{ at, number: Number(message.number), states }];
    });
  }

  /** What a peer sees at the end of all it was sent. */
  takeView(peer: Peer): Record<string, string> | undefined {
    return this.takeSnapshots(peer).at(-1)?.states;
  }

  /** The events in short: `joined 0`, `refused text`. */
  takeEvents(): string[] {
    return this.out.takeEvents().map((event) => {
      if ("id" in event) return `${event.kind} ${event.id}`;
      return "reason" in event ? `${event.kind} ${event.reason}` : event.kind;
    });
  }
}
