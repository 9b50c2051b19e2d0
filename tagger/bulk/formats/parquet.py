"""Read and write Parquet, batch by batch. The only module that imports pyarrow."""

from __future__ import annotations

import base64
import json
import math
import os
from collections import Counter
from collections.abc import Iterable, Iterator
from typing import IO, Any

from tagger.bulk.formats.lines import Rows, json_field
from tagger.bulk.records import BadRecord, ReadOptions, Record
from tagger.corpus.sentence import Sentence
from tagger.errors import UserError, install_command

try:
    import pyarrow
    from pyarrow import ipc, parquet, types
except ImportError:
    raise UserError(f"Parquet files need pyarrow; install the extra: {install_command('corpus')}") from None

_TOKENS = "tokens"
_BYTES_AT_ONCE = 1 << 20
_MOST_ROWS = 1 << 10
_READ_AHEAD = 1 << 16  # bytes of a column
_COLUMNS_SHOWN = 10
_LONGEST_REASON = 200
_GROUP_ROWS, _GROUP_BYTES = 1 << 16, 1 << 24  # of a row group that is written, about
_LENGTH = 8  # bytes of a number before packed rows
_STRINGS = pyarrow.list_(pyarrow.string())


def row_groups(stream: IO[bytes], source: str, options: ReadOptions) -> list[tuple[int, int, int]]:
    """List the row groups of a Parquet file: rows, bytes when loaded, and the byte of the file where each ends.

    Arguments and errors are those of `parquet_records`.
    """
    file = _opened(stream, source)
    _columns(file.schema_arrow, source, options)
    groups = [file.metadata.row_group(number) for number in range(file.metadata.num_row_groups)]
    columns = ([group.column(number) for number in range(group.num_columns)] for group in groups)
    begins = [min(filter(None, (_first_page(one) for one in some)), default=0) for some in columns]
    size = stream.seek(0, os.SEEK_END)
    sizes = ((group.num_rows, group.total_byte_size) for group in groups)
    return [(*one, end) for one, end in zip(sizes, [*begins[1:], size], strict=True)]


def _first_page(column: Any) -> int:
    pages = (column.dictionary_page_offset, column.data_page_offset)
    return min((page for page in pages if page is not None), default=0)


def parquet_records(
    stream: IO[bytes], source: str, options: ReadOptions, groups: range, rows_before: int = 0
) -> Iterator[Record | BadRecord]:
    """Read the records of a Parquet file, a row each; memory holds about a megabyte of rows, or one.

    A row's text stands in the column `options.text_field` or, where there is none of that name, its tokens in the
    column `tokens`. Its id, of the column that `options.id_column` names (None: `id`, if there is one), becomes a field
    of the record, and so do all other columns. Values that JSON lacks are written as text: dates in ISO 8601, bytes in
    Base64, numbers that are not finite by their names.

    Args:
        stream: the file; it has to be seekable.
        source: its name, for messages.
        options: how it is read.
        groups: the row groups to read.
        rows_before: rows in the groups before these.

    Raises:
        UserError: it is no Parquet file, damaged, or has not these columns.
    """
    file = _opened(stream, source)
    columns = _columns(file.schema_arrow, source, options)
    row = rows_before
    try:
        batches = file.iter_batches(
            batch_size=_rows_at_once(file), row_groups=groups, columns=columns, use_threads=False
        )
        for batch in batches:
            for values in batch.to_pylist():
                row += 1
                yield _record(values, row, options.text_field)
    except MemoryError:
        raise
    except (pyarrow.ArrowException, OSError, UnicodeDecodeError) as error:
        raise UserError(f"{source}: damaged after row {row:,} ({_reason(error)}); copy or write it again") from error


def id_type(stream: IO[bytes], source: str, options: ReadOptions) -> pyarrow.DataType | None:
    """Return the type of a file's ids; None where it has none. Arguments and errors are those of `parquet_records`."""
    schema = _opened(stream, source).schema_arrow
    column = _id_column(schema, source, options)
    return None if column is None else _plain_type(schema.field(column).type)


class ParquetTable:
    """Write rows to a Parquet file: first packed, as they come, then all of them by row groups."""

    def __init__(self, *, id_field: str, text_field: str, scores: bool, ids: pyarrow.DataType | None) -> None:
        """
        Args:
            id_field, text_field: the names of the columns of ids and texts.
            scores: entities have scores.
            ids: the type of ids; None: text, and whatever else they are is written as JSON.
        """
        self._id_field, self._text_field, self._ids = id_field, text_field, ids
        entity: list[tuple[str, pyarrow.DataType]] = [("start", pyarrow.int64()), ("end", pyarrow.int64())]
        entity += [("label", pyarrow.string()), ("text", pyarrow.string())]
        bare = pyarrow.struct(entity)
        marked = pyarrow.struct([*entity, ("score", pyarrow.float64())]) if scores else bare
        self._types = {
            "entities": pyarrow.list_(marked),
            "tokens": _STRINGS,
            "tags": _STRINGS,
            "scores": pyarrow.list_(pyarrow.float64()),
            "fields": pyarrow.string(),
        }
        self._tagged = {True: ("tags", _STRINGS), False: ("entities", pyarrow.list_(bare))}  # by whether tags are plain

    def packed(self, rows: Rows) -> bytes:
        """Return rows as bytes that may follow each other; see `write_table`."""
        ids = rows.ids if self._ids is not None else [_as_text(one) for one in rows.ids]
        columns = {self._id_field: pyarrow.array(ids, self._ids or pyarrow.string())}
        columns[self._text_field] = pyarrow.array(rows.texts, pyarrow.string())
        of_alternatives = self._alternatives("entities" not in rows.more)
        for name, values in rows.more.items():
            columns[name] = pyarrow.array(values, self._types.get(name, of_alternatives))
        sink = pyarrow.BufferOutputStream()
        batch = pyarrow.RecordBatch.from_pydict(columns)
        with ipc.new_stream(sink, batch.schema) as stream:
            stream.write_batch(batch)
        data = sink.getvalue().to_pybytes()
        return len(data).to_bytes(_LENGTH, "little") + data

    def _alternatives(self, plain: bool) -> pyarrow.DataType:
        tagging = pyarrow.struct([("score", pyarrow.float64()), self._tagged[plain]])
        ends = [("start", pyarrow.int64()), ("end", pyarrow.int64())]
        return pyarrow.list_(pyarrow.struct([*ends, ("taggings", pyarrow.list_(tagging))]))


def write_table(packed: Iterable[bytes], file: IO[bytes]) -> None:
    """Write packed rows as a Parquet file; memory holds a row group. Raises OSError where it cannot be written."""
    writer = None
    for group in _groups(packed):
        writer = writer or parquet.ParquetWriter(file, group.schema, compression="zstd")
        writer.write_table(group)
    assert writer is not None
    writer.close()


def _groups(packed: Iterable[bytes]) -> Iterator[pyarrow.Table]:
    """Put packed rows together to row groups."""
    batches: list[pyarrow.RecordBatch] = []
    rows = size = 0
    for data in packed:
        position = 0
        while position < len(data):
            begin = position + _LENGTH
            position = begin + int.from_bytes(data[begin - _LENGTH : begin], "little")
            batches += ipc.open_stream(data[begin:position])
            rows, size = rows + batches[-1].num_rows, size + batches[-1].nbytes
            if rows >= _GROUP_ROWS or size >= _GROUP_BYTES:
                yield pyarrow.Table.from_batches(batches)
                batches, rows, size = [], 0, 0
    if batches:
        yield pyarrow.Table.from_batches(batches)


def _as_text(identity: Any) -> str | None:
    return identity if identity is None or isinstance(identity, str) else json.dumps(identity, ensure_ascii=False)


def _opened(stream: IO[bytes], source: str) -> parquet.ParquetFile:
    if not stream.seekable():
        raise UserError(f"{source}: Parquet cannot be read from a pipe; name a file")
    try:
        return parquet.ParquetFile(stream, buffer_size=_READ_AHEAD, pre_buffer=False)
    except MemoryError:
        raise
    except (pyarrow.ArrowException, OSError, UnicodeDecodeError) as error:
        remedy = "check the file, or set --input-format to what it holds"
        raise UserError(f"{source}: no Parquet file ({_reason(error)}); {remedy}") from error


def _columns(schema: pyarrow.Schema, source: str, options: ReadOptions) -> list[str]:
    """The names of the columns to be read."""
    name = next((name for name in (options.text_field, _TOKENS) if name in schema.names), None)
    if name is None:
        raise UserError(
            f"{source}: no column {options.text_field!r} or {_TOKENS!r} ({_found(schema)}); "
            "name the text's column with --text-column"
        )
    kind = _type_of(schema, name, source)
    if name == options.text_field and not _is_text(kind):
        raise UserError(f"{source}: column {name!r} holds {kind}, not text; name the text's column with --text-column")
    if name != options.text_field and not (
        (types.is_list(kind) or types.is_large_list(kind)) and _is_text(kind.value_type)
    ):
        raise UserError(f"{source}: column {name!r} holds {kind}, not lists of strings; write it as such")
    identity = _id_column(schema, source, options)
    found = [name] if identity is None else [identity, name]
    once = (one for one, count in Counter(schema.names).items() if count == 1)
    return [*found, *(one for one in once if one not in found)]


def _id_column(schema: pyarrow.Schema, source: str, options: ReadOptions) -> str | None:
    name = options.id_field
    if options.id_column is None and (name == options.text_field or name not in schema.names):
        return None
    if name not in schema.names:
        raise UserError(f"{source}: no column {name!r} ({_found(schema)}); name the ids' column with --id-column")
    kind = _type_of(schema, name, source)
    if not types.is_integer(_plain_type(kind)) and not _is_text(kind):
        raise UserError(
            f"{source}: column {name!r} holds {kind}, no ids that can be carried along (whole numbers or text); "
            "name another with --id-column, or cast it"
        )
    return name


def _type_of(schema: pyarrow.Schema, name: str, source: str) -> pyarrow.DataType:
    places = schema.get_all_field_indices(name)
    if len(places) > 1:
        raise UserError(f"{source}: {len(places)} columns are named {name!r}; rename all but one")
    return schema.field(places[0]).type


def _record(values: dict[str, Any], row: int, text_field: str) -> Record | BadRecord:
    fields = {name: json_field(name, _jsonable(value)) for name, value in values.items() if name != text_field}
    text = values.get(text_field)
    if isinstance(text, str):
        return Record(text, fields=fields, size=len(text))
    if text_field in values:
        return BadRecord(
            row, f"column {text_field!r} holds null, no text; fill it, or leave the row out", fields=fields
        )
    tokens = values[_TOKENS]
    if tokens is None or None in tokens:
        return BadRecord(row, f"column {_TOKENS!r} holds null; fill it, or leave the row out", fields=fields)
    return Record(" ".join(tokens), Sentence(tokens), fields, sum(map(len, tokens)))


def _jsonable(value: Any) -> Any:
    """Return a value of a column as JSON has it; see `parquet_records`."""
    if isinstance(value, float):
        return value if math.isfinite(value) else str(value)
    if value is None or isinstance(value, str | int):
        return value
    if isinstance(value, bytes):
        return base64.b64encode(value).decode("ascii")
    if isinstance(value, dict):
        return {str(name): _jsonable(inner) for name, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_jsonable(inner) for inner in value]
    return value.isoformat() if hasattr(value, "isoformat") else str(value)


def _rows_at_once(file: parquet.ParquetFile) -> int:
    groups = range(file.metadata.num_row_groups)
    size = sum(file.metadata.row_group(number).total_byte_size for number in groups)
    return max(1, min(_MOST_ROWS, _BYTES_AT_ONCE * file.metadata.num_rows // max(1, size)))


def _plain_type(kind: pyarrow.DataType) -> pyarrow.DataType:
    return kind.value_type if types.is_dictionary(kind) else kind


def _is_text(kind: pyarrow.DataType) -> bool:
    kind = _plain_type(kind)
    return bool(types.is_string(kind) or types.is_large_string(kind) or types.is_string_view(kind))


def _found(schema: pyarrow.Schema) -> str:
    more = ", ..." if len(schema.names) > _COLUMNS_SHOWN else ""
    return f"found {', '.join(map(repr, schema.names[:_COLUMNS_SHOWN])) or 'none'}{more}"


def _reason(error: Exception) -> str:
    return str(error)[:_LONGEST_REASON]
