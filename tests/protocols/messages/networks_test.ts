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

Deno.test("Account lets somebody be as far ahead as it is told", () => {
  const account = new Account(5_000, 100);
  account.charge(100, 5_000);
  assertEquals(account.paidUntil, 5_000);
  account.charge(1, 5_000);
  assertEquals(account.paidUntil, 5_001);
  account.charge(25, 100_000);
  assertEquals(account.paidUntil, 99_925);
});

Deno.test("Network lets bytes be a second ahead, what it has sent a tenth, and has paid when both are", () => {
  const network = new Network(0);
  network.bytes.charge(1_000, 0);
  network.deliveries.charge(100, 0);
  assertEquals(network.paidUntil, 0);
  network.deliveries.charge(5, 0);
  assertEquals([network.paidUntil, network.bytes.paidUntil], [5, 0]);
  network.bytes.charge(7, 0);
  assertEquals([network.paidUntil, network.deliveries.paidUntil], [7, 5]);
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

Deno.test("Networks lets in 2,000 at once and 8,000 a second of all networks together", () => {
  const networks = new Networks(64);
  const enteredAt = (now: number, round: string): number => {
    let entered = 0;
    for (let number = 0; number < 3_000; number++) {
      const network = networks.enter(`${round} ${number}`, now);
      if (typeof network !== "string") entered++;
      else assertEquals(network, "busy");
    }
    return entered;
  };
  assertEquals([enteredAt(0, "first"), enteredAt(125, "second")], [2_000, 1_000]);
});

Deno.test("Networks remembers the debt of a network that nobody is left of", () => {
  for (const kind of ["bytes", "deliveries"] as const) {
    const networks = new Networks(10);
    const debtor = entered(networks, "debtor", 0);
    debtor[kind].charge(31_000, 0);
    debtor.leave();
    const honest = entered(networks, "honest", 0);
    honest.leave();
    for (let now = 0; now < 29_000; now += 1_000) entered(networks, `${now}`, now).leave();
    assertEquals(entered(networks, "debtor", 29_000), debtor);
    debtor.leave();
    assert(entered(networks, "honest", 29_000) !== honest, "of it there was nothing to remember");
    for (let now = 31_000; now < 60_000; now += 1_000) entered(networks, `${now}`, now).leave();
    assert(entered(networks, "debtor", 60_000) !== debtor, "it has been paid");
  }
});

/** What something costs a network that costs 1 ms while they are few. */
function priceOf(networks: Networks, network: Network, now: number): number {
  const { deliveries } = network;
  const before = Math.max(deliveries.paidUntil, now - 100);
  networks.chargeDeliveries(network, 1, now);
  return Math.round(1e6 * (deliveries.paidUntil - before)) / 1e6;
}

Deno.test("Networks.chargeDeliveries() asks the full price of two, and more the more there are", () => {
  const networks = new Networks(10);
  const many = Array.from({ length: 6 }, (_, index) => entered(networks, `${index}`, 0));
  const prices = (now: number): number[] => many.map((one) => priceOf(networks, one, now));
  assertEquals(prices(5_100), [1, 1, 1.5, 2, 2.5, 3]);
  assertEquals(prices(5_999), [3, 3, 3, 3, 3, 3], "each counts once in a second");
  assertEquals(prices(6_000), [3, 3, 3, 3, 3, 3], "what was in the second before is known");
  assertEquals(many.every(({ bytes }) => bytes.paidUntil === -1_000), true);
});

Deno.test("Networks.chargeDeliveries() forgets who has not had anything sent for a second", () => {
  const networks = new Networks(10);
  const [one, two, ...others] = Array.from(
    { length: 10 },
    (_, index) => entered(networks, `${index}`, 0),
  ) as [Network, Network, ...Network[]];
  for (const network of [one, two, ...others]) priceOf(networks, network, 500);
  assertEquals(priceOf(networks, one, 1_999), 5);
  assertEquals(priceOf(networks, two, 2_000), 1);
  for (const network of others) priceOf(networks, network, 2_000);
  assertEquals(priceOf(networks, one, 4_000), 1, "a whole second in which nobody did");
});
