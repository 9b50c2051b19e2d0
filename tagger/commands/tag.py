"""The command `tag.py`: text in, entities out."""

from __future__ import annotations

import argparse
import contextlib
import os
import sys
import time
from collections.abc import Sequence
from functools import cache, partial
from pathlib import Path
from typing import IO, TextIO

from tagger.corpus.sentence import Sentence
from tagger.corpus.tokenizers import NAMES, get_tokenizer, split_text
from tagger.errors import UserError
from tagger.inference.documents import InputFormat, ReadOptions, Splitter, Unit
from tagger.inference.sources import EXTENSIONS, find_sources, plan_outputs
from tagger.inference.tagging import Counts, SentenceTagger, tag_sources
from tagger.inference.writers import OutputFormat, get_writer

