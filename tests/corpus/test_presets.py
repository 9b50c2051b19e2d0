"""The presets of `conf/data/`, each composed by Hydra and read from the shared data where they are."""

from dataclasses import asdict
from pathlib import Path

import pytest
import yaml

from tagger.corpus.dataset import DataConfig, Split, load_split, load_splits
from tagger.corpus.schemes import Scheme, spans_from_tags
from tagger.errors import UserError
from tagger.files import shipped_folder

pytestmark = pytest.mark.extended

hydra = pytest.importorskip("hydra")

CONF = Path(__file__).parents[2] / "conf"
PRESETS = sorted(path.stem for path in (CONF / "data").glob("*.yaml") if path.stem != "base")
FORMATS = {"conll", "conllu", "csv", "parallel", "jsonl", "labelstudio", "spacy", "brat", "webanno", "huggingface"}
MIXES = {"mix", "en_ner"}
DRAWN = {"sec_filings", "xsid", "wikigold"}  # their dev, and for wikigold all splits, are parts of one file

# Sentences, tokens and entities (of plain tags: distinct tags) as counted by the collector of the shared data.
COUNTS = {
    "wnut17": [(3394, 62730, 1975), (1009, 15733, 836), (1287, 23394, 1079)],
    "wikigold": [(1696, 39007, 3558)],
    "crossner domain=ai": [(100, 3782, 532), (350, 10919, 1549), (431, 12991, 1809)],
    "crossner domain=literature": [(100, 3782, 541), (400, 14503, 2130), (416, 16157, 2266)],
    "crossner domain=music": [(100, 3909, 648), (380, 15591, 2679), (465, 19605, 3336)],
    "crossner": [(200, 8384, 1304), (541, 24624, 3482), (651, 27585, 4209)],
    "crossner domain=science": [(200, 7100, 1075), (450, 16139, 2538), (543, 19487, 3089)],
    "btc": [(6338, 99933, 8779), (1001, 15027, 1730), (2001, 35428, 4376)],
    "sec_filings": [(1164, 41010, 1168), (303, 13246, 318)],
    "lener_br": [(7827, 229277, 8894), (1176, 41166, 1818), (1389, 47630, 1536)],
    "uner_da_ddt": [(4383, 80378, 3028), (564, 10332, 379), (565, 10023, 447)],
    "uner_sv_talbanken": [(4303, 66646, 967), (504, 9797, 23), (1219, 20377, 196)],
    "uner_sk_snk": [(8483, 80628, 2707), (1060, 12733, 636), (1061, 12736, 915)],
    "uner_zh_gsdsimp": [(3997, 98616, 6118), (500, 12663, 753), (500, 12012, 763)],
    "bc5cdr": [(4560, 118170, 9385), (4581, 117453, 9593), (4797, 124750, 9809)],
    "ncbi_disease": [(5432, 136086, 5145), (923, 23969, 787), (940, 24497, 960)],
    "snips": [(13084, 117700, 33958), (700, 6384, 1794), (700, 6354, 1790)],
    "xsid": [(300, 2303, 604), (500, 3791, 962)],
    "xsid language=de": [(300, 2311, 607), (500, 3791, 968)],
    "xsid language=da": [(300, 2306, 599), (500, 3859, 935)],
    "xsid language=ar": [(300, 2104, 602), (500, 3486, 968)],
    "xsid language=ja": [(150, 1450, 195), (250, 2420, 324)],
    "xsid language=zh": [(300, 2154, 604), (500, 3592, 955)],
    "xsid language=tr": [(300, 1913, 600), (500, 3151, 976)],
    "xsid language=de-ba": [(300, 2266, 597), (500, 3775, 969)],
    "ud_en_atis": [(4274, 48655, 13), (572, 6644, 14), (586, 6580, 13)],
    "ud_wo_wtb": [(1188, 23561, 16), (449, 10294, 15), (470, 10403, 16)],
    "ud_ug_udt": [(1656, 19262, 16), (900, 10644, 16), (900, 10330, 16)],
    "ud_en_ewt_pos": [(12544, 204605, 17), (2001, 25151, 17), (2077, 25096, 17)],
}
WITHOUT_TRAIN = {  # dev and test only
    "redocred": [(4110, 101970, 13153 - 21), (3966, 98734, 12949 - 37)],  # without mentions that overlap longer ones
    "uner_en_ewt": [(2001, 25149, 966), (2077, 25097, 1088)],
}
PUBLISHED = {case.split()[0] for case in COUNTS} | {*WITHOUT_TRAIN}
ON_THE_HUB = {name for name in PUBLISHED if "path" in yaml.safe_load((CONF / "data" / f"{name}.yaml").read_text())}


def preset(name: str, *overrides: str) -> DataConfig:
    from omegaconf import OmegaConf

    from tagger.commands.hydra import hydra_entry

    if name in MIXES:
        return DataConfig.from_mapping(hydra_entry.compose("train", [f"data={name}", *overrides])["data"])
    with hydra.initialize_config_dir(str(CONF), version_base="1.3"):
        settings = hydra.compose(f"data/{name}", overrides=list(overrides))
    return DataConfig.from_mapping(OmegaConf.to_container(settings, resolve=True)["data"])  # type: ignore[index,arg-type,call-overload]


def counts(split: Split) -> tuple[int, int, int]:
    tags = [sentence.tags or [] for sentence in split.sentences]
    plain = split.scheme is Scheme.PLAIN
    marked = len({tag for line in tags for tag in line}) if plain else sum(len(spans_from_tags(line)) for line in tags)
    return len(split.sentences), sum(map(len, split.sentences)), marked


@pytest.mark.parametrize("case", COUNTS)
def test_a_preset_reads_what_the_collector_counted(case: str, shared_data: Path) -> None:
    name, *overrides = case.split()
    folder = shared_data / name
    if not folder.is_dir():
        pytest.skip(f"no {name} in {shared_data}")
    config = preset(name, f"data.dir={folder}", *(f"data.{override}" for override in overrides))
    splits = load_splits(config)
    found = [counts(split) for split in splits.values()]
    if name == "wikigold":
        found = [tuple(map(sum, zip(*found, strict=True)))]  # type: ignore[list-item]
    elif name in DRAWN:
        found = [tuple(map(sum, zip(*found[:2], strict=True))), found[2]]  # type: ignore[list-item]
    assert found == COUNTS[case]
    reports = [report for split in splits.values() for report in split.reports]
    assert sum(report.sentences.kept for report in reports) == sum(count[0] for count in COUNTS[case])
    assert not any(report.places for report in reports)
    assert not any("warning" in note for split in splits.values() for note in split.notes)


@pytest.mark.parametrize("name", WITHOUT_TRAIN)
def test_a_preset_reads_dev_and_test_without_train(name: str, shared_data: Path) -> None:
    if not (shared_data / name).is_dir():
        pytest.skip(f"no {name} in {shared_data}")
    config = preset(name, f"data.dir={shared_data / name}")
    assert [counts(load_split(config, split)) for split in ("dev", "test")] == WITHOUT_TRAIN[name]


def test_the_mix_of_english_names_has_four_labels(shared_data: Path) -> None:
    config = preset("en_ner", f"data.dir={shared_data}")
    missing = [one.dir for one in config.sources or () if one.dir and not (shared_data / one.dir).is_dir()]
    if missing:
        pytest.skip(f"no {', '.join(missing)} in {shared_data}")
    assert config.language == "en"
    splits = load_splits(config)
    for name, split in splits.items():
        assert set(split.labels()) == {"PER", "LOC", "ORG", "MISC"}, name
        assert not any("data.labels" in note for note in split.notes), name
    counts = " ".join(note for split in splits.values() for note in split.notes if "sentences by source" in note)
    assert all(f"{source.named} " in counts for source in config.sources or ())


def test_there_is_a_preset_for_each_labelled_set(shared_data: Path) -> None:
    folders = {path.name for path in shared_data.iterdir() if path.is_dir()}
    unlabelled = {name for name in folders if name.startswith(("unlabelled_", "vectors_"))}
    assert folders - unlabelled <= set(PRESETS)
    assert set(PRESETS) == PUBLISHED | FORMATS | MIXES | {"starter"}


def test_the_base_lists_every_setting_with_its_default() -> None:
    assert yaml.safe_load((CONF / "data" / "base.yaml").read_text()) == asdict(DataConfig())


@pytest.mark.parametrize("name", PRESETS)
def test_a_preset_composes_under_its_own_name(name: str) -> None:
    config = preset(name)
    assert config.title == name
    if name in PUBLISHED:
        text = (CONF / "data" / f"{name}.yaml").read_text()
        assert config.origin
        assert config.language
        assert "Licence: " in text
        assert ("unverified" in text) == (config.path is not None)


@pytest.mark.parametrize("name", sorted(PUBLISHED - ON_THE_HUB))
def test_without_a_hub_id_a_preset_asks_for_its_folder(name: str) -> None:
    config = preset(name)
    message = f"data={name}: set data.dir to the folder that holds {config.train} ({config.origin})"
    with pytest.raises(UserError) as caught:
        load_splits(config)
    assert str(caught.value) == message


def test_an_unreachable_hub_asks_for_the_folder(monkeypatch: pytest.MonkeyPatch) -> None:
    datasets = pytest.importorskip("datasets")
    monkeypatch.setattr(datasets.config, "HF_HUB_OFFLINE", True)
    advice = (
        r"cannot reach the Hugging Face Hub .*; connect, or set data.path to a local copy, "
        r"or set data.dir to the folder that holds btc.train \(https"
    )
    with pytest.raises(UserError, match=f"data=btc: tner/btc: {advice}"):
        load_splits(preset("btc"))


def test_the_starter_corpus_comes_along() -> None:
    if not (shipped_folder("data") / "starter" / "train.conll").exists():
        pytest.skip("no bundled starter corpus yet")
    splits = load_splits(preset("starter"))
    assert all(split.sentences and not split.notes for split in splits.values())
    documents = [{sentence.document for sentence in split.sentences} for split in splits.values()]
    assert None not in set().union(*documents)
    assert not documents[0] & documents[1]
    assert not documents[0] & documents[2]
