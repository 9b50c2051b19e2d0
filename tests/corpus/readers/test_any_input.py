"""Whatever a file holds: it is read or told in a line, and accounted for."""

import io
import json
import tempfile
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tagger.corpus.readers.account import OnError, ReadReport
from tagger.corpus.readers.columns import columns_from
from tagger.corpus.readers.conllu import conllu_from
from tagger.corpus.readers.docred import read_docred
from tagger.corpus.readers.jsonl import jsonl_from
from tagger.corpus.readers.labelstudio import read_labelstudio
from tagger.corpus.sentence import Sentence
from tagger.corpus.tokenizers import get_tokenizer
from tagger.errors import UserError

Reader = Callable[[io.BytesIO, ReadReport], Iterator[Sentence]]
SYNTOK = get_tokenizer("syntok")
READERS: list[Reader] = [columns_from, conllu_from, lambda stream, report: jsonl_from(stream, report, tokenizer=SYNTOK)]
PIECES = st.sampled_from(
    [b"a", b"\t", b" ", b"\n", b"\r\n", b"\n\n", b"O", b"B-X", b"-DOCSTART-", b"# text = a", b"#", b"\xff", b"\0",
     b"\xef\xbb\xbf", b"1\ta\ta\tX\tX\t_\t_\t_\t_\t_\n", b"1-2\t", b'{"tokens": ["a"], "tags": ["O"]}',
     b'{"text": "a b.', b'", "label": [[0, 1, "X"]]}', "é\u0085\u2028".encode()]
)  # fmt: skip
LABELS = st.lists(st.one_of(st.text(max_size=3), st.none()), max_size=2)
VALUES = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(-2, 9), st.floats(), st.text("ab .\ud83d", max_size=6), LABELS),
    lambda inner: st.one_of(
        st.lists(inner, max_size=4),
        st.dictionaries(
            st.sampled_from(["text", "tokens", "tags", "label", "spans", "start", "end", "labels", "document", "id",
                             "data", "annotations", "result", "value", "was_cancelled"]),
            inner,
            max_size=4,
        ),
    ),
    max_leaves=20,
)  # fmt: skip


def check(sentences: list[Sentence], report: ReadReport) -> None:
    assert len(sentences) == report.sentences.kept + report.sentences.repaired
    for sentence in sentences:
        assert sentence.tokens
        "".join([*sentence.tokens, *(sentence.tags or [])]).encode()
        for token, (start, end) in zip(sentence.tokens, sentence.offsets or [], strict=sentence.offsets is not None):
            assert (sentence.text or "")[start:end] == token


@pytest.mark.parametrize("reader", READERS, ids=["columns", "conllu", "jsonl"])
@given(pieces=st.lists(PIECES, max_size=30))
def test_any_bytes(reader: Reader, pieces: list[bytes]) -> None:
    content = b"".join(pieces)
    report = ReadReport("file", OnError.SKIP)
    check(list(reader(io.BytesIO(content), report)), report)
    assert report.lines.read == content.count(b"\n") + (
        not content.endswith(b"\n") and content not in (b"", b"\xef\xbb\xbf")
    )


@given(VALUES)
def test_any_json_record(record: object) -> None:
    report = ReadReport("file", OnError.SKIP)
    check(list(jsonl_from(io.BytesIO(json.dumps(record).encode()), report, tokenizer=SYNTOK)), report)
    assert report.lines.read == 1


@pytest.mark.parametrize("reader", [partial(read_labelstudio, tokenizer=SYNTOK), read_docred])
@given(VALUES)
def test_any_json_export(reader: Callable[..., Iterator[Sentence]], export: object) -> None:
    report = ReadReport("file", OnError.SKIP)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "export.json")
        path.write_text(json.dumps(export))
        try:
            check(list(reader(path, report)), report)
        except UserError:
            assert not isinstance(export, list)
        else:
            assert report.lines.read == len(export)  # type: ignore[arg-type]
