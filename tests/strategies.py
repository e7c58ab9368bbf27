"""Documents as hypothesis draws them: biomedical fragments next to everything that Unicode has against offsets.

@given(documents())
def test_something(document: Document): ...
"""

from __future__ import annotations

from collections.abc import Sequence

from hypothesis import strategies as st

from openmed.spans import Document, Range, Span

LABELS = ("Disease", "Multi-tissue_structure")

PLAIN = [
    "p53",
    "IL-2-induced",
    "(10",
    "mg),",
    "12).",
    "Aspirin",
    "relieves",
    "patient's",
    "e.g.,",
    "BRCA1/2",
    "A-T",
    "3.5%",
]

ODD = [
    "β-catenin",
    "αβγ",
    "ΔΨm",
    "cafe\u0301",  # combining acute
    "e\u0301e\u0308",
    "\u0301",  # a combining mark alone
    "\u1112\u1161\u11ab",  # Hangul that composes to one character
    "😀",
    "👩\u200d🔬",  # two emoji and a joiner
    "漢字",
    "日本脳炎ウイルス",
    "\u200b",  # zero-width space
    "\ufeff",
    "\u00ad",  # soft hyphen
    "\x00",
    "\x07",
    "\ufffd",
    "ﬁbrosis",
    "½",
    "İstanbul",  # grows when lowered
    "straße",
    "[SEP]",
    "[MASK]",
    "<s>",
    "##ing",
    "▁",
    "Ġ",
    "ACGT" * 30,
    "_",
    "...",
]

SPACES = [" ", " ", " ", " ", "", "", "  ", "\n", "\t", "\u00a0", "\u2009", "\u3000", "\x85", "\x1f", "\r\n"]


def texts(*, max_fragments: int = 12) -> st.SearchStrategy[str]:
    """Text with anything in it, words touching or apart."""
    fragment = st.one_of(st.sampled_from(PLAIN), st.sampled_from(ODD), st.sampled_from(SPACES), st.text(max_size=3))
    return st.lists(st.tuples(fragment, st.sampled_from(SPACES)), max_size=max_fragments).map(
        lambda parts: "".join(fragment + space for fragment, space in parts)
    )


def plain_texts(*, max_fragments: int = 12) -> st.SearchStrategy[str]:
    """Words a tokenizer meets every day, single spaces between them."""
    return st.lists(st.sampled_from([*PLAIN, "β-catenin", "漢字", "😀"]), min_size=1, max_size=max_fragments).map(
        " ".join
    )


@st.composite
def ranges(draw: st.DrawFn, length: int, *, max_ranges: int = 20) -> tuple[Range, ...]:
    """Ranges of a text of that length, in order, touching or apart."""
    if not length:
        return ()
    edges = sorted(draw(st.sets(st.integers(0, length), max_size=max_ranges + 1)))
    keep = draw(st.lists(st.booleans(), min_size=len(edges), max_size=len(edges)))
    return tuple((a, b) for a, b, kept in zip(edges, edges[1:], keep, strict=False) if kept)


@st.composite
def any_spans(draw: st.DrawFn, length: int, edges: Sequence[int] = ()) -> tuple[Span, ...]:
    """Spans as they come: nested, equal, overlapping, discontinuous; at `edges` (those of words) more often."""
    if not length:
        return ()
    edge = st.integers(0, length)
    if edges:
        edge = st.one_of(st.sampled_from(edges), st.sampled_from(edges), edge)
    spans = []
    for places, label in draw(
        st.lists(st.tuples(st.lists(edge, min_size=2, max_size=4, unique=True), st.sampled_from(LABELS)), max_size=6)
    ):
        places = sorted(places)
        fragments = ((places[0], places[1]), (places[2], places[3])) if len(places) == 4 else ()
        spans.append(Span(places[0], places[-1], label, fragments))
    return tuple(spans)


@st.composite
def flat_spans(draw: st.DrawFn, words: Sequence[Range]) -> tuple[Span, ...]:
    """Spans that word tags can say: whole words, none overlapping, neighbours of one type included."""
    spans, position = [], 0
    while position < len(words):
        position += draw(st.integers(0, 2))
        size = draw(st.integers(1, 3))
        if position + size > len(words) or len(spans) == 5:
            break
        spans.append(Span(words[position][0], words[position + size - 1][1], draw(st.sampled_from(LABELS))))
        position += size
    return tuple(spans)


@st.composite
def documents(draw: st.DrawFn, *, expressible: bool = False) -> Document:
    """A document, raw or with words of its own, with sentences marked or not.

    `expressible` documents hold only spans that whole words can say (of raw text: words of the punctuation splitter).
    """
    from openmed.encoding import split_words

    text = draw(texts())
    words = draw(st.none() | ranges(len(text)))
    known = split_words(text, "punctuation") if words is None else words
    edges = [edge for word in known for edge in word]
    return Document(
        id="d",
        text=text,
        spans=draw(flat_spans(known) if expressible else any_spans(len(text), edges)),
        words=words,
        sentences=draw(st.none() | ranges(len(text), max_ranges=4)),
    )


def splits(*, expressible: bool = False) -> st.SearchStrategy[list[Document]]:
    """Up to three documents: what is encoded in one go."""
    return st.lists(documents(expressible=expressible), max_size=3).map(
        lambda drawn: [
            Document(f"d{i}", d.text, d.spans, words=d.words, sentences=d.sentences) for i, d in enumerate(drawn)
        ]
    )
