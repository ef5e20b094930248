import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import { Dictionary } from "../../../lib/protocols/sync/dictionary.ts";
import { DATAGRAM_BYTES_MAX, NUMBER_BYTES } from "../../../lib/protocols/sync/wire.ts";

fc.configureGlobal({ seed: 1 });

const utf8 = new TextEncoder();

/** The largest state of player 0 alone: 8 bytes of number and `{"0":""}` are around it. */
const LARGEST_ALONE = DATAGRAM_BYTES_MAX - NUMBER_BYTES - 8;

function jsonOf(dictionary: Dictionary<number>): string {
  return new TextDecoder().decode(dictionary.encodeSnapshot(7n).subarray(NUMBER_BYTES));
}

/** A dictionary whose keys are the ids, with these states. */
function dictionaryOf(...states: string[]): Dictionary<number> {
  const dictionary = new Dictionary<number>();
  states.forEach((state, id) => assertEquals(put(dictionary, id, state), undefined));
  return dictionary;
}

function put(dictionary: Dictionary<number>, id: number, state: string): string | undefined {
  return dictionary.set(id, id, utf8.encode(state));
}

Deno.test("Dictionary.encodeSnapshot() of nobody is an empty object", () => {
  const dictionary = new Dictionary<number>();
  assertEquals(jsonOf(dictionary), "{}");
  assertEquals(dictionary.snapshotBytes, 10);
  assertEquals(dictionary.size, 0);
});

Deno.test("Dictionary.encodeSnapshot() puts the number before the JSON", () => {
  const datagram = dictionaryOf("x").encodeSnapshot(0x0102030405060708n);
  assertEquals(datagram.subarray(0, 8), Uint8Array.of(8, 7, 6, 5, 4, 3, 2, 1));
});

Deno.test("Dictionary.encodeSnapshot() has the keys in the order of the first states", () => {
  const dictionary = new Dictionary<number>();
  for (const id of [12, 3, 100]) put(dictionary, id, `s${id}`);
  put(dictionary, 12, "changed");
  assertEquals(jsonOf(dictionary), '{"12":"changed","3":"s3","100":"s100"}');
});

Deno.test("Dictionary.set() replaces a state by one as long, longer, shorter and empty", () => {
  const dictionary = dictionaryOf("a", "same", "z");
  for (const state of ["emas", "quite a bit longer", '"\n"', "é", "", "again"]) {
    assertEquals(put(dictionary, 1, state), undefined);
    assertEquals(
      jsonOf(dictionary),
      JSON.stringify({ 0: "a", 1: state, 2: "z" }).replace("é", "\\u00e9"),
    );
    assertEquals(dictionary.snapshotBytes, dictionary.encodeSnapshot(1n).length);
    assertEquals(dictionary.size, 3);
  }
});

Deno.test("Dictionary.set() keeps the id of a known key", () => {
  const dictionary = new Dictionary<string>();
  dictionary.set("ada", 4, utf8.encode("a"));
  dictionary.set("ada", 5, utf8.encode("bb"));
  const json = new TextDecoder().decode(dictionary.encodeSnapshot(1n).subarray(NUMBER_BYTES));
  assertEquals(json, '{"4":"bb"}');
});

Deno.test("Dictionary.set() keeps no view of the state", () => {
  const dictionary = new Dictionary<number>();
  const state = utf8.encode("kept");
  dictionary.set(0, 0, state);
  state.fill(0x78);
  assertEquals(jsonOf(dictionary), '{"0":"kept"}');
});

Deno.test("Dictionary.set() takes a state that makes the snapshot 65,507 bytes and not one more", () => {
  assertEquals(LARGEST_ALONE, 65_491);
  const dictionary = dictionaryOf("y".repeat(LARGEST_ALONE));
  assertEquals(dictionary.snapshotBytes, DATAGRAM_BYTES_MAX);
  assertEquals(dictionary.encodeSnapshot(1n).length, DATAGRAM_BYTES_MAX);
  assertEquals(put(dictionary, 0, "n".repeat(LARGEST_ALONE + 1)), "world-full");
  assertEquals(put(new Dictionary(), 0, "n".repeat(LARGEST_ALONE + 1)), "world-full");
  assertEquals(put(new Dictionary(), 10, "n".repeat(LARGEST_ALONE)), "world-full");
  assertEquals(put(new Dictionary(), 10, "n".repeat(LARGEST_ALONE - 1)), undefined);
});

Deno.test("Dictionary.set() counts states as they are when escaped", () => {
  const table: [string, number][] = [['"', 2], ["\u0001", 6], ["é", 6], ["🎮", 12]];
  for (const [character, length] of table) {
    const dictionary = dictionaryOf(character + "y".repeat(LARGEST_ALONE - length));
    assertEquals(dictionary.snapshotBytes, DATAGRAM_BYTES_MAX, character);
    const tooLong = character + "n".repeat(LARGEST_ALONE - length + 1);
    assertEquals(put(dictionary, 0, tooLong), "world-full", character);
    const tooLongAtTheEnd = "n".repeat(LARGEST_ALONE - length + 1) + character;
    assertEquals(put(dictionary, 0, tooLongAtTheEnd), "world-full", character);
  }
});

Deno.test("Dictionary.set() leaves all as it was when it refuses", () => {
  const dictionary = dictionaryOf("small", "y".repeat(65_000));
  const before = dictionary.encodeSnapshot(1n);
  assertEquals(put(dictionary, 0, "n".repeat(1_000)), "world-full");
  assertEquals(put(dictionary, 2, "n".repeat(1_000)), "world-full");
  assertEquals(dictionary.set(0, 0, Uint8Array.of(0x61, 0xff)), "text");
  assertEquals(dictionary.set(2, 2, Uint8Array.of(0xc3)), "text");
  assertEquals(dictionary.size, 2);
  assertEquals(dictionary.snapshotBytes, before.length);
  assertEquals(dictionary.encodeSnapshot(1n), before);
});

Deno.test("Dictionary.set() fills the world to the byte with several players", () => {
  const dictionary = dictionaryOf("y".repeat(30_000), "");
  const left = DATAGRAM_BYTES_MAX - dictionary.snapshotBytes;
  assertEquals(put(dictionary, 1, "n".repeat(left + 1)), "world-full");
  assertEquals(put(dictionary, 1, "y".repeat(left)), undefined);
  assertEquals(dictionary.snapshotBytes, DATAGRAM_BYTES_MAX);
  assertEquals(put(dictionary, 2, ""), "world-full");
  assertEquals(put(dictionary, 0, "y".repeat(29_000)), undefined);
  assertEquals(put(dictionary, 2, "now"), undefined);
});

Deno.test("Dictionary.remove() takes a state out of the snapshots, wherever it stands", () => {
  const table = [[0, '{"1":"b","2":"c"}'], [1, '{"0":"a","2":"c"}'], [
    2,
    '{"0":"a","1":"b"}',
  ]] as const;
  for (const [id, expected] of table) {
    const dictionary = dictionaryOf("a", "b", "c");
    assert(dictionary.remove(id));
    assertEquals(jsonOf(dictionary), expected);
    assertEquals(dictionary.snapshotBytes, NUMBER_BYTES + expected.length);
    assertEquals(dictionary.remove(id), undefined);
  }
  const last = dictionaryOf("a");
  last.remove(0);
  assertEquals(jsonOf(last), "{}");
});

Deno.test("Dictionary.restore() puts a state back, behind the others", () => {
  const dictionary = dictionaryOf("a", "b");
  const fragment = dictionary.remove(0)!;
  put(dictionary, 2, "c");
  assertEquals(dictionary.restore(0, fragment), true);
  assertEquals(jsonOf(dictionary), '{"1":"b","2":"c","0":"a"}');
  put(dictionary, 0, "longer");
  assertEquals(jsonOf(dictionary), '{"1":"b","2":"c","0":"longer"}');
});

Deno.test("Dictionary.restore() puts back what fits to the byte and nothing more", () => {
  const dictionary = dictionaryOf("y".repeat(1_000), "");
  const fragment = dictionary.remove(0)!;
  const left = DATAGRAM_BYTES_MAX - dictionary.snapshotBytes - fragment.bytes.length;
  put(dictionary, 1, "n".repeat(left + 1));
  const before = dictionary.encodeSnapshot(1n);
  assertEquals(dictionary.restore(0, fragment), false);
  assertEquals(dictionary.encodeSnapshot(1n), before);
  put(dictionary, 1, "y".repeat(left));
  assertEquals(dictionary.restore(0, fragment), true);
  assertEquals(dictionary.snapshotBytes, DATAGRAM_BYTES_MAX);
});

Deno.test("Dictionary.encodeSnapshot() gives bytes that never change again", () => {
  const dictionary = dictionaryOf("one", "two");
  const snapshot = dictionary.encodeSnapshot(1n);
  const copy = snapshot.slice();
  put(dictionary, 0, "eno");
  put(dictionary, 1, "three");
  const fragment = dictionary.remove(0)!;
  dictionary.encodeSnapshot(2n);
  dictionary.restore(0, fragment);
  put(dictionary, 0, "neo");
  assertEquals(snapshot, copy);
});

Deno.test("Dictionary holds what a map would hold, whatever is done to it", () => {
  const short = fc.string({ unit: fc.constantFrom("a", "b", '"', "\n", "é", "🎮"), maxLength: 6 });
  const state = fc.oneof({ weight: 4, arbitrary: short }, fc.nat(1_500).map((n) => "y".repeat(n)));
  // As many as share their memory, and some more.
  const id = fc.nat(40);
  const step = fc.oneof(
    { weight: 4, arbitrary: fc.record({ kind: fc.constant("set"), id, state }) },
    fc.record({ kind: fc.constantFrom("remove", "restore", "text"), id, state }),
  );
  const steps = fc.array(step, { size: "max", maxLength: 120 });
  fc.assert(fc.property(steps, (steps) => {
    const dictionary = new Dictionary<number>();
    const model = new Map<number, string>();
    const removed = new Map<
      number,
      { fragment: NonNullable<ReturnType<typeof dictionary.remove>>; state: string }
    >();
    for (const { kind, id, state } of steps) {
      if (kind === "set") {
        assertEquals(put(dictionary, id, state), undefined);
        model.set(id, state);
      } else if (kind === "text") {
        assertEquals(dictionary.set(id, id, Uint8Array.of(...utf8.encode(state), 0x80)), "text");
      } else if (kind === "remove") {
        const fragment = dictionary.remove(id);
        assertEquals(fragment !== undefined, model.has(id));
        if (fragment) removed.set(id, { fragment, state: model.get(id)! });
        model.delete(id);
      } else if (removed.has(id) && !model.has(id)) {
        const { fragment, state } = removed.get(id)!;
        removed.delete(id);
        assertEquals(dictionary.restore(id, fragment), true);
        model.set(id, state);
      }
      const snapshot = dictionary.encodeSnapshot(1n);
      assertEquals(snapshot.length, dictionary.snapshotBytes);
      assertEquals(dictionary.size, model.size);
      const json = new TextDecoder().decode(snapshot.subarray(NUMBER_BYTES));
      assertEquals(JSON.parse(json), Object.fromEntries(model));
      const keys = [...json.matchAll(/[{,]"(\d+)":"/g)].map(([, key]) => Number(key));
      assertEquals(keys, [...model.keys()]);
    }
  }));
});

Deno.test("Dictionary never outgrows a datagram, and refuses only what would", () => {
  const step = fc.record({ id: fc.nat(4), length: fc.nat(40_000) });
  fc.assert(fc.property(fc.array(step, { maxLength: 20 }), (steps) => {
    const dictionary = new Dictionary<number>();
    const model = new Map<number, number>();
    for (const { id, length } of steps) {
      const wanted = new Map([...model, [id, length]]);
      const bytes = bytesOf(wanted);
      const refusal = put(dictionary, id, "y".repeat(length));
      assertEquals(refusal, bytes > DATAGRAM_BYTES_MAX ? "world-full" : undefined);
      if (refusal === undefined) model.set(id, length);
      assertEquals(dictionary.snapshotBytes, bytesOf(model));
    }
  }));
});

/** Length of the snapshot of states of these lengths by id, of one digit each. */
function bytesOf(lengths: ReadonlyMap<number, number>): number {
  const members = [...lengths.values()].map((length) => '"0":""'.length + length);
  const json = members.reduce((sum, length) => sum + length, 0) + Math.max(0, members.length - 1) +
    2;
  return NUMBER_BYTES + json;
}
