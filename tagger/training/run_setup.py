"""Set up a run: shape and vocabularies of the model, pretrained parts, and weights to start from."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from pytorch_lightning.utilities.rank_zero import rank_zero_only

from tagger.config import EmbeddingsConfig, ModelConfig, StaticEmbedding, TransformerEmbedding
from tagger.corpus.dataset import DataConfig, Split, labelled_content
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
from tagger.model_folder.language_model import SHARED, LanguageModelFolder
from tagger.printable import in_a_line
from tagger.renamed_settings import with_old_names
from tagger.tensor_shapes import TRANSFORMER, expected_shapes
from tagger.training.epoch_corpora import Distillation
from tagger.training.run_config import OptimConfig


@dataclass(frozen=True)
class RunSetup:
    """The parts that a run starts with.

    Attributes:
        config: the model's shape, with the widths of pretrained vectors.
        vocabularies: those of the model to start from, then new entries of the training split.
        scheme: scheme of the model's tags.
        weights: weights of the model to start from, by name; empty without one.
        static, encoder: the pretrained parts, if the configuration has them.
        distillation: what the run learns from a teacher, if it has one.
        pretrained_on: the raw text of the language model that it starts from, in words; "" without one.
    """

    config: ModelConfig
    vocabularies: Vocabularies
    scheme: Scheme
    weights: Mapping[str, NDArray[np.float32]]
    static: StaticVectors | None
    encoder: PretrainedEncoder | None
    distillation: Distillation | None = None
    pretrained_on: str = ""

    @property
    def tuned_encoder(self) -> PretrainedEncoder | None:
        """The encoder, if it is fine-tuned."""
        return self.encoder if self.encoder is not None and self.encoder.settings.trainable else None

    @property
    def feature_encoder(self) -> FeatureEncoder:
        """An encoder of words for the network."""
        return FeatureEncoder(self.config.embeddings, self.vocabularies, self.static)

    def encoded(self, sentences: Sequence[Sentence], device: torch.device) -> EncodedCorpus:
        """Encode a split for the network. A frozen encoder reads it on `device`."""
        context = self._context([sentence.tokens for sentence in sentences], device)
        return EncodedCorpus(sentences, self.feature_encoder, self.scheme, context)

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
        """Return a digest of all that a checkpoint depends on but does not hold.

        This is the meaning of its weights, the settings of training, and the data of its score. The length of the run
        and the places of files are left out.
        """
        embeddings = self.config.embeddings
        static = embeddings.static and replace(embeddings.static, source="")
        encoder = embeddings.transformer and replace(embeddings.transformer, path=None, revision=None)
        model = replace(self.config, embeddings=replace(embeddings, static=static, transformer=encoder))
        trained = replace(optim, epochs=1, min_steps=1)
        scored = list(map(labelled_content, dev.sentences))
        vectors = self.static and self.static.digest()
        settings = with_old_names({**asdict(model), "optim": asdict(trained)})  # as in earlier checkpoints
        optim_settings = settings.pop("optim")
        if not optim.recase:  # unknown to earlier checkpoints
            del optim_settings["recase"]
        depends_on = [self.vocabularies.to_mapping(), settings, optim_settings, vectors, scored]
        if (learned := self.distillation) is not None:
            depends_on.append([learned.text.about.digest, learned.epoch_tokens, learned.weight])
        return hashlib.sha256(json.dumps(depends_on).encode()).hexdigest()

    def folder(self, network: TaggerModel, data: DataConfig) -> ModelFolder:
        """Make a model folder of the network's weights."""
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
            pretrained_on=self.pretrained_on,
            write_encoder=self.tuned_encoder and self.tuned_encoder.save,
        )


def set_up_run(
    split: Split,
    model: ModelConfig,
    init_from: Path | None,
    distillation: Distillation | None = None,
    language_model: Path | None = None,
) -> RunSetup:
    """Set up a run: build the vocabularies and open the pretrained parts.

    Args:
        split: the training split.
        model: the model's shape, if the run starts from no other model.
        init_from: the folder of the model to start from, if there is one.
        distillation: what to learn from a teacher.
        language_model: the folder of a language model to start from, if there is one. It has the shape of `model`.

    Raises:
        UserError: the split has no labels, its tags are of another kind than that model's, or a pretrained part is
            missing or damaged.
    """
    folder = ModelFolder.load(init_from) if init_from else None
    config, static = (folder.config, folder.static) if folder else (model, None)
    pretrained = _open_language_model(language_model, model) if language_model else None
    if pretrained is not None:
        static = pretrained.static
    scheme = Scheme.PLAIN if split.scheme is Scheme.PLAIN else Scheme(config.decoder.scheme)
    of_split = count_tokens(split.sentences)
    tokens = of_split if distillation is None else of_split + Counter(distillation.frequent_words)
    vocabularies = Vocabularies.build(split.sentences, config.embeddings, scheme, tokens)
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
        static = _open_static(embeddings.static, of_split)
        embeddings = replace(embeddings, static=replace(embeddings.static, width=static.width))
    encoder = None
    if embeddings.transformer:
        encoder = _open_encoder(embeddings.transformer, folder.encoder if folder else None)
        embeddings = replace(embeddings, transformer=encoder.settings)
    if folder is not None:
        vocabularies = folder.vocabularies.extended(vocabularies, count_words(tokens, embeddings))
    weights = folder.tensors if folder else {}
    about = folder.pretrained_on if folder else ""
    if pretrained is not None:
        vocabularies = pretrained.vocabularies.extended(vocabularies, count_words(tokens, embeddings))
        weights, about = pretrained.shared_tensors, pretrained.about
    config = replace(config, embeddings=embeddings)
    return RunSetup(config, vocabularies, scheme, weights, static, encoder, distillation, about)


def _open_language_model(path: Path, model: ModelConfig) -> LanguageModelFolder:
    """Open the language model to start from.

    Raises:
        UserError: it is missing or damaged, or has another shape.
    """
    found = LanguageModelFolder.load(path)
    vocabularies = found.vocabularies
    shapes = expected_shapes(replace(model, embeddings=_with_widths(model.embeddings, found.config)), vocabularies)
    for name, tensor in found.shared_tensors.items():
        if shapes.get(name) != tensor.shape:
            raise UserError(
                f"init_from_lm={path}: of another shape: {name} is {tensor.shape}, expected {shapes.get(name)}; "
                "pretrain with the settings of embeddings and encoder that this run has"
            )
    missing = [name for name in shapes if name.startswith(SHARED) and name not in found.shared_tensors]
    if missing:
        raise UserError(f"init_from_lm={path}: of another shape: it has no {missing[0]}; pretrain with the settings of "
            "embeddings and encoder that this run has")  # fmt: skip
    words = len(vocabularies.words.entries)
    _print(f"language model ({path}): {words:,} words known from raw text: {found.about}")
    return found


def _with_widths(embeddings: EmbeddingsConfig, other: ModelConfig) -> EmbeddingsConfig:
    """Return embeddings with the width of static vectors that another model found when it opened them."""
    static, opened = embeddings.static, other.embeddings.static
    return replace(embeddings, static=replace(static, width=opened.width)) if static and opened else embeddings


def _open_static(settings: StaticEmbedding, tokens: Mapping[str, int]) -> StaticVectors:
    static = open_static(settings.source)
    _print(f"pretrained vectors ({settings.source}): {coverage(static, tokens)}")
    for note in getattr(static, "notes", ()):
        _print(f"  {note}")
    return static


def _open_encoder(settings: TransformerEmbedding, tuned: Path | None) -> PretrainedEncoder:
    """Open the encoder, or the fine-tuned one of a model to start from, if `tuned` is its folder."""
    encoder = open_encoder(replace(settings, path=str(tuned)) if tuned else settings)
    if settings.trainable:  # training changes its files, and the model folder has its own checksums
        encoder.settings = replace(encoder.settings, path=settings.path, digest=None)
        encoder.train()
    parameters = sum(parameter.numel() for parameter in encoder.parameters())
    kind = "fine-tuned" if settings.trainable else "frozen"
    _print(f"encoder ({settings.path}): {parameters / 1e6:.1f} million parameters, {kind}")
    return encoder


def _encode(
    encoder: PretrainedEncoder, device: torch.device, sentences: Sequence[Sequence[str]], vectors: NDArray[np.float16]
) -> None:
    """Encode a corpus on a device. Then free its memory for the network."""
    encoder.to(device)
    try:
        encoder.encode(sentences, vectors, progress=True)
    finally:
        encoder.to("cpu")


@rank_zero_only
def _print(line: str) -> None:
    print(in_a_line(line), flush=True)


def copy_weights(weights: Mapping[str, NDArray[np.float32]], network: TaggerModel) -> None:
    """Copy a model's weights into a network that has the same words and labels, then perhaps new ones."""
    parameters = dict(network.named_parameters())
    with torch.no_grad():
        for name, tensor in weights.items():
            known = tuple(slice(0, size) for size in tensor.shape)
            parameters[name][known] = torch.from_numpy(tensor)
