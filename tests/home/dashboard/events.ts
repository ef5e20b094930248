/** Server-sent events, read one by one. */
import type { Dashboard } from "../../../lib/home/dashboard/dashboard.ts";
import { within } from "../../support/wait.ts";
import { TOKEN, urlOf } from "./open.ts";

/** One of them. */
export interface ServerEvent {
  name: string;
  // deno-lint-ignore no-explicit-any -- it is what a browser gets: JSON without a type
  data: any;
}

/** A stream of them, as a page has one. */
export class EventStream {
  readonly #reader: ReadableStreamDefaultReader<string>;
  #text = "";

  private constructor(text: ReadableStream<string>) {
    this.#reader = text.getReader();
  }

  /** Connects, and has it accepted. */
  static async open(dashboard: Dashboard): Promise<EventStream> {
    const headers = { authorization: `Bearer ${TOKEN}`, "accept-encoding": "gzip, br" };
    const response = await fetch(urlOf(dashboard, "/events"), { headers });
    if (!response.ok) throw new Error(await response.text());
    const [type, encoding] = ["content-type", "content-encoding"].map((name) =>
      response.headers.get(name)
    );
    if (type !== "text/event-stream" || encoding) throw new Error(`${type} ${encoding}`);
    return new EventStream(response.body!.pipeThrough(new TextDecoderStream()));
  }

  /** The next one; undefined at the end. */
  async next(): Promise<ServerEvent | undefined> {
    for (;;) {
      const end = this.#text.indexOf("\n\n");
      if (end >= 0) {
        const event = this.#text.slice(0, end);
        this.#text = this.#text.slice(end + 2);
        return eventOf(event);
      }
      const { done, value } = await within("an event", this.#reader.read());
      if (done) return undefined;
      this.#text += value;
    }
  }

  /** The next one of a name. */
  async nextOf(name: string): Promise<ServerEvent["data"]> {
    for (;;) {
      const event = await this.next();
      if (!event) throw new Error(`the stream ended without ${name}`);
      if (event.name === name) return event.data;
    }
  }

  /** Leaves. */
  async close(): Promise<void> {
    await this.#reader.cancel();
  }
}

function eventOf(text: string): ServerEvent {
  const fields = new Map(
    text.split("\n").map((line) => {
      const colon = line.indexOf(": ");
      return [line.slice(0, colon), line.slice(colon + 2)];
    }),
  );
  return { name: fields.get("event")!, data: JSON.parse(fields.get("data")!) };
}
