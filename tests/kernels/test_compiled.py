"""The compiled loops against the same in NumPy, and where their machine code comes from."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tagger.config import EncoderConfig
from tagger.corpus.schemes import Scheme
from tagger.corpus.sentence import Sentence
from tagger.features import wordpiece
from tagger.features.encoding import FeatureEncoder
from tagger.features.wordpiece import WordPieceVectors
from tagger.inference import decoder, recurrence, word_vectors
from tagger.inference.decoder import Decoder
from tagger.inference.numpy_engine import NumpyEngine
from tagger.inference.tagger import Tagger
from tagger.kernels import compiled, kept
from tests.helpers.random_models import emissions_by_sentence, random_folder, random_words

MODULES = (decoder, recurrence, word_vectors, wordpiece)
LENGTHS = [[7, 4, 4, 1], [1], [5], [12, 1, 1]]


@pytest.fixture
def kernels(loaded: compiled.Kernels, monkeypatch: pytest.MonkeyPatch) -> compiled.Kernels:
    """The kernels, made to be used for batches of any size."""
    for module in MODULES:
        monkeypatch.setattr(module, "kernels", lambda tokens: loaded)
    return loaded


@pytest.fixture
def fresh(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache."""
    monkeypatch.setenv("TAGGER_CACHE", str(tmp_path))
    return tmp_path


def without_kernels(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in MODULES:
        monkeypatch.setattr(module, "kernels", lambda tokens: None)


@pytest.mark.parametrize("hidden", [1, 6, 8, 20])
@pytest.mark.parametrize("lengths", LENGTHS, ids=str)
@pytest.mark.usefixtures("kernels")
def test_emissions_are_those_of_numpy(hidden: int, lengths: list[int], monkeypatch: pytest.MonkeyPatch) -> None:
    folder = random_folder(encoder=EncoderConfig(hidden_size=hidden, layers=2))
    sentences = random_words(lengths)
    found = emissions_by_sentence(NumpyEngine(folder), sentences)
    without_kernels(monkeypatch)
    expected = emissions_by_sentence(NumpyEngine(folder), sentences)
    for one, other in zip(found, expected, strict=True):
        np.testing.assert_allclose(one, other, atol=1e-5, rtol=1e-5)


@pytest.mark.usefixtures("kernels")
def test_gates_far_from_zero_saturate(monkeypatch: pytest.MonkeyPatch) -> None:
    folder = random_folder(hidden=8)
    for name, tensor in folder.tensors.items():
        if name.startswith("encoder."):
            tensor *= 100
    sentences = random_words([9, 5])
    found = emissions_by_sentence(NumpyEngine(folder), sentences)
    without_kernels(monkeypatch)
    for one, other in zip(found, emissions_by_sentence(NumpyEngine(folder), sentences), strict=True):
        np.testing.assert_allclose(one, other, atol=1e-3)


@pytest.mark.parametrize("labels", [1, 4, 17])
@pytest.mark.parametrize("scheme", [Scheme.IOB2, Scheme.BIOES])
@pytest.mark.parametrize("grid", [None, 1.0], ids=["different", "tied"])
@pytest.mark.usefixtures("kernels")
def test_best_paths_are_those_of_numpy(
    scheme: Scheme, labels: int, grid: float | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    prefixes = "BI" if scheme is Scheme.IOB2 else "BIES"
    tags = ["O", *(f"{prefix}-{label}" for label in range(labels) for prefix in prefixes)]
    generator = np.random.default_rng(labels)

    def scores(*shape: int) -> np.ndarray:
        drawn = generator.normal(size=shape)
        return (drawn if grid is None else np.round(drawn / grid) * grid).astype(np.float32)

    count = len(tags)
    own = Decoder(tags, scheme, transitions=scores(count, count), start=scores(count), end=scores(count))
    running = np.array([9, 9, 7, 3, 1, 1])
    emissions = scores(int(running.sum()), count)
    found = own.best_paths(emissions, running)
    without_kernels(monkeypatch)
    np.testing.assert_array_equal(found, own.best_paths(emissions.copy(), running))


@pytest.mark.usefixtures("kernels")
def test_characters_are_convolved_to_the_same_bits(monkeypatch: pytest.MonkeyPatch) -> None:
    folder = random_folder()
    words = ["", "a", "New", "Αθήνα", "x" * 200, "25,000", "ꙮꙮ"]
    features = FeatureEncoder(folder.config.embeddings, folder.vocabularies, folder.static).encode_words(words)
    characters = word_vectors.ConvolvedCharacters(folder.tensors)
    found = characters(features)
    assert not found[0].any()
    assert found[1:].any()
    without_kernels(monkeypatch)
    np.testing.assert_array_equal(found, characters(features))


@given(counts=st.lists(st.integers(0, 5), max_size=9), seed=st.integers(0, 99))
def test_pieces_are_summed_to_the_same_bits(loaded: compiled.Kernels, counts: list[int], seed: int) -> None:
    chance = np.random.default_rng(seed)
    vectors = chance.integers(-127, 128, size=(7, 5), dtype=np.int8)
    scales = chance.random(7, dtype=np.float32)
    rows = chance.integers(7, size=sum(counts))
    expected = np.zeros((len(counts), 5), dtype=np.float32)
    for word, its_rows in enumerate(np.split(rows, np.cumsum(counts))[: len(counts)]):
        for row in its_rows:
            expected[word] += vectors[row] * scales[row]
    found = loaded.sums_of_pieces(rows, np.array(counts, dtype=np.int64), vectors, scales)
    np.testing.assert_array_equal(found, expected)


toy_pieces = st.lists(st.from_regex(r"(##)?[abc]{1,3}", fullmatch=True), min_size=1, max_size=12, unique=True)
toy_words = st.lists(st.text("abc. ", max_size=8) | st.sampled_from(["a" * 100, "a" * 101, ""]), max_size=6)


@given(pieces=toy_pieces, words=toy_words)
def test_words_have_the_pieces_that_python_finds(loaded: compiled.Kernels, pieces: list[str], words: list[str]) -> None:
    table = WordPieceVectors(pieces, np.eye(len(pieces), dtype=np.float32))
    expected = [table.pieces_of(word) for word in words]
    table._compiled = compiled.PieceIndex(loaded, pieces, "##")
    rows, counts = table._pieces_of_each(words)
    assert [part.tolist() for part in np.split(rows, np.cumsum(counts))[: len(words)]] == expected


@pytest.mark.extended
def test_machine_code_is_kept(fresh: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert compiled.Supply()(10) is None  # not worth compiling
    assert compiled.Supply()(1_000_000) is not None
    (kept,) = (fresh / "kernels").iterdir()
    assert kept.suffix == ".so"
    monkeypatch.setattr(compiled, "_compiled", lambda folder: pytest.fail("compiled anew"))
    assert compiled.Supply()(10) is not None


def never(asked: list[Path]) -> Callable[[Path], Path]:
    """A compiler that notes the folder and fails."""

    def fail(folder: Path) -> Path:
        asked.append(folder)
        raise RuntimeError("no compiler")

    return fail


@pytest.mark.usefixtures("fresh")
def test_it_is_compiled_when_many_small_batches_have_come(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[Path] = []
    monkeypatch.setattr(compiled, "_compiled", never(asked))
    supply = compiled.Supply()
    for _ in range(2047):
        supply(1)
    assert asked == []
    supply(1)
    supply(1)
    assert len(asked) == 1


@pytest.mark.parametrize(("scheme", "decoder"), [(Scheme.BIOES, "crf"), (Scheme.PLAIN, "softmax")])
@pytest.mark.parametrize("layers", [1, 2])
def test_every_token_is_counted_once(
    scheme: Scheme, decoder: str, layers: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    counted: list[int] = []
    for module in MODULES:
        monkeypatch.setattr(module, "kernels", counted.append)
    folder = random_folder(scheme=scheme, decoder=decoder, encoder=EncoderConfig(hidden_size=4, layers=layers))
    sentences = [Sentence(words) for words in random_words([7, 4, 4, 1])]
    assert len(list(Tagger(folder, NumpyEngine(folder)).tag_sentences(sentences))) == 4
    assert sum(counted) == 16


def test_what_the_machine_code_depends_on_is_looked_up_once(fresh: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    looked_up: list[Path] = [fresh / "kernels" / "code"]
    monkeypatch.setattr(kept, "place", looked_up.pop)
    supply = compiled.Supply()
    assert [supply(1), supply(1), supply(1)] == [None, None, None]


@pytest.mark.usefixtures("fresh")
def test_it_is_compiled_at_once_where_all_is_to_be_tagged_alike(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[Path] = []
    monkeypatch.setattr(compiled, "_compiled", never(asked))
    supply = compiled.Supply()
    supply.settle()
    supply.settle()
    assert len(asked) == 1


@pytest.mark.extended
def test_without_a_linker_the_object_file_is_kept(fresh: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compiled.shutil, "which", lambda name: None)
    assert compiled.Supply()(1_000_000) is not None
    (kept,) = (fresh / "kernels").iterdir()
    assert kept.suffix == ".o"
    monkeypatch.setattr(compiled, "_compiled", lambda folder: pytest.fail("compiled anew"))
    assert compiled.Supply()(10) is not None


def kept_code(folder: Path, code: Path) -> Path:
    """Where code lies in the cache once it was kept."""
    place = kept.place()
    assert place is not None
    kept.keep(code, place)
    (path,) = (folder / "kernels").iterdir()
    return path


@pytest.mark.parametrize("damage", ["", "cut off", "changed"])
def test_damaged_code_is_made_anew(
    fresh: Path, tmp_path: Path, damage: str, machine_code: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, content = kept_code(fresh, machine_code), machine_code.read_bytes()
    middle = len(content) // 2
    changed = content[:middle] + bytes([content[middle] ^ 1]) + content[middle + 1 :]
    path.write_bytes({"": b"", "cut off": content[:middle], "changed": changed}[damage])
    monkeypatch.setattr(compiled, "_compiled", lambda folder: machine_code)
    assert compiled.Supply().settle()
    assert path.read_bytes() == content


def test_code_that_cannot_be_loaded_is_done_without(fresh: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    code = tmp_path_factory.mktemp("code") / "kernels.so"
    code.write_text("for another machine")
    kept_code(fresh, code)
    supply = compiled.Supply()
    assert not supply.settle()
    assert supply.lack.startswith("they cannot be loaded here (")


@pytest.mark.usefixtures("fresh")
def test_without_numba_there_are_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kept.importlib.util, "find_spec", lambda name: None)
    supply = compiled.Supply()
    assert supply(1_000_000) is None
    assert supply.lack == "numba is not installed (pip install 'tagger[fast]')"


@pytest.mark.extended
def test_a_cache_that_cannot_be_written_does_without(fresh: Path) -> None:
    (fresh / "kernels").write_text("a file where the folder should be")
    supply = compiled.Supply()
    assert supply(1_000_000) is not None
    assert supply.remark.startswith("compiled loops cannot be kept, and are made anew each time: ")
    assert [path.name for path in fresh.iterdir()] == ["kernels"]


@pytest.mark.usefixtures("fresh")
def test_a_compiler_that_fails_is_done_without(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "executable", "/bin/false")
    supply = compiled.Supply()
    assert supply(1_000_000) is None
    assert supply(1_000_000) is None
    assert supply.lack.startswith("they cannot be compiled here (")
