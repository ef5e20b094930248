/**
 * A port mapped in a real router: miniupnpd, which is what most routers run, with the address translation
 * of the Linux kernel, in network namespaces that end with each test.
 *
 * That takes what nat_test.ts takes, and Debian's package miniupnpd-nftables.
 */
import { assert, assertEquals, assertMatch } from "@std/assert";
import type { EventProgram } from "../interop/programs.ts";
import { until } from "../support/wait.ts";
import { HOME, NEIGHBOUR, ROUTER, ROUTER_AT_HOME, RouterNetwork, whyNoRouter } from "./router.ts";

const reason = await whyNoRouter();
const ignore = reason !== undefined;
if (ignore) console.warn(`tests with a real router that maps ports are skipped: ${reason}`);

const PORT = 5_555;
/** Leases and looks of a test, where an hour and a minute are meant. */
const QUICK = { leaseSeconds: 600, lookMs: 300, retryMs: 300 };
const BOTH_WAYS = [`tcp ${PORT} -> ${HOME}:${PORT}`, `udp ${PORT} -> ${HOME}:${PORT}`];

type Facts = Record<string, unknown>;

/** Waits for a verdict of that kind on both transports, from line `from` on. */
async function verdicts(mapper: EventProgram, kind: string, from = 0): Promise<Facts[]> {
  return await Promise.all(["UDP", "TCP"].map((transport) =>
    mapper.event("verdict", (facts) => {
      return facts.kind === kind && facts.transport === transport ? facts : undefined;
    }, { from })
  ));
}

/** Whether a knocker gets an answer now. */
async function knock(knocker: EventProgram): Promise<{ udp: boolean; tcp: boolean }> {
  const from = knocker.lines.length;
  await knocker.say("now");
  return await knocker.event<{ udp: boolean; tcp: boolean }>("knocked", undefined, { from });
}

/** Waits until both ways in are open; a busy system is given another try. */
async function gotIn(knocker: EventProgram): Promise<void> {
  await until("both ways in", async () => {
    const { udp, tcp } = await knock(knocker);
    return udp && tcp;
  });
}

/** Ends the mapping, and says how long that took. The program goes on. */
async function unmap(mapper: EventProgram): Promise<number> {
  await mapper.say("close");
  return await mapper.event("closed", ({ tookMs }) => tookMs as number);
}

/** Ends a program. */
async function end(mapper: EventProgram): Promise<void> {
  await mapper.hangUp();
  assertEquals(await mapper.end(), 0, mapper.errorLines.join("\n"));
}

for (const [configuration, method] of [["both", "UPnP"], ["nat-pmp", "NAT-PMP"]] as const) {
  Deno.test({
    name: `PortMapper opens UDP and TCP by ${method}, and closes them at its end`,
    ignore,
    async fn(): Promise<void> {
      await using network = await RouterNetwork.build(configuration);
      await using knocker = network.knocker("outside", PORT);
      await using mapper = network.mapper("home", PORT, QUICK);
      const mapped = await verdicts(mapper, "mapped");
      for (const facts of mapped) {
        assertEquals(facts.method, method);
        assertEquals(facts.externalIp, ROUTER);
        assertEquals(facts.externalPort, PORT);
        assertEquals(facts.localIp, HOME);
        assertEquals((facts.router as Facts).address, ROUTER_AT_HOME);
        assert((facts.ms as number) < 15_000, `took ${facts.ms} ms`);
        assertMatch(facts.text as string, /11\.22\.33\.21:5555/);
      }
      assertEquals(await network.mappings(), BOTH_WAYS);
      await gotIn(knocker);

      assert(await unmap(mapper) < 2_000);
      assertEquals((await verdicts(mapper, "removed")).length, 2);
      assertEquals(await network.mappings(), []);
      const { udp, tcp } = await knock(knocker);
      assertEquals([udp, tcp], [false, false]);
      // Whoever is inside still gets an answer: it is the router that is closed.
      await using neighbour = network.knocker("neighbour", PORT);
      await gotIn(neighbour);
      await end(mapper);
    },
  });

  Deno.test({
    name: `PortMapper has ports again after the router restarted (${method})`,
    ignore,
    async fn(): Promise<void> {
      await using network = await RouterNetwork.build(configuration);
      await using knocker = network.knocker("outside", PORT);
      await using mapper = network.mapper("home", PORT, QUICK);
      await verdicts(mapper, "mapped");
      // What tells a NAT-PMP client of a restart is a clock that is more than two seconds behind.
      const giveItMs = method === "NAT-PMP" ? 3_500 : 0;
      const startedAt = performance.now();
      await until("the router's clock", () => performance.now() > startedAt + giveItMs);
      await network.stopRouter();
      assertEquals(await network.mappings(), []);
      await network.startRouter(configuration);
      await until("the ports", async () => (await network.mappings()).length === 2, 20_000);
      assertEquals(await network.mappings(), BOTH_WAYS);
      await gotIn(knocker);
      await end(mapper);
    },
  });
}

Deno.test({
  name: "PortMapper renews its leases before they end",
  ignore,
  async fn(): Promise<void> {
    await using network = await RouterNetwork.build("both");
    // Without looking: a mapping that ended and was made again is none that was renewed.
    const options = { leaseSeconds: 6, lookMs: 100_000 };
    await using mapper = network.mapper("home", PORT, options);
    await verdicts(mapper, "mapped");
    const first = await network.leaseEnds();
    const isRenewed = async (name: string): Promise<boolean> =>
      (await network.leaseEnds()).get(name)! >= first.get(name)! + 2;
    for (const name of [`udp ${PORT}`, `tcp ${PORT}`]) {
      await until(`a renewal of ${name}`, () => isRenewed(name));
    }
    assertEquals(await network.mappings(), BOTH_WAYS);
    assertEquals(mapper.events("verdict").length, 2, "a renewal is no news");
    await end(mapper);
  },
});

Deno.test({
  name: "PortMapper has ports again when the router forgot them",
  ignore,
  async fn(): Promise<void> {
    await using network = await RouterNetwork.build("both");
    await using mapper = network.mapper("home", PORT, QUICK);
    await verdicts(mapper, "mapped");
    await network.forgetMappings();
    await until("the ports", async () => (await network.mappings()).length === 2);
    assertEquals(await network.mappings(), BOTH_WAYS);
    assertEquals(mapper.events("verdict").length, 2, "nobody has to know");
    await end(mapper);
  },
});

Deno.test({
  name: "PortMapper says it when the router is lost, and when it is back",
  ignore,
  async fn(): Promise<void> {
    await using network = await RouterNetwork.build("both");
    await using mapper = network.mapper("home", PORT, QUICK);
    await verdicts(mapper, "mapped");
    const from = mapper.lines.length;
    await network.stopRouter();
    await verdicts(mapper, "lost", from);
    await network.startRouter("both");
    await verdicts(mapper, "mapped", from);
    assertEquals(await network.mappings(), BOTH_WAYS);
    await end(mapper);
  },
});

Deno.test({
  name: "PortMapper says it when there is no router, and does not wait for one",
  ignore,
  async fn(): Promise<void> {
    await using network = await RouterNetwork.build();
    await Promise.all((["alone", "home"] as const).map(async (place) => {
      await using mapper = network.mapper(place, PORT);
      const { ms: startMs } = await mapper.event<{ ms: number }>("started");
      assert(startMs < 3_000, `the start took ${startMs} ms`);
      const { kind, ms } = await mapper.event<{ kind: string; ms: number }>("verdict");
      assertEquals(kind, "no-router");
      assert(ms < 15_000, `took ${ms} ms`);
      assert(await unmap(mapper) < 3_000);
      await end(mapper);
    }));
  },
});

Deno.test({
  name: "PortMapper ends at once while it searches",
  ignore,
  async fn(): Promise<void> {
    await using network = await RouterNetwork.build();
    await using mapper = network.mapper("alone", PORT);
    await mapper.event("started");
    assert(await unmap(mapper) < 3_000);
    await end(mapper);
    assertEquals(mapper.events("verdict"), []);
  },
});

Deno.test({
  name: "PortMapper says who has the port, and leaves it to them",
  ignore,
  async fn(): Promise<void> {
    await using network = await RouterNetwork.build("both");
    await using neighbour = network.mapper("neighbour", PORT, {
      ...QUICK,
      description: "another <game>",
    });
    await verdicts(neighbour, "mapped");
    await using mapper = network.mapper("home", PORT, QUICK);
    for (const facts of await verdicts(mapper, "refused")) {
      assertEquals(facts.cause, "taken");
      assertMatch(facts.text as string, /another machine, 192\.168\.1\.12/);
      assertMatch(facts.text as string, /"another <game>"/);
    }
    const theirs = BOTH_WAYS.map((mapping) => mapping.replace(HOME, NEIGHBOUR));
    assertEquals(await network.mappings(), theirs);
    // Asked again while it goes on, the router lets it in as soon as the port is free.
    await end(neighbour);
    await verdicts(mapper, "mapped");
    assertEquals(await network.mappings(), BOTH_WAYS);
    await end(mapper);
  },
});

Deno.test({
  name: "PortMapper says it when the router is not on the Internet itself",
  ignore,
  async fn(): Promise<void> {
    for (const [configuration, wan] of [["both", "192.168.50"], ["nat-pmp", "100.64.7"]] as const) {
      await using network = await RouterNetwork.build(configuration, wan);
      await using mapper = network.mapper("home", PORT, QUICK);
      for (const facts of await verdicts(mapper, "refused")) {
        assertEquals(facts.cause, "no-public-address");
        assertMatch(facts.text as string, /behind another router.*or its provider/);
      }
      await end(mapper);
    }
  },
});

Deno.test({
  name: "PortMapper gets another port by NAT-PMP when its own is taken",
  ignore,
  async fn(): Promise<void> {
    await using network = await RouterNetwork.build("nat-pmp");
    await using neighbour = network.mapper("neighbour", PORT, QUICK);
    await verdicts(neighbour, "mapped");
    await using mapper = network.mapper("home", PORT, QUICK);
    const [udp, tcp] = await verdicts(mapper, "mapped");
    const ours = [
      `tcp ${tcp!.externalPort} -> ${HOME}:${PORT}`,
      `udp ${udp!.externalPort} -> ${HOME}:${PORT}`,
    ];
    const theirs = BOTH_WAYS.map((mapping) => mapping.replace(HOME, NEIGHBOUR));
    assertEquals(await network.mappings(), [...ours, ...theirs].sort());
    await using knocker = network.knocker("outside", udp!.externalPort as number);
    await until("an answer", async () => (await knock(knocker)).udp);
    await end(mapper);
    assertEquals(await network.mappings(), theirs);
    await end(neighbour);
  },
});

Deno.test({
  name: "netsync --upnp tells where it is reached, is reached there, and takes the mapping back",
  ignore,
  async fn(): Promise<void> {
    await using network = await RouterNetwork.build("both");
    await using server = network.netsync("home", [String(PORT), "--upnp", "--json"]);
    await server.event("listening");
    const mapped = await server.event(
      "router",
      (facts) => facts.kind === "mapped" ? facts : undefined,
    );
    assertEquals([mapped.externalIp, mapped.externalPort], [ROUTER, PORT]);
    assertMatch(mapped.message as string, /From outside it is reached at 11\.22\.33\.21:5555\./);
    assertEquals(await network.mappings(), [`udp ${PORT} -> ${HOME}:${PORT}`]);

    const words = ["bots", `${ROUTER}:${PORT}`, "--count", "1", "--seconds", "0.1", "--json"];
    await using bots = network.netsync("outside", words);
    assertEquals(await bots.event("playing", ({ players }) => players), 1);
    await server.event("joined");

    await server.say("stop");
    assertEquals(await server.end(), 0, server.errorLines.join("\n"));
    assertEquals(server.events("router").at(-1)?.kind, "removed");
    assertEquals(await network.mappings(), []);
  },
});

Deno.test({
  name: "netsync --upnp starts as quickly, and serves, where there is no router",
  ignore,
  async fn(): Promise<void> {
    await using network = await RouterNetwork.build();
    await using server = network.netsync("alone", [String(PORT), "--upnp", "--json"]);
    await server.event("listening");
    // Nobody has answered yet, and nobody will.
    assertEquals(server.events("router"), []);
    await server.event("router", ({ kind }) => kind === "no-router" || undefined);
    await server.say("stop");
    assertEquals(await server.end(), 0, server.errorLines.join("\n"));
  },
});
