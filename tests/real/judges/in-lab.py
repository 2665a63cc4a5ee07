# SPDX-License-Identifier: Apache-2.0
"""JupyterLab as its users see it: run in a container of the image, which has websocket-client.

    in-lab.py cell LINK CODE                  what the cell prints
    in-lab.py look LINK DEVTOOLS SELECTOR...  the page in Chromium when it shows all of these: a PNG, and its title to stderr"""
import base64, json, sys, urllib.parse, urllib.request, uuid

import websocket


def cell(link, code):
    parts = urllib.parse.urlsplit(link)
    token = urllib.parse.parse_qs(parts.query)["token"][0]
    request = urllib.request.Request(f"http://{parts.netloc}/api/kernels", b"{}", {"Authorization": "token " + token})
    with urllib.request.urlopen(request) as answer:
        kernel = json.load(answer)["id"]
    server = websocket.create_connection(f"ws://{parts.netloc}/api/kernels/{kernel}/channels?token={token}", timeout=600)
    message = {"header": {"msg_id": uuid.uuid4().hex, "msg_type": "execute_request", "username": "", "session": uuid.uuid4().hex, "version": "5.3"},
               "parent_header": {}, "metadata": {}, "channel": "shell", "buffers": [], "content": {"code": code, "silent": False}}
    server.send(json.dumps(message))
    # The reply comes on another channel than what is printed, and may overtake it; that it is idle comes after all that.
    while True:
        got = json.loads(server.recv())
        kind, content = got["header"]["msg_type"], got["content"]
        if got["parent_header"].get("msg_id") != message["header"]["msg_id"]:
            continue
        if kind == "error":
            sys.exit("\n".join(content["traceback"]))
        if kind == "stream":
            print(content["text"], end="")
        if kind == "status" and content["execution_state"] == "idle":
            return


def look(link, devtools, *selectors):
    host = urllib.parse.urlsplit(devtools).netloc
    with urllib.request.urlopen(urllib.request.Request(f"http://{host}/json/new?about:blank", method="PUT")) as answer:
        page = json.load(answer)["webSocketDebuggerUrl"]
    browser = websocket.create_connection(page, timeout=600, suppress_origin=True)

    def ask(number, method, **params):
        browser.send(json.dumps({"id": number, "method": method, "params": params}))
        while True:
            got = json.loads(browser.recv())
            if got.get("id") == number:
                return got["result"]

    ask(1, "Page.enable")
    ask(2, "Page.navigate", url=link)
    while json.loads(browser.recv()).get("method") != "Page.loadEventFired":
        pass
    wait = """new Promise(done => {
        const shown = s => document.querySelector(s)?.getBoundingClientRect().height;
        const painted = () => requestAnimationFrame(() => requestAnimationFrame(() => done(document.title)));
        const look = () => SELECTORS.every(shown) && painted();
        new MutationObserver(look).observe(document, {childList: true, subtree: true, attributes: true});
        look();
    })""".replace("SELECTORS", json.dumps(selectors))
    print(ask(3, "Runtime.evaluate", expression=wait, awaitPromise=True)["result"]["value"], file=sys.stderr)
    sys.stdout.buffer.write(base64.b64decode(ask(4, "Page.captureScreenshot")["data"]))


{"cell": cell, "look": look}[sys.argv[1]](*sys.argv[2:])
