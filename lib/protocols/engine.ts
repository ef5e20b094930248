/**
 * The one contract between a protocol engine and its host.
 *
 * An engine is a state machine without sockets, clocks or randomness: datagrams and the time go in,
 * datagrams and events come out. The host owns the socket, the timer and the queue of what leaves.
 *
 * Time is in milliseconds on the host's monotonic clock; it never runs back.
 */

/** One remote address. The host hands out one object per address; engines key their maps by it. */
export interface Peer {
  /** The IP address in its canonical spelling, an IPv4-mapped one written as IPv4. */
  readonly ip: string;
  /** From 0 to 65535. */
  readonly port: number;
  /** Both, for people: `192.0.2.7:5000` or `[2001:db8::7]:5000`. */
  readonly address: string;
  /** What limits per source are counted by: the IPv4 address, or the /64 prefix of an IPv6 one. */
  readonly network: string;
}

/** Where an engine puts what it has to say. Bytes handed over are never touched again. */
export interface Outbox<Event> {
  /** Queues one datagram. Dropped and counted when the queue is full. */
  send(peer: Peer, bytes: Uint8Array): void;
  /**
   * Queues the same datagram for many peers. A peer that still has an older broadcast queued gets
   * this one in its place. `peers` is read before the call returns.
   */
  broadcast(peers: Iterable<Peer>, bytes: Uint8Array): void;
  /** Tells the host what people may want to know. Views inside an event are valid during the call. */
  emit(event: Event): void;
  /** Broadcast datagrams that have not left yet. When it falls to 0 the host calls `advance`. */
  readonly backlog: number;
  /** Single datagrams that have not left yet. */
  readonly unsent: number;
}

/**
 * A protocol's state machine. The same calls give the same outputs.
 *
 * @typeParam Out What it says something through.
 */
export interface Engine<Event, Out = Outbox<Event>> {
  /**
   * Takes one datagram. `datagram` is a view of a buffer that will be reused: copy what is kept.
   * Whatever the bytes are, this does not throw.
   */
  receive(datagram: Uint8Array, from: Peer, now: number, out: Out): void;
  /** Does what is due. Calling it early is harmless. */
  advance(now: number, out: Out): void;
  /**
   * When `advance` is wanted next; `Infinity` for never. Later than `now` after `advance(now)`. The
   * host asks after every call, so this is cheap.
   */
  nextDeadline(): number;
  /** Whether the engine keeps anything about this peer. The host forgets addresses it does not. */
  remembers(peer: Peer): boolean;
}

/** Where an engine over TCP puts what it has to say. Bytes handed over are never touched again. */
export interface StreamOutbox<Event> {
  /** Queues bytes, to be handed to the system in one piece, whole or as far as it takes them. */
  send(peer: Peer, bytes: Uint8Array): void;
  /** Bytes queued for a connection that the system has not taken yet. */
  unsentBytes(peer: Peer): number;
  /** Whether bytes are read from a connection. While they are not, TCP slows the other end down. */
  setReading(peer: Peer, isReading: boolean): void;
  /** Ends a connection as soon as what is queued has left. The engine hears no more of it. */
  close(peer: Peer): void;
  /** Tells the host what people may want to know. Views inside an event are valid during the call. */
  emit(event: Event): void;
}

/**
 * How a connection ended: the other end has said all it will, `closed`, or it is gone without a word,
 * `reset`.
 */
export type StreamEnd = "closed" | "reset";

/**
 * A state machine over TCP: a connection is a peer, and what `receive` takes are the next bytes of its
 * stream, cut anywhere. When a deadline has come after bytes were taken, the host calls `advance` as soon
 * as nothing more is to be read at once.
 */
export interface StreamEngine<Event> extends Engine<Event, StreamOutbox<Event>> {
  /** A connection is there. */
  opened(peer: Peer, now: number, out: StreamOutbox<Event>): void;
  /** Nothing more comes from a connection. What is said during the call still leaves, if it can. */
  ended(peer: Peer, end: StreamEnd, now: number, out: StreamOutbox<Event>): void;
  /** Says at once what it would have said later: the host is about to end. */
  flush(out: StreamOutbox<Event>): void;
}

/** Somebody whom a server has let in, as people look at it. */
export interface Member {
  /** Where it is. */
  readonly peer: Peer;
  /** What the protocol calls it: an id, a number, a host's name; its address where it has nothing else. */
  readonly name: string;
  /** Length of its newest state, where the protocol has such. */
  readonly stateBytes?: number;
  /** Where it is measured, and once it is. */
  readonly roundTripMs?: number;
}

/** What every server's engine tells and takes besides, for the person who runs it. */
export interface Membership<Out> {
  /**
   * Everybody who is in, in the order of their coming. A peer that is in under several names is there once
   * for each of them.
   */
  members(): Member[];
  /**
   * Ends what there is with a peer at once, as if it had left: the others are told, and it may come again.
   * The engine has nothing left of it, also where it was known without being in; nothing happens for a
   * stranger. Not to be called while the engine says something.
   */
  expel(peer: Peer, now: number, out: Out): void;
}

/**
 * What is kept of a server across a restart: anything that JSON can say. Whoever kept it adds `isFinal: true`
 * when it was saved at the end, and nobody came after that.
 */
export type Saved = { readonly [name: string]: unknown };

/** A server's engine that goes on where another one was stopped. */
export interface Resumable<Out> {
  /**
   * What {@link Resumable.resume} needs, with the version of its layout: `{ version: 1, ... }`. Times in it
   * are durations: the clock begins anew with the next engine. Cheap enough to be asked every few seconds.
   */
  save(now: number): Saved;
  /**
   * Goes on from what another engine saved, before anything else is asked of this one. Who was in is in
   * again, as if heard at this moment, and is sent nothing before it is heard; an event tells of each when it
   * is heard for the first time. All of it is read before anything is done. Where this engine has fewer places, the first ones get them, and the
   * others are forgotten.
   *
   * @param peerAt The peer at an IP address and port, the same object for the same address. It is asked for
   * each in turn, just before the engine begins to remember it.
   * @throws {TypeError} It is not what an engine of this protocol saves, or this one has begun already. The
   * message names what is wrong, and the engine is as it was.
   */
  resume(saved: Saved, now: number, peerAt: (ip: string, port: number) => Peer, out: Out): void;
}
