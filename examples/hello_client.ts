import { MessageClient, NetworkMessage } from "@netsync/netsync";

const client = new MessageClient();
const { ok, reason } = await client.connect("localhost", Number(Deno.args[0] ?? 8080));

if (ok) {
  client.send(new NetworkMessage("Hello server!").addHeader("handshake"));

  for await (const message of client) {
    if (message.hasHeader("handshake")) {
      console.log(`Server handshake received: ${message.body}`);
      await client.close();
    }
  }
} else {
  console.log(`Connection failed: ${reason}`);
}
