import type { Changes, Entity, Part } from "./world.ts";

/** What a packet brought a client. */
export type Cargo =
  | { readonly kind: "snap"; readonly entity: Entity; readonly time: number }
  | { readonly kind: "diff"; readonly parts: readonly Part[]; readonly time: number }
  | { readonly kind: "removal"; readonly entities: readonly Entity[] }
  | { readonly kind: "heartbeat" };

/**
 * What a client has to be told still: which objects whole, which traits of others, and which are gone.
 *
 * Only the fact that something is owed is kept, not what it was: when it leaves, it leaves as it is then.
 * Whoever is behind gets the newest, and what changes a hundred times meanwhile is told once.
 */
export class Debts {
  /** Objects to be told whole, and from when on. What is longest owed comes first. */
  readonly snaps = new Map<Entity, number>();
  /** Traits of objects that the client has or is sent a snapshot of. */
  readonly traits = new Map<Entity, Set<string>>();
  /** Objects that are gone. */
  readonly removals = new Set<Entity>();
  /** Objects to be told whole when there is nothing better to do. */
  readonly keyframes = new Set<Entity>();
  /** The tick of the newest snapshot that the client has, by object: its baseline. */
  readonly #baselines = new Map<Entity, number>();
  /**
   * The newest snapshot of each object that a client without diffs was sent: it takes whatever comes last
   * for the newest, so there is one on its way at a time, lest it overtakes another.
   */
  readonly #sent = new Map<Entity, { time: number; isOnTheWay: boolean }>();
  /** How often snapshots were lost since the last that arrived. */
  readonly #losses = new Map<Entity, number>();

  /** Whether nothing is owed, apart from keyframes. */
  get isClear(): boolean {
    return this.snaps.size === 0 && this.traits.size === 0 && this.removals.size === 0;
  }

  /** The client knows nothing, or is to be told everything again. */
  oweAll(entities: Iterable<Entity>, now: number): void {
    this.#baselines.clear();
    this.#losses.clear();
    this.traits.clear();
    this.keyframes.clear();
    for (const entity of entities) this.snaps.set(entity, now);
  }

  /**
   * A tick's changes are owed.
   *
   * @param hasDiffs Whether the client understands diffs; otherwise each change is a snapshot.
   */
  owe({ spawned, changed, reshaped, removed }: Changes, hasDiffs: boolean, now: number): void {
    for (const entity of spawned) this.snaps.set(entity, now);
    for (const entity of reshaped) this.#oweSnap(entity, now);
    for (const part of changed) {
      if (hasDiffs) this.#oweTraits(part.entity, part.names);
      else this.#oweSnap(part.entity, now);
    }
    for (const entity of removed) this.removals.add(entity);
    this.forget(removed);
  }

  /** Objects are gone: nothing else is to be told of them. */
  forget(entities: readonly Entity[]): void {
    for (const entity of entities) {
      this.snaps.delete(entity);
      this.traits.delete(entity);
      this.keyframes.delete(entity);
      this.#baselines.delete(entity);
      this.#sent.delete(entity);
      this.#losses.delete(entity);
    }
  }

  /** Whether an object may be told whole now: it is time, and no older snapshot could come after it. */
  maySnap(entity: Entity, now: number): boolean {
    return !this.#sent.get(entity)?.isOnTheWay && (this.snaps.get(entity) ?? now) <= now;
  }

  /** A snapshot leaves: it tells all there is to tell of the object. */
  onSnapSent(entity: Entity, time: number, hasDiffs: boolean): void {
    this.snaps.delete(entity);
    this.traits.delete(entity);
    this.keyframes.delete(entity);
    if (!hasDiffs) this.#sent.set(entity, { time, isOnTheWay: true });
  }

  /** Something arrived late, or once more: a client without diffs may have taken it for the newest. */
  onLate(cargo: Cargo, now: number): void {
    if (cargo.kind !== "snap") return;
    const { entity, time } = cargo;
    const newest = this.#sent.get(entity);
    if (newest && time < newest.time) this.#oweSnap(entity, now);
  }

  /** Something arrived. */
  onArrived(cargo: Cargo): void {
    if (cargo.kind !== "snap" || cargo.entity.isRemoved) return;
    const { entity, time } = cargo;
    this.#settle(entity, time);
    this.#losses.delete(entity);
    if (time > (this.#baselines.get(entity) ?? -1)) this.#baselines.set(entity, time);
  }

  /**
   * Something was lost. It is owed again, apart from what the client was told in another way: in a newer
   * snapshot that arrived, or in a packet that has left since because the trait changed once more.
   *
   * @param backOffMs How long a snapshot waits that was lost twice; longer each time.
   */
  onLost(cargo: Cargo, now: number, backOffMs: number): void {
    switch (cargo.kind) {
      case "snap":
        return this.#onSnapLost(cargo.entity, cargo.time, now, backOffMs);
      case "diff":
        for (const { entity, names } of cargo.parts) {
          if (entity.isRemoved || this.snaps.has(entity)) continue;
          const baseline = this.#baselines.get(entity) ?? -1;
          const lost = names.filter((name) => {
            const { changedAt = -1 } = entity.told.get(name) ?? {};
            return changedAt > baseline && changedAt <= cargo.time;
          });
          if (lost.length > 0) this.#oweTraits(entity, lost);
        }
        return;
      case "removal":
        for (const entity of cargo.entities) this.removals.add(entity);
        return;
      case "heartbeat":
        return;
      default:
        cargo satisfies never;
    }
  }

  #onSnapLost(entity: Entity, time: number, now: number, backOffMs: number): void {
    this.#settle(entity, time);
    if (entity.isRemoved || this.snaps.has(entity)) return;
    if ((this.#baselines.get(entity) ?? -1) >= time) return;
    const losses = this.#losses.get(entity) ?? 0;
    this.#losses.set(entity, losses + 1);
    const waitMs = losses === 0 ? 0 : Math.min(BACK_OFF_MS_MAX, backOffMs * 2 ** (losses - 1));
    this.snaps.set(entity, now + waitMs);
    this.traits.delete(entity);
  }

  #settle(entity: Entity, time: number): void {
    const newest = this.#sent.get(entity);
    if (newest?.time === time) newest.isOnTheWay = false;
  }

  #oweSnap(entity: Entity, now: number): void {
    // One that waits to be sent again has something new to tell: it waits no more.
    this.snaps.set(entity, Math.min(now, this.snaps.get(entity) ?? now));
    this.traits.delete(entity);
  }

  #oweTraits(entity: Entity, names: Iterable<string>): void {
    if (this.snaps.has(entity)) return;
    const owed = this.traits.get(entity);
    if (!owed) this.traits.set(entity, new Set(names));
    else for (const name of names) owed.add(name);
  }
}

const BACK_OFF_MS_MAX = 1_000;
