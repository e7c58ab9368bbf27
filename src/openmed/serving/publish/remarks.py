"""The sections of a card that any tagger of this project needs: what it is for, what it cannot do, the EU AI Act.

to_markdown("", [intended_use(facts), limits(facts), ai_act(facts)])
"""

from __future__ import annotations

from openmed.analysis.report.blocks import Prose, Section
from openmed.serving.publish.facts import Facts


def intended_use(facts: Facts) -> Section:
    """For whom, and for whom not."""
    types = ", ".join(facts.types)
    return Section(
        "Intended use",
        [
            Prose(
                f"Marks mentions of {types} in English biomedical text, with character offsets: for research, for "
                "indexing and searching literature, and as a first pass before people."
            ),
            Prose(
                "Not for decisions about patients, diagnosis, treatment or dosing, nor for removing personal data from "
                "records: it was neither made nor validated for any of these. It does not say what a mention refers to "
                "(no database identifiers), nor whether it is negated, doubted or someone else's."
            ),
        ],
    )


def limits(facts: Facts) -> Section:
    """What is known to go wrong."""
    title = facts.corpus.get("title") or facts.run.dataset
    return Section(
        "Limits",
        [
            Prose(
                f"It was trained and scored on one corpus, {title}, and follows that corpus's idea of what is a "
                "mention and where it ends. On text of another kind (clinical notes, patents, patients' own words, "
                "other languages, other years) expect lower scores, and measure them before relying on it."
            ),
            Prose(
                "It finds flat mentions only: of nested or overlapping ones it finds one, and a mention in pieces is "
                "found as one stretch or not at all. Rare and new names are missed more often than known ones. Its "
                "corpus's gaps and biases (which diseases, species and drugs research writes about) are its own."
            ),
        ],
    )


def ai_act(facts: Facts) -> Section:
    """Remarks on Regulation (EU) 2024/1689; no legal advice."""
    total = facts.result["params"]["total"]
    return Section(
        "Remarks on the EU AI Act",
        [
            Prose(
                f"Regulation (EU) 2024/1689. This is a model for one narrow task ({total / 1e6:,.0f} million "
                "parameters), not a general-purpose AI model, and is published without an intended medical purpose."
            ),
            Prose(
                "Whether a system that it becomes a part of is a high-risk one is decided by that system's purpose "
                "(Article 6 with Annexes I and III; as part of a medical device, also Regulation (EU) 2017/745). Who "
                "places such a system on the market owes the conformity assessment, risk management, human oversight "
                "and logging; the data, scores, mistakes, limits and energy told here may serve their documentation, "
                "and are no substitute for it. These remarks are not legal advice."
            ),
        ],
    )
