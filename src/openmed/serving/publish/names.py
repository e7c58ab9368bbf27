"""The names under which the paper's authors publish: OpenMed-NER-<domain>Detect-<family>-<parameters in millions>M.

The paper (arXiv 2508.01630) does not state the scheme. It is read off the names on the hub's page OpenMed, with each
model's own card for its corpus and its configuration for its encoder; docs/publishing.md says what rests on what. What
cannot be read off there is refused, not made up: their "ElectraMed", for one, is no ELECTRA by its configuration.

    paper_name("ncbi", "pubmedbert")        # "OpenMed-NER-PathologyDetect-PubMed-109M"
"""

from __future__ import annotations

from openmed.errors import ConfigError, nearest

DOMAINS = {
    "anatem": "Anatomy",
    "bc2gm": "Genome",
    "bc4chemd": "Chemical",
    "bc5cdr_chem": "Pharma",
    "bc5cdr_disease": "Disease",
    "bionlp13cg": "Oncology",
    "cll": "BloodCancer",
    "fsu": "Protein",
    "gellus": "Genomic",
    "jnlpba": "DNA",
    "linnaeus": "Species",
    "ncbi": "Pathology",
    "s800": "Organism",
}
"""Corpus -> domain. The same corpus as raw text has the same."""
ENCODERS = {
    "bioclinical_modernbert": "ModernClinical-149M",
    "deberta": "SuperClinical-184M",
    "deberta_large": "SuperClinical-434M",
    "pubmedbert": "PubMed-109M",
    "pubmedbert_large": "PubMed-335M",
}
"""Backbone -> family and size."""
_VARIANTS = ("_documents", "_huner")


def paper_name(dataset: str, backbone: str) -> str:
    """The name without its owner.

    Raises:
        ConfigError: a corpus or backbone that none of their names is known for.
    """
    corpus = dataset
    for variant in _VARIANTS:
        corpus = corpus.removesuffix(variant)
    for kind, name, known in (("corpus", corpus, DOMAINS), ("backbone", backbone, ENCODERS)):
        if name not in known:
            raise ConfigError(
                f"--name-scheme paper has no name for the {kind} {name!r}. {nearest(name, known)}",
                mend="give a name of your own: --repo OWNER/NAME",
            )
    return f"OpenMed-NER-{DOMAINS[corpus]}Detect-{ENCODERS[backbone]}"
