import { assert, assertEquals } from "@std/assert";
import { Account, Network, Networks } from "../../../lib/protocols/messages/networks.ts";

Deno.test("Account lets somebody be a second ahead, and no more after a long rest", () => {
  const account = new Account(5_000);
  account.charge(1_000, 5_000);
  assertEquals(account.paidUntil, 5_000);
  account.charge(1, 5_000);
  assertEquals(account.paidUntil, 5_001);
  account.charge(250, 100_000);
  assertEquals(account.paidUntil, 99_250);
});

function entered(networks: Networks, name: string, now: number): Network {
  const network = networks.enter(name, now);
  assert(network instanceof Network, `${network}`);
  return network;
}

Deno.test("Networks lets in as many connections of a network as it may have", () => {
  const networks = new Networks(2);
  const one = entered(networks, "one", 0);
  assertEquals(entered(networks, "one", 0), one);
  assertEquals(networks.enter("one", 0), "full-network");
  entered(networks, "other", 0);
  one.leave();
  assertEquals(networks.enter("one", 0), "rate", "two at once, and one in five seconds");
  assertEquals(networks.enter("one", 4_999), "rate");
  assertEquals(entered(networks, "one", 5_000), one);
  assertEquals(networks.enter("one", 60_000), "full-network");
});

Deno.test("Networks remembers the debt of a network that nobody is left of", () => {
  const networks = new Networks(10);
  const debtor = entered(networks, "debtor", 0);
  debtor.account.charge(31_000, 0);
  debtor.leave();
  const honest = entered(networks, "honest", 0);
  honest.leave();
  for (let now = 0; now < 29_000; now += 1_000) entered(networks, `${now}`, now).leave();
  assertEquals(entered(networks, "debtor", 29_000), debtor);
  debtor.leave();
  assert(entered(networks, "honest", 29_000) !== honest, "of it there was nothing to remember");
  for (let now = 31_000; now < 60_000; now += 1_000) entered(networks, `${now}`, now).leave();
  assert(entered(networks, "debtor", 60_000) !== debtor, "it has been paid");
});
