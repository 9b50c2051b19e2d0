"""Generate pages of the documentation's site: a hook of MkDocs, which `make docs` runs (mkdocs.yml names it).

The pages are made from the code when the site is built: every option of every command, every setting of `conf/` with
its comment, and the schemas of the reports. README, CHANGELOG, CONTRIBUTING and the cards of the ready models become
pages, too, with their links adapted.
"""

from __future__ import annotations

import io
import os
from contextlib import redirect_stdout
from pathlib import Path
from typing import Any
from unittest.mock import patch

import yaml

from tagger.commands.main import COMMANDS, run_command

ROOT = Path(__file__).resolve().parent.parent
_BY_SETTINGS = ("train", "pretrain", "evaluate")  # they take settings, as KEY=VALUE, instead of options
_LINKS = {  # links that lead elsewhere on the site than in a clone
    "](docs/": "](",
    "](CONTRIBUTING.md": "](contributing.md",
    "](CHANGELOG.md": "](changes.md",
    "](../data/models/en-ner/README.md": "](card-en-ner.md",
    "](../data/models/en-pos/README.md": "](card-en-pos.md",
}
_COPIES = {
    "index.md": "README.md",
    "contributing.md": "CONTRIBUTING.md",
    "changes.md": "CHANGELOG.md",
    "card-en-ner.md": "data/models/en-ner/README.md",
    "card-en-pos.md": "data/models/en-pos/README.md",
}


def help_of(name: str) -> str:
    """Return the complete help of a command, as it prints it."""
    if name in _BY_SETTINGS:
        settings = yaml.safe_load((ROOT / "conf" / f"{name}.yaml").read_text(encoding="utf-8"))
        return str(settings["hydra"]["help"]["header"])
    printed = io.StringIO()
    with redirect_stdout(printed), patch.dict(os.environ, COLUMNS="100", NO_COLOR="1"):
        try:
            run_command(name, ["--help-all" if name == "tag" else "--help"])
        except SystemExit as end:
            if end.code:
                raise RuntimeError(f"the help of {name} ended with {end.code}") from None
    return printed.getvalue().strip("\n")


def commands_page() -> str:
    """Write every option of every command, from the commands' own help."""
    parts = ["# Commands", "`tagger COMMAND` runs a command. This page has what `tagger COMMAND --help` prints."]
    for name, command in COMMANDS.items():
        parts += [f"## {name}", f"{command.summary[0].upper()}{command.summary[1:]}.", _fenced("text", help_of(name))]
        if name in _BY_SETTINGS:
            parts.append(f"[Settings](reference-settings.md#conf{name}yaml) has every setting.")
    return "\n\n".join(parts) + "\n"


def settings_page() -> str:
    """Write every file of `conf/`, whose comments explain each setting."""
    conf = ROOT / "conf"
    parts = [
        "# Settings",
        "`train`, `pretrain` and `evaluate` read the files of `conf/`. Change a setting by `KEY=VALUE` on the command "
        "line. `GROUP=NAME` chooses the file `conf/GROUP/NAME.yaml`, whose keys then begin with `GROUP.`.",
    ]
    for path in [*sorted(conf.glob("*.yaml")), *sorted(conf.glob("*/*.yaml"))]:
        name = path.relative_to(ROOT).as_posix()
        parts += [f"## {name}", _fenced("yaml", path.read_text(encoding="utf-8").strip("\n"))]
    return "\n\n".join(parts) + "\n"


def schemas_page() -> str:
    """Write the schemas of `report.json` and `compare.json`."""
    parts = ["# Report schema", "`report.json` and `compare.json` follow these JSON schemas."]
    for name in ("report", "compare"):
        text = (ROOT / "docs" / f"{name}-schema.json").read_text(encoding="utf-8")
        parts += [f"## {name}.json", _fenced("json", text.strip("\n"))]
    return "\n\n".join(parts) + "\n"


def generated_pages() -> dict[str, str]:
    """Return all generated pages by name."""
    copies = {page: (ROOT / source).read_text(encoding="utf-8") for page, source in _COPIES.items()}
    return {
        "reference-commands.md": commands_page(),
        "reference-settings.md": settings_page(),
        "reference-schemas.md": schemas_page(),
        **copies,
    }


def adapted(text: str) -> str:
    """Return a page with the links that the site needs."""
    for old, new in _LINKS.items():
        text = text.replace(old, new)
    return text


def on_files(files: Any, *, config: Any) -> Any:
    """Add the generated pages. MkDocs calls this."""
    from mkdocs.structure.files import File

    for name, text in generated_pages().items():
        files.append(File.generated(config, name, content=text))
    return files


def on_page_markdown(markdown: str, **_: Any) -> str:
    """Adapt the links of a page. MkDocs calls this."""
    return adapted(markdown)


def _fenced(language: str, text: str) -> str:
    return f"````{language}\n{text}\n````"
