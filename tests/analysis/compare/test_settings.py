"""Which runs are seeds of one setting, and what settings are called."""

from __future__ import annotations

from tests.analysis.compare.made import config

from openmed.analysis.compare.settings import MAX_KEYS, Names, name_settings, setting_key, settings_of

CORPUS = {"name": "made", "train": "train.tsv", "title": "Made up", "counts": {"train": {"documents": 3}}}


def named(*settings: dict) -> Names:
    return name_settings([settings_of(config(1, "run", CORPUS, one)) for one in settings])


def key(seed: int = 1, folder: str = "run", **more: object) -> str:
    return setting_key(settings_of({**config(seed, folder, CORPUS, {}), **more}))


def test_seed_paths_logger_and_what_is_for_people_make_no_other_setting():
    others = {"tags": ["a"], "threads": 2, "test": False, "resume": None, "logger": {"kind": "wandb"}}
    assert key() == key(seed=2, folder="elsewhere", **others)
    assert key() == key(dataset={**CORPUS, "title": "Another", "counts": {}})
    assert key() == key(search={"kind": "tpe"})


def test_all_else_does():
    assert len({key(), key(batch={"max_tokens": 1}), key(lora=None), key(dataset={**CORPUS, "train": "half.tsv"})}) == 4


def test_a_label_says_what_differs():
    names = named({"lora.rank": 8}, {"lora.rank": 16}, {"lora.rank": 16, "lora.targets": "query_value"})
    assert names.varied == ("lora.rank", "lora.targets")
    assert names.labels == [
        "lora.rank=8 lora.targets=all_linear",
        "lora.rank=16 lora.targets=all_linear",
        "lora.rank=16 lora.targets=query_value",
    ]
    assert names.values[2] == ["16", "query_value"]


def test_one_setting_goes_by_its_backbone():
    assert named({}).labels == ["backbone=tiny"]


def test_what_goes_with_a_backbones_name_is_not_told():
    names = named({}, {"backbone.name": "big", "backbone.weights": "hub/big"})
    assert names.varied == ("backbone.name",)
    assert names.labels == ["backbone=tiny", "backbone=big"]
    names = named({}, {"backbone.weights": "dapt/encoder"})  # the same backbone, pre-trained further
    assert names.labels == ["backbone.weights=none", "backbone.weights=dapt/encoder"]


def test_what_goes_together_is_varied_but_not_in_the_label():
    names = named({}, {"lora.rank": 16, "lora.alpha": 32})
    assert names.varied == ("lora.rank", "lora.alpha")
    assert names.labels == ["lora.rank=8", "lora.rank=16"]


def test_what_is_searched_does_not_hide_the_rest():
    space = [{"optim.lr": 0.001 * place, "lora.rank": 4 * (1 + place % 2)} for place in range(1, 13)]
    assert named(*space).labels[0] == "lora.rank=8 optim.lr=0.001"


def test_a_callback_that_some_lack_is_one_key():
    stopping = {"callbacks.early_stopping": {"_target_": "lightning.EarlyStopping", "patience": 3, "monitor": "dev/f1"}}
    names = named({}, stopping)
    assert names.labels == ["callbacks.early_stopping=null", "callbacks.early_stopping=EarlyStopping"]
    longer = {"callbacks.early_stopping": {"_target_": "lightning.EarlyStopping", "patience": 9, "monitor": "dev/f1"}}
    assert named(stopping, longer).varied == ("callbacks.early_stopping.patience",)


def test_a_key_that_some_lack_is_unset_there():
    assert named({}, {"optim.warmup": 0.1}).labels == ["optim.warmup=unset", "optim.warmup=0.1"]


def test_labels_stay_short_and_unlike():
    keys = [f"optim.k{place}" for place in range(MAX_KEYS + 2)]
    settings = [dict.fromkeys(keys, 0), *({**dict.fromkeys(keys, 0), key: 1} for key in keys)]
    labels = named(*settings).labels
    assert len(set(labels)) == len(settings)
    assert max(label.count("=") for label in labels) == MAX_KEYS
