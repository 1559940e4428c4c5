#!/usr/bin/env python3
"""Tries each recipe in this folder against the instrument, using the real program where it is installed.

usage: try.py PLAYER [RECIPE ..]     PLAYER is the latent-jockey binary; recipes: touchdesigner pure-data tidal sonic-pi

Starts the player headless on its own port, lets the recipe send for a few seconds, and asks the player whether the
parameters moved. Programs that are not installed are reported as skipped. Needs only Python 3.
"""
import json, os, shutil, signal, socket, subprocess, sys, tempfile, time, urllib.request

HERE = os.path.dirname(os.path.abspath(__file__))
PORT = 9086
children = []


def start(command, **options):
    """A child in its own process group, so that whatever it starts ends with it."""
    child = subprocess.Popen(command, start_new_session=True, **options)
    children.append(child)
    return child


def stop(child):
    for sign in (signal.SIGTERM, signal.SIGKILL):
        try:
            os.killpg(child.pid, sign)
            child.wait(5)
            return
        except ProcessLookupError:
            return
        except subprocess.TimeoutExpired:
            pass


def recipe(name, **others):
    """The text of an example file, adapted to our port."""
    text = open(os.path.join(HERE, name)).read()
    for old, new in {"9000": str(PORT), **others}.items():
        text = text.replace(old, new)
    return text


def written(name, text):
    file = os.path.join(tempfile.mkdtemp(), name)
    with open(file, "w") as out:
        out.write(text)
    return file


def value(address):
    with urllib.request.urlopen(f"http://127.0.0.1:{PORT}{address}?VALUE", timeout=5) as answer:
        return json.load(answer)["VALUE"][0]


def moved(addresses, seconds):
    """Waits until each address has taken three values; returns those that took fewer."""
    seen = {address: set() for address in addresses}
    end = time.time() + seconds
    while time.time() < end and min(len(values) for values in seen.values()) < 3:
        for address, values in seen.items():
            values.add(value(address))
        time.sleep(0.05)
    return [address for address, values in seen.items() if len(values) < 3]


def touchdesigner():
    start([sys.executable, os.path.join(HERE, "touchdesigner.py"), "8", str(PORT)])
    return ["/psi", "/style/blend", "/feedback/zoom", "/feedback/rotate", "/walk/speed"], 8


def pure_data():
    pd = shutil.which("pd")
    if not pd:
        return "no pd (apt: puredata-core)"
    start([pd, "-nogui", "-noaudio", "-nomidi", written("patch.pd", recipe("pure-data.pd"))], stderr=subprocess.DEVNULL)
    time.sleep(1.5)
    hand = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    for number in (0.2, 0.4, 0.6):
        hand.sendto(f"{number};\n".encode(), ("127.0.0.1", 9185))
        moved(["/psi"], 0.3)
    return ["/psi"], 0


def tidal():
    ghci = shutil.which("ghci")
    if not ghci:
        return "no ghci (apt: ghci is in ghc; libghc-tidal-dev)"
    if subprocess.run(["ghc-pkg", "list", "--simple-output", "tidal"], capture_output=True, text=True).stdout.strip() == "":
        return "no TidalCycles (apt: libghc-tidal-dev)"
    script = recipe("tidal.hs") + '''
v1 $ segment 16 $ psi (range 0.4 1 sine)
v2 $ stack [seed "<67 8 3 85>", walk "speed" "0.2 1.5 1", z "3" "1 2 3"]
import Control.Concurrent
threadDelay 12000000
:quit
'''
    start([ghci, "-v0", "-ghci-script", written("tidal.hs", script)], stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    return ["/psi", "/seed", "/walk/speed", "/z/3"], 60


def sonic_pi():
    listed = subprocess.run("dpkg -L sonic-pi-server", shell=True, capture_output=True, text=True).stdout.split()
    server = next((file for file in listed if file.endswith("sonic-pi-server.rb")), None)
    if not server or not shutil.which("jackd"):
        return "no sonic-pi-server or no jackd (apt: sonic-pi-server jackd2 supercollider-server)"
    quiet = dict(stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    start(["jackd", "-r", "-d", "dummy", "-r", "48000", "-p", "1024"], **quiet)
    time.sleep(2)
    ports = "4557 4558 4556 4556 4559 4560 4561 4562".split()
    start(["ruby", "-E", "utf-8", server, "-u", *ports], cwd=os.path.dirname(server), **quiet)
    pad = lambda text: text.encode() + b"\0" * (4 - len(text.encode()) % 4)
    code = pad("/run-code") + pad(",ss") + pad("try") + pad(recipe("sonic-pi.rb", **{"sleep 4": "sleep 0.5"}))
    out = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    # The server does not say when it is ready, so the code is sent until something moves.
    for _ in range(12):
        time.sleep(5)
        out.sendto(code, ("127.0.0.1", 4557))
        if not moved(["/seed"], 3):
            break
    return ["/seed", "/psi"], 10


RECIPES = {"touchdesigner": touchdesigner, "pure-data": pure_data, "tidal": tidal, "sonic-pi": sonic_pi}


def main():
    if len(sys.argv) < 2 or not set(sys.argv[2:]) <= set(RECIPES):
        sys.exit(__doc__)
    failed = 0
    player = start([sys.argv[1], "play", os.path.join(HERE, "touchdesigner.toml"), "--headless", "--osc", str(PORT),
                    "--seconds", "600"], stdout=subprocess.DEVNULL)
    for _ in range(100):
        time.sleep(0.1)
        try:
            value("/psi")
            break
        except (OSError, ValueError):
            if player.poll() is not None:
                sys.exit("the player ended")
    for name in sys.argv[2:] or RECIPES:
        before = len(children)
        result = RECIPES[name]()
        if isinstance(result, str):
            print(f"{name}: skipped, {result}")
            continue
        addresses, seconds = result
        still = moved(addresses, seconds) if seconds else []
        if name == "pure-data" and abs(value("/psi") - 0.6) > 1e-3:
            still = ["/psi"]
        failed += bool(still)
        print(f"{name}: {', '.join(still)} did not move" if still else f"{name}: moves {', '.join(addresses)}")
        for child in children[before:]:
            stop(child)
        del children[before:]
    sys.exit(failed)


try:
    main()
finally:
    for child in reversed(children):
        stop(child)
