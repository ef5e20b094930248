/** What players of all services share: where they play, in what weather, and who writes it down. */
import type { Random } from "../../lib/parts/random.ts";
import type { Book } from "./book.ts";
import type { Weather } from "./line.ts";
import type { Host, Ports } from "./server.ts";

/** The place where it happens. */
export interface Stage {
  readonly book: Book;
  readonly random: Random;
  readonly weather: Weather;
  readonly server: Host;
  readonly ports: Ports;
  /** A player not heard for so long has left. */
  readonly timeoutMs: number;
  /** Nothing is wrong with the network and the server, and nobody comes or goes. */
  isCalm: boolean;
}

/** Gives every player a name of its own: `sync-17`. */
export class Names {
  #count = 0;

  next(service: string): string {
    return `${service}-${++this.#count}`;
  }
}
