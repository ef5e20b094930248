/** What attacks are made of, and the table of what comes of them. */
import type { Engine } from "../../lib/protocols/engine.ts";
import { type Account, onTheWire, ratio, Stage } from "./ledger.ts";

/** What a stranger does, and what is promised about it. */
export interface Attack {
  /** The row's first columns. */
  readonly service: string;
  readonly message: string;
  /** What keeps it from being worse, for the row's last column. */
  readonly bound: string;
  /** A server as the stranger finds it. `isForging` is for {@link Stage}. */
  set(isForging: boolean): Stage;
  /** What the stranger does, until all is silent. */
  act(stage: Stage): void;
  /** What holds of it, whatever the figures are. */
  readonly promise: Promise;
}

/** Limits of what one forged address is sent; what is left out is not limited by the protocol. */
export interface Promise {
  /** So many times the bytes that were sent in its name, headers not counted. */
  readonly timesMax?: number;
  /** The same with headers. */
  readonly wireTimesMax?: number;
  /** So many bytes, with headers. */
  readonly wireBytesMax?: number;
  /** So many datagrams. */
  readonly datagramsMax?: number;
  /** All others together are sent so many times as much at most, headers not counted; 0 for nothing. */
  readonly othersTimesMax?: number;
}

/** Does it, and the same without the stranger. */
export function accountOf({ set, act }: Pick<Attack, "set" | "act">): Account {
  const [calm, attacked] = [set(false), set(true)];
  for (const stage of [calm, attacked]) {
    stage.begin();
    act(stage);
  }
  return attacked.accountBeside(calm);
}

/** A server, and what happens before anything is counted. */
export function stageOf<Event>(
  engine: Engine<Event>,
  isForging: boolean,
  prepare: (stage: Stage) => void = (): void => {},
): Stage {
  const stage = new Stage(engine as unknown as Engine<never>, isForging);
  prepare(stage);
  return stage;
}

/** Why a promise is not kept; nothing when it is. */
export function* breachesOf(promise: Promise, account: Account): Generator<string> {
  const { sent, toForged, toOneForged, toOthers } = account;
  const measured: [keyof Promise, number][] = [
    ["timesMax", ratio(toForged.bytes, sent.bytes)],
    ["wireTimesMax", ratio(onTheWire(toForged), onTheWire(sent))],
    ["wireBytesMax", onTheWire(toOneForged)],
    ["datagramsMax", toOneForged.datagrams],
    ["othersTimesMax", ratio(toOthers.bytes, sent.bytes)],
  ];
  for (const [name, value] of measured) {
    const most = promise[name];
    if (most !== undefined && value > most) yield `${name}: ${value} of at most ${most}`;
  }
}
