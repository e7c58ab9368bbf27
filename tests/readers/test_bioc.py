"""BioC XML, and what XML and JSON share: offsets, locations, identifiers, the real files, mistakes named."""

from __future__ import annotations

import gzip
import os
from collections import Counter
from pathlib import Path

import pytest
from tests.memory import consume, peak_memory

from openmed.errors import ConfigError, DataError
from openmed.readers.bioc import read_bioc
from openmed.readers.bioc_document import BYTE_OFFSETS, COMPOSITE_PART, UNPLACED
from openmed.readers.losses import MENTION_DIFFERS, RELATION
from openmed.readers.pubtator import read_pubtator
from openmed.spans import Document, Span

HEAD = "<?xml version='1.0' encoding='UTF-8'?><!DOCTYPE collection SYSTEM 'BioC.dtd'>\n<collection><source>s</source>\n"
TITLE = "<passage><infon key='type'>title</infon><offset>0</offset><text>Aspirin and β-blockers.</text>"


def annotation(*places: tuple[int, int], text: str | None = None, label: str = "Disease", **infons: str) -> str:
    """An annotation at (offset, length) places."""
    infons = {"type": label} | infons
    return (
        "<annotation id='0'>"
        + "".join(f"<infon key='{key}'>{value}</infon>" for key, value in infons.items())
        + "".join(f"<location offset='{offset}' length='{length}' />" for offset, length in places)
        + ("" if text is None else f"<text>{text}</text>")
        + "</annotation>"
    )


def passage(offset: int, text: str, *annotations: str) -> str:
    return f"<passage><offset>{offset}</offset><text>{text}</text>{''.join(annotations)}</passage>"


def collection(*documents: str) -> str:
    return f"{HEAD}{''.join(documents)}</collection>"


def one(*content: str, id: str = "1") -> str:
    """A collection of one document with this in it."""
    return collection(f"<document><id>{id}</id>{''.join(content)}</document>\n")


EXAMPLE = collection(
    f"""<document><id>1</id>{TITLE}{annotation((0, 7), text="Aspirin", label="Chemical", MESH="D001241")}</passage>
{passage(24, "Less headache.", annotation((29, 8), text="headache"))}
<relation id='R0'><infon key="relation">CID</infon><node refid='0' role='x'/></relation></document>""",
    f"<document><id>2</id>{passage(0, 'Nothing here.')}{passage(14, '')}</document>",
)
JOINED = "Aspirin and β-blockers. Less headache."


def read(path: Path, text: str | bytes, losses: Counter[str] | None = None, **options: str) -> list[Document]:
    path = path / "x.xml"
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return list(read_bioc(path, losses=losses, **options))


def refusal(path: Path, text: str | bytes, **options: str) -> DataError:
    with pytest.raises(DataError) as caught:
        read(path, text, **options)
    assert caught.value.mend
    assert str(path / "x.xml") in str(caught.value)
    return caught.value


def test_example(tmp_path):
    losses: Counter[str] = Counter()
    first, second = read(tmp_path, EXAMPLE, losses)
    assert first.id == first.group == "1"
    assert first.text == JOINED
    assert first.spans == (Span(0, 7, "Chemical"), Span(29, 37, "Disease"))
    assert [span.identifier for span in first.spans] == ["MESH:D001241", None]
    assert first.mention(first.spans[1]) == "headache"
    assert first.sentences is first.words is None
    assert (second.text, second.spans) == ("Nothing here. ", ())
    assert losses == {RELATION: 1}


@pytest.mark.parametrize(
    "dialect",
    [
        EXAMPLE.replace("\n", "\r\n"),
        "\ufeff" + EXAMPLE,
        EXAMPLE.replace("<!DOCTYPE collection SYSTEM 'BioC.dtd'>", ""),
        EXAMPLE.replace("UTF-8", "UTF-16").encode("utf-16"),
        EXAMPLE.replace("UTF-8", "iso-8859-7").encode("iso-8859-7"),
        EXAMPLE.replace("UTF-8", "ascii").replace("β", "&#946;"),
        EXAMPLE.replace("β", "<![CDATA[β]]>"),
        EXAMPLE.replace("β", "<i>β</i><!-- beta -->"),
        EXAMPLE.replace("<offset>24<", "<offset>\n 24\n<"),
    ],
    ids=["CRLF", "BOM", "no DTD", "UTF-16", "8 bits", "reference", "CDATA", "mark-up in text", "blanks"],
)
def test_dialects_read_as_the_same_documents(tmp_path, dialect):
    assert read(tmp_path, dialect) == read(tmp_path, EXAMPLE)


def test_gzip_reads_as_the_plain_file(tmp_path):
    (tmp_path / "x.xml.gz").write_bytes(gzip.compress(EXAMPLE.encode()))
    assert list(read_bioc(tmp_path / "x.xml.gz")) == read(tmp_path, EXAMPLE)


def test_the_text_starts_at_the_first_passage_and_gaps_are_spaces(tmp_path):
    (document,) = read(tmp_path, one(passage(110, "Second.", annotation((110, 6))), passage(100, "First.")))
    assert document.text == "First.    Second."
    assert [document.mention(span) for span in document.spans] == ["Second"]


# ---- sentences


def sentence(offset: int, text: str, *annotations: str) -> str:
    return f"<sentence><offset>{offset}</offset><text>{text}</text>{''.join(annotations)}</sentence>"


def test_sentences_make_the_text_and_are_kept(tmp_path):
    body = sentence(9, "One.") + sentence(14, "Two ills.", annotation((18, 4), text="ills"))
    (document,) = read(
        tmp_path, one(passage(0, "A title."), f"<passage><offset>9</offset>{body}</passage>", passage(23, ""))
    )
    assert document.text == "A title. One. Two ills."
    assert document.sentences == ((0, 8), (9, 13), (14, 23))
    assert document.mention(document.spans[0]) == "ills"


def test_sentences_of_a_passage_that_has_its_text_only_mark_it(tmp_path):
    body = sentence(5, "One.") + sentence(10, "Two.")
    (document,) = read(tmp_path, one(f"<passage><offset>5</offset><text>One. Two.</text>{body}</passage>"))
    assert (document.text, document.sentences) == ("One. Two.", ((0, 4), (5, 9)))


@pytest.mark.parametrize(
    ("offset", "problem"),
    [("50", "begins outside the text"), ("2", "overlaps the one before"), ("6", "ends outside the text")],
)
def test_sentences_that_cannot_be_are_refused(tmp_path, offset, problem):
    body = sentence(0, "One.") + sentence(int(offset), "Two.")
    error = refusal(tmp_path, one(f"<passage><offset>0</offset><text>One. Two.</text>{body}</passage>"))
    assert problem in str(error)


# ---- locations and texts of mentions


def test_several_locations_are_fragments_sorted_and_merged(tmp_path):
    text = "Ocular and auditory toxicity"
    (document,) = read(
        tmp_path,
        one(
            passage(
                0,
                text,
                annotation((20, 8), (0, 6), text="toxicity Ocular", label="a"),
                annotation((0, 3), (3, 3), (20, 8), label="b"),
                annotation((0, 6), (4, 6), label="c"),
                annotation((0, 10), (4, 2), label="d"),
            )
        ),
    )
    assert set(document.spans) == {
        Span(0, 28, "a", ((0, 6), (20, 28))),
        Span(0, 28, "b", ((0, 6), (20, 28))),
        Span(0, 10, "c"),
        Span(0, 10, "d"),
    }


@pytest.mark.parametrize(
    ("text", "differs"),
    [
        ("Ocular toxicity", False),
        ("Oculartoxicity", False),
        ("Ocular and auditory toxicity", False),
        (None, False),
        ("ocular toxicity", True),
        ("Ocular  toxicity", True),
    ],
)
def test_the_text_of_a_discontinuous_mention_may_be_joined_as_real_files_do(tmp_path, text, differs):
    losses: Counter[str] = Counter()
    read(tmp_path, one(passage(0, "Ocular and auditory toxicity", annotation((0, 6), (20, 8), text=text))), losses)
    assert losses == ({MENTION_DIFFERS: 1} if differs else {})


def test_a_mention_that_differs_is_counted_and_its_offsets_are_believed(tmp_path):
    losses: Counter[str] = Counter()
    (document,) = read(tmp_path, one(passage(0, "Aspirin β.", annotation((0, 7), text="aspirin"))), losses)
    assert document.mention(document.spans[0]) == "Aspirin"
    assert losses == {MENTION_DIFFERS: 1}


def test_offsets_in_bytes_are_told_by_the_mentions(tmp_path):
    text, words = "β-blockers, αβγ, and 😀 ills.", ["β-blockers", "αβγ", "ills"]
    places = [(7 + len(text[: text.index(word)].encode()), len(word.encode())) for word in words]
    mentions = [annotation(place, text=word) for place, word in zip(places, words, strict=True)]
    after = passage(8 + len(text.encode()), "Further ills.")
    losses: Counter[str] = Counter()
    (document,) = read(tmp_path, one(passage(7, text, *mentions, annotation(places[0], text="wrong")), after), losses)
    assert document.text == f"{text} Further ills."
    assert sorted({document.mention(span) for span in document.spans}) == sorted(words)
    assert losses == {BYTE_OFFSETS: 1, MENTION_DIFFERS: 1}


def test_one_mention_that_agrees_in_bytes_by_chance_changes_nothing(tmp_path):
    losses: Counter[str] = Counter()
    mentions = [annotation((0, 1), text="β"), annotation((2, 1), text="a"), annotation((3, 1), text="b")]
    (document,) = read(tmp_path, one(passage(0, "β abb", *mentions)), losses)
    assert [document.mention(span) for span in document.spans] == ["β", "a", "b"]
    assert losses == {}


# ---- what annotations tell


@pytest.mark.parametrize(
    ("infons", "identifier"),
    [
        ({"MESH": "D003000"}, "MESH:D003000"),
        ({"MESH": "D014786|D006311"}, "MESH:D014786|MESH:D006311"),
        ({"MESH": "D002544|-1"}, "MESH:D002544|-1"),
        ({"MESH": "-1"}, None),
        ({"MESH": "-1", "OMIM": "114480"}, "OMIM:114480"),
        ({"NCBI Gene": "672"}, "NCBI Gene:672"),
        ({"MESH": "D003000", "identifier": "MESH:C1"}, "MESH:C1"),
        ({"Identifier": "CHEBI:1"}, "CHEBI:1"),
        ({"identifier": "-"}, None),
        ({"note": "x"}, None),
    ],
)
def test_identifiers(tmp_path, infons, identifier):
    (document,) = read(tmp_path, one(passage(0, "Aspirin", annotation((0, 7), **infons))))
    assert document.spans[0].identifier == identifier


@pytest.mark.parametrize(
    ("value", "score"), [("0.25", 0.25), ("1", 1.0), ("17", None), ("-1", None), ("high", None), ("nan", None)]
)
def test_a_score_is_a_number_from_0_to_1(tmp_path, value, score):
    (document,) = read(tmp_path, one(passage(0, "Aspirin", annotation((0, 7), score=value))))
    assert document.spans[0].score == score


def test_the_type_may_be_in_another_infon(tmp_path):
    text = one(passage(0, "Aspirin", annotation((0, 7), text="Aspirin", label="mention", group="Chemical")))
    (document,) = read(tmp_path, text, types_from="group")
    assert document.spans == (Span(0, 7, "Chemical"),)
    error = refusal(tmp_path, text, types_from="kind")
    assert "no infon 'kind'" in str(error)
    assert "types_from= one of 'type', 'group'" in str(error)


def test_an_annotation_without_location_is_counted(tmp_path):
    losses: Counter[str] = Counter()
    (document,) = read(tmp_path, one(passage(0, "Aspirin", annotation(text="pain")), annotation()), losses)
    assert document.spans == ()
    assert losses == {UNPLACED: 2}


def test_annotations_of_the_document_count_from_its_start(tmp_path):
    (document,) = read(tmp_path, one(passage(0, "A."), passage(3, "Aspirin"), annotation((3, 7), text="Aspirin")))
    assert document.mention(document.spans[0]) == "Aspirin"


def test_parts_of_composite_mentions_are_dropped_on_demand(tmp_path):
    whole = annotation((0, 28), CompositeRole="CompositeMention")
    part = annotation((0, 6), (20, 8), CompositeRole="IndividualMention")
    text = one(passage(0, "Ocular and auditory toxicity", whole, part))
    (document,) = read(tmp_path, text)
    assert len(document.spans) == 2
    losses: Counter[str] = Counter()
    (document,) = read(tmp_path, text, losses, composite="mention")
    assert document.spans == (Span(0, 28, "Disease"),)
    assert losses == {COMPOSITE_PART: 1}
    with pytest.raises(ConfigError, match=r"(?s)unknown composite 'parts'.*keep, mention"):
        read_bioc(tmp_path / "x.xml", composite="parts")


# ---- streaming


def test_documents_before_a_mistake_are_given(tmp_path):
    path = tmp_path / "x.xml"
    path.write_text(EXAMPLE.replace("</collection>", "<document><oops></document>"), encoding="utf-8")
    stream = read_bioc(path)
    assert next(stream).id == "1"
    assert next(stream).id == "2"
    with pytest.raises(DataError):
        next(stream)


def test_documents_without_id_are_numbered_and_repeated_ids_pass(tmp_path):
    text = one(passage(0, "A"), id="") + one(passage(0, "B"))[len(HEAD) :]
    text = text.replace("</collection>", "", 1).replace("</collection>", "<document><passage><offset>0</offset>", 1)
    text += "<text>C</text></passage></document></collection>"
    assert [document.id for document in read(tmp_path, text)] == ["1", "1", "3"]


def test_a_larger_file_takes_no_more_memory(tmp_path):
    text = "Ocular toxicity and β-blockers. " * 200
    document = f"<document><id>1</id>{passage(0, text, annotation((0, 6)))}</document>\n"
    peaks = []
    for number in (30, 1500):
        (tmp_path / "x.xml").write_text(collection(*[document] * number), encoding="utf-8")
        peaks.append(peak_memory(lambda: consume(read_bioc(tmp_path / "x.xml"))))
    assert peaks[1] < 1.1 * peaks[0]


# ---- mistakes

ENTITY = "<!DOCTYPE collection [{}]>"
DOUBLINGS = "".join(f'<!ENTITY {b} "&{a};&{a};">' for a, b in zip("abcd", "bcde", strict=True))
BOMB = ENTITY.format(f'<!ENTITY a "ha">{DOUBLINGS}')
LATIN1 = one(passage(0, "café")).encode("latin1")


@pytest.mark.parametrize(
    ("text", "line", "problem"),
    [
        (one(passage(0, "a & b")), 3, "not well-formed XML"),
        (one(passage(0, "a &beta; b")), 3, "undefined entity"),
        (one(passage(0, "a \0 b")), 3, "not well-formed XML"),
        (one(passage(0, "a &#0; b")), 3, "not well-formed XML"),
        (LATIN1, 3, "invalid token"),
        (one("</passage>"), 3, "mismatched tag"),
        (EXAMPLE[:-20], 5, "unclosed token: line 5, column 233). The file is cut off"),
        (one(passage(0, "A"))[:-14] + "\n", 4, "no element found: line 4, column 0). The file is cut off"),
        ("\n" + EXAMPLE, 2, "XML or text declaration not at start of entity"),
        (HEAD.replace("UTF-8", "klingon"), 1, "klingon"),
        (HEAD.replace("UTF-8", "gbk"), 1, "encoding cannot be read (multi-byte encodings are not supported)"),
        (f"{BOMB}<collection>&e;</collection>", 1, "declares or fetches entities"),
        (ENTITY.format('<!ENTITY x SYSTEM "file:///etc/hostname">') + "<collection>&x;</collection>", 1, "entities"),
        (ENTITY.format('<!ENTITY % x SYSTEM "http://localhost/x.dtd"> %x;') + "<collection/>", 1, "entities"),
        ("\n<html>\n</html>", 2, "outermost element is <html>"),
        (one(passage(0, "A<passage></passage>")), 3, "<passage> inside <passage>"),
        (collection(annotation((0, 1))), 3, "<annotation> inside <collection>"),
        (one("<passage><text>A<id>B</id></text></passage>"), 3, "<id> inside <text>"),
        (one("<passage><text>A</text>\n<text>B</text></passage>"), 4, "a second <text>"),
    ],
)
def test_what_is_not_bioc_is_named_with_its_line(tmp_path, text, line, problem):
    error = refusal(tmp_path, text)
    assert problem in str(error)
    assert error.line == line


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (passage(0, "Aspirin", annotation((0, 8))), "offsets 0..8 are empty or outside the text, which is from 0 to 7"),
        (
            passage(5, "Aspirin", annotation((0, 7))),
            "outside the text, which is from 5 to 12",
        ),
        (passage(0, "Aspirin", annotation((3, 0))), "offsets 3..3 are empty"),
        (passage(0, "Aspirin", annotation((0, 1), (90, 1))), "offsets 0..1, 90..91 are"),
        (passage(0, "Aspirin", annotation((-1, 3))), "'offset' must be a whole number from 0 (text: '-1')"),
        (passage(0, "Aspirin", annotation((0, 3)).replace("length='3'", "length='²'")), "'length' must be"),
        (passage(0, "Aspirin", annotation((0, 3)).replace("length='3'", "")), "'length' is missing"),
        (passage(0, "Aspirin", annotation((0, 10**20))), "'length' must be"),
        (passage(0, "Aspirin", annotation((0, 7)).replace("'type'", "'kind'")), "no infon 'type'"),
        (passage(0, "Aspirin", annotation((0, 7), label="")), "no infon 'type'"),
        (passage(0, "Aspirin").replace("<offset>0</offset>", ""), "'offset' is missing"),
        (passage(0, "Aspirin") + passage(3, "late"), "offset 3 overlaps by 4 characters the one before"),
        (passage(0, "Aspirin") + passage(10**12, "late"), "begins 999999999993 characters after the one before"),
        ("<infon key='openmed.sentences'>0-x</infon>" + passage(0, "A"), "invalid literal"),
        ("<infon key='openmed.sentences'>0-9</infon>" + passage(0, "A"), "ends outside the text"),
        ("", "it has no text"),
        ("<passage><offset>0</offset></passage>", "it has no text"),
        (passage(0, "A", annotation((0, 1))).replace("<text>A</text>", ""), "'text' is missing"),
    ],
)
def test_a_document_that_cannot_be_is_named_with_its_id_and_line(tmp_path, content, problem):
    error = refusal(tmp_path, one(content, id="77"))
    assert problem in str(error)
    assert "document '77'" in str(error)
    assert error.line == 3


def test_a_passage_of_infons_only_is_passed_over(tmp_path):
    (document,) = read(tmp_path, one(passage(0, "A."), "<passage><infon key='year'>1999</infon></passage>"))
    assert document.text == "A."


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        ("", "the file is empty"),
        (" \n\ufeff", "neither XML nor JSON"),
        (" \n", "the file is empty"),
        (collection(), "no documents"),
        ("1|t|Title", "neither XML nor JSON (text: '1|t|Title')"),
    ],
)
def test_a_file_without_documents_is_refused(tmp_path, content, problem):
    assert problem in str(refusal(tmp_path, content))


def test_a_cut_gzip_is_refused(tmp_path):
    (tmp_path / "x.xml.gz").write_bytes(gzip.compress(EXAMPLE.encode())[:-20])
    with pytest.raises(DataError, match="gzip file is cut off or damaged"):
        list(read_bioc(tmp_path / "x.xml.gz"))


# ---- the real files: as counted when they were brought here

BC5CDR = [
    ("Training", 9570, 73, 185, {RELATION: 1038, MENTION_DIFFERS: 3}),
    ("Development", 9773, 43, 182, {RELATION: 1012, MENTION_DIFFERS: 1}),
    ("Test", 9928, 37, 119, {RELATION: 1066}),
]
needs_corpora = pytest.mark.skipif(
    not os.environ.get("OPENMED_DATA"), reason="OPENMED_DATA does not name a folder of corpora"
)


def corpus(name: str) -> Path:
    return Path(os.environ["OPENMED_DATA"]) / "native" / "BC5CDR" / name


@needs_corpora
@pytest.mark.parametrize(("split", "num_mentions", "num_discontinuous", "num_parts", "expected"), BC5CDR)
def test_the_real_files_give_their_counts(split, num_mentions, num_discontinuous, num_parts, expected):
    losses: Counter[str] = Counter()
    documents = list(read_bioc(corpus(f"CDR_{split}Set.BioC.xml"), losses=losses))
    assert len(documents) == 500
    assert sum(len(document.spans) for document in documents) == num_mentions
    assert sum(span.discontinuous for document in documents for span in document.spans) == num_discontinuous
    assert losses == expected


@needs_corpora
@pytest.mark.parametrize(("split", "num_mentions", "num_discontinuous", "num_parts", "expected"), BC5CDR)
def test_without_parts_the_real_files_are_their_pubtator_twins(
    split, num_mentions, num_discontinuous, num_parts, expected
):
    losses: Counter[str] = Counter()
    documents = list(read_bioc(corpus(f"CDR_{split}Set.BioC.xml"), composite="mention", losses=losses))
    assert documents == list(read_pubtator(corpus(f"CDR_{split}Set.PubTator.txt")))
    assert losses == {COMPOSITE_PART: num_parts, RELATION: expected[RELATION]}
