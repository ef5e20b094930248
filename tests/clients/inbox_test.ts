import { assertEquals } from "@std/assert";
import { Inbox } from "../../lib/clients/inbox.ts";
import { NetworkMessage } from "../../lib/protocols/messages/message.ts";

const MIB = 2 ** 20;

/** How many of a message make an inbox full, with none at all at first. */
function capacity(message?: NetworkMessage): number {
  const inbox = new Inbox<number>();
  let count = 0;
  while (!inbox.isFull) inbox.push(count++, message);
  return count;
}

Deno.test("Inbox gives what it took in order, one by one or all together", () => {
  const inbox = new Inbox<string>();
  assertEquals([inbox.shift(), inbox.takeAll()], [undefined, []]);
  for (const item of ["a", "b", "c"]) inbox.push(item);
  assertEquals(inbox.shift(), "a");
  inbox.push("d", new NetworkMessage("d"));
  assertEquals([inbox.takeAll(), inbox.takeAll(), inbox.shift()], [["b", "c", "d"], [], undefined]);
  inbox.push("e");
  inbox.clear();
  assertEquals(inbox.shift(), undefined);
});

Deno.test("Inbox is full with 1,024 things, messages or not, and takes more all the same", () => {
  assertEquals([capacity(), capacity(new NetworkMessage("short"))], [1_024, 1_024]);
  const inbox = new Inbox<number>();
  for (let i = 0; i < 2_000; i++) inbox.push(i);
  assertEquals(inbox.isFull, true);
  for (let i = 0; i < 976; i++) assertEquals([inbox.shift(), inbox.isFull], [i, true]);
  assertEquals([inbox.shift(), inbox.isFull], [976, false]);
});

Deno.test("Inbox is full with 4 MiB of messages, whatever they consist of", () => {
  const quarter = MIB - 64;
  assertEquals(capacity(new NetworkMessage("x".repeat(quarter))), 4);
  assertEquals(capacity(new NetworkMessage("x".repeat(quarter - 1))), 5);
  assertEquals(capacity(new NetworkMessage(new Uint8Array(quarter))), 4);
  assertEquals(capacity(new NetworkMessage().addHeader("n", "x".repeat(quarter - 65))), 4);
  assertEquals(capacity(new NetworkMessage().addHeader("x".repeat(quarter - 65), "v")), 4);
  assertEquals(capacity(new NetworkMessage("x".repeat(9 * MIB))), 1);
});

Deno.test("Inbox counts every header, however short", () => {
  const message = new NetworkMessage();
  for (let i = 0; i < 1_023; i++) message.addHeader("", "");
  assertEquals(capacity(message), 64);
});

Deno.test("Inbox has room again once what is long was taken", () => {
  const long = new NetworkMessage("x".repeat(3 * MIB));
  for (const take of ["shift", "takeAll", "clear"] as const) {
    const inbox = new Inbox<number>();
    for (let round = 0; round < 3; round++) {
      inbox.push(1, long);
      assertEquals(inbox.isFull, false);
      inbox.push(2, long);
      assertEquals(inbox.isFull, true);
      inbox[take]();
      if (take === "shift") inbox.shift();
      assertEquals(inbox.isFull, false);
    }
  }
});
