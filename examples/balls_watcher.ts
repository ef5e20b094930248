import { WorldClient } from "@netsync/netsync";

const client = await WorldClient.connect(Deno.args[0] ?? "localhost:25005");
client.on("spawned", ({ id, traits }) => console.log(`ball ${id} is there, ${traits.color}`));
client.on("changed", ({ id, changes: { bounces } }) => {
  if (bounces) console.log(`ball ${id} has bounced ${bounces} times`);
});
client.on("removed", ({ id }) => console.log(`ball ${id} has burst`));
client.on("disconnected", () => console.log("the server is gone"));

// A game draws 60 times a second, however often the server tells: here, some of it.
setInterval(() => {
  for (const id of client.objects.keys()) {
    const [x, y] = client.poseOf(id)!.position;
    console.log(`draw ball ${id} at ${x.toFixed(2)} ${y.toFixed(2)}`);
  }
}, 1_000);
