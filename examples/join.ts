import { SyncClient } from "@netsync/netsync";

const client = await SyncClient.connect("localhost:55555");
client.on("joined", ({ id, state }) => console.log(`player ${id} is here: ${state}`));
client.on("changed", ({ id, state }) => console.log(`player ${id}: ${state}`));
client.on("left", ({ id }) => console.log(`player ${id} is gone`));

for (let x = 0; x < 50; x++) {
  client.send(JSON.stringify({ x }));
  await new Promise((resolve) => setTimeout(resolve, 100));
}
await client.close();
