"""Make the models that come along, `data/models/en-ner` and `data/models/en-pos`, again.

    python scripts/ready_models.py --data ../shared/data --encoder ENCODER

Each model is a student (`docs/distillation.md`). A teacher with a frozen encoder is trained first. It tags raw text.
The student learns from labelled data and from the teacher's probabilities. Then the student is scored, and its folder
is put into `--models` as a whole, with a model card. Both runs are in `--runs`. If the script is interrupted, the same
command continues. `--quick` makes tiny models in a minute, to see that everything works.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath

from tagger.errors import UserError, extra_needed

with extra_needed("train", "ready_models.py"):
    from ready.card import Making, RawSource, card, files_of
    from ready.judging import judge

    from tagger.commands.hydra.hydra_entry import compose, read_config
    from tagger.commands.hydra.overrides import repeatable
    from tagger.corpus.dataset import DataConfig
    from tagger.model_folder.folder import ModelFolder
    from tagger.predict import load
    from tagger.printable import in_a_line
    from tagger.runs.record import RunRecord

ROOT = Path(__file__).resolve().parent.parent
TEXT = (  # in this order, so that distill.sentences cuts off Wikipedia, not the tweets
    RawSource(
        "unlabelled_en/wnut17_raw/palm.10000",
        "tweets of the WNUT-17 pools",
        "CC BY 4.0",
        "https://github.com/leondz/emerging_entities_17",
    ),
    RawSource(
        "unlabelled_en/wikipedia/*.txt.gz",
        "English Wikipedia, articles of about 2018 to 2020",
        "CC BY-SA 3.0",
        "https://en.wikipedia.org/",
    ),
)
OTHER_TEXT = {
    "English (Wikipedia)": ("unlabelled_en/wikipedia/*.txt.gz",),
    "Portuguese (novels)": ("unlabelled_pt/*.txt.gz",),
    "Chinese (Wikipedia)": ("unlabelled_zh/*.txt.gz",),
}


@dataclass(frozen=True)
class Recipe:
    """The recipe of a model.

    Attributes:
        name: of the model and its folder.
        title: for its card.
        preset: of the labelled data.
        place: their folder below the data folder; None for data that come with this package.
        teacher, student: settings of the two runs, besides data, encoder, teacher and text.
        limits: what the model is not good at, for its card.
    """

    name: str
    title: str
    preset: str
    place: str | None
    teacher: tuple[str, ...]
    student: tuple[str, ...]
    limits: tuple[str, ...]


RECIPES = {
    recipe.name: recipe
    for recipe in (
        Recipe(
            name="en-ner",
            title="people, places, organisations and other names in English text",
            preset="en_ner",
            place=".",
            teacher=("trainer.max_epochs=8",),
            student=(
                *("distill.sentences=36000", "distill.vocabulary=8000", "embeddings.word.min_count=5"),
                *("optim.recase=0.15", "trainer.max_epochs=14", "embeddings.dropout=0.35", "encoder.dropout=0.35"),
            ),
            limits=(
                "MISC holds nationalities, events, works, products and more. Annotators agree least on it.",
                "Names of the last years, and of fields that the data sets lack, such as medicine and chemistry.",
                "Names inside names: the outermost alone is found.",
                "Most texts are from Wikipedia, Twitter and other sites of the English-speaking world. Expect names "
                "from elsewhere to be missed more often.",
            ),
        ),
        Recipe(
            name="en-pos",
            title="parts of speech (UPOS) of English text",
            preset="ud_en_ewt_pos",
            place="ud_en_ewt_pos",
            teacher=("trainer.max_epochs=8",),
            student=(
                *("distill.sentences=22000", "distill.vocabulary=6000", "embeddings.word.min_count=2"),
                *("optim.recase=0.1", "trainer.max_epochs=12", "embeddings.dropout=0.35", "encoder.dropout=0.35"),
            ),
            limits=(
                "Rare tags: X, INTJ and SYM.",
                "The labelled data are weblogs, newsgroups, e-mail, reviews and answers. Other kinds of text were seen "
                "without labels only.",
            ),
        ),
    )
}
TINY = (  # settings of both runs with --quick
    *("trainer=debug", "trainer.max_epochs=1", "encoder.hidden_size=16", "trainer.enable_progress_bar=false"),
    *("embeddings.characters.filters=8", "report=false"),
)


def quick(recipe: Recipe) -> Recipe:
    """Return a recipe for a tiny model. Names are learnt from the bundled corpus."""
    bundled = {"preset": "starter", "place": None} if recipe.name == "en-ner" else {}
    student = (*TINY, "distill.sentences=200", "distill.epoch_tokens=2000", "optim.recase=0.3")
    return replace(recipe, **bundled, teacher=TINY, student=student)


def data_settings(recipe: Recipe, data: Path) -> list[str]:
    """Return the settings of the labelled data."""
    place = [] if recipe.place is None else [f'data.dir="{data / recipe.place}"']
    return [f"data={recipe.preset}", *place]


def teacher_settings(recipe: Recipe, data: Path, encoder: str | None) -> list[str]:
    """Return the settings of the teacher's run. Without an encoder the teacher has the default shape."""
    accurate = [] if encoder is None else ["experiment=accurate", f'embeddings.transformer.path="{encoder}"']
    return [*data_settings(recipe, data), *accurate, *recipe.teacher]


def student_settings(recipe: Recipe, data: Path, teacher: Path) -> list[str]:
    """Return the settings of the student's run.

    Args:
        recipe: of the model.
        data: the data folder.
        teacher: the run of the teacher.
    """
    files = ",".join(f'"{name}"' for name in files_of(TEXT, PurePosixPath(data)))
    learning = [f'distill.teacher="{teacher / "model"}"', f"distill.text=[{files}]"]
    return [*data_settings(recipe, data), *learning, *recipe.student]


def train(run_dir: Path, settings: Sequence[str]) -> None:
    """Train, or continue an unfinished run. A run that is finished with the same settings stays as it is.

    Raises:
        UserError: training failed or was ended by a signal.
    """
    settings = [*settings, f'run_dir="{run_dir}"', "latest=null"]
    if finished(run_dir, settings):
        return
    print(in_a_line(f"training: {run_dir}"), flush=True)
    with subprocess.Popen([sys.executable, str(ROOT / "train.py"), *settings, "resume=true"]) as child:
        try:
            code = child.wait()
        except KeyboardInterrupt:
            child.wait()  # it saves a checkpoint
            raise
    if code or not finished(run_dir, settings):
        raise UserError(f"{run_dir}: training did not finish (exit code {code}); the same command continues")


def finished(run_dir: Path, settings: Sequence[str]) -> bool:
    """Return whether a run has ended by itself with these settings.

    Raises:
        UserError: its files are damaged, or a setting is wrong.
    """
    record = RunRecord.read(run_dir)
    if record is None or record.stopped_by is not None:
        return False
    return repeatable(read_config(run_dir / "config.yaml")) == repeatable(compose("train", settings))


def make(recipe: Recipe, arguments: argparse.Namespace) -> None:
    """Train teacher and student, judge the student, and put it into the folder of models.

    Raises:
        UserError: a run failed, data cannot be read, or the folder cannot be written.
    """
    runs, data = arguments.runs.absolute() / recipe.name, arguments.data.absolute()
    train(runs / "teacher", teacher_settings(recipe, data, arguments.encoder))
    train(runs / "student", student_settings(recipe, data, runs / "teacher"))
    student = runs / "student" / "model"
    settings = DataConfig.from_mapping(compose("train", data_settings(recipe, data))["data"])
    judged = judge(
        load(student), settings, {name: [str(data / file) for file in files] for name, files in OTHER_TEXT.items()}
    )
    of_teacher = RunRecord.read(runs / "teacher")
    assert of_teacher is not None, "it is finished"
    making = Making(
        name=recipe.name,
        title=recipe.title,
        data=settings,
        text=TEXT,
        encoder=arguments.encoder and "sentence-transformers/all-MiniLM-L6-v2",
        teacher=of_teacher.test,
        limits=recipe.limits,
        command=f"python scripts/ready_models.py {recipe.name} --data DATA "
        + ("--quick" if arguments.quick else "--encoder ENCODER"),
    )
    folder = ModelFolder.load(student)
    folder.save(arguments.models / recipe.name, card(making, folder, judged))
    print(in_a_line(f"{arguments.models / recipe.name}: test {judged.whole['test'].headline:.4f}"), flush=True)


def parser() -> argparse.ArgumentParser:
    """Make the parser of the command line."""
    found = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter, allow_abbrev=False
    )
    add = found.add_argument
    add("names", nargs="*", metavar="MODEL", help=f"which to make: {', '.join(RECIPES)} (default: all)")
    add("--data", type=Path, required=True, metavar="DIR", help="holds a folder for each data set")
    add("--encoder", metavar="DIR", help="folder of sentence-transformers/all-MiniLM-L6-v2, or its id on the Hub")
    add(
        "--runs",
        type=Path,
        metavar="DIR",
        help="folder of the runs (default: runs/ready, with --quick runs/ready-quick)",
    )
    add("--models", type=Path, metavar="DIR", help="where models go (default: data/models, with --quick RUNS/models)")
    add("--quick", action="store_true", help="tiny models, to see that it works; en-ner from the bundled corpus")
    return found


def main(argv: Sequence[str] | None = None) -> int:
    """Parse the command line and make the models; 0, 2 for wrong use or a failed run, 130 after Ctrl-C."""
    asked = parser()
    arguments = asked.parse_args(argv)
    if unknown := [name for name in arguments.names if name not in RECIPES]:
        asked.error(f"no model {unknown[0]}; there are {', '.join(RECIPES)}")
    if arguments.encoder is None and not arguments.quick:
        asked.error("--encoder: name the teacher's encoder; only --quick does without")
    arguments.runs = arguments.runs or Path("runs") / ("ready-quick" if arguments.quick else "ready")
    arguments.models = arguments.models or (arguments.runs if arguments.quick else ROOT / "data") / "models"
    try:
        for name in arguments.names or RECIPES:
            make(quick(RECIPES[name]) if arguments.quick else RECIPES[name], arguments)
    except UserError as error:
        print(in_a_line(f"ready_models.py: {error}"), file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("ready_models.py: stopped by Ctrl-C; the same command continues from here", file=sys.stderr)
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
