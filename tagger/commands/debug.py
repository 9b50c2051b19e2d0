"""Look for what is wrong with a data set before a model is trained on it.

    tagger debug data=conll data.train=a.conll data.dev=b.conll data.test=c.conll
    tagger debug data=wnut17 data.dir=PATH

It takes the settings of `tagger train` that concern data. It prints the account of the reading, the sizes, and then
what a careful colleague would say: sentences in several splits, the same words with other labels, rare and unknown
labels, mentions that were forgotten, lengths, and odd characters. The exit code is 0 whatever was found.
"""

from __future__ import annotations

from collections.abc import Sequence

from tagger.commands.main import command_parser
from tagger.corpus.dataset import DataConfig, load_splits
from tagger.errors import UserError
from tagger.printable import in_a_line


def main(arguments: Sequence[str]) -> int:
    """Report on the data that the command line names; returns 0.

    Raises:
        UserError: a setting is wrong, or the data cannot be read.
    """
    parser = command_parser("debug", __doc__)
    parser.add_argument("settings", nargs="+", metavar="KEY=VALUE", help="data=NAME and data.KEY=VALUE, as of train")
    given = parser.parse_args(arguments)
    other = next((one for one in given.settings if not one.lstrip("+").startswith(("data=", "data."))), None)
    if other is not None:
        raise UserError(f"{other}: not a setting of data; give data=NAME and data.KEY=VALUE")
    from tagger.commands.hydra import hydra_entry
    from tagger.evaluation.data_checks import findings, sizes

    splits = load_splits(DataConfig.from_mapping(hydra_entry.compose("train", given.settings)["data"]))
    for split in splits.values():
        print(split.account())
    print("\n" + "\n".join(map(in_a_line, sizes(splits))))
    found = findings(splits)
    print(f"\n{len(found)} things to look at:" if found else "\nnothing found that looks wrong")
    for line in found:
        print(in_a_line(f"- {line}"))
    return 0
