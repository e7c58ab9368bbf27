"""The model card: README.md of the published folder, all of it made from the run.

write_card(facts, scored, Form.ADAPTER, repo="me/OpenMed-NER-...", licence="apache-2.0", datasets=())
"""

from __future__ import annotations

from collections.abc import Sequence

from openmed.analysis.report.blocks import Prose, Section
from openmed.analysis.report.markdown import to_markdown
from openmed.serving.publish import loading, remarks, sections
from openmed.serving.publish.facts import Facts
from openmed.serving.publish.metadata import Form, metadata
from openmed.serving.publish.scores import Scored


def write_card(
    facts: Facts, scored: Scored, form: Form, *, repo: str, licence: str | None, datasets: Sequence[str]
) -> str:
    """Markdown with the hub's metadata at its head.

    Args:
        repo: owner/name.
        licence, datasets: see `metadata`.
    """
    name = repo.rpartition("/")[2]
    head = metadata(facts, scored, form, name=name, licence=licence, datasets=datasets).to_yaml()
    chosen = None if licence is None else f"The publisher offers this model under: {licence}."
    opening = Section("", [Prose(_opening(facts, form)), *([Prose(chosen)] if chosen else [])])
    first = to_markdown(name, [opening, sections.scores(facts, scored)])
    calibration = sections.calibration(facts)
    rest = [
        remarks.intended_use(facts),
        remarks.limits(facts),
        sections.mistakes(scored),
        *([calibration] if calibration else []),
        sections.data(facts),
        sections.recipe(facts),
        sections.energy(facts),
        remarks.ai_act(facts),
        sections.provenance(facts),
    ]
    _, _, body = to_markdown("", rest).partition("\n\n")
    return f"---\n{head}\n---\n\n{first}\n{_how_to_load(facts, form, repo)}\n{body}"


def _opening(facts: Facts, form: Form) -> str:
    what = {
        Form.ADAPTER: "a LoRA adapter and a tagging head for",
        Form.WHOLE: "all weights of a tagger made from",
    }[form]
    title = facts.corpus.get("title") or facts.run.dataset
    base = sections.base_name(facts)
    return f"Finds mentions of {', '.join(facts.types)} in English biomedical text: {what} {base}, trained on {title}."


def _how_to_load(facts: Facts, form: Form, repo: str) -> str:
    parts = ["## How to load", "", *_code(loading.with_openmed(repo))]
    plain = loading.without_openmed(facts, form, repo)
    if plain is None:
        return "\n".join([*parts, loading.PACKAGED, ""])
    return "\n".join([*parts, "Without this project:", "", *_code(plain), loading.DIFFERENCE, ""])


def _code(lines: str) -> list[str]:
    return ["```python", lines.rstrip("\n"), "```", ""]
