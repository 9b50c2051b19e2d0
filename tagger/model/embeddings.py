"""Embeddings: make the vector of each distinct word once, then look it up for every token."""

from __future__ import annotations

import typing
from typing import TypeVar

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.utils.rnn import pack_padded_sequence

from tagger.config import (
    AffixEmbedding,
    CharacterEmbedding,
    EmbeddingsConfig,
    ShapeEmbedding,
    StaticEmbedding,
    TransformerEmbedding,
    WordEmbedding,
)
from tagger.features.vocabulary import PAD, UNK, Vocabularies
from tagger.model.batch import TensorBatch, TensorFeatures
from tagger.model.dropout import LockedDropout, TokenDropout
from tagger.model.recurrence import bidirectional
from tagger.model.row_table import RowTable
from tagger.model.transfer import on_device

TRANSFORMER = "encoder"  # the name of this part in checkpoints

Table = TypeVar("Table", bound=nn.Embedding)


class WordVectors(nn.Module):
    """A trained vector per known word. In training, rare words sometimes become UNK."""

    def __init__(self, config: WordEmbedding, vocabularies: Vocabularies) -> None:
        super().__init__()
        self.table = _drawn(RowTable(len(vocabularies.words), config.size, padding=PAD))
        self.width = config.size
        self.dropout = config.dropout
        counts = torch.tensor([0, 0, *vocabularies.word_counts], dtype=torch.float)
        replace = torch.where(counts > 0, config.unk_probability / counts.clamp(min=1), torch.zeros_like(counts))
        self.register_buffer("_replace", replace, persistent=False)
        self._replace: Tensor  # (V,) probability of becoming UNK

    def forward(self, features: TensorFeatures) -> Tensor:
        words = features.words  # (U,)
        if self.training:
            words = torch.where(torch.rand_like(self._replace[words]) < self._replace[words], UNK, words)
        return self.table.look_up(words, np.append(features.arrays.words, UNK))  # (U, E)


class CharCNN(nn.Module):
    """A convolution over a word's characters, rectified and max-pooled over positions.

    After Ma & Hovy 2016 (arXiv:1603.01354), who have no rectification.

    Only positions with a character are computed. The product of a filter and a character's vector is the same in every
    word. So it is computed once, and the value of a window is a sum of looked-up products.
    """

    def __init__(self, config: CharacterEmbedding, vocabularies: Vocabularies) -> None:
        super().__init__()
        self.table = _drawn(nn.Embedding(len(vocabularies.characters), config.size, padding_idx=PAD))
        self.convolution = nn.Conv1d(config.size, config.filters, config.kernel, padding=config.kernel // 2)
        self.character_dropout = nn.Dropout(config.dropout)
        self.width = config.filters
        self.dropout = 0.0

    def forward(self, features: TensorFeatures) -> Tensor:
        with torch.autocast(features.characters.device.type, enabled=False):  # few products, and they are summed
            return self._convolved(features)

    def _convolved(self, features: TensorFeatures) -> Tensor:
        words, longest = features.characters.shape  # U, C
        word_of = features.spelled // longest  # (M,)
        windows, stream = self._windows(features, word_of)  # (M, k)
        if self.training and self.character_dropout.p:  # then each position has a vector of its own
            vectors = self.character_dropout(self._vectors()[stream])  # (M + gaps, S)
        else:
            vectors, windows = self._vectors(), stream[windows]
        filters, size, kernel = self.convolution.weight.shape
        products = vectors @ self.convolution.weight.permute(1, 2, 0).reshape(size, kernel * filters)
        places = windows * kernel + torch.arange(kernel, device=windows.device)
        filtered = functional.embedding_bag(places, products.view(-1, filters), mode="sum")  # (M, F)
        assert self.convolution.bias is not None
        filtered = filtered + self.convolution.bias
        rectified = filtered.new_zeros(words, filters)  # an empty word keeps the zeros
        return rectified.scatter_reduce(0, word_of.unsqueeze(1).expand_as(filtered), filtered, "amax")  # (U, F)

    def _vectors(self) -> Tensor:
        """Return the vectors of the characters, (A, S); padding's is zero."""
        inside = torch.arange(len(self.table.weight), device=self.table.weight.device) != PAD
        return self.table.weight * inside.unsqueeze(1)

    def _windows(self, features: TensorFeatures, word_of: Tensor) -> tuple[Tensor, Tensor]:
        """Lay the characters of all words in one stream, with padding before and after each word.

        Returns:
            (M, k) positions in the stream that each window covers, and the stream, (M + gaps,).
        """
        kernel = self.convolution.kernel_size[0]
        gap = kernel // 2
        count, device = len(word_of), word_of.device
        places = torch.arange(count, device=device) + gap * (word_of + 1)  # (M,)
        stream = word_of.new_full((count + gap * (len(features.characters) + 1),), PAD)
        stream[places] = features.characters.flatten()[features.spelled]
        return places.unsqueeze(1) + torch.arange(-gap, gap + 1, device=device), stream


class CharGRU(nn.Module):
    """The last states of a GRU that reads a word's characters in both directions (after Lample et al. 2016)."""

    def __init__(self, config: CharacterEmbedding, vocabularies: Vocabularies) -> None:
        super().__init__()
        self.table = _drawn(nn.Embedding(len(vocabularies.characters), config.size, padding_idx=PAD))
        self.recurrence = bidirectional("gru", config.size, config.hidden_size)
        self.character_dropout = nn.Dropout(config.dropout)
        self.width = config.width
        self.dropout = 0.0

    def forward(self, features: TensorFeatures) -> Tensor:
        lengths = (features.arrays.characters != PAD).sum(axis=1)  # (U,)
        spelled = np.flatnonzero(lengths)  # an empty word has no states and keeps zeros
        result = self.table.weight.new_zeros(len(lengths), self.width)
        if not len(spelled):
            return result
        falling, order = torch.sort(torch.from_numpy(lengths[spelled]), descending=True)
        rows, longest_first = on_device([spelled, order.numpy()], result.device)
        vectors = self.character_dropout(self.table(features.characters[rows]))[longest_first]  # (u, C, S)
        last = self.recurrence(pack_padded_sequence(vectors, falling, batch_first=True))[1]  # (2, u, H)
        states = last.transpose(0, 1).flatten(1)  # (u, 2H)
        return result.to(states.dtype).index_copy(0, rows[longest_first], states)


class ShapeVectors(nn.Module):
    """A trained vector per word shape."""

    def __init__(self, config: ShapeEmbedding, vocabularies: Vocabularies) -> None:
        super().__init__()
        self.table = _drawn(RowTable(len(vocabularies.shapes), config.size, padding=PAD))
        self.width = config.size
        self.dropout = config.dropout

    def forward(self, features: TensorFeatures) -> Tensor:
        return self.table.look_up(features.shapes, features.arrays.shapes)  # (U, E)


class AffixVectors(nn.Module):
    """A trained vector per prefix and suffix of each length, concatenated."""

    def __init__(self, config: AffixEmbedding, vocabularies: Vocabularies) -> None:
        super().__init__()
        known = (vocabularies.prefixes, vocabularies.suffixes)
        sizes = [len(by_length[length]) for by_length in known for length in config.lengths]
        self.tables = nn.ModuleList(_drawn(RowTable(size, config.size, padding=PAD)) for size in sizes)
        self.width = config.size * len(sizes)
        self.dropout = config.dropout

    def forward(self, features: TensorFeatures) -> Tensor:
        met, columns = features.arrays.affixes.T, features.affixes.unbind(dim=1)
        found = [table.look_up(*numbers) for table, *numbers in zip(self._tables(), columns, met, strict=True)]
        return torch.cat(found, dim=1)

    def _tables(self) -> list[RowTable]:
        return typing.cast(list[RowTable], list(self.tables))


class PretrainedVectors(nn.Module):
    """The unchanged pretrained vector of each word."""

    def __init__(self, config: StaticEmbedding) -> None:
        super().__init__()
        assert config.width is not None
        self.width = config.width
        self.dropout = config.dropout

    def forward(self, features: TensorFeatures) -> Tensor:
        return features.static  # (U, D)


class FineTunedVectors(PretrainedVectors):
    """The pretrained vector of each word plus a trained correction, which begins at zero.

    Words that are not in the training split have no correction.
    """

    def __init__(self, config: StaticEmbedding, vocabularies: Vocabularies) -> None:
        super().__init__(config)
        self.corrections = RowTable(len(vocabularies.words), self.width)
        nn.init.zeros_(self.corrections.weight)

    def forward(self, features: TensorFeatures) -> Tensor:
        known = (features.words > UNK).unsqueeze(1)  # (U, 1)
        corrections = self.corrections.look_up(features.words, features.arrays.words)
        return features.static + corrections * known  # (U, D)


class ContextualVectors(nn.Module):
    """The vector of each token from a pretrained encoder: computed before, or by an encoder that is fine-tuned."""

    def __init__(self, config: TransformerEmbedding, encoder: nn.Module | None) -> None:
        super().__init__()
        assert config.width is not None
        self.encoder = encoder
        self.width = config.width
        self.dropout = config.dropout

    def forward(self, batch: TensorBatch) -> Tensor:
        return batch.context if self.encoder is None else self.encoder(batch.pieces)[batch.packing.reading]  # (N, D)


class EmbeddingStack(nn.Module):
    """The configured embeddings, concatenated: (N, E).

    Attributes:
        width: number of values per token, E.
        frozen: number of last values among the E that come from parts without trained weights.
    """

    def __init__(self, config: EmbeddingsConfig, vocabularies: Vocabularies, encoder: nn.Module | None = None) -> None:
        """
        Args:
            config, vocabularies: shape and entries of the embeddings.
            encoder: a pretrained encoder to fine-tune. Without one, batches hold the contextual vectors, if any.
        """
        super().__init__()
        parts: dict[str, nn.Module] = {}
        if config.word:
            parts["word"] = WordVectors(config.word, vocabularies)
        if config.characters:
            spelling = CharCNN if config.characters.kind == "cnn" else CharGRU
            parts["characters"] = spelling(config.characters, vocabularies)
        if config.shape:
            parts["shape"] = ShapeVectors(config.shape, vocabularies)
        if config.affixes:
            parts["affixes"] = AffixVectors(config.affixes, vocabularies)
        if config.static and config.static.trainable:
            parts["static"] = FineTunedVectors(config.static, vocabularies)
        elif config.static:
            parts["static"] = PretrainedVectors(config.static)
        if config.transformer:
            parts[TRANSFORMER] = ContextualVectors(config.transformer, encoder)
        self.parts = nn.ModuleDict(parts)
        self.width = sum(part.width for part in parts.values())  # type: ignore[misc]
        trained = [any(True for _ in part.parameters()) for part in parts.values()]
        after = len(trained) - trained[::-1].index(True) if any(trained) else 0
        self.frozen = sum(part.width for part in list(parts.values())[after:])  # type: ignore[misc]
        dropouts = [LockedDropout(part.dropout) for part in parts.values()]  # type: ignore[arg-type]
        self._part_dropout = nn.ModuleList(dropouts if any(dropout.probability for dropout in dropouts) else [])
        self._dropout = LockedDropout(config.dropout)
        self._word_dropout = TokenDropout(config.word_dropout)

    def forward(self, batch: TensorBatch) -> Tensor:
        of_words = [part for name, part in self.parts.items() if name != TRANSFORMER]
        by_word = [part(batch.features) for part in of_words]  # (U, E of the part)
        values = [functional.embedding(batch.rows, torch.cat(by_word, dim=1))] if by_word else []  # (N, E)
        if TRANSFORMER in self.parts:
            values.append(self.parts[TRANSFORMER](batch))
        together = torch.cat(values, dim=1)
        if self._part_dropout:
            parts = together.split([part.width for part in self.parts.values()], dim=1)
            dropped = [drop(part, batch.packing) for drop, part in zip(self._part_dropout, parts, strict=True)]
            together = torch.cat(dropped, dim=1)
        return self._word_dropout(self._dropout(together, batch.packing))  # (N, E)


def _drawn(table: Table) -> Table:
    """Draw a table uniformly with variance 1/size, and set padding to zero."""
    bound = (3 / table.embedding_dim) ** 0.5
    with torch.no_grad():
        table.weight.uniform_(-bound, bound)
        table.weight[PAD].zero_()
    return table
