"The report: the words it may use, the numbers beside them, and no stranger's text that becomes code"

import dataclasses
import html.parser
import re
from functools import cache
from types import SimpleNamespace

import pytest
from samples import sample_explanation, sample_reading, sample_refusal

from deepnb.reading import FalseAlarm
from deepnb.report import NOT_TO_CONCLUDE, page, save_report, sentences

HOSTILE = '"><script>alert(1)</script><img src=x onerror=alert(2)>\u202egnp.exe\x00\n.png'
CLAIM = SimpleNamespace(
    field="Comment<b>", value=HOSTILE, where="JPEG comment", meaning="{{7*7}} ${x} <style>"
)
VOID = {"meta", "img", "source"}


class Reader(html.parser.HTMLParser):
    "Checks that elements close in order, and notes what is on the page"

    def __init__(self):
        super().__init__()
        self.open, self.elements, self.text = [], [], []

    def handle_starttag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if not self.open or self.open[-1] != "style":
            self.text.append(data)


def parsed(text):
    reader = Reader()
    reader.feed(text)
    assert not reader.open, "an element was left open"
    return reader


drawn = cache(page)  # drawing a page takes a second or two; most tests look at the same few


VERDICTS = {
    "generated": sample_reading(),
    "no_trace": sample_reading(
        verdict="no_trace", score=-2.0, probability=0.1, sentence="No trace that this reader knows was found."
    ),
    "cannot_say": sample_refusal(),
    "processed": sample_reading(processed=0.9),
}


@pytest.mark.parametrize("name", VERDICTS)
@pytest.mark.parametrize("trusted", [True, False])
def test_the_words_never_claim_more_than_the_data(name, trusted):
    said = " ".join((*sentences(VERDICTS[name], sample_explanation(trusted=trusted)), *NOT_TO_CONCLUDE))
    assert not re.search(r"\b(fake|deepfake|authentic|genuine|forged|proves?|certainly)\b", said.lower())
    assert not re.search(r"\b(is|was) real\b", said.lower())


def test_each_verdict_comes_with_what_keeps_it_honest():
    assert "Of 111 camera devices, 2 were called generated" in sentences(VERDICTS["generated"])[0]
    assert "about 6 in 10 (58 %)" in sentences(VERDICTS["no_trace"])[0]
    assert sentences(VERDICTS["cannot_say"])[0].endswith("best the file as it was first saved.")
    assert any("restores or enlarges" in sentence for sentence in sentences(VERDICTS["processed"]))
    one = sample_reading(false_alarm=FalseAlarm(1, 40, 0.11))
    assert "1 was called generated" in sentences(one)[0]


def test_a_number_that_the_sentence_holds_is_not_said_twice():
    full = sample_reading(
        sentence="The picture carries traces. Of 111 camera devices, 2 were called generated."
    )
    assert sentences(full)[0] == full.sentence
    assert len(set(sentences(full))) == len(sentences(full))


def test_hyperparameters_no_better_than_a_guess_are_folded_away():
    said = " ".join(sentences(sample_reading()))
    assert "up-sampling: nearest" in said and "group" not in said
    text = drawn(sample_reading())
    folded = text[text.index("<details>") :]
    assert "Normalization" in folded and "Normalization" not in text[: text.index("<details>")]
    assert "Hyperparameters that the picture tells" not in drawn(VERDICTS["no_trace"])


def test_sources_are_a_set():
    assert "sd1 and sdxl" in " ".join(sentences(sample_reading()))
    none = sample_reading(source_set=(), unknown_source=0.8)
    assert "none of the generators" in " ".join(sentences(none))
    assert "sd1" not in " ".join(sentences(VERDICTS["no_trace"]))


def test_an_explanation_brings_its_receipt():
    good, bad = (sentences(sample_reading(), sample_explanation(trusted=t)) for t in (True, False))
    assert any("explains the score" in sentence for sentence in good)
    assert any("do not rely on it" in sentence for sentence in bad)
    assert "failed its check" in drawn(sample_reading(), sample_explanation(trusted=False))


def test_hatching_is_spoken_of_where_there_is_some():
    some, none = (drawn(sample_reading(), sample_explanation(uncovered=u)) for u in ((5, 6), ()))
    assert "Hatched ground was not read" in some and "Hatched" not in none


@pytest.mark.parametrize("verdict", ["generated", "cannot_say"])
def test_no_text_from_a_file_becomes_code(verdict):
    reading = dataclasses.replace(VERDICTS[verdict], picture=sample_reading(name=HOSTILE).picture)
    reading = dataclasses.replace(
        reading,
        picture=dataclasses.replace(reading.picture, notes=(HOSTILE,), format="<b>"),
        condition={"sentence": HOSTILE},
    )
    why = dataclasses.replace(sample_explanation(name=HOSTILE), sentence=HOSTILE, score_name=HOSTILE)
    text = page(reading, why, claims=(CLAIM,))
    found = parsed(text)
    assert {tag for tag, _ in found.elements} <= {
        "html",
        "head",
        "body",
        "meta",
        "title",
        "style",
        "main",
        "header",
        "section",
        "h1",
        "h2",
        "h3",
        "p",
        "div",
        "span",
        "figure",
        "figcaption",
        "picture",
        "source",
        "img",
        "svg",
        "rect",
        "dl",
        "dt",
        "dd",
        "table",
        "thead",
        "tbody",
        "tr",
        "th",
        "td",
        "details",
        "summary",
        "ul",
        "li",
        "pre",
        "code",
    }
    assert not any(name.startswith("on") for _, attributes in found.elements for name in attributes)
    assert "alert(1)" in "".join(found.text), "the words themselves are shown"
    assert "\u202e" not in text and "\x00" not in text


def test_the_page_asks_for_nothing_from_outside():
    text = drawn(sample_reading(), sample_explanation())
    for tag, attributes in parsed(text).elements:
        for name in ("src", "srcset", "href", "action", "data"):
            assert attributes.get(name) is None or attributes[name].startswith("data:"), (tag, name)
    assert "url(" not in text and "@import" not in text and "http://" not in text and "https://" not in text
    assert "default-src 'none'" in text.replace("&#x27;", "'")


def test_the_page_can_be_heard():
    found = parsed(drawn(sample_reading(), sample_explanation()))
    tags = [tag for tag, _ in found.elements]
    assert found.elements[0] == ("html", {"lang": "en"})
    assert tags.count("h1") == 1 and tags.count("main") == 1
    headings = [int(tag[1]) for tag in tags if re.fullmatch(r"h\d", tag)]
    assert all(b - a <= 1 for a, b in zip(headings[:-1], headings[1:], strict=True))
    for tag, attributes in found.elements:
        if tag == "img":
            assert len(attributes["alt"]) > 30 and int(attributes["width"]) > 0


def test_the_page_says_how_to_repeat_it():
    reading = sample_reading(name="my picture; rm -rf.png")
    text = "".join(parsed(drawn(reading)).text)
    assert "deepnb read 'my picture; rm -rf.png' --json" in text
    assert reading.picture.sha256 in text and reading.reader.sha256 in text
    assert "pip install" in text


def test_the_page_is_one_file(tmp_path):
    path = save_report(
        sample_reading(), None, tmp_path / "case.html", claims=(CLAIM,), condition="Saved twice."
    )
    text = path.read_text(encoding="utf-8")
    assert "Saved twice." in text and "Why" not in re.findall(r"<h2[^>]*>(.*?)</h2>", text)
    assert "claims, not proof" in text
    assert page(sample_reading()) == drawn(sample_reading()), "the same answer gives the same page"


@pytest.mark.browser
def test_the_page_stands_in_a_browser(tmp_path, chromium):
    "No sideways scrolling from phone to wide, nothing asked for, no accessibility fault, in light and dark"
    from axe_playwright_python.sync_playwright import Axe
    from playwright.sync_api import sync_playwright

    path = save_report(
        sample_reading(name=HOSTILE), sample_explanation(), tmp_path / "case.html", claims=(CLAIM,)
    )
    with sync_playwright() as play:
        browser = play.chromium.launch(
            executable_path=chromium,
            args=["--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking"],
        )
        for style in ("light", "dark"):
            for width in (390, 1280):
                context = browser.new_context(
                    color_scheme=style, viewport={"width": width, "height": 900}, bypass_csp=True
                )
                tab, asked, said = context.new_page(), [], []
                tab.on("request", lambda request, asked=asked: asked.append(request.url))
                tab.on("console", lambda message, said=said: said.append(message.text))
                tab.on("dialog", lambda dialog: pytest.fail("a script ran"))
                tab.goto(path.as_uri())
                assert tab.evaluate("document.documentElement.scrollWidth") <= width
                assert tab.locator("h1").inner_text() == "Traces of a generator found"
                shown = tab.evaluate("[...document.images].every(i => i.complete && i.naturalWidth > 0)")
                assert shown, "a picture is broken"
                report = Axe().run(tab)
                assert report.violations_count == 0, report.generate_report()
                assert not said
                assert [url for url in asked if not url.startswith(("data:", "file:"))] == []
                context.close()
        browser.close()
