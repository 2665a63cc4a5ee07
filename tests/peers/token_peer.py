#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A token server as registries name one in their realm: Basic in, a signed JWT out (distribution's "Token authentication").

    token_peer.py CERT KEY USER:PASSWORD ISSUER   prints the port, serves https until stdin ends; the key signs, too

Nobody without the password gets anything but pull. GET /asked: what was asked for, a line each: "USER SCOPE..."."""
import base64, json, ssl, subprocess, sys, threading, time, urllib.parse, uuid
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

CERT, KEY, WHO, ISSUER = sys.argv[1:]
ASKED = []


def b64(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def token(service, access):
    der = subprocess.run(["openssl", "x509", "-in", CERT, "-outform", "DER"], check=True, capture_output=True).stdout
    now = int(time.time())
    head = {"typ": "JWT", "alg": "RS256", "x5c": [base64.b64encode(der).decode()]}
    claims = {"iss": ISSUER, "sub": "", "aud": service, "iat": now, "nbf": now - 10, "exp": now + 300, "jti": uuid.uuid4().hex,
              "access": access}
    text = b64(json.dumps(head).encode()) + "." + b64(json.dumps(claims).encode())
    signed = subprocess.run(["openssl", "dgst", "-sha256", "-sign", KEY], input=text.encode(), check=True, capture_output=True).stdout
    return text + "." + b64(signed)


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def answer(self, status, body):
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_GET(self):
        url = urllib.parse.urlsplit(self.path)
        query = urllib.parse.parse_qs(url.query)
        if url.path == "/asked":
            return self.answer(200, "".join(line + "\n" for line in ASKED).encode())
        kind, _, secret = self.headers.get("Authorization", "").partition(" ")
        who = base64.b64decode(secret).decode() if kind.lower() == "basic" else ""
        scopes = " ".join(query.get("scope", [])).split()
        ASKED.append(" ".join([who.partition(":")[0] or "nobody", *scopes]))
        if who and who != WHO:
            return self.answer(401, b'{"errors": [{"code": "UNAUTHORIZED", "message": "wrong user or password"}]}')
        access = []
        for scope in scopes:
            kind, name, actions = scope.rsplit(":", 1)[0].partition(":")[0], scope.partition(":")[2].rpartition(":")[0], scope.rpartition(":")[2]
            access.append({"type": kind, "name": name, "actions": [a for a in actions.split(",") if who or a == "pull"]})
        return self.answer(200, json.dumps({"token": token(query.get("service", [""])[0], access), "expires_in": 300}).encode())


server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
server.daemon_threads = True
context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain(CERT, KEY)
server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
threading.Thread(target=server.serve_forever, daemon=True).start()
print(server.server_address[1], flush=True)
sys.stdin.read()
