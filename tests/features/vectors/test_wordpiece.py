"""Word-piece vectors: against what model2vec gives, against BERT's steps spelled out, and damaged folders."""

from __future__ import annotations

import hashlib
import json
import re
import unicodedata
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from safetensors.numpy import save_file

from tagger.errors import UserError
from tagger.features.vectors.open import load_static, open_static
from tagger.features.vectors.wordpiece import PIECES, VECTORS, WordPieceVectors, basic_tokens, quantised
from tests.helpers.repository import REPOSITORY

BUNDLED = REPOSITORY / "data" / "vectors" / "all-MiniLM-L6-v2"
EXAMPLES = Path(__file__).with_name("wordpiece_examples.json")  # scripts/distill_vectors.py fills it from model2vec

anything = st.text(st.characters(), max_size=30)  # surrogates too
toy_pieces = st.lists(st.from_regex(r"(##)?[abc]{1,3}", fullmatch=True), min_size=1, max_size=12, unique=True)


@pytest.fixture(scope="module")
def bundled() -> WordPieceVectors:
    return WordPieceVectors.load(BUNDLED)


def one_hot(*pieces: str) -> WordPieceVectors:
    """A vector per piece that tells it from all others."""
    return WordPieceVectors(pieces, np.eye(len(pieces), dtype=np.float32))


# ---- against model2vec


def test_every_example_has_the_vector_that_model2vec_gives_it(bundled: WordPieceVectors) -> None:
    examples = json.loads(EXAMPLES.read_text(encoding="utf-8"))
    vectors, known = bundled.look_up(list(examples))
    for word, expected, vector, is_known in zip(examples, examples.values(), vectors, known, strict=True):
        np.testing.assert_allclose(vector, expected, atol=1e-3, err_msg=ascii(word))
        assert is_known == any(expected), ascii(word)


def test_the_examples_hold_words_that_are_known_and_words_that_are_not() -> None:
    examples = json.loads(EXAMPLES.read_text(encoding="utf-8"))
    assert all(len(vector) == 128 for vector in examples.values())
    assert {word: any(examples[word]) for word in ("", " ", "☃", "a☃", "☃-a", "a" * 100, "a" * 101)} == {
        **dict.fromkeys(("", " ", "☃", "a☃", "a" * 101), False),
        **dict.fromkeys(("☃-a", "a" * 100), True),
    }


@pytest.mark.slow
def test_every_word_at_hand_has_the_vector_that_model2vec_gives_it(bundled: WordPieceVectors) -> None:
    model2vec = pytest.importorskip("model2vec")
    tokenizers = pytest.importorskip("tokenizers")
    vocabulary = {piece: row for row, piece in enumerate((*bundled.pieces, "[UNK]"))}
    tokenizer = tokenizers.Tokenizer(tokenizers.models.WordPiece(vocabulary, unk_token="[UNK]"))
    tokenizer.normalizer = tokenizers.normalizers.BertNormalizer()
    tokenizer.pre_tokenizer = tokenizers.pre_tokenizers.BertPreTokenizer()
    vectors = np.vstack((bundled.vectors, np.ones((1, bundled.width), dtype=np.float32)))
    model = model2vec.StaticModel(vectors, tokenizer, normalize=True)
    corpus = "".join(path.read_text(encoding="utf-8") for path in (REPOSITORY / "data" / "starter").glob("*.conll"))
    words = sorted(set(corpus.split()))
    words += [pattern.format(character) for character in old_characters() for pattern in ("{}", "a{}b", "ab {}c")]
    expected = model.encode(words, max_length=None, use_multiprocessing=False)
    found, _ = bundled.look_up(words)
    wrong = [ascii(word) for word, far in zip(words, np.abs(found - expected).max(axis=1) > 1e-5, strict=True) if far]
    assert (len(words) > 100_000, wrong) == (True, [])


def old_characters() -> list[str]:
    """What has had its category since Unicode 3.2: `tokenizers` does not know the newest properties."""
    old, new = unicodedata.ucd_3_2_0.category, unicodedata.category
    return [c for c in map(chr, range(0x110000)) if old(c) == new(c) and new(c) not in ("Cn", "Cs")]


# ---- against the steps of BERT's tokenizer, spelled out


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("London", ["london"]),
        ("don't", ["don", "'", "t"]),
        ("U.S.", ["u", ".", "s", "."]),
        ("C++", ["c", "+", "+"]),
        ("  two\twords\n", ["two", "words"]),
        ("no\u00a0break", ["no", "break"]),
        ("ÀÉÎ cafe\u0301 Łódź", ["aei", "cafe", "łodz"]),
        ("İstanbul", ["istanbul"]),
        ("ΑΘΗΝΑΣ", ["αθηνασ"]),  # never a final sigma
        ("北京2008", ["北", "京", "2008"]),
        ("カタカナ", ["カタカナ"]),
        ("ガ", ["カ"]),
        ("한", ["\u1112\u1161\u11ab"]),
        ("हिन्दी", ["हिनदी"]),
        ("soft\u00adhy\u200bphen\x00\ufffd", ["softhyphen"]),
        ("ok🙂", ["ok🙂"]),
        ("«да»", ["«", "да", "»"]),
        ("5€", ["5€"]),
        ("\u0301", []),
        ("\ud800x", ["x"]),
        ("", []),
    ],
)
def test_basic_tokens(text: str, expected: list[str]) -> None:
    assert basic_tokens(text) == expected


def tokens_step_by_step(text: str) -> list[str]:
    """Basic tokens as google-research/bert's `BasicTokenizer` finds them: each step over the whole text."""
    category = unicodedata.category
    text = "".join(c for c in text if c in "\t\n\r" or not (category(c) in ("Cc", "Cf", "Co", "Cs") or c == "\ufffd"))
    text = "".join(f" {c} " if unicodedata.name(c, "").startswith("CJK UNIFIED") else c for c in text)
    text = "".join(c for c in unicodedata.normalize("NFD", text) if category(c) != "Mn")
    text = "".join(c.lower() for c in text)
    ascii_marks = [chr(n) for n in (*range(33, 48), *range(58, 65), *range(91, 97), *range(123, 127))]
    return "".join(f" {c} " if c in ascii_marks or category(c)[0] == "P" else c for c in text).split()


@given(st.text(st.characters(max_codepoint=0x9FFF), max_size=20))
def test_tokens_found_in_one_step_are_those_found_step_by_step(text: str) -> None:
    assert basic_tokens(text) == tokens_step_by_step(text)


def longest_first(token: str, pieces: list[str]) -> list[str] | None:
    """Greedy WordPiece by its definition, over all pieces at each place; None if none fits somewhere."""
    found: list[str] = []
    place = 0
    while place < len(token):
        begins = [piece for piece in pieces if piece.startswith("##") == (place > 0)]
        fitting = [piece for piece in begins if token.startswith(piece.removeprefix("##"), place)]
        if not fitting:
            return None
        found.append(max(fitting, key=len))
        place += len(found[-1].removeprefix("##"))
    return found


@given(toy_pieces, st.lists(st.text("abc", max_size=8), max_size=6))
def test_the_longest_piece_goes_first(pieces: list[str], words: list[str]) -> None:
    vectors, known = one_hot(*pieces).look_up(words)
    for word, vector, is_known in zip(words, vectors, known, strict=True):
        found = longest_first(word, pieces) or []
        counts = np.array([found.count(piece) for piece in pieces])
        np.testing.assert_allclose(vector, counts / max(np.linalg.norm(counts), 1), atol=1e-6)
        assert is_known == bool(found)


def test_a_longer_piece_is_taken_though_the_word_cannot_be_ended_then() -> None:
    assert not one_hot("ab", "a", "##bc").look_up(["abc"])[1].any()


def test_unknown_parts_of_a_word_are_left_out_of_the_mean() -> None:
    vectors, known = one_hot("a", "-").look_up(["a-a", "a-x", "x-x", "x"])
    np.testing.assert_allclose(vectors**2, [[0.8, 0.2], [0.5, 0.5], [0, 1], [0, 0]], atol=1e-6)
    assert known.tolist() == [True, True, True, False]


def test_parts_of_more_than_100_characters_are_unknown() -> None:
    known = one_hot("a", "##a", "-").look_up(["a" * 100, "a" * 101, "a-" * 300, "á" * 100])[1]
    assert known.tolist() == [True, False, True, True]


def test_a_mean_of_zero_stays_zero() -> None:
    opposite = WordPieceVectors(["a", "##b"], np.array([[1, 0], [-1, 0]], dtype=np.float32))
    vectors, known = opposite.look_up(["ab"])
    assert (vectors.tolist(), known.tolist()) == ([[0, 0]], [True])


# ---- for any words


@given(words=st.lists(anything, max_size=5))
def test_any_string_has_a_finite_vector(bundled: WordPieceVectors, words: list[str]) -> None:
    vectors, known = bundled.look_up(words)
    assert vectors.shape == (len(words), bundled.width)
    assert (vectors.dtype, known.dtype, known.shape) == (np.float32, np.bool_, (len(words),))
    assert np.isfinite(vectors).all()
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), known, atol=1e-5)


@given(words=st.lists(anything | st.text("aAé'-3 "), max_size=8))
def test_words_looked_up_together_have_the_vectors_they_have_alone(bundled: WordPieceVectors, words: list[str]) -> None:
    vectors, known = bundled.look_up(words)
    for word, vector, is_known in zip(words, vectors, known, strict=True):
        alone, known_alone = bundled.look_up([word])
        np.testing.assert_array_equal(alone[0], vector)
        assert known_alone[0] == is_known


def test_more_words_than_are_taken_at_a_time(bundled: WordPieceVectors) -> None:
    words = ["a", "☃", "unaffable"] * 6_000
    vectors, known = bundled.look_up(words)
    few, few_known = bundled.look_up(words[:3])
    np.testing.assert_array_equal(vectors, np.tile(few, (6_000, 1)))
    assert known.tolist() == few_known.tolist() * 6_000


@pytest.mark.parametrize("words", [("Zürich", "zurich", "ZÜRICH", "Zu\u0308rich"), ("ΣΟΦΊΑ", "σοφια"), ("Ёж", "еж")])
def test_case_and_accents_make_no_difference(bundled: WordPieceVectors, words: tuple[str, ...]) -> None:
    vectors, known = bundled.look_up(words)
    assert known.all()
    assert (vectors == vectors[0]).all()


# ---- files


def test_the_bundled_vectors(bundled: WordPieceVectors) -> None:
    assert (bundled.width, len(bundled.pieces)) == (128, len(bundled.vectors))
    assert sum(path.stat().st_size for path in BUNDLED.iterdir()) < 4_200_000
    similarity = np.prod([bundled.look_up([word])[0] for word in ("London", "Paris")], axis=0).sum()
    assert similarity > np.prod([bundled.look_up([word])[0] for word in ("London", "eats")], axis=0).sum()


def test_the_bundled_files_are_those_of_their_readme() -> None:
    readme = (BUNDLED / "README.md").read_text(encoding="utf-8")
    for name in (PIECES, VECTORS):
        assert hashlib.sha256((BUNDLED / name).read_bytes()).hexdigest() in readme, name


def test_every_bundled_piece_is_its_own_split(bundled: WordPieceVectors) -> None:
    for row, piece in enumerate(bundled.pieces):
        if not piece.startswith("##"):
            assert bundled.pieces_of(piece) == [row]


@given(rows=st.lists(st.lists(st.floats(-1e6, 1e6, width=32), min_size=3, max_size=3), min_size=1, max_size=5))
def test_rounding_changes_no_value_by_more_than_half_a_step(rows: list[list[float]]) -> None:
    vectors = np.array(rows, dtype=np.float32)
    whole, scales = quantised(vectors)
    restored = whole * scales[:, None]
    assert (np.abs(restored - vectors) <= 0.502 * scales[:, None]).all()
    assert (np.abs(vectors).max(axis=1) <= 127.01 * scales).all()


def test_what_is_saved_is_read_again(bundled: WordPieceVectors, tmp_path: Path) -> None:
    bundled.save(tmp_path / "copy")
    for name in (PIECES, VECTORS):
        assert (tmp_path / "copy" / name).read_bytes() == (BUNDLED / name).read_bytes(), name


def test_vectors_opened_for_training_are_those_that_are_saved(tmp_path: Path) -> None:
    opened = open_static(str(write(tmp_path / "given", vectors=np.array([[1, 0.3], [0.7, 2]], dtype=np.float32))))
    opened.save(tmp_path / "saved")
    saved = load_static(tmp_path / "saved")
    assert opened.digest() == saved.digest()
    words = ["a", "ab"]
    np.testing.assert_array_equal(opened.look_up(words)[0], saved.look_up(words)[0])
    assert not np.array_equal(opened.look_up(words)[0], WordPieceVectors.load(tmp_path / "given").look_up(words)[0])


def test_a_piece_that_no_line_can_hold_is_not_saved(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="line break"):
        one_hot("a", "b\nc").save(tmp_path)


def write(folder: Path, pieces: bytes = b"a\n##b\n", **tensors: np.ndarray) -> Path:
    folder.mkdir(exist_ok=True)
    (folder / PIECES).write_bytes(pieces)
    save_file(tensors or {"vectors": np.array([[1, 0], [1, 2]], dtype=np.float32)}, folder / VECTORS)
    return folder


@pytest.mark.parametrize("pieces", [b"a\n##b\n", b"a\n##b", b"a\r\n##b\r\n"])
@pytest.mark.parametrize(
    "tensors",
    [
        {"vectors": np.array([[1, 0], [1, 2]], dtype=np.float32)},
        {"vectors": np.array([[1, 0], [1, 2]], dtype=np.float16)},
        {"vectors": np.array([[2, 0], [10, 20]], dtype=np.int8), "scales": np.array([0.5, 0.1], dtype=np.float32)},
    ],
)
def test_every_kind_of_number_is_read(tmp_path: Path, pieces: bytes, tensors: dict[str, np.ndarray]) -> None:
    vectors, known = WordPieceVectors.load(write(tmp_path, pieces, **tensors)).look_up(["a", "AB", "b"])
    np.testing.assert_allclose(vectors, [[1, 0], [0.5**0.5, 0.5**0.5], [0, 0]], atol=1e-6)
    assert known.tolist() == [True, True, False]


def floats(*shape: int) -> np.ndarray:
    return np.ones(shape, dtype=np.float32)


@pytest.mark.parametrize(
    ("pieces", "tensors", "message"),
    [
        (b"a\nb\nc\n", {"vectors": floats(2, 4)}, "3 pieces in pieces.txt, but 2 rows"),
        (b"a\n\nb\n", {"vectors": floats(3, 4)}, "pieces.txt:2: damaged: an empty line"),
        (b"", {"vectors": floats(1, 4)}, "pieces.txt:1: damaged: an empty line"),
        (b"a\nb\na\n", {"vectors": floats(3, 4)}, "pieces.txt:3: damaged: 'a' is in line 1 too"),
        (b"a\nb\xff\n", {"vectors": floats(2, 4)}, "not UTF-8 at byte 3"),
        (b"a\nb\n", {"embeddings": floats(2, 4)}, "no tensor `vectors`, only ['embeddings']"),
        (b"a\nb\n", {"vectors": floats(2)}, "`vectors` is float32 (2,)"),
        (b"a\nb\n", {"vectors": floats(2, 0)}, "`vectors` is float32 (2, 0)"),
        (b"a\nb\n", {"vectors": floats(2, 4).astype(np.int64)}, "`vectors` is int64"),
        (b"a\nb\n", {"vectors": floats(2, 4).astype(np.int8)}, "no tensor `scales`"),
        (b"a\nb\n", {"vectors": floats(2, 4).astype(np.int8), "scales": floats(4)}, "`scales` is float32 (4,)"),
        (b"a\nb\n", {"vectors": floats(2, 4), "scales": np.ones(2, dtype=np.int64)}, "`scales` is int64"),
        (b"a\nb\n", {"vectors": floats(2, 4) * [[1], [np.nan]]}, "`vectors` is float64"),
        (b"a\nb\n", {"vectors": (floats(2, 4) * [[1], [np.nan]]).astype(np.float32)}, "row 1 holds no sensible"),
        (b"a\nb\n", {"vectors": floats(2, 4) * np.float32(1e30)}, "row 0 holds no sensible"),
        (b"a\nb\n", {"vectors": np.ones((2, 4), np.int8), "scales": floats(2) * np.float32(np.inf)}, "row 0 holds no"),
    ],
)
def test_a_folder_that_does_not_fit_is_refused_in_a_line(
    tmp_path: Path, pieces: bytes, tensors: dict[str, np.ndarray], message: str
) -> None:
    with pytest.raises(UserError, match=re.escape(message)) as caught:
        WordPieceVectors.load(write(tmp_path, pieces, **tensors))
    assert str(tmp_path) in str(caught.value)


def test_missing_files_are_named(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no such folder of word-piece vectors"):
        WordPieceVectors.load(tmp_path / "none")
    for name in (PIECES, VECTORS):
        folder = write(tmp_path / name)
        (folder / name).unlink()
        with pytest.raises(UserError, match=f"no {name} in it"):
            WordPieceVectors.load(folder)


@pytest.mark.parametrize("keep", [0, 4, 40, 1_000_000, 1_984_799])
def test_vectors_cut_off_are_refused(tmp_path: Path, keep: int) -> None:
    (tmp_path / PIECES).write_bytes((BUNDLED / PIECES).read_bytes())
    (tmp_path / VECTORS).write_bytes((BUNDLED / VECTORS).read_bytes()[:keep])
    with pytest.raises(UserError, match=r"vectors\.safetensors: damaged"):
        WordPieceVectors.load(tmp_path)


@pytest.mark.parametrize("kind", ["BF16", "F8_E4M3", "F4"])
def test_numbers_of_a_kind_numpy_lacks_are_refused(tmp_path: Path, kind: str) -> None:
    header = json.dumps({"vectors": {"dtype": kind, "shape": [2, 4], "data_offsets": [0, 16]}}).encode()
    write(tmp_path)
    (tmp_path / VECTORS).write_bytes(len(header).to_bytes(8, "little") + header + bytes(16))
    with pytest.raises(UserError, match=r"vectors\.safetensors: "):
        WordPieceVectors.load(tmp_path)
