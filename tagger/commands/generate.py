"""Generate text with a language model that `pretrain.py` has trained.

    python generate.py --model runs/lm-en/model --prompt "The capital of" --words 50 --temperature 0.8 --top-k 40

The model predicts a word from those before it in the sentence. A word is drawn, printed, and read in its turn. The same
seed gives the same text. PyTorch is not needed.
"""

from __future__ import annotations

import sys
from argparse import ArgumentParser
from collections.abc import Sequence
from itertools import islice
from pathlib import Path

from tagger.commands.main import command_parser, whole_number
from tagger.corpus.tokenizers import get_tokenizer, split_text
from tagger.generation.forward_model import ForwardModel
from tagger.generation.sampling import Generated, Sampling, generate
from tagger.model_folder.language_model import LanguageModelFolder
from tagger.printable import in_a_line

_NO_BLANK_BEFORE = (*".,;:!?)]}…»”’'%", "n't")
_NO_BLANK_AFTER = tuple("([{«“‘$#@")


def main(arguments: Sequence[str]) -> int:
    """Generate text; returns 0.

    Raises:
        UserError: the model or an option is wrong.
    """
    given = _parser().parse_args(arguments)
    sampling = Sampling(temperature=given.temperature, top_k=given.top_k, top_p=given.top_p)
    folder = LanguageModelFolder.load(Path(given.model))
    sentences = split_text(given.prompt, get_tokenizer(folder.tokenizer))
    prompt = sentences[-1].tokens if sentences else []
    words = generate(ForwardModel(folder), prompt, sampling, seed=given.seed)
    if given.scores:
        print("word\tprobability\trank")
        for one in islice(words, given.words):
            shown = in_a_line(one.word) if one.word else "(end)"
            print(f"{shown}\t{one.probability:.4f}\t{one.rank}", flush=True)
        return 0
    before = prompt[-1] if prompt else ""
    print(in_a_line(given.prompt), end="", flush=True)
    left = given.words
    while left:
        one = next(words)
        if one.word:
            blank = _needs_blank(before, one, folder.tokenizer)
            sys.stdout.write(f"{' ' if blank else ''}{in_a_line(one.word)}")
            sys.stdout.flush()
            before, left = one.word, left - 1
    print()
    return 0


def _needs_blank(before: str, one: Generated, tokenizer: str) -> bool:
    """Return whether a blank goes between the word before and this one."""
    if not before or tokenizer == "characters":
        return False
    return tokenizer == "whitespace" or not (
        one.word.startswith(_NO_BLANK_BEFORE) or before.endswith(_NO_BLANK_AFTER)
    )  # fmt: skip


def _parser() -> ArgumentParser:
    parser = command_parser("generate", __doc__)
    add = parser.add_argument
    add("--model", required=True, metavar="DIR", help="the language model's folder, as runs/lm-en/model")
    add("--prompt", default="", metavar="TEXT", help="the beginning of the text; its last sentence is continued")
    add("--words", type=whole_number, default=50, metavar="N", help="number of words to generate (default 50)")
    add("--temperature", type=float, default=1.0, metavar="T", help="below 1: more of the probable words; 0: only the "
        "most probable one (default 1)")  # fmt: skip
    add("--top-k", type=int, default=None, metavar="K", help="draw among the K most probable words")
    add("--top-p", type=float, default=1.0, metavar="P", help="draw among the most probable words that together have "
        "probability P")  # fmt: skip
    add("--seed", type=int, default=None, metavar="N", help="the same seed gives the same text")
    add("--scores", action="store_true", help="print each word in a line with its probability and rank")
    return parser
