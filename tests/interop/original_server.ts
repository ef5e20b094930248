import { objectOf, Program, PYTHON } from "./programs.ts";

/** A server with the behaviour and the faults of the original. */
export class OriginalServer extends Program {
  /** Where it listens. */
  port = 0;

  /** Starts one and waits until it listens. */
  static async start(
    words: readonly string[] = [],
    script = "original_server.py",
  ): Promise<OriginalServer> {
    const server = new OriginalServer([PYTHON], [`tests/interop/${script}`, ...words]);
    try {
      server.port = await server.next("its port", (line) => objectOf(line)?.port as number);
    } catch (error) {
      await server[Symbol.asyncDispose]();
      throw error;
    }
    return server;
  }
}
