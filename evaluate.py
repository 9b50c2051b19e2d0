"""Score a model or predictions: python evaluate.py model=DIR data=NAME …; see README.md and conf/evaluate.yaml."""

from tagger.commands.evaluate import main

if __name__ == "__main__":
    raise SystemExit(main())
