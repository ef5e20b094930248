import type { Outbox } from "../engine.ts";
import type { Link } from "./link.ts";
import type { PeerInfo } from "./message.ts";

/** Players in one list: about 1,100 bytes. */
const LISTED_MAX = 8;

/** What the host of a game in dialect 2 tells its players of each other. */
export class Lists<Event> {
  readonly #links: ReadonlyMap<string, Link<Event>>;
  #nextId = 0;

  /** @param links All players of the game, also those who are not confirmed yet. */
  constructor(links: ReadonlyMap<string, Link<Event>>) {
    this.#links = links;
  }

  /** Tells a new player about the others, and the others about the new one. */
  onConfirmed(link: Link<Event>, now: number, out: Outbox<Event>): void {
    this.#tellAll(link, now, out);
    for (const other of this.#others(link)) this.#tell(other, "add", [link], now, out);
  }

  /** Two players may have missed each other, and only the host can tell them again. */
  onChecked(link: Link<Event>, now: number, out: Outbox<Event>): void {
    if (link.numbersLists && link.isTold) this.#tellAll(link, now, out);
  }

  /** Tells the others that a player is gone. */
  onLost(link: Link<Event>, now: number, out: Outbox<Event>): void {
    for (const other of this.#others(link)) this.#tell(other, "remove", [link], now, out);
  }

  #tellAll(link: Link<Event>, now: number, out: Outbox<Event>): void {
    const others = this.#others(link);
    for (let from = 0; from < others.length; from += LISTED_MAX) {
      this.#tell(link, "add", others.slice(from, from + LISTED_MAX), now, out);
    }
  }

  #tell(
    to: Link<Event>,
    action: "add" | "remove",
    about: readonly Link<Event>[],
    now: number,
    out: Outbox<Event>,
  ): void {
    const peers = new Map(about.map((link) => [link.name, infoOf(link)]));
    to.tell({ action, peers }, this.#nextId++, now, out);
  }

  #others(link: Link<Event>): Link<Event>[] {
    return [...this.#links.values()].filter((other) => other !== link && other.address);
  }
}

function infoOf({ info, path }: Link<unknown>): PeerInfo {
  return { ...info, usesGlobal: path === "global" };
}
