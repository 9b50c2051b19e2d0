"""Model folders made to do harm: nothing in them is run, nothing outside of them is read, and all are refused."""

from __future__ import annotations

import hashlib
import io
import json
import os
import pickle
import shutil
import socket
import struct
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.numpy import load_file, save_file

from tagger.config import EncoderConfig, TransformerEmbedding
from tagger.errors import UserError
from tagger.model.contextual import open_encoder
from tagger.model_folder.contents import MOST_BYTES, most_bytes
from tagger.model_folder.folder import ModelFolder, is_model
from tests.helpers.random_models import PARTS, random_folder
from tests.helpers.tiny_encoder import change_config, write_tiny_encoder

WEIGHTS, CONFIG, VOCABULARY = "model.safetensors", "config.json", "vocab.json"
STATIC_FILES = ("static/pieces.txt", "static/vectors.safetensors")


class Payload:
    """Makes a file when it is unpickled."""

    def __init__(self, trace: Path) -> None:
        self.trace = trace

    def __reduce__(self) -> tuple[Any, ...]:
        return open, (str(self.trace), "w")


@pytest.fixture
def trace(tmp_path: Path) -> Path:
    """What a payload that is run leaves."""
    return tmp_path / "trace"


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    path = tmp_path / "model"
    random_folder(parts=[*PARTS, "static"]).save(path, "# A model\n")
    return path


def sha256_of(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def sign(folder: Path) -> None:
    """Write the checksums that fit what now stands in the folder."""
    config = json.loads((folder / CONFIG).read_text(encoding="utf-8"))
    files = [path for path in folder.rglob("*") if path.is_file() and path != folder / CONFIG]
    config["sha256"] = {path.relative_to(folder).as_posix(): sha256_of(path) for path in files}
    (folder / CONFIG).write_text(json.dumps(config), encoding="utf-8")


def refused(path: Path) -> str:
    with pytest.raises(UserError) as caught:
        ModelFolder.load(path)
    message = str(caught.value)
    assert str(path) in message
    assert len(message) < 1500
    return message


def edit_json(path: Path, change: Callable[[dict[str, Any]], object]) -> None:
    value = json.loads(path.read_text(encoding="utf-8"))
    change(value)
    path.write_text(json.dumps(value), encoding="utf-8")


def torch_archive(payload: Payload) -> bytes:
    content = io.BytesIO()
    torch.save({"weights": payload}, content)
    return content.getvalue()


def torch_legacy(payload: Payload) -> bytes:
    content = io.BytesIO()
    torch.save({"weights": payload}, content, _use_new_zipfile_serialization=False)
    return content.getvalue()


def array_of_objects(payload: Payload) -> bytes:
    content = io.BytesIO()
    np.save(content, np.array([payload], dtype=object), allow_pickle=True)
    return content.getvalue()


def archive_of_arrays(payload: Payload) -> bytes:
    content = io.BytesIO()
    np.savez(content, vectors=np.array([payload], dtype=object))
    return content.getvalue()


def zipped(payload: Payload) -> bytes:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        archive.writestr("data.pkl", pickle.dumps(payload))
    return content.getvalue()


def in_safetensors_metadata(payload: Payload) -> bytes:
    header = json.dumps({"__metadata__": {"config": pickle.dumps(payload, protocol=0).decode("latin-1")}}).encode()
    return struct.pack("<Q", len(header)) + header


PICKLES: dict[str, Callable[[Payload], bytes]] = {
    **{f"protocol-{number}": lambda payload, number=number: pickle.dumps(payload, number) for number in range(6)},
    "torch-archive": torch_archive,
    "torch-legacy": torch_legacy,
    "numpy": array_of_objects,
    "numpy-archive": archive_of_arrays,
    "zip": zipped,
}


@pytest.mark.parametrize("kind", PICKLES)
@pytest.mark.parametrize("name", [WEIGHTS, CONFIG, VOCABULARY, *STATIC_FILES])
def test_a_pickle_in_a_file_s_place_is_refused_and_not_run(saved: Path, trace: Path, name: str, kind: str) -> None:
    (saved / name).write_bytes(PICKLES[kind](Payload(trace)))
    if name != CONFIG:
        sign(saved)
    refused(saved)
    assert not trace.exists()


@pytest.mark.parametrize("name", ["pytorch_model.bin", "model.pt", "vectors.pkl", "static/vectors.npy", "x.JOBLIB"])
@pytest.mark.parametrize("kind", ["protocol-0", "protocol-4", "torch-archive", "numpy"])
def test_a_pickle_beside_the_files_is_refused(saved: Path, trace: Path, name: str, kind: str) -> None:
    (saved / name).write_bytes(PICKLES[kind](Payload(trace)))
    sign(saved)
    assert "pickled objects, which can run code when read; take it out" in refused(saved)
    assert not trace.exists()


@pytest.mark.parametrize("kind", ["protocol-2", "torch-archive", "zip"])
def test_a_pickle_under_a_harmless_name_is_refused(saved: Path, trace: Path, kind: str) -> None:
    (saved / "README.md").write_bytes(PICKLES[kind](Payload(trace)))
    assert "README.md: may hold pickled objects" in refused(saved)
    assert not trace.exists()


@pytest.mark.parametrize(
    ("name", "length"),
    [*(("static/vectors.safetensors", length) for length in (640, 896, 1152, 1408)), (WEIGHTS, 1152), (WEIGHTS, 1408)],
)
def test_tensors_are_accepted_though_their_header_s_length_reads_as_the_first_bytes_of_a_pickle(
    tmp_path: Path, name: str, length: int
) -> None:
    folder = tmp_path / "model"
    small = EncoderConfig(cell="rnn", hidden_size=2)
    random_folder(parts=["static"], decoder="softmax", encoder=small).save(folder, "")
    content = (folder / name).read_bytes()
    header, data = content[8:][: (old := int.from_bytes(content[:8], "little"))], content[8 + old :]
    padded = struct.pack("<Q", length) + header.rstrip().ljust(length) + data
    assert padded[:2] in [pickle.dumps(None, protocol)[:2] for protocol in (2, 3, 4, 5)]
    (folder / name).write_bytes(padded)
    sign(folder)
    assert ModelFolder.load(folder).tokenizer == "whitespace"


def test_weights_whose_metadata_hold_a_pickle_are_refused_as_incomplete(saved: Path, trace: Path) -> None:
    (saved / WEIGHTS).write_bytes(in_safetensors_metadata(Payload(trace)))
    sign(saved)
    refused(saved)
    assert not trace.exists()


def test_a_payload_that_is_unpickled_does_leave_a_trace(trace: Path) -> None:
    """The tests above would see it."""
    pickle.loads(pickle.dumps(Payload(trace))).close()
    assert trace.exists()


@pytest.mark.parametrize(
    "place",
    [
        lambda config: config,
        lambda config: config["model"],
        lambda config: config["model"]["embeddings"],
        lambda config: config["model"]["embeddings"]["word"],
        lambda config: config["model"]["encoder"],
        lambda config: config["model"]["decoder"],
        lambda config: config["sha256"],
    ],
)
def test_a_target_to_be_instantiated_is_refused_wherever_it_stands(
    saved: Path, place: Callable[[dict[str, Any]], dict[str, Any]]
) -> None:
    edit_json(saved / CONFIG, lambda config: place(config).update(_target_="os.system", command="true"))
    assert "_target_, which names code to run" in refused(saved)


def test_a_target_among_the_words_is_refused(saved: Path) -> None:
    edit_json(saved / VOCABULARY, lambda vocabulary: vocabulary.update(extra={"a": [{"_target_": "os.system"}]}))
    sign(saved)
    assert "vocab.json: has an entry _target_" in refused(saved)


@pytest.mark.parametrize("name", [WEIGHTS, CONFIG, VOCABULARY, "README.md", "notes.txt", *STATIC_FILES])
def test_a_link_that_leads_outside_is_refused_though_the_file_there_is_right(
    saved: Path, tmp_path: Path, name: str
) -> None:
    outside = tmp_path / "outside"
    if (saved / name).exists():
        (saved / name).rename(outside)
    else:
        outside.write_text("secret", encoding="utf-8")
    (saved / name).symlink_to(outside)
    message = refused(saved)
    assert f"{saved / name}: a link to {outside}, outside of the folder" in message


def test_a_folder_of_vectors_that_is_a_link_is_refused(saved: Path, tmp_path: Path) -> None:
    (saved / "static").rename(tmp_path / "elsewhere")
    (saved / "static").symlink_to(tmp_path / "elsewhere")
    assert "outside of the folder" in refused(saved)


@pytest.mark.parametrize("target", ["/dev/zero", "/dev/stdin", "/etc/passwd", "../../../../../../etc/hostname", "/"])
def test_a_link_to_what_never_ends_or_is_secret_is_refused(saved: Path, target: str) -> None:
    (saved / WEIGHTS).unlink()
    (saved / WEIGHTS).symlink_to(target)
    assert refused(saved)


def test_links_in_a_circle_are_refused(saved: Path) -> None:
    (saved / "a").symlink_to("b")
    (saved / "b").symlink_to("a")
    refused(saved)


def test_a_pipe_in_a_file_s_place_is_not_waited_for(saved: Path) -> None:
    (saved / WEIGHTS).unlink()
    os.mkfifo(saved / WEIGHTS)
    assert f"no {WEIGHTS}" in refused(saved)


def make_pipe(path: Path) -> None:
    os.mkfifo(path)


def make_socket(path: Path) -> None:
    here = Path.cwd()
    os.chdir(path.parent)  # a socket's path may not be long
    try:
        with socket.socket(socket.AF_UNIX) as made:
            made.bind(path.name)
    finally:
        os.chdir(here)


IN_PLACE = (VOCABULARY, CONFIG, "README.md", "notes.txt", "static/notes.txt", "encoder/config.json", *STATIC_FILES)


@pytest.mark.parametrize("make", [make_pipe, make_socket])
@pytest.mark.parametrize("name", IN_PLACE)
def test_a_pipe_or_socket_anywhere_is_refused_and_not_waited_for(
    saved: Path, name: str, make: Callable[[Path], None]
) -> None:
    (saved / "encoder").mkdir()
    (saved / name).unlink(missing_ok=True)
    make(saved / name)
    message = refused(saved)
    assert f"{saved / name}: not a regular file" in message or f"no {name}" in message


@pytest.mark.parametrize("name", ["static", "encoder", "model.onnx"])
def test_a_pipe_in_the_place_of_an_optional_part_is_refused(saved: Path, name: str) -> None:
    shutil.rmtree(saved / "static")
    make_pipe(saved / name)
    assert f"{saved / name}: not a regular file" in refused(saved)


def test_a_folder_among_the_vectors_is_refused(saved: Path) -> None:
    (saved / "static" / "more").mkdir()
    assert "static/more: not a regular file" in refused(saved)


def test_a_folder_with_a_pipe_for_its_configuration_is_no_model(saved: Path) -> None:
    (saved / CONFIG).unlink()
    make_pipe(saved / CONFIG)
    assert not is_model(saved)


def test_an_encoder_with_a_pipe_in_it_is_refused(tmp_path: Path) -> None:
    folder = write_tiny_encoder(tmp_path / "encoder")
    make_pipe(folder / "added_tokens.json")
    assert f"{folder / 'added_tokens.json'}: not a regular file" in refused_encoder(folder)


@pytest.mark.parametrize("name", ["static/more", "encoder/more.bias"])
def test_a_huge_file_of_another_name_is_refused_unread(saved: Path, name: str) -> None:
    (saved / name).parent.mkdir(exist_ok=True)
    with (saved / name).open("wb") as stream:
        stream.truncate(1 << 40)  # sparse: it takes no room
    assert f"{saved / name}: {1 << 40:,} bytes, larger than" in refused(saved)


def test_a_file_without_a_checksum_is_refused_unread(saved: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (saved / "static" / "more").write_text("more", encoding="utf-8")
    read = []
    monkeypatch.setattr("tagger.model_folder.checks.sha256_of", lambda path: read.append(path.name) or sha256_of(path))
    assert "static/more: damaged: its checksum is not the one" in refused(saved)
    assert "more" not in read


def test_a_folder_reached_by_a_link_and_a_link_within_it_are_read(saved: Path, tmp_path: Path) -> None:
    (saved / "weights").write_bytes((saved / WEIGHTS).read_bytes())
    (saved / WEIGHTS).unlink()
    (saved / WEIGHTS).symlink_to("weights")
    (tmp_path / "latest").symlink_to(saved)
    assert ModelFolder.load(tmp_path / "latest").tokenizer == "whitespace"


def in_the_cache_of_the_hub(saved: Path, cache: Path) -> Path:
    """The folder as the Hub's cache keeps one: blobs, and links to them."""
    snapshot = cache / "snapshots" / "0123abc"
    for path in [path for path in saved.rglob("*") if path.is_file()]:
        content = path.read_bytes()
        blob = cache / "blobs" / hashlib.sha256(content).hexdigest()
        link = snapshot / path.relative_to(saved)
        for place in (blob, link):
            place.parent.mkdir(parents=True, exist_ok=True)
        blob.write_bytes(content)
        link.symlink_to(os.path.relpath(blob, link.parent))
    return snapshot


def test_a_snapshot_in_the_cache_of_the_hub_is_read(saved: Path, tmp_path: Path) -> None:
    assert ModelFolder.load(in_the_cache_of_the_hub(saved, tmp_path / "models--a--b")).tokenizer == "whitespace"


def test_a_folder_made_up_as_such_a_snapshot_does_not_lead_outside_either(saved: Path, tmp_path: Path) -> None:
    snapshot = in_the_cache_of_the_hub(saved, tmp_path / "models--a--b")
    blob = (snapshot / WEIGHTS).resolve()
    blob.rename(tmp_path / "outside")
    blob.symlink_to(tmp_path / "outside")
    assert "outside of the folder" in refused(snapshot)


@pytest.mark.parametrize("name", [CONFIG, VOCABULARY, WEIGHTS, "README.md", *STATIC_FILES])
def test_a_file_larger_than_any_such_file_is_not_read(saved: Path, name: str) -> None:
    with (saved / name).open("r+b") as stream:
        stream.truncate(MOST_BYTES[name] + 1)  # sparse: it takes no room
    assert f"{name}: {MOST_BYTES[name] + 1:,} bytes, larger than" in refused(saved)


def test_weights_larger_than_the_model_are_refused_unread(saved: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tensors = load_file(saved / WEIGHTS)
    save_file({**tensors, "more": np.zeros(1 << 20, np.float32)}, saved / WEIGHTS)
    sign(saved)
    monkeypatch.setattr("tagger.model_folder.folder.load_file", lambda path: pytest.fail("read"))
    monkeypatch.setattr(
        "tagger.model_folder.checks.sha256_of",
        lambda path: pytest.fail("read") if path.name == WEIGHTS else sha256_of(path),
    )
    assert "bytes, expected at most" in refused(saved)


@pytest.mark.parametrize("size", [10**6, 10**15, 10**300])
@pytest.mark.parametrize("part", ["hidden_size", "feed_forward"])
def test_a_model_larger_than_its_weights_makes_nothing_of_that_size(saved: Path, part: str, size: int) -> None:
    edit_json(saved / CONFIG, lambda config: config["model"]["encoder"].update({part: size}))
    assert "expected float32" in refused(saved) or "is missing" in refused(saved)


@pytest.mark.parametrize("shape", [[2**62, 4], [2**32, 2**32], [-1], [0, 2**63], [1] * 5000])
def test_a_tensor_of_absurd_shape_is_refused(saved: Path, shape: list[int]) -> None:
    header = json.dumps({"emissions.bias": {"dtype": "F32", "shape": shape, "data_offsets": [0, 4]}}).encode()
    (saved / WEIGHTS).write_bytes(struct.pack("<Q", len(header)) + header + b"\x00" * 4)
    sign(saved)
    refused(saved)


@pytest.mark.parametrize("offsets", [[[0, 8], [4, 12]], [[0, 4], [8, 12]], [[8, 0], [0, 12]], [[0, 4], [4, 2**63]]])
def test_tensors_that_overlap_or_leave_gaps_are_refused(saved: Path, offsets: list[list[int]]) -> None:
    names = ("crf.start", "crf.end")
    header = {
        name: {"dtype": "F32", "shape": [2], "data_offsets": ends} for name, ends in zip(names, offsets, strict=True)
    }
    told = json.dumps(header).encode()
    (saved / WEIGHTS).write_bytes(struct.pack("<Q", len(told)) + told + b"\x00" * 12)
    sign(saved)
    refused(saved)


@pytest.mark.parametrize("rows", [0, 1, 1000])
def test_as_many_vectors_as_word_pieces_have_to_be_there(saved: Path, rows: int) -> None:
    vectors = {"scales": np.ones(rows, np.float32), "vectors": np.ones((rows, 4), np.int8)}
    save_file(vectors, saved / "static" / "vectors.safetensors")
    sign(saved)
    refused(saved)


@pytest.mark.parametrize("depth", [60, 500, sys.getrecursionlimit() - 50, 100_000])
@pytest.mark.parametrize("bracket", ["[]", "{}"])
@pytest.mark.parametrize("name", [CONFIG, VOCABULARY])
def test_json_of_absurd_depth_is_refused(saved: Path, name: str, bracket: str, depth: int) -> None:
    opening = '{"a":' if bracket == "{}" else "["
    nested = opening * depth + "1" + bracket[1] * depth
    text = (saved / name).read_text(encoding="utf-8")
    (saved / name).write_text(f'{{"extra": {nested}, {text[1:]}', encoding="utf-8")
    if name == VOCABULARY:
        sign(saved)
    assert "deeper than" in refused(saved) or "not JSON" in refused(saved)


def test_a_value_of_absurd_length_is_told_shortly(saved: Path) -> None:
    edit_json(saved / CONFIG, lambda config: config["model"]["encoder"].update(hidden_size="6" * 500_000))
    refused(saved)


@pytest.fixture
def encoder(tmp_path: Path) -> Path:
    return write_tiny_encoder(tmp_path / "encoder")


def refused_encoder(folder: Path) -> str:
    with pytest.raises(UserError) as caught:
        open_encoder(TransformerEmbedding(path=str(folder), layers=1))
    return str(caught.value)


@pytest.mark.parametrize("place", ["../outside.safetensors", "/outside.safetensors", "sub/x.safetensors", 3, None])
def test_an_index_that_names_weights_outside_is_refused(encoder: Path, place: object) -> None:
    shutil.copy(encoder / WEIGHTS, encoder.parent / "outside.safetensors")
    index = {"metadata": {}, "weight_map": dict.fromkeys(load_file(encoder / WEIGHTS), place)}
    (encoder / f"{WEIGHTS}.index.json").write_text(json.dumps(index), encoding="utf-8")
    assert "names weights that are no file of the folder" in refused_encoder(encoder)


@pytest.mark.parametrize("name", ["vocab_size", "hidden_size", "intermediate_size", "max_position_embeddings"])
def test_an_encoder_s_configuration_of_absurd_size_makes_nothing_of_that_size(encoder: Path, name: str) -> None:
    change_config(encoder, **{name: 10**8})
    assert "describes more weights than" in refused_encoder(encoder)


def test_an_encoder_of_absurdly_many_layers_is_refused(encoder: Path) -> None:
    change_config(encoder, num_hidden_layers=10**6)
    assert "describes more weights than" in refused_encoder(encoder)


def test_an_encoder_whose_configuration_has_a_target_is_refused(encoder: Path) -> None:
    change_config(encoder, text_config={"_target_": "os.system"})
    assert "names code to run" in refused_encoder(encoder)


@pytest.mark.parametrize(
    ("name", "known"),
    [
        (WEIGHTS, True),
        ("static/vectors.safetensors", True),
        ("encoder/model-00001-of-00002.safetensors", True),
        ("encoder/vocab.txt", True),
        ("model.pkl", False),
        ("run.py", False),
        ("other.json", False),
        ("encoder/deep/model.safetensors", False),
        ("static/../config.json", False),
        ("../config.json", False),
        ("/config.json", False),
        ("encoder/modeling.py", False),
    ],
)
def test_names_of_a_model_s_files_are_known(name: str, known: bool) -> None:
    assert (most_bytes(name) is not None) is known
