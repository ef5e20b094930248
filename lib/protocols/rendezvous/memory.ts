/** Numbers this far below the highest one are taken as seen. More than are ever on their way. */
const WINDOW = 1_024;
/** A player's last so many starts; datagrams of older ones are no more on their way. */
const SESSIONS_MAX = 4;

interface Seen {
  highest: number;
  readonly ids: Set<number>;
}

/**
 * The numbers of the reliable messages to and from one player. They outlast the link: one side may
 * lose it and find it again while the other never noticed, and must not take new messages for old ones.
 */
export class Memory {
  /** The number of the next message to it. */
  nextId = 0;
  /** By the sender's session, the latest last; originals do not number theirs. */
  readonly #seen = new Map<number | undefined, Seen>();

  /** Whether this is the first message from it with this number. */
  isFirst(session: number | undefined, id: number): boolean {
    let seen = this.#seen.get(session);
    if (!seen) {
      this.#seen.set(session, seen = { highest: -1, ids: new Set() });
      if (this.#seen.size > SESSIONS_MAX) this.#seen.delete(this.#seen.keys().next().value);
    }
    if (id <= seen.highest - WINDOW || seen.ids.has(id)) return false;
    seen.ids.add(id);
    seen.highest = Math.max(seen.highest, id);
    if (seen.ids.size > 2 * WINDOW) {
      for (const old of seen.ids) if (old <= seen.highest - WINDOW) seen.ids.delete(old);
    }
    return true;
  }

  /** An original starts at 0 with every new link. */
  forgetUnnumbered(): void {
    this.#seen.delete(undefined);
  }
}

const MEMORIES_MAX = 256;

/** What is remembered of each player, also of those who are gone. */
export class Memories {
  /** The one whose link began first stands in front. */
  readonly #byName = new Map<string, Memory>();

  /**
   * The memory of a player whose link begins.
   *
   * @param isHere Whose memory must not be given up for it.
   */
  of(name: string, isHere: (name: string) => boolean): Memory {
    const memory = this.#byName.get(name) ?? new Memory();
    memory.forgetUnnumbered();
    this.#byName.delete(name);
    this.#byName.set(name, memory);
    if (this.#byName.size <= MEMORIES_MAX) return memory;
    for (const old of this.#byName.keys()) {
      if (old === name || isHere(old)) continue;
      this.#byName.delete(old);
      break;
    }
    return memory;
  }
}
