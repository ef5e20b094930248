/** What each step of the sync server's hot path costs, beside the plain way to do it. */
import { Dictionary } from "../lib/protocols/sync/dictionary.ts";
import { escapeText } from "../lib/protocols/sync/escape.ts";
import { decodeClientMessage, encodeState } from "../lib/protocols/sync/wire.ts";

const utf8 = new TextEncoder();
const PLAIN = utf8.encode("x".repeat(50));
const JSON_STATE = utf8.encode(JSON.stringify({ x: 12.345, y: -3.21, name: "Ada", hp: 87, up: 1 }));
/** Numbers in a game's states have now more, now fewer digits. */
const LENGTHS = [50, 47, 52, 46].map((length) => utf8.encode("x".repeat(length)));
const target = new Uint8Array(65_507);

const stateDatagram = encodeState(123_456n, JSON_STATE);
Deno.bench("decodeClientMessage() of a state", { group: "decode" }, () => {
  decodeClientMessage(stateDatagram);
});

Deno.bench("escapeText() of 50 plain bytes", { group: "escape" }, () => {
  escapeText(PLAIN, target, target.length);
});
Deno.bench("escapeText() of 50 bytes of JSON", { group: "escape" }, () => {
  escapeText(JSON_STATE, target, target.length);
});
Deno.bench("JSON.stringify() of the same", { group: "escape", baseline: true }, () => {
  utf8.encode(JSON.stringify(strictUtf8.decode(JSON_STATE)));
});
const strictUtf8 = new TextDecoder("utf-8", { fatal: true });

for (const players of [10, 100, 1_000]) {
  const dictionary = new Dictionary<number>();
  const states: Record<number, string> = {};
  for (let id = 0; id < players; id++) {
    dictionary.set(id, id, PLAIN);
    states[id] = "x".repeat(50);
  }
  const group = `snapshot of ${players} players`;
  Deno.bench(`encodeSnapshot() of ${players}`, { group }, () => {
    dictionary.encodeSnapshot(1n);
  });
  Deno.bench(`JSON.stringify() of ${players}`, { group, baseline: true }, () => {
    utf8.encode(JSON.stringify(states));
  });
  let at = 0;
  const stateGroup = `state of one of ${players}`;
  Deno.bench(`set() of one of ${players}`, { group: stateGroup, baseline: true }, () => {
    dictionary.set(at++ % players, 0, PLAIN);
  });
  Deno.bench(`set() of one of ${players}, of another length`, { group: stateGroup }, () => {
    const round = Math.floor(at / players);
    dictionary.set(at++ % players, 0, LENGTHS[round % LENGTHS.length]!);
  });
}
