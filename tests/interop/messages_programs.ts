/** Both ends of the message service that share no code with netsync. */
import { assertEquals } from "@std/assert";
import { EventProgram, objectOf, output, PYTHON, type ServerProgram } from "./programs.ts";

/** A header as the programs write it. */
export type HeaderWords = readonly [name: string, value: string];

/** A message as the original reads it. */
export interface OriginalMessage {
  headers: HeaderWords[];
  body: string;
}

/** What a {@link MessagesPeer} is started with. */
export interface MessagesPeerWords {
  /** Whether it takes everything and judges it, or reads as the original does. Default `judge`. */
  client?: "judge" | "original";
  /** Default `127.0.0.1`. */
  host?: string;
  /** Further words. */
  words?: readonly string[];
}

/** The Python client. */
export class MessagesPeer extends EventProgram {
  /** Where it connects from. */
  port = 0;
  /** The line up to which it was asked what it heard. */
  #heardTo = 0;

  /** Starts one and waits until it is connected, as far as it knows. */
  static async connect(
    port: number,
    { client = "judge", host = "127.0.0.1", words = [] }: MessagesPeerWords = {},
  ): Promise<MessagesPeer> {
    const peer = new MessagesPeer([PYTHON], [
      ...["tests/interop/messages_client.py", host, String(port), "--client", client],
      ...words,
    ]);
    try {
      peer.port = await peer.event("connected", ({ port }) => port as number);
    } catch (error) {
      await peer[Symbol.asyncDispose]();
      throw error;
    }
    return peer;
  }

  /** Starts one and waits until the server knows it too: it is sent what is said from then on. */
  static async join(server: ServerProgram, words: MessagesPeerWords = {}): Promise<MessagesPeer> {
    const peer = await MessagesPeer.connect(server.port, words);
    try {
      await server.event("connected", ({ address }) => peer.isAt(address) || undefined);
    } catch (error) {
      await peer[Symbol.asyncDispose]();
      throw error;
    }
    return peer;
  }

  /** Whether a server's words for an address mean this one. */
  isAt(address: unknown): boolean {
    return String(address).endsWith(`:${this.port}`);
  }

  async do(command: Record<string, unknown>): Promise<void> {
    await this.say(JSON.stringify(command));
  }

  async send(body: string, headers: readonly HeaderWords[] = []): Promise<void> {
    await this.do({ do: "send", headers, body });
  }

  /** Writes text as it is, at once. */
  async write(text: string): Promise<void> {
    await this.do({ do: "raw", hex: hexOf(text) });
  }

  /** Writes pieces of the UTF-8 of a text, each cut before one of these bytes, one after the other. */
  async writeCut(text: string, cuts: readonly number[], pauseSeconds = 0): Promise<void> {
    const hex = hexOf(text);
    const edges = [0, ...cuts, hex.length / 2];
    const pieces = edges.slice(1).map((end, index) => hex.slice(2 * edges[index]!, 2 * end));
    await this.do({ do: "segments", hex: pieces, pause: pauseSeconds });
  }

  /** Waits until the judge heard as much as this, and takes care that it is this. 4,096 bytes at most. */
  async hears(wire: string): Promise<void> {
    const expected = hexOf(wire);
    let heard = "";
    await this.#next(`"${wire.slice(0, 60)}"`, (facts) => {
      if (facts.event === "segment") heard += facts.hex;
      return heard.length >= expected.length;
    });
    assertEquals(textOf(heard), wire);
  }

  /** Waits until the judge heard so many bytes, and takes care that it were not more. */
  async hearsBytes(count: number): Promise<void> {
    let heard = 0;
    await this.#next(`${count} bytes`, (facts) => {
      if (facts.event === "segment") heard += Number(facts.length);
      return heard >= count;
    });
    assertEquals(heard, count);
  }

  /** What the original reads next, so many times. */
  async reads(count: number): Promise<OriginalMessage[]> {
    const messages: OriginalMessage[] = [];
    await this.#next(`${count} messages`, ({ event, headers, body }) => {
      if (event === "lost") throw new Error("the original cannot read what it got");
      if (event === "message") messages.push({ headers, body } as OriginalMessage);
      return messages.length === count;
    });
    return messages;
  }

  /** How its connection ended. */
  async ended(): Promise<string> {
    return await this.event("ended", ({ reason }) => reason as string);
  }

  /** Goes on behind what was asked for last until `isEnough`. */
  async #next(what: string, isEnough: (facts: Record<string, unknown>) => boolean): Promise<void> {
    let lines = 0;
    await this.next(what, (line) => {
      lines++;
      const facts = objectOf(line)!;
      if (facts.event === "ended") throw new Error(`no ${what}: the connection ended`);
      return isEnough(facts) || undefined;
    }, { from: this.#heardTo });
    this.#heardTo += lines;
  }
}

/** The Python server with the behaviour and the faults of the original. */
export class OriginalMessagesServer extends EventProgram {
  /** Where it listens, on 127.0.0.1 only. */
  port = 0;

  /** Starts one and waits until it listens. */
  static async start(socket: "windows" | "linux" = "windows"): Promise<OriginalMessagesServer> {
    const server = new OriginalMessagesServer([PYTHON], [
      ...["tests/interop/original_messages_server.py", "--socket", socket],
    ]);
    try {
      server.port = await server.event("listening", ({ port }) => port as number);
    } catch (error) {
      await server[Symbol.asyncDispose]();
      throw error;
    }
    return server;
  }

  async do(command: Record<string, unknown>): Promise<void> {
    await this.say(JSON.stringify(command));
  }

  /** What it read from line `from` on, so many times. */
  async reads(count: number, from = 0): Promise<OriginalMessage[]> {
    const messages: OriginalMessage[] = [];
    return await this.event("message", ({ headers, body }) => {
      messages.push({ headers, body } as OriginalMessage);
      return messages.length === count ? messages : undefined;
    }, { from });
  }

  /** What it read from line `from` on until a client left. */
  async readsUntilOneLeft(from: number): Promise<OriginalMessage[]> {
    const messages: OriginalMessage[] = [];
    return await this.next("a client to leave", (line) => {
      const { event, headers, body } = objectOf(line)!;
      if (event === "message") messages.push({ headers, body } as OriginalMessage);
      return event === "disconnect" ? messages : undefined;
    }, { from });
  }
}

const STORM = `
import os, socket, struct, sys
linger = struct.pack("hh" if os.name == "nt" else "ii", 1, 0)
for _ in range(int(sys.argv[2])):
    connection = socket.create_connection(("127.0.0.1", int(sys.argv[1])))
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
    connection.send(b"\\xc3")  # Nothing that anybody could be told.
    connection.close()
`;

/** Connects so many times from 127.0.0.1, and breaks each connection off at once. */
export async function resetStorm(port: number, count: number): Promise<void> {
  const { code, err } = await output([PYTHON], ["-c", STORM, String(port), String(count)]);
  assertEquals([code, err], [0, []]);
}

/** Connections that say nothing. */
export class SilentCrowd implements Disposable {
  readonly #conns: Deno.Conn[] = [];

  /** Connects so many more. */
  async grow(port: number, count: number): Promise<void> {
    const together = 50; // Fewer than wait to be accepted, or the rest comes a second later.
    for (let left = count; left > 0; left -= together) {
      const connecting = Array.from(
        { length: Math.min(together, left) },
        () => Deno.connect({ hostname: "127.0.0.1", port }),
      );
      this.#conns.push(...await Promise.all(connecting));
    }
  }

  [Symbol.dispose](): void {
    for (const conn of this.#conns) conn.close();
  }
}

function hexOf(text: string): string {
  const bytes = new TextEncoder().encode(text);
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

function textOf(hex: string): string {
  return new TextDecoder().decode(
    Uint8Array.from(hex.match(/../g) ?? [], (pair) => parseInt(pair, 16)),
  );
}
