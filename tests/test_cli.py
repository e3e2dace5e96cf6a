"""The terminal door: what a person and a program get, through the real parser, loader and printers"""
import io
import json
import os
import subprocess
import sys
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image

from deepnb.cli import main, make_parser, parse_parts
from deepnb.core import ChoiceError, WeightsError
from deepnb.reading import (
    Comparison,
    FalseAlarm,
    ReaderRecord,
    Reading,
    ScopeNote,
    Source,
    Stress,
    StressStep,
    Verdict,
    record_picture,
)

RECORD = ReaderRecord("toy", "1", "ab" * 32)


class ToyReader:
    """A reader whose answer is known by hand: the brighter the picture, the more generated"""

    crop, scores, name, sha256, record = 64, ("generated",), "toy", RECORD.sha256, RECORD

    def score(self, name):
        if name != "generated":
            raise ChoiceError(f"There is no score {name!r}. Known: generated.")
        return lambda x: x.mean((1, 2, 3)) * 8 - 4

    def read(self, picture):
        score = float(picture.pixels.mean()) / 255 * 8 - 4
        verdict = Verdict.generated if score > 0 else Verdict.no_trace
        return Reading(
            picture=record_picture(picture),
            verdict=verdict,
            score=score,
            probability=float(1 / (1 + np.exp(-score))),
            false_alarm=FalseAlarm(1, 58, 0.079),
            found_share=0.5,
            sources=(Source("stylegan2", 0.3), Source("dalle_mini", 0.1)),
            source_set=("stylegan2",),
            unknown_source=0.6,
            hyperparameters=(),
            processed=None,
            fingerprint=np.zeros((8, 8, 3)),
            spectrum=np.zeros((8, 8)),
            embedding=np.zeros(4),
            crop_boxes=np.array([[0, 0, 64, 64]]),
            crop_scores=np.array([score]),
            scope=(ScopeNote("small", "The picture is small."),),
            condition={},
            sentence=f"The toy reader says {verdict.words}.",
            reader=RECORD,
            seconds=0.5,
        )

    def compare(self, a, b):
        first, second = record_picture(a), record_picture(b)
        return Comparison(first, second, 0.9, 2.2, "same", f"{a.name} and {b.name}: one machine.", RECORD)

    def stress(self, picture):
        steps = [StressStep("untouched", 1.0, 0.7, "generated"), StressStep("jpeg90", 0.5, 0.6, "generated")]
        return Stress(tuple(steps), True, "The answer holds.", record_picture(picture), RECORD)


class Ask:
    "Runs a command in this process and holds its exit code, output and errors"

    def __init__(self, capsys):
        self.capsys = capsys

    def __call__(self, *words, reader=None):
        self.capsys.readouterr()
        try:
            code = main([str(word) for word in words], reader=reader or ToyReader())
        except SystemExit as stop:
            code = stop.code
        held = self.capsys.readouterr()
        assert "Traceback" not in held.err
        return SimpleNamespace(code=code, out=held.out, err=held.err)


@pytest.fixture
def ask(capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "90")
    return Ask(capsys)


def noise(seed, low, high, side=160):
    values = np.random.default_rng(seed).integers(low, high, (side, side, 3)).astype(np.uint8)
    return Image.fromarray(values)


@pytest.fixture
def folder(tmp_path):
    "Two good pictures, one cut off, one text that calls itself a picture, one file that is none"
    noise(0, 130, 250).save(tmp_path / "bright.png")
    noise(1, 5, 90).save(tmp_path / "dark.jpg", quality=92)
    held = io.BytesIO()
    noise(2, 0, 255).save(held, "JPEG")
    (tmp_path / "half.jpg").write_bytes(held.getvalue()[: len(held.getvalue()) // 2])
    (tmp_path / "text.jpg").write_text("Dear editor, the picture is attached.")
    (tmp_path / "notes.txt").write_text("not meant")
    return tmp_path


# read -----------------------------------------------------------------------------------------------


def test_read_says_it_in_words(ask, folder):
    answer = ask("read", folder / "bright.png")
    assert answer.code == 0 and answer.err == ""
    assert answer.out.startswith(f"{folder / 'bright.png'}\n")
    assert "traces of a generator" in answer.out
    assert max(map(len, answer.out.splitlines()[1:])) <= 90


def test_read_goes_on_after_a_refusal(ask, folder):
    answer = ask("read", folder / "text.jpg", folder / "gone.png", folder / "dark.jpg")
    assert answer.code == 1
    assert "dark.jpg" in answer.out and "text.jpg" not in answer.out
    lines = answer.err.splitlines()
    assert len(lines) == 2 and all(line.startswith(str(folder)) for line in lines)
    assert "gone.png: " in lines[1]


def test_a_folder_stands_for_its_pictures(ask, folder):
    answer = ask("read", "--json", folder)
    lines = [json.loads(line) for line in answer.out.splitlines()]
    assert [line["picture"]["name"].rsplit("/")[-1] for line in lines] == [
        "bright.png",
        "dark.jpg",
        "half.jpg",
        "text.jpg",
    ]
    assert [line.get("verdict") for line in lines][:2] == ["generated", "no_trace"]
    assert [line["error"]["cause"] for line in lines[2:]] == ["truncated", "not_a_picture"]
    assert answer.code == 1 and "1 files left out" in answer.err


def test_json_has_the_promised_fields_and_nothing_else_is_printed(ask, folder):
    answer = ask("read", "--json", folder / "bright.png")
    line = json.loads(answer.out)
    assert line["schema"] == 1 and answer.err == ""
    assert set(line) == {
        "schema",
        "picture",
        "verdict",
        "score",
        "probability",
        "false_alarm",
        "sources",
        "source_set",
        "unknown_source",
        "hyperparameters",
        "fingerprint",
        "scope",
        "sentence",
        "reader",
        "seconds",
    }
    assert set(line["picture"]) == {"name", "sha256", "width", "height", "format"}
    known = sum(source["probability"] for source in line["sources"])
    assert known + line["unknown_source"] == pytest.approx(1)


def test_an_error_object_has_the_promised_fields(ask, folder):
    line = json.loads(ask("read", "--json", folder / "half.jpg").out)
    assert set(line) == {"schema", "picture", "error"} and set(line["error"]) == {"cause", "message"}
    assert line["picture"] == {"name": str(folder / "half.jpg")}
    assert len(line["error"]["message"]) > 20


def test_an_empty_folder_is_refused_in_words(ask, tmp_path):
    answer = ask("read", tmp_path)
    assert answer.code == 1 and "no picture in this folder" in answer.err


def test_table_has_one_row_a_picture(ask, folder):
    answer = ask("read", "--table", folder / "bright.png", folder / "dark.jpg")
    head, *rows = answer.out.splitlines()
    assert head.split()[:4] == ["picture", "verdict", "prob.", "score"]
    assert [row.split()[1] for row in rows] == ["generated", "no_trace"]
    assert all("none known (0.60)" in row for row in rows), "the unknown source is likelier than any known"


def test_parquet_is_read_back(ask, folder):
    pandas = pytest.importorskip("pandas")
    pytest.importorskip("pyarrow")
    answer = ask("read", "--parquet", folder / "out.parquet", folder / "bright.png", folder / "text.jpg")
    table = pandas.read_parquet(folder / "out.parquet")
    assert answer.code == 1 and len(table) == 1
    assert table.verdict[0] == "generated" and table.picture_sha256[0] and table.reader_name[0] == "toy"


def test_a_fault_of_ours_is_told_in_one_sentence_and_the_rest_is_done(ask, folder):
    class Stumbles(ToyReader):
        def read(self, picture):
            if picture.name.endswith("bright.png"):
                raise RuntimeError("shapes differ")
            return super().read(picture)

    answer = ask("read", "--json", folder / "bright.png", folder / "dark.jpg", reader=Stumbles())
    first, second = (json.loads(line) for line in answer.out.splitlines())
    assert first["error"]["cause"] == "internal" and "shapes differ" in first["error"]["message"]
    assert second["verdict"] == "no_trace" and answer.code == 1


def test_the_whole_of_a_fault_is_shown_on_demand(folder, monkeypatch):
    class Stumbles(ToyReader):
        def read(self, picture):
            raise RuntimeError("shapes differ")

    monkeypatch.setenv("DEEPNB_DEBUG", "1")
    with pytest.raises(RuntimeError, match="shapes differ"):
        main(["read", str(folder / "bright.png")], reader=Stumbles())


def test_trouble_with_the_reader_is_told_once(ask, folder):
    class NoWeights(ToyReader):
        def read(self, picture):
            raise WeightsError("The weights are gone.")

    answer = ask("read", folder / "bright.png", folder / "dark.jpg", reader=NoWeights())
    assert (answer.code, answer.err) == (1, "deepnb read: The weights are gone.\n")


# explain and report ------------------------------------------------------------------------------------


@pytest.mark.parametrize(("text", "parts"), [("4x4x6", 96), ("2X3", 6), ("6", 6), ("2×2×3", 12)])
def test_parts_in_words(text, parts):
    assert len(parse_parts(text).names) == parts


@pytest.mark.parametrize("text", ["", "4x", "0x4", "axb", "1x2x3x4", "-3", "400"])
def test_other_words_for_parts_are_wrong_use(ask, folder, text):
    answer = ask("explain", folder / "bright.png", f"--parts={text}")
    assert answer.code == 2 and "4x4x6" in answer.err


def test_explain_prints_the_promised_object(ask, folder):
    answer = ask("explain", "--json", "--no-receipt", "--parts", "2x2x3", folder / "bright.png")
    line = json.loads(answer.out)
    assert answer.code == 0 and len(line["parts"]) == 12
    assert {"picture", "score_name", "score", "baseline_score", "convergence_delta"} < set(line)
    assert {"by_region", "by_band", "receipt", "sentence"} < set(line)
    total, between = sum(part["value"] for part in line["parts"]), line["score"] - line["baseline_score"]
    assert total == pytest.approx(between, abs=abs(line["convergence_delta"]) + 1e-3)
    assert sum(line["by_band"]) == pytest.approx(total) == sum(line["by_region"])


def test_explain_draws_regions_and_bands_as_text(ask, folder):
    answer = ask("explain", "--no-receipt", "--parts", "2x2x3", folder / "bright.png")
    assert "By region" in answer.out and "By frequency band" in answer.out
    rows = [line for line in answer.out.splitlines() if line.startswith("    ") and " to " in line]
    assert len(rows) == 3


def test_explain_and_report_write_the_same_page(ask, folder):
    words = ("--no-receipt", "--parts", "2x2x3")
    one = ask("explain", folder / "bright.png", *words, "--html", folder / "why.html")
    (folder / "pages").mkdir()
    two = ask("report", folder / "bright.png", folder / "pages", *words)
    assert one.code == two.code == 0
    page = (folder / "why.html").read_text(encoding="utf-8")
    assert page.lstrip().lower().startswith("<!doctype html") and "bright.png" in page
    assert "src=\"http" not in page and "<script" not in page
    assert (folder / "pages" / "bright.html").is_file()


def test_a_score_that_is_not_there_is_wrong_use(ask, folder):
    answer = ask("explain", folder / "bright.png", "--score", "beauty")
    assert answer.code == 2 and "beauty" in answer.err and "generated" in answer.err


def test_a_refused_picture_gets_no_page(ask, folder):
    answer = ask("report", folder / "text.jpg", folder / "page.html")
    assert answer.code == 1 and not (folder / "page.html").exists()


# compare and stress ---------------------------------------------------------------------------------


def test_compare(ask, folder):
    answer = ask("compare", folder / "bright.png", folder / "dark.jpg")
    assert answer.code == 0 and "bright.png and dark.jpg: one machine." in answer.out
    line = json.loads(ask("compare", "--json", folder / "bright.png", folder / "dark.jpg").out)
    assert (line["same_source"], line["verdict"]) == (0.9, "same")


def test_compare_needs_both(ask, folder):
    answer = ask("compare", folder / "bright.png", folder / "gone.jpg")
    assert answer.code == 1 and answer.out == "" and "gone.jpg" in answer.err


def test_stress(ask, folder):
    answer = ask("stress", folder / "bright.png")
    assert answer.code == 0 and "The answer holds." in answer.out and "jpeg90" in answer.out
    assert json.loads(ask("stress", "--json", folder / "bright.png").out)["holds"] is True


# the house itself -------------------------------------------------------------------------------------


def test_doctor_names_what_is_missing_and_the_command(ask, monkeypatch):
    import deepnb.installation as installation

    extras = {"core": {"numpy": "2"}, "formats": {"pillow-heif": None}}
    monkeypatch.setattr(installation, "find_extras", lambda: extras)
    answer = ask("doctor")
    assert answer.code == 0 and "Pictures can be read." in answer.out
    assert 'pip install "deepnb[formats]"' in answer.out and "pillow-heif MISSING" in answer.out
    assert RECORD.sha256 in answer.out
    found = json.loads(ask("doctor", "--json").out)
    assert found["missing"] == {"formats": ["pillow-heif"]} and found["reader"]["name"] == "toy"


def test_version(ask):
    from deepnb import __version__

    assert ask("version").out == ask("--version").out == f"deepnb {__version__}\n"


@pytest.mark.parametrize(
    "words",
    [[], ["reed"], ["read"], ["read", "--json", "--table", "a"], ["explain", "a", "b"], ["report", "a"]],
    ids=lambda words: " ".join(words) or "nothing",
)
def test_wrong_use_is_exit_code_2_with_a_usage(ask, words):
    answer = ask(*words)
    assert answer.code == 2 and answer.err.startswith("usage: deepnb")


def commands():
    return make_parser()._subparsers._group_actions[0].choices


@pytest.mark.parametrize("name", commands())
def test_every_command_explains_itself(ask, name):
    answer = ask(name, "--help")
    assert answer.code == 0 and len(answer.out.splitlines()) > 3
    options = [action for action in commands()[name]._actions if action.option_strings]
    assert all(option.help for option in options), "every option has its line of help"


def test_train_can_hand_what_it_made_to_the_reader():
    from deepnb.release import release_reader

    assert callable(release_reader)


def test_evaluate_wants_both_folders(ask, tmp_path):
    answer = ask("evaluate", "--real", tmp_path)
    assert answer.code == 2 and "--fake" in answer.err


def terminal(*words, timeout=120, **environment):
    command = [sys.executable, "-m", "deepnb", *words]
    held = {"capture_output": True, "text": True, "stdin": subprocess.DEVNULL, "timeout": timeout}
    return subprocess.run(command, env={**os.environ, **environment}, **held)


def test_help_loads_nothing_heavy():
    code = "import sys, deepnb.cli as c\ntry: c.main(['--help'])\nexcept SystemExit: pass\n"
    code += "print(*({'numpy', 'torch', 'PIL', 'pandas'} & set(sys.modules)), file=sys.stderr)"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stderr.split() == [] and "read" in run.stdout


def test_lab_never_blocks_where_nobody_sits():
    run = terminal("lab", "--offer", DISPLAY=":0")
    assert run.returncode == 0 and "deepnb lab" in run.stdout


def test_a_reader_of_the_pipe_may_leave(folder):
    names = " ".join(f"{folder}/{name}.jpg" for name in "xyz")
    code = f"{sys.executable} -m deepnb read --json {names} | head -n 1"
    run = subprocess.run(code, shell=True, capture_output=True, text=True, timeout=60)
    assert "Traceback" not in run.stderr and "BrokenPipe" not in run.stderr


# with the reader that ships ----------------------------------------------------------------------------


@pytest.mark.slow
def test_the_shipped_reader_answers_in_the_terminal(bundled):
    run = terminal("read", "--json", *map(str, bundled))
    lines = [json.loads(line) for line in run.stdout.splitlines()]
    assert run.returncode == 0 and run.stderr == ""
    assert [line["picture"]["name"] for line in lines] == [str(path) for path in bundled]
    assert {line["verdict"] for line in lines} <= {"generated", "no_trace", "cannot_say"}
    assert all(line["sentence"] and line["reader"]["sha256"] for line in lines)
    again = json.loads(terminal("read", "--json", str(bundled[0])).stdout)
    first = lines[0] | {"seconds": again["seconds"]}
    assert again == first, "the same picture and reader give the same answer"


@pytest.mark.slow
def test_the_shipped_reader_explains_in_the_terminal(bundled, tmp_path):
    page = tmp_path / "why.html"
    run = terminal("explain", str(bundled[0]), "--parts", "4x4x6", "--html", str(page))
    assert run.returncode == 0 and "Traceback" not in run.stderr
    assert "By region" in run.stdout and "By frequency band" in run.stdout
    assert page.stat().st_size > 20_000


@pytest.mark.slow
def test_doctor_checks_the_weights_that_ship():
    run = terminal("doctor", "--json")
    found = json.loads(run.stdout)
    assert run.returncode == 0 and found["trouble"] is None
    assert len(found["reader"]["sha256"]) == 64 and found["device"] in {"cpu", "cuda", "mps"}


@pytest.mark.slow
def test_a_reader_that_is_not_there_is_wrong_use(bundled):
    run = terminal("read", str(bundled[0]), "--reader", "defualt")
    assert run.returncode == 2 and "default" in run.stderr and run.stdout == ""


@pytest.mark.corpus
@pytest.mark.slow
def test_every_odd_file_is_answered_or_refused_in_words(corpus_folder):
    files = sorted((corpus_folder / "formats").iterdir())
    run = terminal("read", "--json", *map(str, files), timeout=300)
    lines = [json.loads(line) for line in run.stdout.splitlines()]
    assert [line["picture"]["name"] for line in lines] == [str(path) for path in files]
    assert run.returncode == 1 and "Traceback" not in run.stderr
    refused = [line["error"] for line in lines if "error" in line]
    assert 10 < len(refused) < len(lines) / 2
    assert all(error["cause"] != "internal" and error["message"].endswith(".") for error in refused)
