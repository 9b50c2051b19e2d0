"""The model folder: what is saved is loaded, and each kind of damage is told in one line."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors import SafetensorError
from safetensors.numpy import load_file, save_file

from tagger import files
from tagger.corpus.schemes import Scheme
from tagger.errors import UserError
from tagger.model_folder import writing
from tagger.model_folder.folder import VERSION, ModelFolder
from tests.helpers.random_models import PARTS, embeddings_config, random_folder

WEIGHTS, CONFIG, VOCABULARY = "model.safetensors", "config.json", "vocab.json"
FILES = [WEIGHTS, CONFIG, VOCABULARY]


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    path = tmp_path / "model"
    random_folder().save(path, "# A model\n")
    return path


def assert_equal(one: ModelFolder, other: ModelFolder) -> None:
    assert one.config == other.config
    assert one.vocabularies.to_mapping() == other.vocabularies.to_mapping()
    assert (one.scheme, one.tokenizer, one.language) == (other.scheme, other.tokenizer, other.language)
    assert one.tensors.keys() == other.tensors.keys()
    for name, tensor in one.tensors.items():
        np.testing.assert_array_equal(tensor, other.tensors[name])


def refused(path: Path) -> str:
    """What is told of a folder that cannot be loaded; it names the folder and is one line."""
    with pytest.raises(UserError) as caught:
        ModelFolder.load(path)
    message = str(caught.value)
    assert str(path) in message
    assert "\n" not in message
    return message


def edit_json(path: Path, change: Callable[[dict[str, Any]], object]) -> None:
    value = json.loads(path.read_text(encoding="utf-8"))
    change(value)
    path.write_text(json.dumps(value), encoding="utf-8")


def sign(folder: Path) -> None:
    """Write the checksums that fit what now stands in the folder, as someone who changes a model on purpose would."""

    def change(config: dict[str, Any]) -> None:
        config["sha256"] |= {
            name: hashlib.sha256((folder / name).read_bytes()).hexdigest() for name in (WEIGHTS, VOCABULARY)
        }

    edit_json(folder / CONFIG, change)


@pytest.mark.parametrize("left_out", [None, *PARTS])
@pytest.mark.parametrize(
    ("scheme", "decoder", "layers"),
    [(Scheme.BIOES, "crf", 1), (Scheme.IOB2, "softmax", 2), (Scheme.PLAIN, "crf", 1)],
)
def test_what_is_saved_is_loaded(
    scheme: Scheme, decoder: str, layers: int, left_out: str | None, tmp_path: Path
) -> None:
    parts = [part for part in PARTS if part != left_out]
    folder = random_folder(scheme=scheme, decoder=decoder, layers=layers, parts=parts)
    folder.save(tmp_path / "model", "card")
    assert_equal(ModelFolder.load(tmp_path / "model"), folder)


def test_a_saved_folder_holds_the_model_and_its_card_alone(saved: Path) -> None:
    assert sorted(path.name for path in saved.iterdir()) == sorted([*FILES, "README.md"])
    assert (saved / "README.md").read_text(encoding="utf-8") == "# A model\n"
    assert [path.name for path in saved.parent.iterdir()] == ["model"]


def test_a_tensor_s_layout_in_memory_does_not_matter(tmp_path: Path) -> None:
    folder = random_folder()
    tensors = {name: np.asfortranarray(tensor) for name, tensor in folder.tensors.items()}
    ModelFolder(folder.config, folder.vocabularies, folder.scheme, tensors, "whitespace", "en").save(tmp_path / "m", "")
    assert_equal(ModelFolder.load(tmp_path / "m"), folder)


def test_folders_above_are_made(tmp_path: Path) -> None:
    path = tmp_path / "runs" / "first" / "model"
    random_folder().save(path, "")
    assert_equal(ModelFolder.load(path), random_folder())


def test_saved_files_can_be_read_by_whom_the_umask_allows(saved: Path) -> None:
    mask = os.umask(0)
    os.umask(mask)
    assert saved.stat().st_mode & 0o777 == 0o777 & ~mask


@pytest.mark.parametrize("name", ["model", "old", "made"])
def test_saving_over_a_model_replaces_it_whole(name: str, tmp_path: Path) -> None:
    path = tmp_path / name
    random_folder(layers=2, scheme=Scheme.IOB2).save(path, "first")
    (path / "notes.txt").write_text("of the first", encoding="utf-8")
    random_folder().save(path, "second")
    assert_equal(ModelFolder.load(path), random_folder())
    assert sorted(entry.name for entry in path.iterdir()) == sorted([*FILES, "README.md"])
    assert [entry.name for entry in tmp_path.iterdir()] == [name]


def disk_full(*arguments: object, **settings: object) -> None:
    raise OSError(28, "No space left on device")


def disk_full_in_safetensors(*arguments: object, **settings: object) -> None:
    raise SafetensorError("I/O error: No space left on device (os error 28)")


@pytest.mark.parametrize("older", [True, False])
@pytest.mark.parametrize(
    ("owner", "name", "failure"),
    [
        (writing, "save", disk_full_in_safetensors),
        (Path, "write_bytes", disk_full),
        (Path, "write_text", disk_full),
        (Path, "mkdir", disk_full),
        (files.tempfile, "TemporaryDirectory", disk_full),
    ],
)
def test_a_save_that_fails_leaves_nothing_half_written(
    owner: Any, name: str, failure: object, older: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "model"
    if older:
        random_folder(seed=1).save(path, "")
    with monkeypatch.context() as patched:
        patched.setattr(owner, name, failure)
        with pytest.raises(UserError, match=r"model: cannot write the model: .*No space left"):
            random_folder(seed=2).save(path, "")
    assert [entry.name for entry in tmp_path.iterdir()] == (["model"] if older else [])
    if older:
        assert_equal(ModelFolder.load(path), random_folder(seed=1))


@pytest.mark.parametrize("error", [OSError(16, "busy"), KeyboardInterrupt()])
def test_a_save_that_fails_at_the_last_moment_keeps_the_older_model(
    error: BaseException, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "model"
    random_folder(seed=1).save(path, "")
    rename = Path.rename

    def renamed(source: Path, target: Path) -> Path:
        if target == path and source.name != "old":
            raise error
        return rename(source, target)

    with monkeypatch.context() as patched:
        patched.setattr(Path, "rename", renamed)
        with pytest.raises((UserError, KeyboardInterrupt)):
            random_folder(seed=2).save(path, "")
    assert [entry.name for entry in tmp_path.iterdir()] == ["model"]
    assert_equal(ModelFolder.load(path), random_folder(seed=1))


def test_a_parent_that_is_a_file_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("", encoding="utf-8")
    with pytest.raises(UserError, match="cannot write the model"):
        random_folder().save(tmp_path / "file" / "model", "")


def test_a_missing_folder_is_told(tmp_path: Path) -> None:
    assert "no such model folder" in refused(tmp_path / "nowhere")


def test_a_file_instead_of_a_folder_is_told(saved: Path) -> None:
    assert "no such model folder" in refused(saved / CONFIG)


@pytest.mark.parametrize("name", FILES)
def test_a_missing_file_is_told_by_name(saved: Path, name: str) -> None:
    (saved / name).unlink()
    assert f"no {name}" in refused(saved)


def test_a_missing_card_is_no_harm(saved: Path) -> None:
    (saved / "README.md").unlink()
    ModelFolder.load(saved)


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("size", [0, 1, 100, -1])
def test_a_truncated_file_is_told_by_name(saved: Path, name: str, size: int) -> None:
    content = (saved / name).read_bytes()
    (saved / name).write_bytes(content[: size if size >= 0 else len(content) - 3])
    assert name in refused(saved)


@pytest.mark.parametrize("name", [WEIGHTS, VOCABULARY])
def test_a_flipped_bit_anywhere_is_told_by_name(saved: Path, name: str) -> None:
    content = (saved / name).read_bytes()
    for position in (0, len(content) // 2, len(content) - 1):
        damaged = bytearray(content)
        damaged[position] ^= 1
        (saved / name).write_bytes(damaged)
        message = refused(saved)
        assert name in message
        assert "checksum" in message


DEEP = "[" * 100_000
NOT_JSON = ["", "{", "{'a': 1}", "\x00\x01", DEEP, '{"a": ' + DEEP, "1" * 5000]
NOT_AN_OBJECT = ["[]", "null", "3", '"text"', "NaN"]


@pytest.mark.parametrize("name", [CONFIG, VOCABULARY])
@pytest.mark.parametrize("text", [*NOT_JSON, *NOT_AN_OBJECT], ids=lambda text: text[:10])
def test_a_file_that_is_no_json_object_is_told_by_name(saved: Path, name: str, text: str) -> None:
    (saved / name).write_text(text, encoding="utf-8")
    if name == VOCABULARY:
        sign(saved)
    message = refused(saved)
    assert name in message
    assert ("not JSON" if text in NOT_JSON else "not a JSON object") in message
    assert len(message) < 1000


@pytest.mark.parametrize("name", [CONFIG, VOCABULARY])
def test_a_file_that_is_no_utf_8_is_told_by_name(saved: Path, name: str) -> None:
    (saved / name).write_bytes(b'{"a": "\xff"}')
    if name == VOCABULARY:
        sign(saved)
    assert name in refused(saved)


@pytest.mark.parametrize("value", [None, "pytorch_model", 3, ["tagger-model"]])
def test_a_model_of_another_kind_is_told(saved: Path, value: object) -> None:
    edit_json(saved / CONFIG, lambda config: config.update(format=value))
    assert "not a model of this tagger" in refused(saved)


@pytest.mark.parametrize("version", [VERSION + 1, 99])
def test_a_newer_version_is_told(saved: Path, version: object) -> None:
    edit_json(saved / CONFIG, lambda config: config.update(version=version))
    assert "upgrade tagger" in refused(saved)


def test_a_folder_of_version_1_has_old_names(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = random_folder(embeddings=embeddings_config(["word", "static"], trained=True))
    path = tmp_path / "model"
    folder.save(path, "")

    def as_before(config: dict[str, Any]) -> None:
        embeddings = config["model"]["embeddings"]
        embeddings["static"]["trained"] = embeddings["static"].pop("trainable")
        embeddings["encoder"] = embeddings.pop("transformer")
        config["version"] = 1

    edit_json(path / CONFIG, as_before)
    assert_equal(ModelFolder.load(path), folder)
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize("key", ["version", "scheme", "tokenizer", "language", "model", "sha256"])
@pytest.mark.parametrize("value", [None, 1.5, ["x"]])
def test_a_key_of_another_type_is_told_by_name(saved: Path, key: str, value: object) -> None:
    edit_json(saved / CONFIG, lambda config: config.update({key: value}))
    assert repr(key) in refused(saved)


@pytest.mark.parametrize("key", ["scheme", "tokenizer", "language", "model", "sha256", "format", "version"])
def test_a_missing_key_is_told(saved: Path, key: str) -> None:
    edit_json(saved / CONFIG, lambda config: config.pop(key))
    assert key in refused(saved)


def test_the_temperature_is_kept(tmp_path: Path) -> None:
    replace(random_folder(), temperature=1.75).save(tmp_path / "model", "")
    assert ModelFolder.load(tmp_path / "model").temperature == 1.75


def test_a_model_without_a_temperature_has_that_of_one(saved: Path) -> None:
    edit_json(saved / CONFIG, lambda config: config.pop("temperature"))
    assert ModelFolder.load(saved).temperature == 1


@pytest.mark.parametrize("value", [0, -1.5, float("nan"), float("inf"), 1e-320, 10**400, "1", None, True, [1.0]])
def test_a_temperature_that_is_none_is_told(saved: Path, value: object) -> None:
    edit_json(saved / CONFIG, lambda config: config.update(temperature=value))
    assert "damaged model: temperature: expected a number" in refused(saved)


@pytest.mark.parametrize("sums", [{}, {WEIGHTS: 3, VOCABULARY: None}, {WEIGHTS: ["x"]}])
def test_missing_checksums_are_told(saved: Path, sums: object) -> None:
    edit_json(saved / CONFIG, lambda config: config.update(sha256=sums))
    assert "checksum" in refused(saved)


@pytest.mark.parametrize(
    ("model", "told"),
    [
        ({"surprise": 1}, "model.surprise: no such setting"),
        ({"encoder": {"hidden_size": "6"}}, "model.encoder.hidden_size: expected int"),
        ({"encoder": {"hidden_size": -6}}, "encoder.hidden_size: must be at least 1"),
        ({"encoder": {"dropout": 10**400}}, "model.encoder.dropout: "),
        ({"encoder": {"layers": 10**12}}, "layers"),
        ({"encoder": {"layers": [{"sise": 6}]}}, "model.encoder.layers[0].sise: no such setting"),
        ({"encoder": {"layers": ["lstm"] * 10**4}}, "10000 layers"),
        ({"encoder": {"layers": ["lstm"]}}, "expected float32"),
        ({"encoder": {"skip": True}}, "expected float32"),
        ({"encoder": {"feed_forward": 10**15}}, "expected float32"),
        ({"decoder": {"kind": "__import__"}}, "model.decoder.kind"),
        ({"embeddings": {"affixes": {"lengths": [9]}}}, "damaged model"),
        ({}, "expected float32"),
        ({"encoder": {"hidden_size": 10**15}}, "expected float32"),
    ],
)
def test_a_shape_that_does_not_fit_is_told(saved: Path, model: dict[str, Any], told: str) -> None:
    edit_json(saved / CONFIG, lambda config: config.update(model=model))
    message = refused(saved)
    assert told in message or "does not belong there" in message
    assert told == "expected float32" or told in message


@pytest.mark.parametrize("layers", [1, 2])
def test_a_number_of_layers_is_read_as_so_many_gru_layers(layers: int, tmp_path: Path) -> None:
    """As folders of version 1 have it that were written before layers had settings of their own."""
    path = tmp_path / "model"
    random_folder(layers=layers).save(path, "")
    older = {"hidden_size": 6, "layers": layers, "dropout": 0.5}
    edit_json(path / CONFIG, lambda config: config["model"].update(encoder=older))
    edit_json(path / CONFIG, lambda config: config["model"]["embeddings"]["characters"].pop("kind"))
    loaded = ModelFolder.load(path)
    assert_equal(loaded, random_folder(layers=layers))
    assert [(layer.cell, layer.hidden_size) for layer in loaded.config.encoder.stack] == [("gru", 6)] * layers


@pytest.mark.parametrize("scheme", ["iob1", "bilou", "io", "BIOES", "xyz", ""])
def test_a_scheme_that_no_model_has_is_told(saved: Path, scheme: str) -> None:
    edit_json(saved / CONFIG, lambda config: config.update(scheme=scheme))
    assert "damaged model" in refused(saved)


def test_a_scheme_that_is_not_that_of_the_tags_is_told(saved: Path) -> None:
    edit_json(saved / CONFIG, lambda config: config.update(scheme="iob2"))
    assert "scheme iob2" in refused(saved)


@pytest.mark.parametrize(
    "change",
    [
        lambda tags: tags.clear(),
        lambda tags: tags.__setitem__(1, tags[2]),
        lambda tags: tags.__setitem__(0, "S-NEW"),
        lambda tags: tags.__setitem__(1, ""),
        lambda tags: tags.__setitem__(1, "PER"),
        lambda tags: tags.__setitem__(1, "U-PER"),
        lambda tags: tags.__setitem__(1, "B-"),
        lambda tags: tags.__setitem__(1, None),
    ],
)
def test_tags_that_are_not_of_the_scheme_are_told(saved: Path, change: Callable[[list[Any]], object]) -> None:
    edit_json(saved / VOCABULARY, lambda vocabulary: change(vocabulary["tags"]))
    sign(saved)
    assert "damaged model: tags: " in refused(saved)


@pytest.mark.parametrize("key", ["words", "characters", "shapes", "prefixes", "suffixes", "tags", "word_counts"])
@pytest.mark.parametrize("value", [None, 3, "text", [3, []], {"a": 1}, {"2": [None]}, "missing"])
def test_a_vocabulary_of_another_type_is_told(saved: Path, key: str, value: object) -> None:
    def change(vocabulary: dict[str, Any]) -> None:
        vocabulary.update({key: value})
        if value == "missing":
            del vocabulary[key]

    edit_json(saved / VOCABULARY, change)
    sign(saved)
    assert "damaged model" in refused(saved)


@pytest.mark.parametrize("key", ["words", "characters", "shapes", "word_counts"])
def test_a_vocabulary_with_an_entry_too_many_is_told(saved: Path, key: str) -> None:
    edit_json(
        saved / VOCABULARY, lambda vocabulary: vocabulary[key].append(3 if key == "word_counts" else "something new")
    )
    sign(saved)
    refused(saved)


def without(tensors: dict[str, Any], name: str) -> None:
    del tensors[name]


def damaged_tensors(saved: Path, change: Callable[[dict[str, Any]], object]) -> str:
    tensors = load_file(saved / WEIGHTS)
    change(tensors)
    save_file(tensors, saved / WEIGHTS)
    sign(saved)
    message = refused(saved)
    assert WEIGHTS in message
    return message


@pytest.mark.parametrize("name", ["emissions.bias", "encoder.layers.0.weight_hh_l0", "crf.start"])
@pytest.mark.parametrize("dtype", ["float64", "float16", "int32"])
def test_a_tensor_of_another_type_is_told_by_name(saved: Path, name: str, dtype: str) -> None:
    message = damaged_tensors(saved, lambda tensors: tensors.update({name: tensors[name].astype(dtype)}))
    assert f"{name} is {dtype}" in message


@pytest.mark.parametrize(
    "name", ["emissions.bias", "encoder.layers.0.weight_hh_l0", "embeddings.parts.word.table.weight"]
)
@pytest.mark.parametrize("shape", ["shorter", "flat", "empty", "scalar"])
def test_a_tensor_of_another_shape_is_told_by_name(saved: Path, name: str, shape: str) -> None:
    def change(tensors: dict[str, Any]) -> None:
        tensor = tensors[name]
        others = {
            "shorter": tensor[:-1],
            "flat": tensor.reshape(-1, 1),
            "empty": tensor[:0],
            "scalar": np.array(1, dtype=np.float32),
        }
        tensors[name] = others[shape]

    assert f"{name} is float32" in damaged_tensors(saved, change)


@pytest.mark.parametrize("name", ["emissions.bias", "crf.transitions", "embeddings.parts.affixes.tables.5.weight"])
def test_a_missing_tensor_is_told_by_name(saved: Path, name: str) -> None:
    assert f"tensor {name} is missing" in damaged_tensors(saved, lambda tensors: without(tensors, name))


def test_a_tensor_too_many_is_told_by_name(saved: Path) -> None:
    message = damaged_tensors(saved, lambda tensors: tensors.update(extra=np.zeros(1, dtype=np.float32)))
    assert "tensor extra does not belong there" in message


NUMBERS_OF_NO_USE = [float("nan"), float("inf"), float("-inf"), 3e38, -3e38]


@pytest.mark.parametrize("value", NUMBERS_OF_NO_USE)
@pytest.mark.parametrize(
    "name",
    [
        *("emissions.bias", "encoder.layers.0.weight_hh_l0", "embeddings.parts.word.table.weight"),
        *("crf.transitions", "crf.start", "crf.end"),
    ],
)
def test_a_tensor_with_a_number_of_no_use_is_told_by_name(saved: Path, name: str, value: float) -> None:
    def change(tensors: dict[str, Any]) -> None:
        tensors[name].flat[-1] = value

    assert f"{name} holds NaN, infinite or huge numbers" in damaged_tensors(saved, change)


def test_corrections_with_a_number_of_no_use_are_told_by_name(tmp_path: Path) -> None:
    saved = tmp_path / "model"
    random_folder(embeddings=embeddings_config(["static"], trained=True)).save(saved, "")
    name = "embeddings.parts.static.corrections.weight"

    def change(tensors: dict[str, Any]) -> None:
        tensors[name][0, 0] = np.nan

    assert f"{name} holds NaN, infinite or huge numbers" in damaged_tensors(saved, change)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\x00" * 8,
        b"\xff" * 8,
        b"\x02\x00\x00\x00\x00\x00\x00\x00{}",
        b"PK\x03\x04 a pickle?",
        b"\x10" + b"\x00" * 30,
    ],
)
def test_weights_that_are_no_safetensors_are_told(saved: Path, content: bytes) -> None:
    (saved / WEIGHTS).write_bytes(content)
    sign(saved)
    refused(saved)


def test_numbers_of_a_kind_that_numpy_lacks_are_told(saved: Path) -> None:
    header = json.dumps({"emissions.bias": {"dtype": "BF16", "shape": [2], "data_offsets": [0, 4]}}).encode()
    (saved / WEIGHTS).write_bytes(len(header).to_bytes(8, "little") + header + b"\x00" * 4)
    sign(saved)
    refused(saved)


@pytest.mark.parametrize("failing", ["is_dir", "is_file", "read_text", "open"])
def test_a_folder_that_may_not_be_read_is_told(saved: Path, failing: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def denied(*arguments: object, **settings: object) -> None:
        raise PermissionError(13, "Permission denied")

    with monkeypatch.context() as patched:
        patched.setattr(Path, failing, denied)
        assert "Permission denied" in refused(saved)


def test_of_a_run_the_model_is_named(tmp_path: Path) -> None:
    random_folder().save(tmp_path / "model", "")
    with pytest.raises(UserError) as caught:
        ModelFolder.load(tmp_path)
    assert str(caught.value) == f"{tmp_path}: a run, not its model; give {tmp_path / 'model'}"
