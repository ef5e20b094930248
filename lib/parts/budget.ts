/** Options of {@link Budget}. */
export interface BudgetOptions {
  /** What a key may spend a second in the long run. */
  perSecond: number;
  /** What it may spend at once. */
  burst: number;
  /** Keys that are kept account of; beyond, the account that was idle longest is closed. */
  keysMax: number;
}

interface Account {
  left: number;
  at: number;
}

/**
 * What each of many keys may still spend: a token bucket for each.
 *
 * Strangers choose the keys, so the number of accounts is bounded; a key without an account has all it
 * may spend at once, and an account that is full again is closed when others come.
 */
export class Budget {
  readonly #options: BudgetOptions;
  /** The one used longest ago first. */
  readonly #accounts = new Map<string, Account>();

  constructor(options: BudgetOptions) {
    this.#options = options;
  }

  /** Accounts kept. */
  get size(): number {
    return this.#accounts.size;
  }

  /** Spends `amount`, if there is so much; otherwise nothing. */
  take(key: string, now: number, amount = 1): boolean {
    const left = this.#left(key, now);
    if (left < amount) return false;
    this.#accounts.delete(key);
    this.#makeRoom(now);
    this.#accounts.set(key, { left: left - amount, at: now });
    return true;
  }

  #left(key: string, now: number): number {
    const { perSecond, burst } = this.#options;
    const account = this.#accounts.get(key);
    return account ? Math.min(burst, account.left + (now - account.at) * perSecond / 1_000) : burst;
  }

  /** Two accounts are looked at for each that is opened, so the idle ones do not stay. */
  #makeRoom(now: number): void {
    let looks = 2;
    for (const key of this.#accounts.keys()) {
      const isFull = this.#left(key, now) >= this.#options.burst;
      if (!isFull && this.#accounts.size < this.#options.keysMax) return;
      this.#accounts.delete(key);
      if (--looks === 0) return;
    }
  }
}
