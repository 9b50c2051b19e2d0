"""Generate text: python generate.py --model DIR [--prompt TEXT]; `python generate.py --help` says more."""

from tagger.commands.main import run_command

if __name__ == "__main__":
    raise SystemExit(run_command("generate"))
