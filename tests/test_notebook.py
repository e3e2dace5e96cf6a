"""A case from its first picture to its last word, and what a notebook shows of it"""
import json
import re
import threading

import numpy as np
import pytest

nbformat, nbclient = pytest.importorskip("nbformat"), pytest.importorskip("nbclient")

from toys import texture  # noqa: E402

from deepnb.core import data_path  # noqa: E402
from deepnb.notebook import Case, case_sections, write_report  # noqa: E402
from deepnb.reader import default_reader  # noqa: E402

PICTURES = sorted(p for p in data_path("data", "pictures").iterdir() if p.suffix in {".png", ".jpg"})


class Held:
    "The shipped reader, which waits at the door until it is let in"

    def __init__(self):
        self.door, self.asked = threading.Event(), threading.Event()

    def read(self, picture):
        self.asked.set()
        assert self.door.wait(20)
        return default_reader().read(picture)


def run_cells(*cells, timeout=180):
    "The outputs of the last of these cells, run in a kernel of their own"
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in cells])
    nbclient.NotebookClient(notebook, timeout=timeout, kernel_name="python3").execute()
    return notebook.cells[-1].outputs


def no_reasons(picture, *, reader):
    return None


def test_a_case_goes_from_file_to_reasons():
    seen = []
    case = Case()
    case.observe(lambda change: seen.append(change["name"]), ["picture", "reading", "explanation"])
    whys = []
    case.observe(lambda change: whys.append(change["new"]), "explanation")
    case.open(PICTURES[0]).wait(400)
    assert case.error == "" and not case.busy
    assert [name for i, name in enumerate(seen) if name not in seen[:i]] == ["picture", "reading", "explanation"]
    assert case.explanation.picture == case.reading.picture
    first, last = [why for why in whys if why is not None]  # the map comes before its check
    assert first.receipt is None and last.receipt is not None and (first.values == last.values).all()
    assert case.explanation.score == pytest.approx(case.reading.score, abs=0.6)  # fewer crops are explained


def test_a_refusal_is_told_in_words_and_the_next_picture_is_read(tmp_path):
    (tmp_path / "notes.jpg").write_text("not a picture")
    case = Case(explain=no_reasons).open(tmp_path / "notes.jpg").wait(60)
    assert "notes.jpg" in case.error and case.trace == "" and case.reading is None
    case.open(PICTURES[0]).wait(400)
    assert case.error == "" and case.reading is not None


def test_an_unforeseen_error_is_told_and_kept():
    class Broken:
        def read(self, picture):
            raise ZeroDivisionError("by hand")

    case = Case(Broken()).open(texture(160, 160)).wait(60)
    assert "by hand" in case.error and "ZeroDivisionError" in case.trace
    assert not case.busy and case.picture is not None


def test_what_is_stopped_leaves_no_half_result():
    held = Held()
    case = Case(held, explain=no_reasons).open(PICTURES[0])
    assert held.asked.wait(60)
    case.stop()
    held.door.set()
    case.open(PICTURES[1]).wait(400)
    assert case.reading.picture.name == PICTURES[1].name and case.error == ""


def test_a_second_picture_takes_the_place_of_the_first():
    held = Held()
    case = Case(held, explain=no_reasons)
    names = []
    case.observe(lambda change: change["new"] and names.append(change["new"].picture.name), "reading")
    case.open(PICTURES[0])
    assert held.asked.wait(60)
    case.open(PICTURES[1])
    held.door.set()
    case.wait(400)
    assert names == [PICTURES[1].name]


def test_the_sections_say_what_the_reading_says():
    reading = default_reader().read(PICTURES[0])
    from deepnb.picture import load

    sections = case_sections(load(PICTURES[0]), reading)
    text = " ".join(line for section in sections for line in section.texts)
    assert reading.sentence in text and reading.picture.sha256 in text
    assert [section.name for section in sections] == ["answer", "file", "limits"]


def test_a_report_takes_the_explanation_that_is_given(tmp_path):
    from deepnb.explanation import explain

    picture = texture(160, 160)
    why = explain(picture, reader=default_reader(), receipt=False, n_steps=2)
    page = write_report(picture, tmp_path / "case.html", explanation=why).read_text(encoding="utf-8")
    bare = write_report(picture, tmp_path / "bare.html", explanation=False).read_text(encoding="utf-8")
    first = why.sentence.split(" is ")[0]
    assert first in page and first not in bare


def test_a_reading_shows_its_figure_in_a_notebook_without_being_asked():
    "With nothing imported but deepnb itself"
    outputs = run_cells("import deepnb", f"deepnb.read({str(PICTURES[0])!r})")
    data = next(out for out in outputs if out.output_type == "execute_result").data
    assert {"image/png", "text/plain", "text/html"} <= set(data)
    words = default_reader().read(PICTURES[0]).sentence.split(".")[0]
    assert words in " ".join(data["text/plain"].split())
    assert re.search(r'alt="[^"]{20,}', data["text/html"])


@pytest.mark.parametrize("value, words", [
    ("shipped['generated']", "Why “generated”, 100 pictures in 20 groups"),
    ("contrast(shipped['generated'], shipped['photographs'])", "100 pictures in 20 groups less 100 pictures in 47 groups"),
])  # fmt: skip
def test_what_many_explanations_have_in_common_shows_itself_as_a_figure(value, words):
    outputs = run_cells(
        "import deepnb; deepnb.explain",
        "from deepnb.profiles import contrast, read_profiles; shipped = read_profiles(draws=100)",
        value,
    )
    data = next(out for out in outputs if out.output_type == "execute_result").data
    assert {"image/png", "text/plain", "text/html"} <= set(data)
    assert words in data["text/html"] and words in data["text/plain"]
    alt = re.search(r'alt="([^"]+)', data["text/html"])[1]
    assert re.search(r"Of 6 frequency bands \d differ", alt) and "cycles per pixel" in alt


def test_a_saved_reading_is_shown_without_torch(tmp_path):
    path = tmp_path / "reading.json"
    path.write_text(json.dumps(default_reader().read(PICTURES[0]).to_json()))
    outputs = run_cells(
        f"import json; from pathlib import Path; from deepnb.reading import Reading; text = Path({str(path)!r}).read_text()",
        "import sys; reading = Reading.from_json(json.loads(text)); print(reading.sentence, 'torch' in sys.modules)",
    )
    assert outputs[0].text.strip().endswith("False")


def test_many_pictures_make_one_table():
    many = default_reader().read_many([*PICTURES[:2], b"nothing"], progress=False)
    assert [reading.picture.name for reading in many] == [path.name for path in PICTURES[:2]]
    assert [refusal.cause for refusal in many.refused] == ["not_a_picture"]
    frame = many.to_frame()
    assert list(frame.picture_name) == [path.name for path in PICTURES[:2]]
    assert np.allclose(frame.score, [reading.score for reading in many])
    assert json.loads(frame.sources[0])[0]["name"]
