/** netsync itself in a real browser, with players who send datagrams. */
import { assertEquals } from "@std/assert";
import { until } from "../support/wait.ts";
import { browserTest } from "./browser.ts";
import { result, rows, sayYes, tabTo, untilText } from "./views.ts";

/** The number of a datagram that asks to be let in. */
const JOIN = new Uint8Array(8).fill(0xff);

/** Somebody who plays sync: joins, and says again and again where he is. */
class Player implements Disposable {
  readonly #socket = Deno.listenDatagram({ transport: "udp", hostname: "127.0.0.1", port: 0 });
  readonly #timer: number;

  constructor(port: number) {
    const to: Deno.NetAddr = { transport: "udp", hostname: "127.0.0.1", port };
    const say = (bytes: Uint8Array): Promise<unknown> => this.#socket.send(bytes, to);
    say(JOIN);
    let number = 0n;
    this.#timer = setInterval(() => {
      const bytes = new Uint8Array(20).fill(0x20);
      new DataView(bytes.buffer).setBigInt64(0, number++, true);
      say(bytes).catch(() => {}); // It was closed.
    }, 100);
  }

  /** As the page shows it. */
  get address(): string {
    return `127.0.0.1:${(this.#socket.addr as Deno.NetAddr).port}`;
  }

  [Symbol.dispose](): void {
    clearInterval(this.#timer);
    this.#socket.close();
  }
}

browserTest("players of netsync are seen, kicked and banned", {
  program: { isReal: true },
}, async ({ page, program }) => {
  await untilText(page.locator("#players-none"), "Nobody is here yet.");
  assertEquals(await page.locator("#service-title").innerText(), "sync (SimpleNetSync)");
  assertEquals(await page.locator("#service-port").innerText(), `UDP port ${program.servicePort}`);
  using first = new Player(program.servicePort);
  using second = new Player(program.servicePort);
  await until("two rows", async () => await rows(page).count() === 2);
  assertEquals(await page.title(), "2 players · netsync");
  const addresses = await rows(page).locator(".address").allInnerTexts();
  assertEquals(addresses.toSorted(), [first.address, second.address].toSorted());
  const hz = page.locator("#players-table tbody td.in").first();
  await until("its packets", async () => Math.abs(parseFloat(await hz.innerText()) - 10) < 4);
  await untilText(page.locator("#log"), `joined from ${first.address}`);

  const name = await rows(page).filter({ hasText: first.address }).locator(".name").innerText();
  await tabTo(page, `Kick ${name}`);
  await page.keyboard.press("Enter");
  await page.keyboard.press("Tab");
  await page.keyboard.press("Enter");
  await untilText(result(page), `${first.address}) was kicked.`);
  await until("one row", async () => await rows(page).count() === 1);
  assertEquals(await rows(page).locator(".address").allInnerTexts(), [second.address]);

  await rows(page).getByRole("button", { name: /^Ban/ }).click();
  await sayYes(page);
  await until("nobody", async () => await rows(page).count() === 0);
  await untilText(page.locator("#ban-list"), "127.0.0.1");
  using _refused = new Player(program.servicePort);
  await page.getByRole("button", { name: "Lift the ban of 127.0.0.1" }).click();
  await untilText(result(page), "127.0.0.1 may come in again.");
  using third = new Player(program.servicePort);
  await until("the next player", async () => await rows(page).count() === 1);
  assertEquals(await rows(page).locator(".address").allInnerTexts(), [third.address]);
});
