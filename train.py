"""Train a tagger: python train.py [data=NAME …] [KEY=VALUE …]; see README.md and conf/train.yaml."""

from tagger.commands.train import main

if __name__ == "__main__":
    raise SystemExit(main())
