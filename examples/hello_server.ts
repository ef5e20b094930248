import { MessageServer, NetworkMessage } from "@netsync/netsync";

const server = new MessageServer("localhost", Number(Deno.args[0] ?? 8080), { tickRate: 120 });

server.onMessage.addListener((client, message) => {
  if (message.hasHeader("handshake")) {
    const response = new NetworkMessage("Hello from the server!");
    response.addHeader("handshake", "example");
    client.send(response);
  }
  console.log(`Message received from ${client.address}: ${message.body}`);
});

await server.startAsync();
console.log(`waiting for messages on localhost:${server.port}`);
