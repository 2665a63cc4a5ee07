#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A loopback proxy in front of a registry, which counts what is pulled through it.

    counting_proxy.py REGISTRY_PORT     prints its port and serves until its standard input ends

GET /bytes answers the bytes of blobs since the last such question, and begins again. GET /mode/M sets how ranges are
answered: "all" as the registry does, "one" refuses more than one range in a request (501, as GHCR does), "none"
ignores them."""
import http.client, socketserver, sys, threading
from http.server import BaseHTTPRequestHandler

LOCK, STATE = threading.Lock(), {"bytes": 0, "mode": "all"}


class Proxy(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def answer(self, status, body):
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def do_HEAD(self):
        self.do_GET()

    def do_GET(self):
        if self.path == "/bytes":
            with LOCK:
                n, STATE["bytes"] = STATE["bytes"], 0
            return self.answer(200, b"%d\n" % n)
        if self.path.startswith("/mode/"):
            STATE["mode"] = self.path[6:]
            return self.answer(200, b"")
        ranges = self.headers.get("Range", "")
        if STATE["mode"] == "one" and "," in ranges:
            return self.answer(501, b"one range at a time\n")
        line = http.client.HTTPConnection("127.0.0.1", int(sys.argv[1]))
        line.putrequest(self.command, self.path, skip_host=True, skip_accept_encoding=True)
        for key, value in self.headers.items():  # Accept stands more than once
            if key.lower() != "connection" and (key.lower() != "range" or STATE["mode"] != "none"):
                line.putheader(key, value)
        line.endheaders()
        got = line.getresponse()
        self.send_response(got.status)
        for key, value in got.getheaders():
            if key.lower() not in ("connection", "transfer-encoding"):
                self.send_header(key, value)
        if got.getheader("Content-Length") is None:
            self.send_header("Connection", "close")
            self.close_connection = True
        self.end_headers()
        while self.command != "HEAD" and (body := got.read(1 << 16)):
            self.wfile.write(body)
            if "/blobs/" in self.path:
                with LOCK:
                    STATE["bytes"] += len(body)
        line.close()

    def log_message(self, *_):
        pass


class Server(socketserver.ThreadingTCPServer):
    daemon_threads = allow_reuse_address = True


server = Server(("127.0.0.1", 0), Proxy)
threading.Thread(target=server.serve_forever, daemon=True).start()
print(server.server_address[1], flush=True)
sys.stdin.read()
