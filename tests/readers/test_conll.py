"""Token files: all dialects read as the same documents, real corpora give their known counts, mistakes are named."""

from __future__ import annotations

import gzip
import itertools
import os
import re
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from openmed.errors import ConfigError, DataError
from openmed.readers.conll import read_conll
from openmed.spans import Document, Span
from openmed.tagging import ILLEGAL_TAG

SENTENCES = [
    [("Mutant", "O"), ("BRCA1", "B-Gene"), ("gene", "I-Gene"), ("TP53", "B-Gene"), ("#", "O"), ("3", "O")],
    [("-", "O"), ("breast", "B-Disease"), ("tumour", "I-Disease"), ("p53", "B-Gene"), (".", "O")],
    [("ataxia", "B-Disease")],
]


def write(path: Path, text: str | bytes) -> Path:
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return path


def read(path: Path, text: str | bytes, **settings: Any) -> list[Document]:
    return list(read_conll(write(path / "x.tsv", text), **settings))


def in_scheme(tags: list[str], scheme: str) -> list[str]:
    """IOB2 tags in another scheme."""
    out = []
    for before, tag, after in zip(["O", *tags], tags, [*tags[1:], "O"], strict=False):
        letter, type_ = tag[0], tag[2:]
        if scheme == "iob1" and letter == "B" and before[2:] != type_:
            letter = "I"
        if scheme in ("iobes", "bilou") and letter != "O" and not after.startswith("I"):
            letter = {"B": "S", "I": "E"}[letter]
        if scheme == "bilou":
            letter = {"S": "U", "E": "L"}.get(letter, letter)
        out.append(f"{letter}-{type_}" if type_ else letter)
    return out


def lines(scheme: str = "iob2", row: str = "{token}\t{tag}", end: str = "\n") -> str:
    text = ""
    for sentence in SENTENCES:
        tags = in_scheme([tag for _, tag in sentence], scheme)
        for number, ((token, _), tag) in enumerate(zip(sentence, tags, strict=True), 1):
            text += row.format(token=token, tag=tag, n=number) + end
        text += end
    return text


def content(documents: list[Document]) -> list[tuple[str, tuple[Span, ...], Any]]:
    return [(document.text, document.spans, document.words) for document in documents]


@pytest.fixture
def expected(tmp_path: Path) -> list[Any]:
    return content(read(tmp_path, lines()))


def test_a_sentence_becomes_a_document(tmp_path: Path) -> None:
    first, second, third = read(tmp_path, lines())
    assert first == Document(
        id="x#1",
        text="Mutant BRCA1 gene TP53 # 3",
        spans=(Span(7, 17, "Gene"), Span(18, 22, "Gene")),
        words=((0, 6), (7, 12), (13, 17), (18, 22), (23, 24), (25, 26)),
        sentences=((0, 26),),
    )
    assert first.group == "x#1"
    assert [second.mention(span) for span in second.spans] == ["breast tumour", "p53"]
    assert (third.id, third.text) == ("x#3", "ataxia")


@pytest.mark.parametrize("scheme", ["iob1", "iob2", "iobes", "bilou"])
@pytest.mark.parametrize(
    "row",
    [
        "{token}\t{tag}",
        "{token} {tag}",
        "{token}  {tag} ",
        "{tag}\t{token}",
        "{n}\t{token}\tNN\tI-NP\t{tag}",
        "{n} {token} NN I-NP {tag}",
        "{tag}\t{n}\t99\t{token}\tlemma\tNN\tB-NP",  # NERsuite: tags first, chunks last
        "{token}\t{tag}\t",
        "{token}\t_\t_\t{tag}",
    ],
)
def test_every_scheme_and_column_order_reads_alike(scheme: str, row: str, tmp_path: Path, expected: list[Any]) -> None:
    assert content(read(tmp_path, lines(scheme, row))) == expected
    assert content(read(tmp_path, lines(scheme, row), scheme=scheme)) == expected


@pytest.mark.parametrize(
    "change",
    [
        pytest.param(lambda text: text.replace("\n", "\r\n"), id="CRLF"),
        pytest.param(lambda text: text.replace("\n", "\r\r\n"), id="CR doubled"),
        pytest.param(lambda text: "\ufeff" + text, id="BOM"),
        pytest.param(lambda text: text.rstrip("\n"), id="no final newline"),
        pytest.param(lambda text: "\n\n" + text.replace("\n\n", "\n \t\n\n\n") + "\n\n", id="more empty lines"),
        pytest.param(lambda text: "# id = 7\n" + text.replace("\n\n", "\n\n# a comment: O\n"), id="comments"),
        pytest.param(lambda text: "##FORMAT=WebAnno\n#domain=x\n" + text, id="head"),
        pytest.param(lambda text: text.replace("gene\t", "# text = x\ngene\t"), id="comment within a sentence"),
    ],
)
def test_what_does_not_matter(change: Any, tmp_path: Path, expected: list[Any]) -> None:
    assert content(read(tmp_path, change(lines()))) == expected
    spaced = change(lines()).replace("\t", " ")
    assert content(read(tmp_path, spaced)) == expected


def test_gzip(tmp_path: Path, expected: list[Any]) -> None:
    path = write(tmp_path / "train.tsv.gz", gzip.compress(lines(end="\r\n").encode()))
    documents = list(read_conll(path))
    assert content(documents) == expected
    assert documents[0].id == "train#1"


def test_columns_and_separator_may_be_told(tmp_path: Path, expected: list[Any]) -> None:
    text = lines(row="x|{token}|B-Other|{tag}|B-Third")
    assert content(read(tmp_path, text, separator="|", token_column=1, tag_column=-2)) == expected
    (_, (span, *_), _), *_ = content(read(tmp_path, text, separator="|"))
    assert span.label == "Third"  # of several layers the last, unless told
    swapped = read(tmp_path, "B\tO\n\nI\tO\n", token_column=1, default_type="Gene", scheme="iob2-lenient")
    assert [document.mention(document.spans[0]) for document in swapped] == ["O", "O"]


def test_comments_do_not_hide_the_layout(tmp_path: Path) -> None:
    sentence = "# id 7\tdomain=train\n# text = cells _ O\n# source = a b c\ncells _ _ B-Cell\n\n"
    assert [document.text for document in read(tmp_path, sentence * 3)] == ["cells"] * 3
    mixed = "the O\nT\tB-Cell\ncells  I-Cell\n"  # blanks, with a stray tab among them
    assert read(tmp_path, mixed)[0].spans == (Span(4, 11, "Cell"),)


def test_a_column_of_chunks_is_taken_where_there_is_no_other(tmp_path: Path) -> None:
    assert read(tmp_path, "cells\tB-NP\ngrow\tB-VP\n")[0].spans == (Span(0, 5, "NP"), Span(6, 10, "VP"))


def test_bare_tags_and_new_names(tmp_path: Path) -> None:
    bare = "mouse\tB\nbrain\tI\n"
    assert read(tmp_path, bare, default_type="Species")[0].spans == (Span(0, 11, "Species"),)
    assert read(tmp_path, bare, default_type="Species", types={"Species": "Taxon"})[0].spans[0].label == "Taxon"
    text = "a\tB-Specific\nb\tI-Specific\nc\tB-Modifier\nd\tB-Other\n"
    spans = read(tmp_path, text, types={"Specific": "Disease", "Modifier": "Disease"})[0].spans
    assert spans == (Span(0, 3, "Disease"), Span(4, 5, "Disease"), Span(6, 7, "Other"))


@pytest.mark.parametrize(
    ("marks", "groups"),
    [
        (["-DOCSTART-\tO"] * 2, ["x/d1", "x/d2"]),
        (["-DOCSTART-"] * 2, ["x/d1", "x/d2"]),
        (["-DOCSTART- -X- -X- O", "-DOCSTART-\t-X-\tO\tO"], ["x/d1", "x/d2"]),
        (["-DOCSTART- (1 EU)", "-DOCSTART- (PMC99)\tO"], ["1 EU", "PMC99"]),
        (["-DOCSTART-\t8528200", "-DOCSTART- PMID:77 O"], ["8528200", "PMID:77"]),
        (["###MEDLINE:95369245", "###MEDLINE:95369246\tO"], ["95369245", "95369246"]),
        (["# PMID: 12", "PMID:13"], ["12", "13"]),
        (["# newdoc id = abc", "# newdoc"], ["abc", "x/d2"]),
    ],
)
@pytest.mark.parametrize("after", ["\n\n", "\n"])
@pytest.mark.parametrize("separator", ["\t", " "])
def test_document_marks(marks: list[str], groups: list[str], after: str, separator: str, tmp_path: Path) -> None:
    word = f"a{separator}O\n"
    text = f"{word}\n{marks[0]}{after}{word}\n{word}{marks[1]}{after}{word}"
    documents = read(tmp_path, text)
    assert [document.group for document in documents] == ["x#1", groups[0], groups[0], groups[1]]
    assert [document.id for document in documents] == ["x#1", "x#2", "x#3", "x#4"]
    assert {document.text for document in documents} == {"a"}


def test_a_mark_in_a_file_with_the_tag_first(tmp_path: Path) -> None:
    documents = read(tmp_path, "O\t-DOCSTART-\n\nO\tcells\nB-Cell\tT\n")
    assert [(document.text, document.group) for document in documents] == [("cells T", "x/d1")]


def test_hash_signs_are_words_too(tmp_path: Path) -> None:
    text = "#\tB-Gene\n##\tI-Gene\n#1:=\tO\n# 1\tO\n"
    document = read(tmp_path, text + "a\tO\n")[0]
    assert document.text == "# ## #1:= # 1 a"
    assert document.spans == (Span(0, 4, "Gene"),)
    assert read(tmp_path, text.replace("\t", " ").replace("# 1", "#1"))[0].text == "# ## #1:= #1"


@pytest.mark.parametrize("line", ["#", "##", "#1", "###"])
def test_a_lone_hash_may_be_a_word_without_its_tag(line: str, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="2: 1 columns where 2"):
        read(tmp_path, f"a\tO\n{line}\nb\tO\n", scheme="iob2")


@pytest.mark.parametrize("blank", ["\u00a0", "\u2028", "\x85", "\x0b", "\x0c", "\x1c", "\u3000"])
def test_odd_blanks_stay_in_their_token(blank: str, tmp_path: Path) -> None:
    for separator in ("\t", " "):
        (document,) = read(tmp_path, f"a{blank}b{separator}B-A\n{blank}{separator}I-A\nc{separator}O\n")
        assert document.text == f"a{blank}b {blank} c"
        assert document.words == ((0, 3), (4, 5), (6, 7))
        assert document.spans == (Span(0, 5, "A"),)


def test_a_blank_may_stay_in_a_token_between_tabs(tmp_path: Path) -> None:
    (document,) = read(tmp_path, "1 1/2\tB-A\nmg\tI-A\n")
    assert document.words == ((0, 5), (6, 8))
    assert document.mention(document.spans[0]) == "1 1/2 mg"


def test_illegal_tags_are_counted_once(tmp_path: Path) -> None:
    text = "a\tI-A\nb\tO\n\nc\tB-A\nd\tI-B\ne\tI-B\n"
    for scheme in ("iob2", "detect"):
        losses = Counter({ILLEGAL_TAG: 1, "other": 5})
        assert [len(document.spans) for document in read(tmp_path, text, scheme=scheme, losses=losses)] == [0, 1]
        assert losses == {ILLEGAL_TAG: 4, "other": 5}
    losses = Counter()
    assert [len(document.spans) for document in read(tmp_path, text, scheme="iob2-lenient", losses=losses)] == [1, 2]
    assert losses == {}


def test_the_last_line_may_tell_the_scheme(tmp_path: Path) -> None:
    text = "a\tI-A\n\n" * 5000
    assert sum(len(document.spans) for document in read(tmp_path, text)) == 5000
    assert sum(len(document.spans) for document in read(tmp_path, text + "b\tB-A\n")) == 1


def test_reading_streams(tmp_path: Path) -> None:
    text = "a\tO\n\n" * 5000 + "b\tB-\n"
    documents = read_conll(write(tmp_path / "x.tsv", text), scheme="iob2")
    assert len(list(itertools.islice(documents, 100))) == 100
    with pytest.raises(DataError, match=r"x\.tsv:10001: tag 'B-' is not understood"):
        list(documents)


GOOD = "a\tO\nb\tB-A\nc\tO\n"


@pytest.mark.parametrize(
    ("text", "settings", "message"),
    [
        (GOOD + "d\n", {}, r"x\.tsv:4: 1 columns where 2 are expected .*\(text: 'd'\).*one line"),
        (GOOD + "d\tNN\tO\n", {}, r"x\.tsv:4: 3 columns where 2 are expected .*\(text: 'd\\tNN\\tO'\)"),
        ("a\tNN\tO\n" + GOOD, {}, r"x\.tsv:1: 3 columns where 2"),
        ("# a\tb\tc\n" + GOOD, {}, r"x\.tsv:1: 3 columns where 2"),
        ("#\tOO\n" + GOOD, {}, r"x\.tsv:1: tag 'OO' is not understood"),
        ("# OO\n" + GOOD.replace("\t", " "), {}, r"x\.tsv:1: tag 'OO' is not understood"),
        (GOOD + "\tO\n", {}, r"x\.tsv:4: the token \(column 0\) is empty"),
        (GOOD + "d\tX-A\n", {}, r"x\.tsv:4: tag 'X-A' is not understood \(text: 'd\\tX-A'\).*B-type"),
        (GOOD + "d\t\n", {}, r"x\.tsv:4: tag '' is not understood"),
        ("Token\tTag\n" + GOOD, {}, r"x\.tsv:1: tag 'Tag' is not understood"),
        (GOOD + "d\tB\n", {}, r"x\.tsv:4: tag 'B' has no type .*default_type"),
        (GOOD + "d\tE-A\n", {"scheme": "iob2"}, r"x\.tsv:4: tag 'E-A' is not in scheme iob2 .*iobes"),
        (GOOD + "d\tU-A\n", {"scheme": "iob1"}, r"x\.tsv:4: tag 'U-A' is not in scheme iob1"),
        (GOOD, {"scheme": "bioes"}, r"x\.tsv: the file is said to be IOBES.*iob2"),
        (GOOD.encode() + b"caf\xe9\tO\n", {}, r"x\.tsv:4: not UTF-8: byte 0xe9 at byte 3 .*'caf"),
        (b"\xef\xbb\xbfa\tO\nb\tO\nc\xc3", {}, r"x\.tsv:3: not UTF-8: byte 0xc3 at byte 1"),
        (GOOD.encode("utf-16"), {}, r"x\.tsv:1: not UTF-8: byte 0xff at byte 0"),
        (GOOD + "d\0\tO\n", {}, r"x\.tsv:4: a NUL character .*d\\x00"),
        ("", {}, r"x\.tsv: the file holds no words"),
        ("\ufeff", {}, r"x\.tsv: the file holds no words"),
        ("\n-DOCSTART-\tO\n \t\n", {}, r"x\.tsv: the file holds no words"),
        ("just some\nprose\n", {}, r"x\.tsv: no column holds tags .*'just some'"),
        ("a\tNN\nb\tVB\n", {}, r"x\.tsv: no column holds tags \(columns: 2"),
        ("O\nO\n", {}, r"x\.tsv: no column holds tags \(columns: 1"),
        ("a,O\nb,O\n", {}, r"no column holds tags"),
        ("O\tB-A\n", {"token_column": 1, "tag_column": 0, "scheme": "iob2", "separator": "|"}, "is not there"),
    ],
)
@pytest.mark.parametrize("zipped", [False, True])
def test_mistakes_are_named(
    text: str | bytes, settings: dict[str, Any], message: str, zipped: bool, tmp_path: Path
) -> None:
    data = text.encode() if isinstance(text, str) else text
    path = write(tmp_path / "x.tsv.gz", gzip.compress(data)) if zipped else write(tmp_path / "x.tsv", data)
    expected = message.replace(r"\.tsv", r"\.tsv\.gz") if zipped else message
    with pytest.raises((DataError, ConfigError), match=expected):
        list(read_conll(path, **settings))


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"scheme": "iob"}, "unknown tag scheme 'iob'"),
        ({"tag_column": 2}, "tag_column=2 is not there: the file has 2"),
        ({"token_column": -3}, "token_column=-3 is not there"),
        ({"tag_column": 0, "token_column": -2}, "token and tag column are both 0"),
    ],
)
def test_wrong_settings_are_named_at_the_call(settings: dict[str, Any], message: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=message):
        read_conll(write(tmp_path / "x.tsv", GOOD), **settings)


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    truncated = gzip.compress(GOOD.encode())[:-12]
    for path in (
        tmp_path / "absent.tsv",
        tmp_path,
        write(tmp_path / "a.gz", GOOD),
        write(tmp_path / "b.gz", truncated),
    ):
        with pytest.raises(DataError, match=re.escape(str(path))):
            read_conll(path)


REAL = {
    "NCBI-disease": [(5424, 5134), (923, 787), (940, 960)],
    "BC5CDR-disease": [(4560, 4182), (4581, 4246), (4797, 4424)],
    "JNLPBA": [(16807, 46750), (1739, 4551), (3856, 8662)],
    "S800": [(3879, 2243), (602, 410), (1891, 1084)],
}
MARKS = {"JNLPBA": (1800, 200, 404)}


@pytest.mark.parametrize("split", ["train", "devel", "test"])
@pytest.mark.parametrize("corpus", REAL)
def test_counts_of_real_corpora(corpus: str, split: str) -> None:
    root = os.environ.get("OPENMED_DATA")
    if not root or not (path := Path(root, "ner", corpus, f"{split}.tsv")).is_file():
        pytest.skip(f"$OPENMED_DATA does not hold ner/{corpus}/{split}.tsv")
    at = ["train", "devel", "test"].index(split)
    losses: Counter[str] = Counter()
    num_documents = num_entities = 0
    groups = set()
    for document in read_conll(path, default_type="Species", losses=losses):
        num_documents += 1
        num_entities += len(document.spans)
        groups.add(document.group)
    assert (num_documents, num_entities) == REAL[corpus][at]
    assert len(groups) == (MARKS[corpus][at] if corpus in MARKS else num_documents)
    assert not losses
