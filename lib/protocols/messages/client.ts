/** The engine of a message client: one connection. */
import type { Peer, StreamEnd, StreamEngine, StreamOutbox } from "../engine.ts";
import { Connection, type ConnectionOptions, type Framing } from "./connection.ts";
import type { NetworkMessage } from "./message.ts";
import { Envelope, type Sent } from "./outgoing.ts";
import type { WireRefusal } from "./wire.ts";

/**
 * Why a client is not connected any more: the server ended it, what it sent cannot be read, or the client
 * left.
 */
export type ClientEnd = StreamEnd | WireRefusal | "left";

/** What a message client tells its host. */
export type MessageClientEvent =
  | { kind: "connected" }
  | { kind: "message"; message: NetworkMessage }
  | { kind: "disconnected"; reason: ClientEnd };

/** Options of {@link createMessageClient}. */
export interface MessageClientEngineOptions {
  /** The longest message in either direction, headers included. Default 1 MiB. */
  messageBytesMax?: number;
  /**
   * What may wait for a server that has been behind for a second before more is refused; of what is sent
   * at once four times as much. Default 4 MiB.
   */
  queueBytesMax?: number;
  /** Between two messages to a server that is no netsync, which would read them as one. Default 10. */
  gapMs?: number;
  /** Whether messages are framed. Default `auto`. */
  framing?: Framing;
}

/** What a message client says something through. */
export type MessageClientOutbox = StreamOutbox<MessageClientEvent>;

/** A message client. */
export interface MessageClientEngine extends StreamEngine<MessageClientEvent> {
  /** Whether what is sent leaves as frames. */
  readonly isFramed: boolean;
  /** Sends a message. */
  send(message: NetworkMessage, now: number, out: MessageClientOutbox): Sent;
  /** Sends text as it is; an original server ends on it unless it is a message. */
  sendRaw(text: string, now: number, out: MessageClientOutbox): Sent;
  /** Whether anything is heard. While it is not, what the server says stays where it is. */
  setReading(isReading: boolean, now: number, out: MessageClientOutbox): void;
  /** Leaves as soon as what was sent is on its way. Nothing more is heard. */
  leave(out: MessageClientOutbox): void;
}

/** A client of one connection, the first that is opened. */
export function createMessageClient(
  options: MessageClientEngineOptions = {},
): MessageClientEngine {
  return new MessageClientState(options);
}

const MIB = 2 ** 20;
const GONE: Sent = { ok: false, failure: "gone", reason: "there is no connection" };

class MessageClientState implements MessageClientEngine {
  readonly #options: ConnectionOptions;
  #server: { peer: Peer; connection: Connection } | undefined;
  #isLeaving = false;
  #isReading = true;

  constructor({
    messageBytesMax = MIB,
    queueBytesMax = 4 * MIB,
    gapMs = 10,
    framing = "auto",
  }: MessageClientEngineOptions) {
    this.#options = { end: "client", messageBytesMax, queueBytesMax, gapMs, framing };
  }

  get isFramed(): boolean {
    return this.#server?.connection.isFramed ?? false;
  }

  opened(peer: Peer, _now: number, out: MessageClientOutbox): void {
    if (this.#server) return out.close(peer);
    this.#isLeaving = false;
    this.#isReading = true;
    const connection = new Connection(peer, this.#options, out);
    this.#server = { peer, connection };
    out.emit({ kind: "connected" });
  }

  receive(chunk: Uint8Array, from: Peer, now: number, out: MessageClientOutbox): void {
    this.#hear(from, out, (connection, heard) => connection.receive(chunk, now, out, heard));
  }

  ended(peer: Peer, end: StreamEnd, _now: number, out: MessageClientOutbox): void {
    this.#hear(peer, out, (connection, heard) => connection.finish(out, heard));
    if (this.#server?.peer === peer) this.#end(end, out);
  }

  advance(now: number, out: MessageClientOutbox): void {
    if (!this.#server) return;
    this.#hear(
      this.#server.peer,
      out,
      (connection, heard) => connection.advance(now, out, heard),
    );
    this.#leaveIfSent(out);
  }

  nextDeadline(): number {
    return this.#server?.connection.dueAt ?? Infinity;
  }

  remembers(peer: Peer): boolean {
    return this.#server?.peer === peer;
  }

  send(message: NetworkMessage, now: number, out: MessageClientOutbox): Sent {
    return this.#send(new Envelope(message), now, out);
  }

  sendRaw(text: string, now: number, out: MessageClientOutbox): Sent {
    return this.#send(new Envelope(text), now, out);
  }

  setReading(isReading: boolean, now: number, out: MessageClientOutbox): void {
    if (!this.#server || this.#isReading === isReading) return;
    this.#isReading = isReading;
    this.#server.connection.hold(!isReading, now);
    out.setReading(this.#server.peer, isReading);
    if (isReading) this.advance(now, out);
  }

  flush(out: MessageClientOutbox): void {
    this.#server?.connection.flush(out);
  }

  leave(out: MessageClientOutbox): void {
    this.#isLeaving = true;
    this.#server?.connection.end();
    this.#leaveIfSent(out);
  }

  #leaveIfSent(out: MessageClientOutbox): void {
    if (!this.#isLeaving || !this.#server || this.#server.connection.isWaiting) return;
    out.close(this.#server.peer);
    this.#end("left", out);
  }

  #send(envelope: Envelope, now: number, out: MessageClientOutbox): Sent {
    if (!this.#server || this.#isLeaving) return GONE;
    const { connection } = this.#server;
    return connection.send(envelope, now, out);
  }

  #hear(
    peer: Peer,
    out: MessageClientOutbox,
    hear: (connection: Connection, heard: (message: NetworkMessage) => void) =>
      | WireRefusal
      | undefined,
  ): void {
    const server = this.#server;
    if (server?.peer !== peer) return;
    const refusal = hear(
      server.connection,
      (message) => out.emit({ kind: "message", message }),
    );
    if (!refusal || this.#server !== server) return;
    out.close(peer);
    this.#end(refusal, out);
  }

  #end(reason: ClientEnd, out: MessageClientOutbox): void {
    this.#server!.connection.close();
    this.#server = undefined;
    out.emit({ kind: "disconnected", reason });
  }
}
