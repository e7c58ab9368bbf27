"""The sections of a card that are made of a run's numbers.

to_markdown("", [scores(facts, scored), mistakes(scored), energy(facts)])
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import PurePath
from typing import Any

from openmed.analysis.report.blocks import Block, Cell, Prose, Section, Table
from openmed.metrics.calibration import MIN_ENTITIES
from openmed.metrics.mistakes import MISTAKES
from openmed.networks.weights import PACKAGE
from openmed.serving.publish.facts import Facts
from openmed.serving.publish.scores import ALL, Scored

NOT_STATED = "not stated"
_RECIPE = ("lora", "optim", "window", "batch", "length")
"""Groups of the configuration that make a recipe, beside the module's own settings and the precision."""


def scores(facts: Facts, scored: Scored) -> Section:
    """Per type with intervals, then what else was scored."""
    unit = {"texts": f"{scored.unit}, taken as independent", "groups": "abstracts"}[scored.drawn.unit]
    rows = [
        (
            row.label,
            _share(row.precision),
            _share(row.recall),
            _share(row.f1),
            _interval(row.interval),
            row.gold,
            row.found,
        )
        for row in scored.rows
    ]
    note = (
        f"In per cent: exact spans, typed, micro-averaged over {scored.unit}. Intervals: 95%, bootstrap over "
        f"{scored.drawn.number:,} {unit}, of this one trained model. They say nothing of what another seed, or text "
        "of another kind, would give."
    )
    columns = ("type", "precision", "recall", "F1", "95% interval of F1", "gold", "found")
    table = Table(columns, rows, note=note)
    title = "Scores on the test split" if scored.split == "test" else "Scores on the dev split (test was not scored)"
    return Section(title, [*_warning(facts, scored), table, *_further(facts, scored)])


def _warning(facts: Facts, scored: Scored) -> Iterator[Block]:
    if scored.split == "dev":
        yield Prose(
            "The run did not score the test split. The scores below are of dev, on which the best checkpoint, and "
            "perhaps more of the settings, were chosen: they are too high as an estimate for new text."
        )
    seed = facts.result["seed"]
    yield Prose(f"One training run (seed {seed}); trained again with another seed, the scores differ.")


def _further(facts: Facts, scored: Scored) -> Iterator[Block]:
    told = facts.result[scored.split]
    names = {
        "sentences": "sentence by sentence",
        "documents": "whole documents",
        "raw": "the raw text of the same documents",
    }
    rows: list[Sequence[Cell]] = [
        (names.get(view, view), _share(of["precision"]), _share(of["recall"]), _share(of["f1"]))
        for view, of in told["views"].items()
    ]
    clean = told.get("clean")
    if clean and clean["f1"] is not None:
        seen = f"without {clean['removed']:,} {scored.unit} that {' or '.join(clean['against'])} has, whole or nearly"
        rows.append((seen, _share(clean["precision"]), _share(clean["recall"]), _share(clean["f1"])))
    if scored.split == "test":
        dev = facts.result["dev"]
        rows.append(("dev, for comparison", _share(dev["precision"]), _share(dev["recall"]), _share(dev["f1"])))
    yield Table(("scored as", "precision", "recall", "F1"), rows, title=f"The same on {scored.split}, in other views")


def mistakes(scored: Scored) -> Section:
    """By kind and type."""
    labels = [row.label for row in scored.rows if row.label != ALL]
    rows: list[Sequence[Cell]] = []
    for kind in MISTAKES:
        counts = [scored.kinds[kind, label] for label in labels]
        rows.append((str(kind), *counts, *([sum(counts)] if len(labels) > 1 else [])))
    columns = ("kind", *labels, *(["all"] if len(labels) > 1 else []))
    note = (
        "boundary: right type, bounds that overlap; type: right bounds, wrong type; each mention counts in one kind. "
        "A spurious mention is counted under the type that was predicted, all others under the right one."
    )
    return Section(f"Mistakes on {scored.split}", [Table(columns, rows, note=note)])


def data(facts: Facts) -> Section:
    """The corpus, its licence, what was read of it and what was lost on the way; the licence of the base."""
    corpus, result, pretraining = facts.corpus, facts.result["data"], facts.base.pretraining
    kinds = ("documents", "sentences", "words", "entities")
    counts = [(split, *(of.get(kind) or None for kind in kinds)) for split, of in result["counts"].items()]
    lost = [f"{split}: {number:,} {kind}" for split, of in result["losses"].items() for kind, number in of.items()]
    rows: list[Sequence[Cell]] = [
        ("corpus", str(corpus.get("title") or facts.run.dataset)),
        ("licence of the corpus", str(corpus.get("licence") or NOT_STATED)),
        ("citation", str(corpus.get("citation") or NOT_STATED)),
        ("homepage", str(corpus.get("homepage") or NOT_STATED)),
        ("peculiarities", str(corpus.get("quirks") or "none noted")),
        ("lost on reading", "; ".join(lost) or "nothing"),
        *(("text of further pre-training", f"{_text(told)}; see its sources for their terms") for told in pretraining),
        ("base model", base_name(facts)),
        ("licence of the base model", facts.base.licence or NOT_STATED),
    ]
    files = [(PurePath(path).name, str(digest)) for path, digest in sorted(result["files"].items())]
    return Section(
        "Data and licences",
        [
            Prose("Whoever uses the model is bound by what the licences of corpus and base model ask for."),
            Table(("what", "which"), rows),
            Table(("split", *kinds), counts, title="What was read"),
            Table(("file", "digest"), files, title="The very files"),
        ],
    )


def recipe(facts: Facts) -> Section:
    """How it was trained: parameters, steps, settings, pre-training of its encoder."""
    result, train = facts.result, facts.result["train"]
    params = result["params"]
    rows: list[Sequence[Cell]] = [
        ("base", base_name(facts)),
        ("trained", f"{params['trainable']:,} of {params['total']:,} parameters ({params['trainable_percent']:.2f}%)"),
        ("steps", f"{train['steps']:,} in {train['epochs']} epochs, {train['tokens']:,} text pieces"),
        ("time", f"{train['seconds']:,.0f} s on {_machine(result['hardware'])}"),
        ("seed", str(result["seed"])),
        ("precision", str(facts.config["trainer"]["precision"])),
    ]
    rows += [
        (group, _settings(facts.config[group])) for group in _RECIPE if isinstance(facts.config.get(group), Mapping)
    ]
    rows.append(("module", _settings(facts.config["module"])))
    blocks: list[Block] = [Table(("what", "value"), rows)]
    for told in facts.base.pretraining:
        blocks.append(Prose(_pretraining(told)))
    if facts.is_base_local and not facts.base.pretraining:
        blocks.append(Prose("The encoder was a folder of the author's, of which nothing more is known here."))
    return Section("Training", blocks)


def calibration(facts: Facts) -> Section | None:
    """How far a score can be believed; None of a run that did not look."""
    rows: list[Sequence[Cell]] = []
    fitted = True
    for split in ("dev", "test"):
        told = (facts.result[split] or {}).get("calibration")
        if told and told["error_after"] is not None:
            errors = (_share(told["error_before"]), _share(told["error_after"]))
            fitted = fitted and told.get("fitted", True)  # runs before there was a least number do not say
            rows.append((split, f"{told['temperature']:.3f}", told["entities"], *errors))
    if not rows:
        return None
    note = "Expected calibration error of the entities' scores over ten bins, in per cent; the temperature is of dev."
    if not fitted:
        note += f" It was not fitted, for fewer than {MIN_ENTITIES} entities were found there: scores are uncalibrated."
    columns = ("split", "temperature", "entities", "error before", "error after")
    return Section("Calibration", [Table(columns, rows, note=note)])


def energy(facts: Facts) -> Section:
    """kWh, kg CO2e, how they came about, and what they leave out."""
    told = facts.result["energy"]
    if told["kwh"] is None:
        return Section("Energy and CO2", [Prose(told["method"] or "Not measured.")])
    lost = told.get("lost_sittings", 0)
    rows: list[Sequence[Cell]] = [
        ("electricity", f"{told['kwh']:.4g} kWh"),
        ("CO2", f"{told['kg_co2e']:.4g} kg CO2e"),
        ("method", str(told["method"])),
        ("counted", f"{told.get('sittings', 1)} of {told.get('sittings', 1) + lost} sittings of the run"),
    ]
    left_out = "Of this run alone: without the search for its settings, other runs, pre-training and cooling."
    return Section("Energy and CO2", [Table(("what", "value"), rows, note=left_out)])


def provenance(facts: Facts) -> Section:
    """What leads from the model back to code and data."""
    result = facts.result
    rows: list[Sequence[Cell]] = [
        ("run", result["run_id"]),
        ("runs before it", ", ".join(result["parents"]) or "none"),
        ("commit of the code", result["git_commit"] or NOT_STATED),
        ("digest of the settings", result["config_sha256"]),
        ("digest of the base's tensors", facts.manifest.base_digest),
        *((f"version of {name}", str(version)) for name, version in result["versions"].items()),
    ]
    return Section("Provenance", [Table(("what", "which"), rows)])


def base_name(facts: Facts) -> str:
    """The base with its revision, and what was made of it before."""
    base, name = facts.base, facts.manifest.backbone["name"]
    if base.weights is None:
        return f"{name}, from a folder of the author's"
    if base.weights.startswith(PACKAGE):
        folder = base.weights.removeprefix(PACKAGE)
        return f"{name}, in the Python package {folder.partition('/')[0]}"
    return f"{base.weights}, revision {base.revision or 'unknown'}"


def _pretraining(told: Mapping[str, Any]) -> str:
    dev = told.get("dev") or {}
    better = f"; its perplexity on held-out text is {dev['perplexity']:,.2f}" if "perplexity" in dev else ""
    return f"The encoder was pre-trained further on {_text(told)} (run {told.get('run_id')}){better}."


def _text(told: Mapping[str, Any]) -> str:
    return str((told.get("dataset") or {}).get("name", "text not named"))


def _settings(values: Mapping[str, Any]) -> str:
    return ", ".join(f"{key} {value}" for key, value in values.items() if not key.startswith("_") and value is not None)


def _machine(hardware: Mapping[str, Any]) -> str:
    if hardware.get("gpu"):
        return f"{hardware.get('num_gpus') or 1} x {hardware['gpu']}"
    return f"{hardware['num_cores']} cores of {hardware['cpu']}"


def _share(value: float) -> str:
    return f"{100 * value:.1f}"


def _interval(value: tuple[float, float] | None) -> str:
    return "" if value is None else f"{100 * value[0]:.1f} to {100 * value[1]:.1f}"
