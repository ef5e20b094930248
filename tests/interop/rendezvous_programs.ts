/** Players of a rendezvous: the independent one in Python, and `netsync chat`. */
import { type Command, EventProgram, PYTHON } from "./programs.ts";

/** What the Python peer is started with besides its name. */
export interface PeerWords {
  /** The host to join; none: be one. */
  join?: string;
  dialect?: 1 | 2;
  password?: string;
  /** Further words. */
  words?: readonly string[];
}

/** A tick of the original is a second; here things go faster. */
const TICK_SECONDS = 0.1;

/** The Python peer that behaves as the original does. */
export class OriginalPeer extends EventProgram {
  /** Its UDP port. */
  port = 0;

  /** Starts one and waits until its socket is open. */
  static async start(
    serverPort: number,
    name: string,
    { join, dialect = 1, password, words = [] }: PeerWords = {},
  ): Promise<OriginalPeer> {
    const peer = new OriginalPeer([PYTHON], [
      ...["tests/interop/rendezvous_peer.py", "127.0.0.1", String(serverPort), "--name", name],
      ...(join === undefined ? ["--host"] : ["--join", join]),
      ...["--dialect", String(dialect), "--tick", String(TICK_SECONDS)],
      ...(password === undefined ? [] : ["--password", password]),
      ...words,
    ]);
    peer.port = await peer.event("bound", ({ port }) => port as number);
    return peer;
  }

  /** Starts a host and waits until it can be joined. */
  static async host(
    serverPort: number,
    name: string,
    words: PeerWords = {},
  ): Promise<OriginalPeer> {
    const peer = await OriginalPeer.start(serverPort, name, words);
    await peer.event("registered");
    return peer;
  }

  async do(command: Record<string, unknown>): Promise<void> {
    await this.say(JSON.stringify(command));
  }

  async confirms(name: string): Promise<Record<string, unknown>> {
    return await this.event("peer_confirmed", (facts) => facts.peer === name ? facts : undefined);
  }

  async hears(message: unknown): Promise<Record<string, unknown>> {
    const text = JSON.stringify(message);
    return await this.event(
      "message",
      (facts) => JSON.stringify(facts.message) === text ? facts : undefined,
    );
  }
}

/** Where a chat is connected to somebody. */
export interface Way {
  path: "global" | "local";
  address: string;
}

/** `netsync chat --json`. */
export class Chat extends EventProgram {
  /** Starts one; `server` is its address or, on this computer, its port. `words` follow the name. */
  static start(
    command: Command,
    server: string | number,
    name: string,
    words: readonly string[],
  ): Chat {
    const rendezvous = typeof server === "number" ? `127.0.0.1:${server}` : server;
    const first = ["--rendezvous", rendezvous, "--name", name, "--json"];
    return new Chat([...command, "chat"], [...first, ...words]);
  }

  /** How it was connected to somebody. */
  async connects(name: string): Promise<Way> {
    return await this.event(
      "connected",
      ({ peer, path, address }) => peer === name ? { path, address } as Way : undefined,
    );
  }

  async hears(message: unknown): Promise<Record<string, unknown>> {
    const text = JSON.stringify(message);
    return await this.event(
      "message",
      (facts) => JSON.stringify(facts.message) === text ? facts : undefined,
    );
  }

  /** Types a line that another chat hears. */
  async tells(other: Chat, line: string): Promise<void> {
    const [from, otherFrom] = [this.lines.length, other.lines.length];
    const isIt = ({ message }: Record<string, unknown>): true | undefined =>
      message === line ? true : undefined;
    await this.say(line);
    await other.event("message", isIt, { from: otherFrom });
    await this.event("delivered", isIt, { from });
  }
}
