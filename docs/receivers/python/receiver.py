"""A receiver of webhooks. TLS is up to the proxy in front of it."""

import os
from http.server import BaseHTTPRequestHandler, HTTPServer

from standardwebhooks.webhooks import Webhook, WebhookVerificationError

webhook = Webhook(os.environ["WEBHOOK_KEY"])
# In real life a table of the database that the work is written to, in the same transaction.
taken = set()


class Receiver(BaseHTTPRequestHandler):
    def do_POST(self):
        length = int(self.headers.get("content-length", 0))
        if length > 1024 * 1024:
            return self.answer(413)
        body = self.rfile.read(length)
        try:
            webhook.verify(body, dict(self.headers), json_parse=False)
        except (WebhookVerificationError, ValueError):  # a signature that is no base64 is a ValueError
            return self.answer(401)
        # The id is signed, so it is believed only now.
        id = self.headers["webhook-id"]
        if id not in taken:
            taken.add(id)
            print("took", id, flush=True)  # the work
        self.answer(204)

    def answer(self, status):
        self.send_response(status)
        self.end_headers()


server = HTTPServer(("127.0.0.1", int(os.environ.get("PORT", 8080))), Receiver)
print("listening on 127.0.0.1:%d" % server.server_port, flush=True)
server.serve_forever()
