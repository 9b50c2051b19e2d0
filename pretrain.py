"""Learn from raw text: python pretrain.py data.text='["FILE", …]' [KEY=VALUE …]; see conf/pretrain.yaml."""

from tagger.commands.main import run_command

if __name__ == "__main__":
    raise SystemExit(run_command("pretrain"))
