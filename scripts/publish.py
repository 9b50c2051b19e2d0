"""Push a model folder to the Hugging Face Hub, with its card.

    python scripts/publish.py --model runs/wnut/model --repo ORG/NAME
    python tag.py --model hub:ORG/NAME notes.txt

The folder is checked as tagging checks it, and only a model's own files go up. The card is the one that training
wrote, with metadata in front: language, task, and the run's test scores as `model-index`, from `run.json` and
`config.yaml` beside the model. A repository that is made is private unless --public; one that is there stays as it is,
and files of an earlier model in it that this one lacks go away in the same commit. The token is that of HF_TOKEN or of
`hf auth login`; HF_ENDPOINT names another Hub. Needs the extra `hub`.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from tagger.commands.publish import prepare, superseded
from tagger.errors import UserError
from tagger.hub import push
from tagger.printable import in_a_line


def main(argv: Sequence[str] | None = None) -> int:
    """Parse the command line and publish; 0, or 2 where something is wrong."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter, allow_abbrev=False
    )
    add = parser.add_argument
    add("--model", required=True, type=Path, metavar="DIR", help="the model folder")
    add("--repo", required=True, metavar="ORG/NAME", help="where it goes")
    add("--public", action="store_true", help="make the repository, if it is not there yet, public")
    add("--run", type=Path, metavar="DIR", help="folder of the run that gave the model; default: the one around it")
    add("--license", metavar="ID", help="of the model, as the Hub calls it, such as apache-2.0")
    add("--message", metavar="TEXT", default="Model from scripts/publish.py", help="of the commit")
    add("--dry-run", action="store_true", help="print the card and the names of the files, and send nothing")
    arguments = parser.parse_args(argv)
    try:
        publication = prepare(arguments.model, arguments.repo, run=arguments.run, licence=arguments.license)
        for note in publication.notes:
            print(in_a_line(f"publish.py: {note}"), file=sys.stderr)
        if arguments.dry_run:
            print(publication.card)
            print("\n".join(map(in_a_line, publication.files)))
            return 0
        commit = push(
            arguments.repo,
            publication.files,
            private=not arguments.public,
            message=arguments.message,
            superseded=superseded,
        )
    except UserError as error:
        print(f"publish.py: {error}", file=sys.stderr)
        return 2
    print(f"published: hub:{arguments.repo}@{commit}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
