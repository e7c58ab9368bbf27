"""Inline mark-up: writing and reading are inverse, mistakes are named, and the demo corpus keeps its own rules."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from importlib.resources import files
from itertools import combinations
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from openmed.errors import DataError
from openmed.readers.inline import format_inline, read_inline
from openmed.spans import Document, Span, join_documents

EXAMPLE = """\
# a comment
@id demo-001
[Aspirin|Chemical] relieves [headache|Disease].
# a comment within
A \\[literal\\] bar \\| and back\\\\slash.

@id demo-002
[BRCA1|Gene]-mutated [mice|Species].
"""
SPECIAL = "[]|\\#@id \t\r"


def read(path: Path, text: str | bytes) -> list[Document]:
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return list(read_inline(path))


@pytest.fixture(scope="module")
def scratch(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One file to overwrite: Hypothesis does not renew `tmp_path` between examples."""
    return tmp_path_factory.mktemp("inline") / "x.txt"


def characters() -> st.SearchStrategy[str]:
    any_other = st.characters(codec="utf-8", exclude_characters="\n\0")
    return st.one_of(st.sampled_from(SPECIAL), st.sampled_from("abβ -"), any_other)


def words() -> st.SearchStrategy[str]:
    return st.text(characters(), min_size=1, max_size=6).map(str.strip).filter(bool)


@st.composite
def documents(draw: st.DrawFn) -> Document:
    """Any document that the format can hold: sentences of words, some of them mentions."""
    label = st.sampled_from(["Gene", "A|b", "[x]", "\\"])
    sentences = []
    for _ in range(draw(st.integers(1, 3))):
        text, spans = "", []
        for word in draw(st.lists(words(), min_size=1, max_size=4)):
            text += draw(st.sampled_from(["", " ", "  "])) if text else ""
            if draw(st.booleans()):
                spans.append(Span(len(text), len(text) + len(word), draw(label)))
            text += word
        sentences.append(Document("s", text, tuple(spans)))
    joined = join_documents(sentences, id=draw(words()))
    return Document(joined.id, joined.text, joined.spans, sentences=joined.sentences)


def test_example(tmp_path):
    first, second = read(tmp_path / "x.txt", EXAMPLE)
    assert first.id == first.group == "demo-001"
    assert first.text == "Aspirin relieves headache. A [literal] bar | and back\\slash."
    assert first.spans == (Span(0, 7, "Chemical"), Span(17, 25, "Disease"))
    assert first.sentences == ((0, 26), (27, len(first.text)))
    assert first.words is None
    assert [(second.mention(span), span.label) for span in second.spans] == [("BRCA1", "Gene"), ("mice", "Species")]


@given(st.lists(documents(), min_size=1, max_size=3, unique_by=lambda document: document.id))
def test_what_is_written_is_read_back(scratch, written):
    assert read(scratch, "\n".join(map(format_inline, written))) == written


@given(st.text(characters() | st.just("\n"), max_size=40).map("@id x\n".__add__))
def test_whatever_is_read_can_be_written(scratch, text):
    try:
        found = read(scratch, text)
    except DataError:
        return
    assert read(scratch, "\n".join(map(format_inline, found))) == found


@pytest.mark.parametrize("sentence", ["# 1 of 2", "#", "@id x", "@id", "@idea", "a # b", "\\#"])
def test_a_sentence_may_look_like_a_comment_or_an_id(tmp_path, sentence):
    document = Document("x", sentence, sentences=((0, len(sentence)),))
    assert read(tmp_path / "x.txt", format_inline(document)) == [document]


def test_line_ends_bom_and_blank_lines_do_not_matter(tmp_path):
    expected = read(tmp_path / "x.txt", EXAMPLE)
    assert read(tmp_path / "x.txt", b"\xef\xbb\xbf" + EXAMPLE.replace("\n", "\r\n").encode()) == expected
    assert read(tmp_path / "x.txt", "\n \n" + EXAMPLE.replace("\n\n", "\n\t\n\n# x\n\n")) == expected
    assert read(tmp_path / "x.txt", EXAMPLE.replace("\n", "  \n").rstrip()) == expected


def test_documents_are_streamed(tmp_path):
    path = tmp_path / "x.txt"
    path.write_text(EXAMPLE + "\n@id demo-003\n[broken\n")
    stream = read_inline(path)
    assert [next(stream).id, next(stream).id] == ["demo-001", "demo-002"]
    with pytest.raises(DataError, match="not closed"):
        next(stream)


@pytest.mark.parametrize(
    ("text", "line", "problem", "mend"),
    [
        ("# c\nAspirin.\n", 2, "does not start with '@id NAME'", "'@id NAME', then one sentence a line"),
        ("@id\nAspirin.\n", 1, "does not start with '@id NAME'", "'@id NAME', then one sentence a line"),
        ("@idea x\nAspirin.\n", 1, "does not start with '@id NAME'", "'@id NAME', then one sentence a line"),
        ("@id x\nA.\n\n@id x\nB.\n", 4, "'x' was used at line 1", "an id of its own"),
        ("@id x\nA.\n@id y\nB.\n", 3, "'@id' amid an abstract", "a blank line before it"),
        ("@id x\n[a|T] [b|T\n", 2, "not closed", "close the mention"),
        ("@id x\nA.\n[b\n", 3, "not closed", "close the mention"),
        ("@id x\na|T]\n", 2, "a bar that parts no mention", r"is \|"),
        ("@id x\na]\n", 2, "closed but not opened", r"or write \]"),
        ("@id x\n[a|T]]\n", 2, "closed but not opened", r"or write \]"),
        ("@id x\n[a [b|T]|T]\n", 2, "a bracket inside a mention", "do not nest"),
        ("@id x\n[a|b|T]\n", 2, "a bar that parts no mention", r"is \|"),
        ("@id x\n[a]\n", 2, "a mention without type", "[aspirin|Chemical]"),
        ("@id x\n[a|]\n", 2, "a mention without type", "[aspirin|Chemical]"),
        ("@id x\n[a| ]\n", 2, "a mention without type", "[aspirin|Chemical]"),
        ("@id x\n[|T]\n", 2, "an empty mention", "before the bar"),
        ("@id x\n[ |T]\n", 2, "an empty mention", "before the bar"),
        ("@id x\n[a |T]\n", 2, "outer space", "out of the brackets"),
        ("@id x\n[ a|T]\n", 2, "outer space", "out of the brackets"),
        ("@id x\n[a| T]\n", 2, "outer space", "out of the brackets"),
        ("@id x\na \\b\n", 2, "a backslash that escapes nothing", r"is \\"),
        ("@id x\n[a|T\\]\n", 2, "not closed", "close the mention"),
        ("A.\n\n@id x\n# c\n", 1, "does not start", "'@id NAME'"),
        ("@id y\nA.\n\n@id x\n# c\n\n", 4, "without sentences", "one sentence a line"),
        ("@id x\n", 1, "without sentences", "one sentence a line"),
        ("", None, "is empty", "'@id NAME'"),
        ("# c\n\n", None, "is empty", "'@id NAME'"),
    ],
)
def test_mistakes_are_named(tmp_path, text, line, problem, mend):
    path = tmp_path / "x.txt"
    with pytest.raises(DataError) as caught:
        read(path, text)
    message = str(caught.value)
    where = f"{path}:{line}: " if line else f"{path}: "
    assert message.startswith(where)
    assert problem in message
    assert caught.value.mend is not None
    assert mend in caught.value.mend
    assert caught.value.mend[1:] in message  # there it begins with a capital
    if line:
        assert caught.value.text == text.split("\n")[line - 1]


@pytest.mark.parametrize(
    ("document", "problem"),
    [
        (Document("x", "a b"), "no sentences"),
        (Document("x", "a b", sentences=()), "no sentences"),
        (Document("x", "a  b", sentences=((0, 1), (3, 4))), "joined by one space"),
        (Document("x", "a b", sentences=((0, 1),)), "joined by one space"),
        (Document("x", "a\nb", sentences=((0, 3),)), "does not fit"),
        (Document("x", "a ", sentences=((0, 2),)), "does not fit"),
        (Document("x ", "a", sentences=((0, 1),)), "does not fit"),
        (Document("x", "a", (Span(0, 1, " T"),), sentences=((0, 1),)), "does not fit"),
        (Document("x", "a b", (Span(0, 3, "T"),), sentences=((0, 1), (2, 3))), "crosses a sentence"),
        (Document("x", "a b", (Span(0, 3, "T"), Span(2, 3, "T")), sentences=((0, 3),)), "nested"),
        (Document("x", "a b", (Span(0, 2, "T"),), sentences=((0, 3),)), "outer space"),
        (Document("x", "a b", (Span(0, 3, "T", ((0, 1), (2, 3))),), sentences=((0, 3),)), "in pieces"),
    ],
)
def test_what_the_format_cannot_hold_is_refused(document, problem):
    with pytest.raises(DataError, match=problem) as caught:
        format_inline(document)
    assert caught.value.mend


# The demo corpus

TYPES = ("Chemical", "Disease", "Gene", "Species")


def demo_file(split: str) -> Path:
    return Path(str(files("openmed") / "assets" / "demo" / f"{split}.txt"))


@pytest.fixture(scope="module")
def demo() -> dict[str, list[Document]]:
    return {split: list(read_inline(demo_file(split))) for split in ("train", "dev", "test")}


@pytest.fixture(scope="module")
def labels(demo) -> dict[str, set[str]]:
    """The types of every mention, by its text in lower case."""
    found = defaultdict(set)
    for document in all_of(demo):
        for span in document.spans:
            found[document.mention(span).casefold()].add(span.label)
    return found


def all_of(demo: dict[str, list[Document]]) -> list[Document]:
    return [document for split in demo.values() for document in split]


def test_demo_sizes(demo):
    assert {split: len(found) for split, found in demo.items()} == {"train": 40, "dev": 10, "test": 10}
    assert len({document.id for document in all_of(demo)}) == 60
    for document in all_of(demo):
        assert document.sentences is not None
        assert 6 <= len(document.sentences) <= 8, f"{document.id}: a title and 5 to 7 sentences"
        assert 105 <= len(document.text.split()) <= 155, f"{document.id}: about 110 to 150 words"


@pytest.mark.parametrize(("split", "least"), [("train", 30), ("dev", 5), ("test", 5)])
def test_demo_has_enough_mentions_of_each_type(demo, split, least):
    counts = Counter(span.label for document in demo[split] for span in document.spans)
    assert set(counts) == set(TYPES)
    assert min(counts.values()) >= least


def test_demo_sentences_are_all_different(demo):
    counts = Counter(
        document.text[start:end].casefold() for document in all_of(demo) for start, end in document.sentences or ()
    )
    assert [sentence for sentence, count in counts.items() if count > 1] == []


def test_demo_held_out_mentions_are_partly_new(demo):
    seen = {split: {d.mention(s).casefold() for d in found for s in d.spans} for split, found in demo.items()}
    for split, other in combinations(("dev", "test", "train"), 2):
        new = len(seen[split] - seen[other]) / len(seen[split])
        assert 0.2 < new < 0.9, f"{new:.0%} of the mentions of {split} are not in {other}"


def test_demo_mentions_have_one_type(labels):
    assert {mention: types for mention, types in labels.items() if len(types) > 1} == {}


def test_demo_mentions_are_marked_everywhere(demo, labels):
    texts = [(document, document.text.casefold()) for document in all_of(demo)]
    missed = [
        f"{document.id}: {mention}"
        for mention in labels
        if len(mention) >= 4
        for document, text in texts
        if mention in text  # spares most of the regular expressions
        for match in re.finditer(rf"(?<!\w){re.escape(mention)}(?!\w)", text)
        if not any(span.start <= match.start() and match.end() <= span.end for span in document.spans)
    ]
    assert missed == []


@pytest.mark.parametrize("split", ["train", "dev", "test"])
def test_demo_is_written_as_format_inline_writes(demo, split):
    body = [line for line in demo_file(split).read_text(encoding="utf-8").splitlines() if not line.startswith("#")]
    assert "\n".join(body).strip() == "\n".join(map(format_inline, demo[split])).strip()


def test_demo_explains_its_guidelines():
    head = demo_file("train").read_text(encoding="utf-8").splitlines()[:10]
    assert all(line.startswith("#") for line in head)
    assert all(any(f"{type_}:" in line for line in head) for type_ in TYPES)
