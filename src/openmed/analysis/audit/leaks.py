"""What of each evaluation split stands in another: sentences and documents, equal and nearly equal.

seen, findings = leakage(splits, Rule())
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

from openmed.analysis.audit.finding import KEPT_EXAMPLES, Finding, Splits, Weight, number, percent, quote
from openmed.analysis.leakage import EXACT, NEAR, RESPACED, Leak, Passage, Rule, Seen, sentences_of
from openmed.analysis.report.blocks import Cell, Table
from openmed.spans import Document

PAIRS = (("test", "train"), ("dev", "train"), ("test", "dev"))
NOTICEABLE = 0.005
"""Below this share of sentences the score can hardly move."""


@dataclass(frozen=True)
class Pair:
    """What of the split `of` stands in the split `into`.

    Attributes:
        sentences, documents: of the split `of`.
        exact: least number of words (0: any) -> sentences that stand there word for word.
        respaced: the same for sentences with the same letters cut into other words, which `exact` leaves out.
        near: sentences that are near copies.
        other_tags: of the distinct `EXACT` and `RESPACED` sentences of any length, those whose tags nowhere agree.
        seen: sentences that the rule counts as seen.
        mentions: gold mentions in them.
        seen_documents: documents that the rule counts as seen, by reason.
        id_only: documents whose group (a PMID) stands there, without any other sign that they were seen.
    """

    of: str
    into: str
    sentences: int
    documents: int
    exact: dict[int, int]
    respaced: dict[int, int]
    near: int
    other_tags: dict[str, int]
    seen: int
    mentions: int
    seen_documents: dict[str, int]
    id_only: int
    examples: Sequence[Sequence[Cell]]

    def as_dict(self) -> dict[str, object]:
        return {
            "sentences": self.sentences,
            "documents": self.documents,
            "exact": {str(words): count for words, count in self.exact.items()},
            "respaced": {str(words): count for words, count in self.respaced.items()},
            "near": self.near,
            "other_tags": self.other_tags,
            "seen": self.seen,
            "mentions_in_seen": self.mentions,
            "seen_documents": self.seen_documents,
            "id_only": self.id_only,
        }


def leakage(splits: Splits, rule: Rule) -> tuple[Seen, list[Pair]]:
    """The index of train and dev, and what of dev and test stands in them, for the splits that are here."""
    seen = Seen(rule)
    for split in ("train", "dev"):
        if split in splits:
            seen.add(split, splits[split])
    pairs = [_pair(splits[of], of, into, seen) for of, into in PAIRS if of in splits and into in splits]
    return seen, pairs


def leakage_finding(pair: Pair, rule: Rule) -> Finding:
    """The verdict on one pair of splits."""
    weight = Weight.NOTHING
    if pair.seen or pair.seen_documents:
        weight = Weight.SCORES if pair.seen >= NOTICEABLE * pair.sentences else Weight.NOTE
    columns = (f"sentence of {pair.of}", f"twin in {pair.into}", "how", "likeness", "tags", "text")
    return Finding(
        name=f"leakage_{pair.of}_in_{pair.into}",
        title=f"{pair.of.capitalize()} sentences that stand in {pair.into}",
        weight=weight,
        verdict=_verdict(pair, rule, weight),
        counts=pair.as_dict(),
        tables=[_table(pair, rule)] if weight is Weight.SCORES else [],
        examples=[Table(columns, pair.examples, "Examples")] if pair.examples else [],
    )


def _pair(documents: Sequence[Document], of: str, into: str, seen: Seen) -> Pair:
    rule = seen.rule
    found = [(s, seen.find(s, into)) for document in documents for s in sentences_of(document)]
    twins = [(sentence, leak) for sentence, leak in found if leak]
    counted = [(sentence, leak) for sentence, leak in twins if rule.counts(leak, sentence.num_words)]
    leaks = [seen.document_leak(document, [into]) for document in documents]
    return Pair(
        of=of,
        into=into,
        sentences=len(found),
        documents=len(documents),
        exact=_by_length(twins, EXACT, rule),
        respaced=_by_length(twins, RESPACED, rule),
        near=sum(leak.reason == NEAR for _, leak in counted),
        other_tags={reason: _other_tags(twins, reason) for reason in (EXACT, RESPACED)},
        seen=len(counted),
        mentions=sum(len(sentence.labels) for sentence, _ in counted),
        seen_documents=dict(sorted(Counter(leak.reason for leak in leaks if leak).items())),
        id_only=sum(not leak and seen.same_group(d, into) for d, leak in zip(documents, leaks, strict=True)),
        examples=_examples(counted),
    )


def _by_length(twins: Sequence[tuple[Passage, Leak]], reason: str, rule: Rule) -> dict[int, int]:
    lengths = [sentence.num_words for sentence, leak in twins if leak.reason == reason]
    return {least: sum(length >= least for length in lengths) for least in (0, rule.min_words, rule.near_min_words)}


def _other_tags(twins: Sequence[tuple[Passage, Leak]], reason: str) -> int:
    """Distinct sentences none of whose copies is tagged as a twin is."""
    agree: defaultdict[str, bool] = defaultdict(bool)
    for sentence, leak in twins:
        if leak.reason == reason:
            agree[sentence.text] |= leak.same_labels
    return sum(not any_agrees for any_agrees in agree.values())


def _examples(counted: Sequence[tuple[Passage, Leak]]) -> list[list[Cell]]:
    """Those with other tags first, then the long ones."""
    ranked = sorted(counted, key=lambda pair: (pair[1].same_labels, -pair[0].num_words, pair[0].letters))
    return [
        [
            _name(sentence.document_id, sentence.index),
            _name(leak.document_id, leak.sentence_index),
            leak.reason,
            round(leak.similarity, 3),
            "same" if leak.same_labels else "other",
            quote(sentence.text),
        ]
        for sentence, leak in ranked[:KEPT_EXAMPLES]
    ]


def _name(document_id: str, index: int | None) -> str:
    return document_id if index is None else f"{document_id}#{index + 1}"


def _table(pair: Pair, rule: Rule) -> Table:
    lengths = [*pair.exact]
    rows: list[list[Cell]] = [
        ["word for word", *pair.exact.values()],
        ["the same letters in other words", *pair.respaced.values()],
        [f"near copies (likeness {rule.near:g} or more)", None, None, pair.near],
    ]
    columns = ["sentences", "of any length", *(f"of {words} or more words" for words in lengths[1:])]
    return Table(columns, [row for row in rows if any(row[1:])])


def _verdict(pair: Pair, rule: Rule, weight: Weight) -> str:
    short = pair.exact[0] + pair.respaced[0] - pair.exact[rule.min_words] - pair.respaced[rule.min_words]
    other = sum(pair.other_tags.values())
    parts = [_seen_in_words(pair, rule)]
    if other:
        parts.append(f"Of the distinct ones {other:,} {_verb(other, 'bears', 'bear')} other tags there.")
    if short:
        parts.append(f"{number(short, 'shorter sentence')} (section heads and the like) also returned: not counted.")
    parts += _documents_in_words(pair)
    if weight is Weight.SCORES:
        parts.append(f"Scores on {pair.of} may flatter: give those on the clean part too.")
    elif weight is Weight.NOTE:
        parts.append(f"Too few to move scores on {pair.of}.")
    return " ".join(parts)


def _seen_in_words(pair: Pair, rule: Rule) -> str:
    if not pair.seen:
        return f"No {pair.of} sentence of {rule.min_words} or more words stands in {pair.into}."
    long, all_counted = pair.exact[rule.near_min_words], pair.exact[rule.min_words]
    kinds = {
        f"of {rule.near_min_words} or more words word for word": long,
        f"of {rule.min_words} to {rule.near_min_words - 1} words word for word": all_counted - long,
        "with the same letters cut into other words": pair.respaced[rule.min_words],
        "as near copies": pair.near,
    }
    told = ", ".join(f"{count:,} {kind}" for kind, count in kinds.items() if count)
    share = percent(pair.seen, pair.sentences)
    return (
        f"{number(pair.seen, f'{pair.of} sentence')} of {pair.sentences:,} ({share}), with "
        f"{number(pair.mentions, 'mention')}, {_verb(pair.seen, 'stands', 'stand')} in {pair.into} too: {told}."
    )


def _documents_in_words(pair: Pair) -> list[str]:
    parts: list[str] = []
    if total := sum(pair.seen_documents.values()):
        parts.append(f"{number(total, 'document')} of {pair.documents:,} {_verb(total, 'is', 'are')} seen as a whole.")
    if pair.id_only:
        parts.append(
            f"{number(pair.id_only, 'document')} {_verb(pair.id_only, 'has', 'have')} an id that stands in {pair.into} "
            "too, without a sentence in common: look whether it means the same, before it is taken for chance."
        )
    return parts


def _verb(count: int, one: str, many: str) -> str:
    return one if count == 1 else many
