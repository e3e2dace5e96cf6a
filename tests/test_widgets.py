"""The panel as a person meets it, in real JupyterLab, Voila and Chromium; asserted is the text on the page"""
import json
import os
import re
import secrets
import socket
import subprocess
import sys
import time
import urllib.request
from contextlib import closing, contextmanager
from pathlib import Path

import nbformat
import numpy as np
import pytest
from PIL import Image

pytestmark = [pytest.mark.browser, pytest.mark.slow]

SHARE = Path(__file__).parents[1] / "deepnb" / "share" / "jupyter"
FLAGS = """--no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking
--disable-component-update --disable-sync"""
PANEL = "import deepnb\ndeepnb.panel()"
SAMPLES = f"""import sys
import time

import deepnb

sys.path.insert(0, {str(Path(__file__).parent)!r})
import samples
"""
QUICK = f"""{SAMPLES}

class Quick:
    def read(self, picture):
        return samples.sample_reading(name=picture.name)


deepnb.panel(reader=Quick(), explain=lambda picture, reader: samples.sample_explanation())"""
SLOW = f"""{SAMPLES}

class Sleeper:
    def read(self, picture):
        time.sleep(20)


deepnb.panel(reader=Sleeper())"""
WAIT = 120_000  # milliseconds; generous, since a busy machine is no fault of the panel
VERDICTS = "Traces of a generator found|No trace that this reader knows|Cannot say"
DENIED = "['@voila-dashboards/jupyterlab-preview','@jupyter-notebook/lab-extension','jupyterlab_pygments','jupyterlab-jupytext']"


# Servers and pages ----------------------------------------------------------------------------------


def free_port():
    with closing(socket.socket()) as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@contextmanager
def served(command, folder, *, port, token):
    "A server of its own: own settings, own folders, own token; ended at the end"
    names = ("RUNTIME", "CONFIG", "DATA")
    env = os.environ | {f"JUPYTER_{name}_DIR": str(folder / name.lower()) for name in names}
    env |= {f"JUPYTERLAB_{name}_DIR": str(folder / name.lower()) for name in ("SETTINGS", "WORKSPACES")}
    env |= {"JUPYTER_PATH": str(SHARE), "IPYTHONDIR": str(folder / "ipython")}
    with (folder / "server.log").open("w") as log:
        command = [sys.executable, "-m", *command]
        server = subprocess.Popen(command, cwd=folder, env=env, stdout=log, stderr=log)
        try:
            address = f"http://127.0.0.1:{port}"
            for _ in range(240):
                assert server.poll() is None, (folder / "server.log").read_text()
                try:
                    urllib.request.urlopen(f"{address}/api?token={token}", timeout=2)
                    break
                except urllib.error.HTTPError:
                    break
                except OSError:
                    time.sleep(0.25)
            yield address
        finally:
            server.terminate()
            server.wait(20)


def write_notebook(folder, name, source):
    page = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(source)])
    page.metadata["kernelspec"] = {"name": "python3", "display_name": "Python 3", "language": "python"}
    nbformat.write(page, folder / name)


def playwright_timeout():
    from playwright.sync_api import TimeoutError

    return TimeoutError


class Lab:
    "A JupyterLab, and the pages open in it"

    def __init__(self, address, token, folder):
        self.address, self.token, self.folder = address, token, folder

    def open(self, page, name, source=None):
        "Open a notebook; with a source, write it first and run its cell"
        if source:
            write_notebook(self.folder, name, source)
        page.goto(f"{self.address}/lab/tree/{name}?token={self.token}&reset", wait_until="domcontentloaded")
        page.wait_for_selector(".jp-NotebookPanel .jp-Cell", timeout=WAIT)
        if source:
            idle = ".jp-NotebookPanel .jp-Notebook-ExecutionIndicator[data-status=idle]"
            page.wait_for_selector(idle, state="attached", timeout=WAIT)
            self.run(page)

    def run(self, page):
        "Run the cell by the menu; again where the notebook was not ready yet and nothing came of it"
        for _ in range(6):
            page.get_by_role("menuitem", name="Run", exact=True).click()
            page.get_by_role("menuitem", name="Run All Cells", exact=True).click()
            try:
                page.wait_for_selector(".dn-root .dn-invite", timeout=WAIT // 6)
                return
            except playwright_timeout():
                page.keyboard.press("Escape")
        raise AssertionError(f"no panel came up: {page.locator('.jp-Notebook').inner_text()}")

    def call(self, path, method="GET"):
        ask = urllib.request.Request(
            f"{self.address}/api/{path}", headers={"Authorization": f"token {self.token}"}, method=method
        )
        with urllib.request.urlopen(ask) as answer:
            return json.loads(answer.read() or b"null")

    def stop_kernels(self):
        for kernel in self.call("kernels"):
            self.call(f"kernels/{kernel['id']}", "DELETE")


@pytest.fixture(scope="module")
def lab(tmp_path_factory):
    folder, port, token = tmp_path_factory.mktemp("lab"), free_port(), secrets.token_hex(8)
    (folder / "config" / "labconfig").mkdir(parents=True)
    news = {"disabledExtensions": {"@jupyterlab/apputils-extension:announcements": True}}
    (folder / "config" / "labconfig" / "page_config.json").write_text(json.dumps(news))
    command = ["jupyterlab", "--no-browser", "--allow-root", "--ip=127.0.0.1", f"--port={port}"]
    command += [f"--IdentityProvider.token={token}", f"--ServerApp.root_dir={folder}"]
    with served(command, folder, port=port, token=token) as address:
        lab = Lab(address, token, folder)
        yield lab
        lab.stop_kernels()


@contextmanager
def voila_page(browser, folder, source=PANEL, *, theme="light", **options):
    "A page of Voila with our template, in a browser context of its own"
    write_notebook(folder, "app.ipynb", source)
    port, token = free_port(), secrets.token_hex(8)
    command = ["voila", "app.ipynb", "--no-browser", "--Voila.ip=127.0.0.1", f"--port={port}"]
    command += [f"--token={token}", "--template=deepnb", f"--theme={theme}"]
    command += [f"--VoilaConfiguration.extension_denylist={DENIED}"]
    with served(command, folder, port=port, token=token) as address, watched(browser, **options) as page:
        page.goto(f"{address}/?token={token}", wait_until="domcontentloaded")
        page.wait_for_selector(".dn-root .dn-invite", timeout=WAIT)
        yield page


@pytest.fixture(scope="module")
def browser(chromium):
    from playwright.sync_api import sync_playwright

    with sync_playwright() as play:
        browser = play.chromium.launch(executable_path=chromium, headless=True, args=FLAGS.split())
        yield browser
        browser.close()


@contextmanager
def watched(browser, *, width=1280, height=1000, **options):
    "A page that notes every request to another machine and every error in its console"
    context = browser.new_context(viewport={"width": width, "height": height}, **options)
    page = context.new_page()
    page.strangers, page.errors = [], []
    page.on("request", lambda r: None if is_local(r.url) else page.strangers.append(r.url))
    page.on("console", lambda m: page.errors.append(m.text) if m.type == "error" else None)
    yield page
    context.close()


def is_local(url):
    return url.startswith(("data:", "blob:", "about:")) or "//127.0.0.1:" in url


@pytest.fixture
def page(browser):
    with watched(browser) as page:
        yield page


# What a person does and sees -------------------------------------------------------------------------


def choose(page, path):
    page.set_input_files(".dn-root input[type=file]", str(path))


def see(page, words, *, where=".dn-root", seconds=WAIT // 1000):
    "Wait until the words (a regular expression) can be read there; returns all that can be read"
    from playwright.sync_api import expect

    expect(page.locator(where).first).to_contain_text(re.compile(words), timeout=1000 * seconds)
    return page.locator(where).first.inner_text()


HAND = """async ([way, kind, name, bytes]) => {
  const target = document.querySelector('.dn-root .dn-bring');
  const data = new DataTransfer();
  data.items.add(new File([new Uint8Array(bytes)], name, {type: kind}));
  const options = {bubbles: true, cancelable: true};
  const event = way === 'drop' ? new DragEvent('drop', {dataTransfer: data, ...options})
    : new ClipboardEvent('paste', {clipboardData: data, ...options});
  target.dispatchEvent(event);
}"""


def hand_over(page, way, path, kind="image/jpeg"):
    "Drop or paste a file as a browser does it"
    page.evaluate(HAND, [way, kind, path.name, list(path.read_bytes())])


@pytest.fixture(scope="module")
def large_picture(tmp_path_factory):
    "A PNG of at least 15 MB: more than one message of a notebook's server may hold"
    path = tmp_path_factory.mktemp("large") / "large.png"
    grain = np.random.default_rng(0).integers(0, 256, (2000, 2700, 3), dtype=np.uint8)
    Image.fromarray(grain).save(path, compress_level=0)
    assert path.stat().st_size >= 15e6
    return path


def loud(page):
    "Errors in the console that are ours"
    return [text for text in page.errors if "dn-" in text or "panel" in text or "deepnb" in text]


# JupyterLab --------------------------------------------------------------------------------------------


def test_lab_shows_answer_and_reasons_of_a_chosen_picture(lab, page, bundled):
    lab.open(page, "choose.ipynb", PANEL)
    assert "Drop a picture here, paste it, or choose a file" in " ".join(see(page, "Drop a picture").split())
    choose(page, bundled[0])
    said = see(page, "Done")
    assert re.search(VERDICTS, said), said
    assert re.search("^Why$", said, re.M)
    assert bundled[0].name in page.locator(".dn-root .dn-file").text_content()
    names = ["picture", "fingerprint", "spectrum", "regions", "bands", "matrix"]
    for name in names:
        image = page.locator(f".dn-root .dn-figure.dn-{name} img")
        image.wait_for(timeout=WAIT)
        assert len(image.get_attribute("alt")) > 15
        assert image.evaluate("image => image.complete && image.naturalWidth > 200")
    assert not page.locator(".dn-snap").first.is_visible(), "the still copy is hidden while the panel lives"
    assert not page.strangers and not loud(page)


def test_lab_takes_a_dropped_and_a_pasted_picture(lab, page, bundled):
    lab.open(page, "hand.ipynb", QUICK)
    for way, path in (("drop", bundled[0]), ("paste", bundled[3])):
        hand_over(page, way, path)
        page.locator(".dn-root .dn-file", has_text=path.name).wait_for(timeout=WAIT, state="attached")
        see(page, "Done")
    assert page.locator(".dn-root .dn-file").count() == 1, "the second picture takes the place of the first"
    assert bundled[0].name not in page.locator(".dn-root").text_content()
    cells = page.locator(".jp-Notebook .jp-Cell").count()
    assert cells == 1, "neither drop nor paste reached the notebook itself"


def test_lab_takes_a_large_picture_in_chunks(lab, page, large_picture):
    frames = []
    page.on("websocket", lambda ws: ws.on("framesent", lambda data: frames.append(len(data))))
    lab.open(page, "large.ipynb", PANEL)
    choose(page, large_picture)
    see(page, "Done", seconds=2 * WAIT // 1000)
    assert "2700 × 2000 pixels" in page.locator(".dn-root .dn-file").text_content()
    assert large_picture.stat().st_size < sum(frames), "the whole file was sent"
    assert max(frames) < 2 << 20, "in chunks"


def test_lab_says_in_words_why_a_file_is_refused(lab, page, tmp_path, bundled):
    letter = tmp_path / "letter.jpg"
    letter.write_text("Dear editor, this is no picture.\n" * 9)
    lab.open(page, "refused.ipynb", QUICK)
    choose(page, letter)
    said = see(page, "letter.jpg", where=".dn-root .dn-error")
    assert "Traceback" not in said and len(said.split()) > 5, said
    empty = tmp_path / "empty.png"
    empty.touch()
    choose(page, empty)
    see(page, "empty.png: The file is empty", where=".dn-root .dn-error")
    choose(page, bundled[0])
    see(page, "Done")
    assert not page.locator(".dn-root .dn-error").is_visible(), "the complaint goes when a picture comes"


def test_lab_stops_when_told(lab, page, bundled):
    lab.open(page, "stop.ipynb", SLOW)
    choose(page, bundled[0])
    see(page, "Reading the picture")
    began = time.monotonic()
    page.locator(".dn-root .dn-stop").click()
    said = see(page, "Stopped", seconds=5)
    assert time.monotonic() - began < 5
    assert not re.search(VERDICTS, said), "nothing half done is shown"
    assert not page.locator(".dn-root .dn-stop").is_visible()


def test_lab_is_worked_by_keyboard_alone(lab, page, bundled):
    lab.open(page, "keys.ipynb", QUICK)
    page.wait_for_timeout(1000)  # JupyterLab moves the focus itself after a run
    with page.expect_file_chooser(timeout=WAIT) as chooser:
        page.locator(".dn-root input[type=file]").press("Enter")
    chooser.value.set_files(str(bundled[0]))
    see(page, "Done")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.textContent") == "The file and its state"
    page.keyboard.press("Enter")
    page.locator(".dn-root").get_by_text("SHA-256").wait_for(timeout=5000)
    assert page.locator(".jp-Notebook .jp-Cell").count() == 1


def test_lab_keeps_figure_and_words_when_the_kernel_is_gone(lab, page, browser, bundled):
    lab.open(page, "kept.ipynb", QUICK)
    choose(page, bundled[0])
    see(page, "Done")
    page.locator(".dn-root .dn-figure.dn-matrix img").wait_for(timeout=WAIT)
    page.wait_for_timeout(3000)
    page.locator(".jp-Notebook .jp-Cell .jp-InputArea").first.click()
    page.keyboard.press("Control+s")
    page.wait_for_timeout(3000)
    saved = nbformat.read(lab.folder / "kept.ipynb", 4)
    assert "widgets" not in saved.metadata
    page.close()
    lab.stop_kernels()
    with watched(browser) as again:
        lab.open(again, "kept.ipynb")
        said = see(again, VERDICTS, where=".dn-snap")
        assert "Why" in said
        images = again.locator(".dn-snap img")
        assert images.count() == 6 and images.first.is_visible()
        assert again.locator(".dn-snap").bounding_box()["height"] > 400
        assert not again.strangers


def test_lab_tells_when_the_kernel_no_longer_answers(lab, page, bundled):
    lab.open(page, "dead.ipynb", QUICK)
    choose(page, bundled[0])
    see(page, "Done")
    for kernel in lab.call("kernels"):
        lab.call(f"kernels/{kernel['id']}", "DELETE")
    see(page, "The kernel does not answer", where=".dn-root .dn-lost", seconds=WAIT // 1000)
    assert re.search(VERDICTS, page.locator(".dn-root").inner_text()), "what was shown stays"


# Voila ---------------------------------------------------------------------------------------------------


def test_voila_reads_a_large_picture_without_asking_anyone(browser, tmp_path, large_picture):
    with voila_page(browser, tmp_path) as page:
        choose(page, large_picture)
        said = see(page, "Done", seconds=2 * WAIT // 1000)
        assert re.search(VERDICTS, said)
        page.locator(".dn-root .dn-figure.dn-matrix img").wait_for(timeout=WAIT)
        assert not page.locator(".dn-snap").first.is_visible()
        assert not page.strangers, page.strangers
        assert not loud(page)


@pytest.mark.parametrize("theme, width", [("light", 1280), ("dark", 420)])
def test_voila_bars_nobody(browser, tmp_path, bundled, theme, width):
    from axe_playwright_python.sync_playwright import Axe

    with voila_page(browser, tmp_path, QUICK, theme=theme, width=width) as page:
        assert not faults(Axe().run(page, context=".dn-root")), "empty"
        choose(page, bundled[0])
        see(page, "Done")
        page.locator(".dn-root .dn-figure.dn-matrix img").wait_for(timeout=WAIT)
        for heading in page.locator(".dn-root summary").all():
            heading.click()
        assert not faults(Axe().run(page, context=".dn-root")), "with an answer"
        assert not faults(Axe().run(page)), "the whole page"
        wide = page.evaluate("document.querySelector('.dn-root').scrollWidth - innerWidth")
        assert wide <= 0, "nothing sticks out of the window"


def faults(found):
    serious = [fault for fault in found.response["violations"] if fault["impact"] in ("serious", "critical")]
    return [(fault["id"], [node["html"][:200] for node in fault["nodes"]][:4]) for fault in serious]
