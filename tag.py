"""Tag text: python tag.py --model DIR [FILE ...]; `python tag.py --help` says more, README.md most."""

from tagger.commands.main import run_command

if __name__ == "__main__":
    raise SystemExit(run_command("tag"))
