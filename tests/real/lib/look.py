#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""look.py OUT HOST: screenshots of a page of `serve` in headless Chromium, one for each line of standard input, "NAME WIDTH light|dark LANG
WORDS": once the page says the words, which its own script has to bring, a picture OUT/NAME.png of all of it. Each is told by "ok NAME"; that
the page is wider than the window, or writes into its console, is a fault. Chromium is spoken to by a pipe (DevTools protocol)."""
import base64, itertools, json, os, subprocess, sys, tempfile


class Chromium:
    def __init__(self, folder):
        there, self.to = os.pipe()
        self.back, here = os.pipe()
        # As descriptors 3 and 4, which is where it looks.
        self.process = subprocess.Popen(["sh", "-c", f'exec "$@" 3<&{there} 4>&{here}', "sh", "chromium", "--headless=new", "--no-sandbox", "--disable-gpu",
                                         "--user-data-dir=" + folder, "--remote-debugging-pipe", "about:blank"], pass_fds=(there, here), stderr=subprocess.DEVNULL)
        os.close(there)
        os.close(here)
        self.answers, self.numbers, self.session, self.seen = os.fdopen(self.back, "rb"), itertools.count(1), None, []
        target = self.ask("Target.createTarget", url="about:blank")["targetId"]
        self.session = self.ask("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Log"):
            self.ask(domain + ".enable")

    def read(self):
        text = b""
        while not text.endswith(b"\0"):
            one = self.answers.read(1)
            assert one, "Chromium ended"
            text += one
        said = json.loads(text[:-1])
        self.seen.append(said)
        return said

    def ask(self, method, **params):
        number = next(self.numbers)
        said = {"id": number, "method": method, "params": params} | ({"sessionId": self.session} if self.session else {})
        os.write(self.to, json.dumps(said).encode() + b"\0")
        while (answer := self.read()).get("id") != number:
            pass
        assert "error" not in answer, answer
        return answer["result"]

    def value(self, script):
        result = self.ask("Runtime.evaluate", expression=script, awaitPromise=True)
        assert "exceptionDetails" not in result, result
        return result["result"].get("value")

    def open(self, url, width, dark):
        self.seen.clear()
        self.ask("Emulation.setDeviceMetricsOverride", width=width, height=800, deviceScaleFactor=1, mobile=width < 500)
        self.ask("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": "dark" if dark else "light"}])
        self.ask("Page.navigate", url=url)
        while not any(s.get("method") == "Page.loadEventFired" for s in self.seen):
            self.read()

    def faults(self):
        return [s for s in self.seen if s.get("method") in ("Log.entryAdded", "Runtime.exceptionThrown") and "favicon" not in json.dumps(s)]


out, host = sys.argv[1:]
with tempfile.TemporaryDirectory() as folder:
    page = Chromium(folder)
    for line in sys.stdin:
        name, width, light, lang, words = line.rstrip("\n").split(" ", 4)
        page.open(f"http://{host}/?lang={lang}", int(width), light == "dark")
        # By the page's script alone: what it said when it was loaded may be old.
        page.value("new Promise(done => { const look = () => document.body.innerText.includes(%s) ? done() : setTimeout(look, 100); look(); })" % json.dumps(words))
        assert not page.faults(), page.faults()
        inside = page.value("document.documentElement.scrollWidth <= innerWidth")
        assert inside, f"{name}: the page is wider than {width} pixels"
        stops = page.value("[...document.querySelectorAll('a, button, pre, summary')].filter(x => x.tabIndex < 0).length")
        assert stops == 0, f"{name}: {stops} parts cannot be reached by the keyboard"
        shot = page.ask("Page.captureScreenshot", captureBeyondViewport=True)["data"]
        with open(f"{out}/{name}.png", "wb") as f:
            f.write(base64.b64decode(shot))
        print("ok", name, flush=True)
    page.process.terminate()
    page.process.wait()
