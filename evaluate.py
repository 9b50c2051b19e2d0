"""Score a model or predictions: python evaluate.py model=DIR data=NAME …; see README.md and conf/evaluate.yaml."""

from tagger.commands.main import run_command

if __name__ == "__main__":
    raise SystemExit(run_command("evaluate"))
