"""Tag text: python tag.py --model DIR [FILE ...]; `python tag.py --help` says more, README.md most."""

from tagger.commands.tag import main

if __name__ == "__main__":
    raise SystemExit(main())
