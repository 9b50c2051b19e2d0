"""What a run begins with: the model's shape and vocabularies, what is pretrained, perhaps another model's weights."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from pytorch_lightning.utilities.rank_zero import rank_zero_only

from tagger.config import EncoderEmbedding, ModelConfig, StaticEmbedding
from tagger.corpus.dataset import DataConfig, Split
from tagger.corpus.schemes import Scheme
from tagger.corpus.sentence import Sentence
from tagger.errors import UserError
from tagger.features.context import Context, FrozenContext, PiecesContext, cached_vectors
from tagger.features.encoding import EncodedCorpus, FeatureEncoder
from tagger.features.vectors.open import StaticVectors, open_static
from tagger.features.vectors.table import coverage
from tagger.features.vocabulary import Vocabularies, count_tokens, count_words
from tagger.files import cache_folder
from tagger.model.contextual import PretrainedEncoder, open_encoder
from tagger.model.network import TaggerModel
from tagger.model_folder.folder import ModelFolder
from tagger.printable import in_a_line
from tagger.tensor_shapes import TRANSFORMER
from tagger.training.run_config import OptimConfig


@dataclass(frozen=True)
class RunSetup:
    """A run's beginning.

    Attributes:
        config: the model's shape, widths of pretrained vectors settled.
        vocabularies: of the training split, after those of the model to start from.
        scheme: of the model's tags.
        weights: of the model to start from, by name; empty without one.
        static, encoder: what is pretrained, where the configuration has it.
    """

    config: ModelConfig
    vocabularies: Vocabularies
    scheme: Scheme
    weights: Mapping[str, NDArray[np.float32]]
    static: StaticVectors | None
    encoder: PretrainedEncoder | None

    @property
    def tuned_encoder(self) -> PretrainedEncoder | None:
        """The encoder, if it is to be trained along."""
        return self.encoder if self.encoder is not None and self.encoder.settings.tune else None

    def encoded(self, sentences: Sequence[Sentence], device: torch.device) -> EncodedCorpus:
        """A split as the network takes it; a frozen encoder reads it on `device`."""
        features = FeatureEncoder(self.config.embeddings, self.vocabularies, self.static)
        return EncodedCorpus(sentences, features, self.scheme, self._context([s.tokens for s in sentences], device))

    def _context(self, sentences: Sequence[Sequence[str]], device: torch.device) -> Context | None:
        encoder = self.encoder
        if encoder is None:
            return None
        if self.tuned_encoder is not None:
            return PiecesContext(encoder.split(sentences), encoder.around, encoder.capacity)
        settings = encoder.settings
        key = json.dumps([settings.digest, settings.layers, settings.pooling, encoder.capacity])
        width = settings.width or 0
        encode = partial(_encode, encoder, device)
        return FrozenContext(cached_vectors(sentences, width, encode, key=key, folder=cache_folder()))

    def fingerprint(self, dev: Split, optim: OptimConfig) -> str:
        """Of what a checkpoint rests on but does not hold.

        That is what its weights stand for, how they are trained, and what its score counts; not how long a run is, nor
        where something lies.
        """
        embeddings = self.config.embeddings
        static = embeddings.static and replace(embeddings.static, source="")
        encoder = embeddings.encoder and replace(embeddings.encoder, path=None, revision=None)
        model = replace(self.config, embeddings=replace(embeddings, static=static, encoder=encoder))
        trained = replace(optim, epochs=1, min_steps=1)
        scored = [(sentence.tokens, sentence.tags) for sentence in dev.sentences]
        vectors = self.static and self.static.digest()
        rests_on = json.dumps([self.vocabularies.to_mapping(), asdict(model), asdict(trained), vectors, scored])
        return hashlib.sha256(rests_on.encode()).hexdigest()

    def folder(self, network: TaggerModel, data: DataConfig) -> ModelFolder:
        """The network's weights as a model folder."""
        tensors = {
            name: tensor.detach().float().cpu().numpy()
            for name, tensor in network.state_dict().items()
            if not name.startswith(TRANSFORMER)
        }
        return ModelFolder(
            config=self.config,
            vocabularies=self.vocabularies,
            scheme=self.scheme,
            tensors=tensors,
            tokenizer=data.tokenizer,
            language=data.language or "",
            static=self.static,
            write_encoder=self.tuned_encoder and self.tuned_encoder.save,
        )


def set_up_run(split: Split, model: ModelConfig, init_from: Path | None) -> RunSetup:
    """Vocabularies of the training split, on top of those of the model to start from, if any.

    Raises:
        UserError: the split has no labels, or tags of another kind than that model's, or something pretrained is
            missing or damaged.
    """
    folder = ModelFolder.load(init_from) if init_from else None
    config, static = (folder.config, folder.static) if folder else (model, None)
    scheme = Scheme.PLAIN if split.scheme is Scheme.PLAIN else Scheme(config.decoder.scheme)
    vocabularies = Vocabularies.build(split.sentences, config.embeddings, scheme)
    if len(vocabularies.tags) < 2:
        raise UserError(
            f"the training split ({len(split.sentences)} sentences) has no labels to learn: its tags are "
            f"{', '.join(vocabularies.tags)}; check data.tag_column"
        )
    if folder and scheme is not folder.scheme:
        raise UserError(
            f"init_from: the model's tags are {folder.scheme.value}, the data's {split.scheme.value}; "
            "start from a model of the same kind of tags"
        )
    embeddings = config.embeddings
    if embeddings.static and static is None:
        static = _open_static(embeddings.static, count_tokens(split.sentences))
        embeddings = replace(embeddings, static=replace(embeddings.static, width=static.width))
    encoder = _open_encoder(embeddings.encoder, folder.encoder if folder else None) if embeddings.encoder else None
    if encoder is not None:
        embeddings = replace(embeddings, encoder=encoder.settings)
    if folder is not None:
        counts = count_words(count_tokens(split.sentences), embeddings)
        vocabularies = folder.vocabularies.extended(vocabularies, counts)
    weights = folder.tensors if folder else {}
    return RunSetup(replace(config, embeddings=embeddings), vocabularies, scheme, weights, static, encoder)


def _open_static(settings: StaticEmbedding, tokens: Mapping[str, int]) -> StaticVectors:
    static = open_static(settings.source)
    _tell(f"pretrained vectors ({settings.source}): {coverage(static, tokens)}")
    for note in getattr(static, "notes", ()):
        _tell(f"  {note}")
    return static


def _open_encoder(settings: EncoderEmbedding, tuned: Path | None) -> PretrainedEncoder:
    """The encoder, of a model to start from the one `tuned` along with it."""
    encoder = open_encoder(replace(settings, path=str(tuned)) if tuned else settings)
    if settings.tune:  # its files change, and the model folder has checksums of its own
        encoder.settings = replace(encoder.settings, path=settings.path, digest=None)
        encoder.train()
    parameters = sum(parameter.numel() for parameter in encoder.parameters())
    kind = "trained along" if settings.tune else "frozen"
    _tell(f"encoder ({settings.path}): {parameters / 1e6:.1f} million parameters, {kind}")
    return encoder


def _encode(
    encoder: PretrainedEncoder, device: torch.device, sentences: Sequence[Sequence[str]], vectors: NDArray[np.float16]
) -> None:
    """Have the encoder read a corpus on a device, whose memory is the network's again afterwards."""
    encoder.to(device)
    try:
        encoder.encode(sentences, vectors, progress=True)
    finally:
        encoder.to("cpu")


@rank_zero_only
def _tell(line: str) -> None:
    print(in_a_line(line), flush=True)


def copy_weights(weights: Mapping[str, NDArray[np.float32]], network: TaggerModel) -> None:
    """Copy a model's weights into a network that knows the same words and labels first and new ones after them."""
    parameters = dict(network.named_parameters())
    with torch.no_grad():
        for name, tensor in weights.items():
            known = tuple(slice(0, size) for size in tensor.shape)
            parameters[name][known] = torch.from_numpy(tensor)
