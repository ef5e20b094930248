import { assertEquals, assertRejects } from "@std/assert";
import { BanFile } from "../../lib/home/ban_file.ts";
import { BanList } from "../../lib/parts/ban_list.ts";
import { namesIn, withFolder } from "../support/folder.ts";

/** Runs `body` with the path of a file that holds this, if anything. */
function withFile(
  content: string | Uint8Array | undefined,
  body: (path: string) => Promise<void>,
): Promise<void> {
  return withFolder(async (folder) => {
    const path = `${folder}/bans.txt`;
    if (typeof content === "string") await Deno.writeTextFile(path, content);
    else if (content) await Deno.writeFile(path, content);
    await body(path);
  });
}

const EDITED = `# Who is not let in

192.0.2.7        # spams
2001:DB8::9
198.51.100.0/24 # a whole network
`;

Deno.test("BanFile.read() takes a ban from each line, and leaves comments alone", async () => {
  await withFile(EDITED, async (path) => {
    const { list, problems } = await BanFile.read(path);
    assertEquals([...list], ["192.0.2.7", "2001:db8::/64", "198.51.100.0/24"]);
    assertEquals(problems, []);
  });
});

Deno.test("BanFile.read() takes a file that is not there for an empty one", async () => {
  await withFile(undefined, async (path) => {
    const file = await BanFile.read(path);
    assertEquals([file.list.size, file.problems], [0, []]);
    file.list.add("192.0.2.7");
    await file.save();
    assertEquals(await Deno.readTextFile(path), "192.0.2.7\n");
  });
});

Deno.test("BanFile.read() names the lines that are no bans, and why", async () => {
  await withFile("192.0.2.7\nplayer one\n\n0.0.0.0/0 # all\n192.0.2.8", async (path) => {
    const { list, problems } = await BanFile.read(path, new BanList(1));
    assertEquals([...list], ["192.0.2.7"]);
    assertEquals(problems, [
      `${path}:2: "player one" is no IP address or network: write 192.0.2.7, 192.0.2.0/24, ` +
      "2001:db8::7 or 2001:db8::/32",
      `${path}:4: /0 would lock out too many: an IPv4 ban is from /8 to /32`,
      `${path}:5: there are 1 bans already, and no more can be`,
    ]);
  });
});

Deno.test("BanFile.save() changes what was changed, and nothing else", async () => {
  await withFile(`${EDITED}nonsense\n192.0.2.7/32 # again`, async (path) => {
    const file = await BanFile.read(path);
    await file.save();
    assertEquals(await Deno.readTextFile(path), `${EDITED}nonsense\n192.0.2.7/32 # again\n`);
    file.list.remove("192.0.2.7");
    file.list.add("203.0.113.9");
    file.list.add("203.0.113.7/24");
    await file.save();
    const expected = EDITED.replace(/192.*\n/, "") + "nonsense\n203.0.113.9\n203.0.113.0/24\n";
    assertEquals(await Deno.readTextFile(path), expected);
    file.list.remove("203.0.113.9");
    file.list.add("192.0.2.7");
    await file.save();
    const last = expected.replace("203.0.113.9\n", "") + "192.0.2.7\n";
    assertEquals(await Deno.readTextFile(path), last);
    const { list } = await BanFile.read(path);
    assertEquals([...list].sort(), [...file.list].sort());
    assertEquals(namesIn(path.replace("/bans.txt", "")), ["bans.txt"]);
  });
});

Deno.test("BanFile keeps what it could not take: those bans come back with more room", async () => {
  await withFile("192.0.2.7\n192.0.2.8\n", async (path) => {
    const file = await BanFile.read(path, new BanList(1));
    file.list.remove("192.0.2.7");
    await file.save();
    assertEquals(await Deno.readTextFile(path), "192.0.2.8\n");
  });
});

Deno.test("BanFile reads and keeps the line ends of Windows, and the mark of its editor", async () => {
  await withFile("\ufeff192.0.2.7 # a\r\n\r\n192.0.2.8\r\n", async (path) => {
    const file = await BanFile.read(path);
    assertEquals([[...file.list], file.problems], [["192.0.2.7", "192.0.2.8"], []]);
    file.list.add("192.0.2.9");
    await file.save();
    const text = "192.0.2.7 # a\r\n\r\n192.0.2.8\r\n192.0.2.9\r\n";
    assertEquals(new TextDecoder().decode(await Deno.readFile(path)), text);
  });
});

Deno.test("BanFile.read() rejects what it would destroy, or what is no list", async () => {
  await withFile(new Uint8Array([0x23, 0xfc, 0x0a]), async (path) => {
    await assertRejects(() => BanFile.read(path), TypeError, "is not UTF-8");
  });
  await withFile(new Uint8Array(4_000_001), async (path) => {
    await assertRejects(() => BanFile.read(path), TypeError, "is too long for a list of bans");
  });
  await withFolder(async (folder) => {
    await assertRejects(() => BanFile.read(folder), Error);
  });
});
