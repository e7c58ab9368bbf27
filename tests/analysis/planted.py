"""Sentences to be seen again; a small corpus without a fault, and faults to plant in it, one by each function.

splits = clean_corpus()
leak_exact(splits)
audit = audited(tmp_path, splits)
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

from openmed.analysis.audit import Audit, Weight, audit_corpus
from openmed.analysis.leakage import Rule, Seen
from openmed.corpora import CorpusSpec
from openmed.spans import Document, Span, join_documents
from openmed.writers import write_jsonl

LONG = "Aspirin relieves headache in adults but it may harm the stomach when taken for years ."
OTHER = "Mutations of the gene were found in nine of twelve families from the north of the island ."
SHORT = "RESULTS :"
MIDDLE = "No patient died of sepsis ."


def tokens(id: str, *sentences: str, spans: tuple[Span, ...] = (), group: str = "") -> Document:
    """A tokenised document: words are what stands between blanks. `spans` count from the document's start."""
    parts = []
    for number, sentence in enumerate(sentences):
        ends = [sum(len(word) + 1 for word in sentence.split()[: i + 1]) - 1 for i in range(len(sentence.split()))]
        words = tuple((end - len(word), end) for word, end in zip(sentence.split(), ends, strict=True))
        parts.append(Document(f"{id}#{number}", sentence, words=words, sentences=((0, len(sentence)),)))
    return replace(join_documents(parts, id=id, group=group or id), spans=tuple(sorted(spans)))


def raw(id: str, text: str, *spans: Span, group: str = "") -> Document:
    return Document(id, text, spans, group=group)


def seen_of(*documents: Document, rule: Rule | None = None) -> Seen:
    seen = Seen(rule)
    seen.add("train", documents)
    return seen


Splits = dict[str, list[Document]]


def doc(id: str, text: str, *mentions: tuple[str, str]) -> Document:
    """A raw document; each mention is (text, label), at the first place where it stands."""
    spans = (Span(text.index(mention), text.index(mention) + len(mention), label) for mention, label in mentions)
    return Document(id, text, tuple(spans))


def clean_corpus() -> Splits:
    return {
        "train": [
            doc("1", "Aspirin relieves headache in most adults within an hour or two.", ("Aspirin", "Chemical")),
            doc(
                "2",
                "Nine of twelve families carried the BRCA1 mutation at birth. None fell ill.",
                ("BRCA1", "Gene"),
            ),
            doc("3", "The liver was enlarged, and its margin could be felt below the ribs."),
        ],
        "dev": [
            doc("4", "Ibuprofen was stopped after days because of a rash on both arms.", ("Ibuprofen", "Chemical"))
        ],
        "test": [
            doc("5", "We saw p53 in every sample that had been kept cold since the operation.", ("p53", "Gene")),
            doc("6", "Two mice out of thirty gained weight although they were fed as before."),
        ],
    }


def corpus(folder: Path, splits: Splits, **settings: Any) -> CorpusSpec:
    files = {}
    for name, documents in splits.items():
        files[name] = str(folder / f"{name}.jsonl")
        write_jsonl(documents, files[name])
    return CorpusSpec.from_mapping({"name": "mine", **files, "format": "jsonl", **settings})


def audited(folder: Path, splits: Splits, **settings: Any) -> Audit:
    return audit_corpus(corpus(folder, splits, **settings), backbones=())


def found(audit: Audit) -> dict[str, Weight]:
    return {finding.name: finding.weight for finding in audit.findings if finding.weight}


def leak_exact(splits: Splits) -> None:
    splits["test"].append(replace(splits["train"][0], id="7"))


def leak_near(splits: Splits) -> None:
    splits["test"].append(doc("7", splits["train"][0].text.replace("two", "three"), ("Aspirin", "Chemical")))


def leak_into_dev(splits: Splits) -> None:
    splits["dev"].append(replace(splits["train"][2], id="7"))


def leak_dev_test(splits: Splits) -> None:
    splits["test"].append(replace(splits["dev"][0], id="7"))


def shared_id(splits: Splits, id: str = "10228407") -> None:
    splits["train"][0] = replace(splits["train"][0], id=id, group=id)
    splits["test"].append(doc(id, "Whoever slept through the night did not need a second dose of it."))


def repeat(splits: Splits) -> None:
    splits["train"].append(replace(splits["train"][2], id="7"))


def contradiction(splits: Splits) -> None:
    splits["train"].append(replace(splits["train"][2], id="7", spans=(Span(4, 9, "Organ"),)))


def untagged(splits: Splits) -> None:
    splits["dev"].append(doc("7", "Whoever slept through the night did not need Aspirin again."))


def other_type(splits: Splits) -> None:
    splits["dev"].append(doc("7", "Whoever slept through the night did not need Aspirin.", ("Aspirin", "Drug")))


def space_at_edge(splits: Splits) -> None:
    splits["dev"].append(doc("7", "Whoever slept well had taken naproxen the night before.", ("naproxen ", "Chemical")))


def punctuation_at_edge(splits: Splits) -> None:
    splits["dev"].append(doc("7", "Whoever slept well had taken naproxen, or none at all.", ("naproxen,", "Chemical")))


def unpaired_bracket(splits: Splits) -> None:
    splits["dev"].append(doc("7", "Whoever slept well had taken naproxen (Aleve) at noon.", ("naproxen (", "Chemical")))


def amid_a_word(splits: Splits) -> None:
    splits["dev"].append(doc("7", "Whoever slept well showed no neurotoxicity at sunrise.", ("toxicity", "Disease")))


def nested(splits: Splits) -> None:
    text = "Whoever slept well had no colon cancer in the family."
    splits["dev"].append(doc("7", text, ("colon cancer", "Disease"), ("colon", "Organ")))


def discontinuous(splits: Splits) -> None:
    text = "Whoever slept well had breast or ovarian cancer in the family."
    fragments = ((text.index("breast"), text.index(" or")), (text.index("cancer"), text.index(" in")))
    splits["dev"].append(Document("7", text, (Span(fragments[0][0], fragments[1][1], "Disease", fragments),)))


def across_sentences(splits: Splits) -> None:
    text = "Whoever slept well had seen St. Mary. Clinic staff were kind to all."
    splits["dev"].append(doc("7", text, ("Mary. Clinic", "Place")))


def empty(splits: Splits) -> None:
    splits["dev"].append(Document("7", " "))


def control_character(splits: Splits) -> None:
    splits["dev"].append(doc("7", "Whoever slept\u200b well had taken nothing at all."))


def decomposed(splits: Splits) -> None:
    splits["dev"].append(doc("7", "Whoever slept well had drunk cafe\u0301 au lait at noon."))


def entity(splits: Splits) -> None:
    splits["dev"].append(doc("7", "Whoever slept well (p &lt; 0.05) had taken nothing at all."))


def replacement(splits: Splits) -> None:
    splits["dev"].append(doc("7", "Whoever slept well had taken \ufffd-blockers for a year."))


def long_word(splits: Splits) -> None:
    splits["dev"].append(doc("7", f"The primer was {'ACGT' * 13} as ordered."))


def long_sentence(splits: Splits) -> None:
    splits["dev"].append(doc("7", " ".join(f"item{number}" for number in range(101))))
