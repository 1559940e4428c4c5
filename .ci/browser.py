"""Headless Chromium, driven over its debugging port. Needs Python 3 with `websockets` (apt: python3-websockets)."""
import asyncio, base64, json, os, shutil, subprocess, tempfile, urllib.request

import websockets


def program():
    """The path of a Chromium, or None."""
    return shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")


class Browser:
    def __init__(self):
        self.child, self.socket, self.count, self.errors = None, None, 0, []

    async def start(self, url, width=1440, height=900, touch=False):
        """Opens a page in a browser of its own."""
        self.folder = tempfile.mkdtemp()
        self.child = subprocess.Popen(
            [program(), "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run",
             "--remote-debugging-port=0", f"--user-data-dir={self.folder}", "about:blank"],
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        for _ in range(300):
            await asyncio.sleep(0.1)
            assert self.child.poll() is None, "Chromium ended"
            found = f"{self.folder}/DevToolsActivePort"
            if os.path.exists(found) and len(open(found).read().split()) > 1:
                break
        port = open(found).read().split()[0]
        pages = json.load(urllib.request.urlopen(f"http://127.0.0.1:{port}/json"))
        page = next(page for page in pages if page["type"] == "page")
        self.socket = await websockets.connect(page["webSocketDebuggerUrl"], max_size=None)
        await self.call("Runtime.enable")
        await self.call("Emulation.setTouchEmulationEnabled", enabled=touch, maxTouchPoints=5)
        await self.size(width, height)
        await self.call("Page.navigate", url=url)

    async def call(self, method, **params):
        self.count += 1
        number = self.count
        await self.socket.send(json.dumps({"id": number, "method": method, "params": params}))
        while True:
            answer = json.loads(await asyncio.wait_for(self.socket.recv(), 30))
            if answer.get("method") == "Runtime.exceptionThrown":
                self.errors.append(answer["params"]["exceptionDetails"])
            if answer.get("id") == number:
                assert "error" not in answer, answer
                return answer["result"]

    async def run(self, code):
        answer = await self.call("Runtime.evaluate", expression=code, awaitPromise=True, returnByValue=True)
        assert "exceptionDetails" not in answer, answer
        return answer["result"].get("value")

    async def wait(self, what, code, seconds=10.0):
        """Waits until an expression is true; returns its value."""
        for _ in range(int(seconds / 0.05)):
            value = await self.run(f"(() => {{ try {{ return {code} }} catch {{ return null }} }})()")
            if value:
                return value
            await asyncio.sleep(0.05)
        raise SystemExit(f"the page: {what} did not happen")

    async def size(self, width, height, mobile=False):
        await self.call("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=mobile)

    async def touch(self, kind, *points):
        """`touchStart`, `touchMove` or `touchEnd`, with a finger at each point."""
        fingers = [{"x": x, "y": y, "id": i} for i, (x, y) in enumerate(points)]
        await self.call("Input.dispatchTouchEvent", type=kind, touchPoints=fingers)

    async def picture(self, path):
        shot = await self.call("Page.captureScreenshot", format="png")
        with open(path, "wb") as file:
            file.write(base64.b64decode(shot["data"]))

    def end(self):
        if self.child:
            self.child.terminate()
            try:
                self.child.wait(5)
            except subprocess.TimeoutExpired:
                self.child.kill()
            shutil.rmtree(self.folder, ignore_errors=True)
