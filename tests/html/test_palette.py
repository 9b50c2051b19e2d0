"""Test that all pages have the same colours, of the page and of labels."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path

from tagger.bulk.formats.html import HtmlPage
from tagger.corpus.document import Document
from tagger.corpus.schemes import Scheme
from tagger.corpus.sentence import Sentence
from tagger.evaluation.assessment import Background, assess
from tagger.evaluation.page.report_html import report_html
from tagger.html.palette import STYLE, label_hue
from tagger.inspection.explainer import Explainer
from tagger.inspection.gates_page import gates_page
from tests.helpers.random_models import random_folder

PAGE_COLOUR = re.compile(r"--(?:back|card|ink|faint|line|light|saturation): *(?!var)[#0-9]")


def tagged_page(sentence: Sentence) -> str:
    page, counts = HtmlPage(["LOC", "PER"]), Counter[str]()
    spans = [(0, 4), (5, 10), (11, 13), (14, 18)]
    placed = Sentence(sentence.tokens, sentence.tags, offsets=spans)
    document = Document(text=" ".join(sentence.tokens), sentences=[placed])
    return page.head() + page.paragraph(document, counts) + page.end(counts)


def test_all_pages_have_the_palette_and_no_page_colours_beside_it(tmp_path: Path) -> None:
    sentence = Sentence(["Anna", "lives", "in", "York"], ["B-PER", "O", "O", "B-LOC"])
    random_folder().save(tmp_path / "model", "")
    explanation = Explainer.load(tmp_path / "model").explain(sentence.tokens)
    pages = [
        tagged_page(sentence),
        gates_page([explanation], model="m", layers=[0], units=[]),
        report_html(assess([sentence], [sentence.tags or []], Scheme.IOB2, {}, Background())),
    ]
    for page in pages:
        assert page.count(STYLE) == 1
        on_screen = page.replace(STYLE, "").partition("@media print")[0]
        assert not PAGE_COLOUR.findall(on_screen)


def test_hues_of_labels_are_far_apart() -> None:
    hues = [label_hue(number) for number in range(20)]
    assert all(0 <= hue < 360 for hue in hues)
    assert min((one - other) % 360 for one in hues for other in hues if one != other) >= 7
    assert len(set(hues)) == len(hues)
