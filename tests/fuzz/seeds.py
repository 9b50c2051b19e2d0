"""What fuzzing starts from: the odd inputs that stand in the tests themselves."""

from __future__ import annotations

import ast
import gzip
import json
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

from tests.helpers.repository import REPOSITORY

_LONGEST = 4000
_MOST = 400
_OF_TEXT = ("corpus/test_tokenizers.py", "corpus/test_syntok_spans.py", "bulk/formats/test_lines.py")
_OF_RECORDS = ("corpus/readers/test_jsonl.py", "corpus/readers/test_huggingface.py", "corpus/readers/test_any_input.py")
_FILES = {  # below tests/, whose constants are inputs
    "columns": ("corpus/readers/test_columns.py", "corpus/readers/test_account.py", "corpus/readers/test_any_input.py"),
    "conllu": ("corpus/readers/test_conllu.py", "corpus/readers/test_any_input.py"),
    "jsonl": _OF_RECORDS,
    "labelstudio": ("corpus/readers/test_labelstudio.py", "corpus/readers/test_any_input.py"),
    "csv": ("corpus/readers/test_csv_table.py", "corpus/readers/test_columns.py"),
    "webanno": ("corpus/readers/test_webanno.py", "corpus/readers/test_columns.py"),
    "brat": ("corpus/readers/test_brat.py", "corpus/readers/test_columns.py"),
    "spacy_docs": ("corpus/readers/test_spacy_docs.py", "corpus/readers/test_jsonl.py"),
    "docred": ("corpus/readers/test_docred.py", "corpus/readers/test_any_input.py"),
    "parallel": ("corpus/readers/test_parallel.py", "corpus/readers/test_account.py"),
    "huggingface": _OF_RECORDS,
    "aligned": ("evaluation/test_prediction_files.py", "corpus/readers/test_columns.py"),
    "vectors": (
        "features/vectors/test_vector_files.py",
        "features/vectors/test_vector_damage.py",
        "helpers/vector_writers.py",
    ),
    "model_folder": ("model_folder/test_folder.py", "model_folder/test_hostile_folder.py"),
    **dict.fromkeys(("whitespace", "characters", "syntok", "spacy"), _OF_TEXT),
    "tag_packed": ("corpus/readers/test_columns.py", "corpus/readers/test_jsonl.py"),
    "tag": ("commands/test_tag.py", "corpus/readers/test_columns.py", "corpus/readers/test_conllu.py", *_OF_TEXT),
    **dict.fromkeys(
        ("report", "report_pictures"), ("evaluation/test_scores.py", "evaluation/test_prediction_files.py")
    ),
}
_CHOICES = {  # how many of a target's first bytes choose how it is called
    **dict.fromkeys(("columns", "conllu", "jsonl", "labelstudio", "parallel", "huggingface"), 2),
    **{"csv": 2, "webanno": 2, "brat": 2, "spacy_docs": 3},
    **{"docred": 1, "aligned": 1, "vectors": 2, "model_folder": 1, "tag": 4, "tag_packed": 3},
}
_ENTITIES = "Ada\tB-PER\tB-PER\nLee\tI-PER\tO\n<b>\tO\tB-LOC\n\n&\tB-LOC\tB-PER\n"
_TAGS = "Ada\tPROPN\tNOUN\nran\tVERB\tVERB\n\n|\tPUNCT\tX<script>\n"


def seeds(name: str) -> list[bytes]:
    """Inputs for a target, in the order of the files they stand in."""
    found = [*_own(name), *(text for path in _FILES[name] for text in _constants(REPOSITORY / "tests" / path))]
    head = _CHOICES.get(name, 0)
    made = [_chosen(number, head) + text for number, text in enumerate(found)]
    return list(dict.fromkeys([*_files(name), *made]))[:_MOST]


def _own(name: str) -> list[bytes]:
    if name.startswith("report"):
        return [_ENTITIES.encode(), _TAGS.encode()]
    return [b"a\tB-X\nb\tO\n\nc\tO\n", '{"text": "Ada met Bo. é 😀", "label": [[0, 3, "PER"]]}\n'.encode()]


def _chosen(number: int, head: int) -> bytes:
    """Others for each input, so that each way of calling meets some."""
    return bytes((number // (place + 1)) % 6 for place in range(head))


def _files(name: str) -> list[bytes]:
    """Whole files where constants are none, behind the choice of their kind."""
    if name == "model_folder":
        from tests.fuzz.model_files import JSON_FILES, model

        return [bytes([number]) + (model() / file).read_bytes() for number, file in enumerate(JSON_FILES)]
    if name == "tag_packed":
        return _packed()
    if name == "webanno":
        from tests.corpus.readers.test_webanno import BODY, HEAD, NAMED, STACKED

        stacked = f"#FORMAT=WebAnno TSV 3.3\n#T_SP={NAMED}|value\n\n#Text=Ada Lee\n{STACKED}"
        return [bytes([number, number]) + text.encode() for number in range(4) for text in (HEAD + BODY, stacked)]
    if name == "brat":
        from tests.corpus.readers.test_brat import ANN, TEXT

        return [bytes([number, number]) + f"{TEXT}\n====\n{ANN}T4\tX 0 7\tAda 😀 m\n".encode() for number in range(5)]
    if name == "spacy_docs":
        return _docs()
    if name == "docred":
        mentions = [{"sent_id": 0, "pos": [0, 2], "type": "PER"}, {"sent_id": 0, "pos": [1, 3], "type": "ORG"}]
        document = {"title": "Ada", "sents": [["Ada", "Lee", "met"], ["é", "."]], "vertexSet": [mentions]}
        return [bytes([number]) + json.dumps([document] * (number + 1)).encode() for number in range(2)]
    if name == "vectors":
        from tests.fuzz.model_files import VECTOR_FILES
        from tests.helpers.vector_writers import ALL, random_vectors

        with TemporaryDirectory() as scratch:
            paths = [write(Path(scratch), ["the", "a", "Л"], random_vectors(3, 2)) for write in ALL]
            suffixes = [Path(one).suffix for one in VECTOR_FILES]
            kinds = [suffixes.index(path.suffix) if path.suffix in suffixes else 0 for path in paths]
            return [bytes([kind, kind > 1]) + path.read_bytes() for kind, path in zip(kinds, paths, strict=True)]
    return []


def _docs() -> list[bytes]:
    """A DocBin before it is compressed, and a JSON list."""
    import zlib

    import spacy
    from spacy.tokens import DocBin, Span

    doc = spacy.blank("en")("Ada met  Bo.")
    doc.ents = [Span(doc, 0, 1, "PER"), Span(doc, 3, 4, "PER")]
    pairs = json.dumps([["Ada met", {"entities": [[0, 3, "PER"], [0, 7, "X"]]}]]).encode()
    bins = zlib.decompress(DocBin(docs=[doc, doc]).to_bytes())
    return [bytes([number, kind, number]) + (pairs, bins)[kind] for number in range(4) for kind in range(2)]


def _packed() -> list[bytes]:
    """Small files of each kind, behind the number of the kind."""
    import pyarrow
    import pyarrow.parquet
    import zstandard

    text, record = b"Ada met Bo.\n\nIn Rome.\n", b'{"text": "Ada met Bo.", "id": 1}\n'
    columns, table = b"a\nb\n\nc\n", pyarrow.table({"text": ["Ada met Bo.", None, ""], "id": [1, 2, 3]})
    zstd, parquet = zstandard.ZstdCompressor().compress, pyarrow.BufferOutputStream()
    pyarrow.parquet.write_table(table, parquet)
    compressed = [gzip.compress(text, mtime=0), gzip.compress(record, mtime=0), zstd(text), zstd(columns)]
    found = [*compressed, parquet.getvalue().to_pybytes()]
    return [bytes([kind, output, 0]) + content for kind, content in enumerate(found) for output in (0, 1)]


@cache
def _constants(path: Path) -> tuple[bytes, ...]:
    """The texts, bytes and lists and objects of plain values in a file of Python; what is an object as JSON."""
    found: list[bytes] = []
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Constant) and isinstance(node.value, str | bytes):
            value = node.value
            found.append(value.encode("utf-8", "surrogatepass") if isinstance(value, str) else value)
        elif isinstance(node, ast.Dict | ast.List):
            try:
                found.append(json.dumps(ast.literal_eval(node)).encode())
            except (ValueError, TypeError):
                continue
    return tuple(one for one in found if 0 < len(one) <= _LONGEST)


def words() -> list[bytes]:
    """What means something to one of the readers, for the fuzzer to put together."""
    return [
        *(b"\t", b"\n\n", b"\r\n", b"-DOCSTART-", b"# text = ", b"# newdoc id = ", b"\xef\xbb\xbf", b"\xff", b"\0"),
        *(b"B-X", b"I-X", b"E-X", b"S-X", b"L-X", b"U-X", b"O", b"1\ta\ta\tX\tX\t_\t_\t_\t_\t_\n", b"1-2\t", b"1.1\t"),
        *(
            b'{"tokens": ["a"], "tags": ["O"]}',
            b'{"text": "',
            b'"label": [[0, 1, "X"]]',
            b'"entities": [',
            b'"\\ud83d"',
        ),
        *(b'"data": {', b'"annotations": [{"result": [{"value": {', b'"start": 0, "end": 1, "labels": ["X"]', b"NaN"),
        *(b"#FORMAT=WebAnno TSV 3.3\n", b"#T_SP=a.NamedEntity|value\n", b"#Text=", b"1-1\t0-1\t", b"X[1]", b"|", b"\\"),
        *(
            b"T1\tX 0 1\ta\n",
            b"R1\t",
            b"word,tag\n",
            b"text;labels\n",
            b'"',
            b'""',
            b"Sentence #,",
            b'"answer": "reject"',
        ),
        *(b"\n====\n", b"<script>alert(1)</script>", b"</script>", b"<!--", b"]]>", b"&lt;", b"|", b"javascript:"),
        *(part.encode() for part in ("é", "\u0301", "\u200b", "\u2028", "\x85", "\u202e", "😀", "北京", "。", "don't")),
        *(
            b"3 2\n",
            b"\x93NUMPY\x01\x00",
            b"PK\x03\x04",
            b"\x1f\x8b",
            b"1e39",
            b"nan",
            b"...",
            b"Mr. ",
            b"U.S. ",
            b"([",
        ),
    ]
