// A receiver of webhooks. TLS is up to the proxy in front of it.

import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { Webhook } from "standardwebhooks";

const webhook = new Webhook(process.env.WEBHOOK_KEY ?? "");
// In real life a table of the database that the work is written to, in the same transaction.
const taken = new Set<string>();

const server = createServer(async (request, response) => {
  const answer = (status: number) => response.writeHead(status).end();
  const chunks: Buffer[] = [];
  let length = 0;
  for await (const chunk of request) {
    length += chunk.length;
    if (length > 1024 * 1024) return answer(413);
    chunks.push(chunk);
  }
  const body = Buffer.concat(chunks);
  try {
    webhook.verify(body, request.headers as Record<string, string>, { jsonParse: false });
  } catch {
    return answer(401);
  }
  // The id is signed, so it is believed only now.
  const id = request.headers["webhook-id"] as string;
  if (!taken.has(id)) {
    taken.add(id);
    console.log("took", id); // the work
  }
  answer(204);
});

server.listen(Number(process.env.PORT ?? 8080), "127.0.0.1", () => {
  console.log("listening on 127.0.0.1:%d", (server.address() as AddressInfo).port);
});
