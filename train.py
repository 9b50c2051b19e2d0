"""Train a tagger: python train.py [data=NAME …] [KEY=VALUE …]; see README.md and conf/train.yaml."""

from tagger.commands.main import run_command

if __name__ == "__main__":
    raise SystemExit(run_command("train"))
