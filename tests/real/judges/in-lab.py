# SPDX-License-Identifier: Apache-2.0
"""JupyterLab as its users see it: run in a container of the image, which has websocket-client.

    in-lab.py cell LINK CODE                  what the cell prints
    in-lab.py look LINK DEVTOOLS SELECTOR...  the page in Chromium when it shows all of these: a PNG, and its title to stderr
    in-lab.py press LINK DEVTOOLS             a notebook's page, whose first cell is run by Shift and Enter: a PNG, and what the cell prints to stderr"""
import base64, json, sys, urllib.parse, urllib.request, uuid

import websocket


def cell(link, code):
    parts = urllib.parse.urlsplit(link)
    token = urllib.parse.parse_qs(parts.query)["token"][0]
    request = urllib.request.Request(f"http://{parts.netloc}/api/kernels", b"{}", {"Authorization": "token " + token})
    with urllib.request.urlopen(request) as answer:
        kernel = json.load(answer)["id"]
    message = {"header": {"msg_id": uuid.uuid4().hex, "msg_type": "execute_request", "username": "", "session": uuid.uuid4().hex, "version": "5.3"},
               "parent_header": {}, "metadata": {}, "channel": "shell", "buffers": [], "content": {"code": code, "silent": False}}
    while True:
        server = websocket.create_connection(f"ws://{parts.netloc}/api/kernels/{kernel}/channels?token={token}", timeout=600)
        server.send(json.dumps(message))
        try:
            got = json.loads(server.recv())
            break
        except (websocket.WebSocketConnectionClosedException, ConnectionError):
            pass  # it hangs up on a kernel that takes long to start, and has not handed on what was sent; once more, as Lab does
    # The reply comes on another channel than what is printed, and may overtake it; that it is idle comes after all that.
    while True:
        kind, content = got["header"]["msg_type"], got["content"]
        if got["parent_header"].get("msg_id") == message["header"]["msg_id"]:
            if kind == "error":
                sys.exit("\n".join(content["traceback"]))
            if kind == "stream":
                print(content["text"], end="")
            if kind == "status" and content["execution_state"] == "idle":
                return
        got = json.loads(server.recv())


class Page:
    """A page of Chromium, told what to do by DevTools."""

    def __init__(self, link, devtools):
        host = urllib.parse.urlsplit(devtools).netloc
        with urllib.request.urlopen(urllib.request.Request(f"http://{host}/json/new?about:blank", method="PUT")) as answer:
            page = json.load(answer)["webSocketDebuggerUrl"]
        self.browser = websocket.create_connection(page, timeout=600, suppress_origin=True)
        self.asked = 0
        self.ask("Page.enable")
        self.ask("Page.navigate", url=link)
        while json.loads(self.browser.recv()).get("method") != "Page.loadEventFired":
            pass

    def ask(self, method, **params):
        self.asked += 1
        self.browser.send(json.dumps({"id": self.asked, "method": method, "params": params}))
        while True:
            got = json.loads(self.browser.recv())
            if got.get("id") == self.asked:
                return got.get("result")

    def until_shown(self, *selectors, says=("body", ""), value="document.title"):
        """That value, when all of these are seen and painted, and the one of `says` has that text."""
        wait = """new Promise(done => {
            const shown = s => document.querySelector(s)?.getBoundingClientRect().height;
            const painted = () => requestAnimationFrame(() => requestAnimationFrame(() => done(VALUE)));
            const says = (s, text) => document.querySelector(s)?.textContent.includes(text);
            const look = () => SELECTORS.every(shown) && says(...SAYS) && painted();
            new MutationObserver(look).observe(document, {childList: true, subtree: true, attributes: true, characterData: true});
            look();
        })""".replace("SELECTORS", json.dumps(selectors)).replace("SAYS", json.dumps(says)).replace("VALUE", value)
        while (found := self.ask("Runtime.evaluate", expression=wait, awaitPromise=True)) is None:
            pass  # Lab went to another address meanwhile
        return found["result"]["value"]

    def press(self, selector):
        """As a hand does."""
        place = f"(r => [r.x + r.width / 2, r.y + r.height / 2].join(' '))(document.querySelector('{selector}').getBoundingClientRect())"
        x, y = map(float, self.until_shown(selector, value=place).split())
        for kind in "mousePressed", "mouseReleased":
            self.ask("Input.dispatchMouseEvent", type=kind, x=x, y=y, button="left", clickCount=1)

    def picture(self):
        sys.stdout.buffer.write(base64.b64decode(self.ask("Page.captureScreenshot")["data"]))


def look(link, devtools, *selectors):
    page = Page(link, devtools)
    print(page.until_shown(*selectors), file=sys.stderr)
    page.picture()


def press(link, devtools):
    page = Page(link, devtools)
    cell, accept = ".jp-CodeCell .cm-content", ".jp-Dialog .jp-mod-accept"
    printed = '.jp-OutputArea-output[data-mime-type="application/vnd.jupyter.stdout"] pre'
    page.until_shown(cell, ".jp-Notebook-ExecutionIndicator[data-status=idle]", says=(".jp-NotebookPanel-toolbar", "(ipykernel)"))
    page.press(cell)
    for kind in "rawKeyDown", "keyUp":
        page.ask("Input.dispatchKeyEvent", type=kind, key="Enter", code="Enter", windowsVirtualKeyCode=13, modifiers=8)  # with Shift
    # Without a kernel yet, Lab asks for one and then runs the cell.
    if page.until_shown(f"{accept}, {printed}", value=f"!!document.querySelector('{accept}')"):
        page.press(accept)
    print(page.until_shown(printed, value=f"document.querySelector('{printed}').textContent.trim()"), file=sys.stderr)
    page.picture()


{"cell": cell, "look": look, "press": press}[sys.argv[1]](*sys.argv[2:])
