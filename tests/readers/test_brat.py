"""BRAT: offsets count the text as it is; every kind of line is read or counted; the real corpora give their counts."""

from __future__ import annotations

import gc
import io
import os
import tarfile
import tracemalloc
from collections import Counter
from pathlib import Path

import pytest

from openmed.errors import ConfigError, DataError
from openmed.readers.brat import BOM_COUNTED, CRLF_TEXT, MISSING_ANNOTATIONS, read_brat
from openmed.readers.brat_lines import ATTRIBUTE, IDENTIFIER_OF_NO_MENTION, NOTE
from openmed.readers.losses import MENTION_DIFFERS, RELATION
from openmed.spans import Document, Span

TEXT = "Colon and breast cancer.\nNo β-blocker.\n"
ANN = "T1\tDisease 10 23\tbreast cancer\nT2\tDisease 0 5;17 23\tColon cancer\nT3\tChemical 28 37\tβ-blocker\n"
SPANS = (Span(0, 23, "Disease", ((0, 5), (17, 23))), Span(10, 23, "Disease"), Span(28, 37, "Chemical"))


def corpus(folder: Path, files: dict[str, str | bytes]) -> Path:
    for name, content in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content.encode() if isinstance(content, str) else content)
    return folder


def read(folder: Path, ann: str | bytes, text: str | bytes = TEXT) -> tuple[Document, Counter[str]]:
    """The one document of these two files, and what was lost of it."""
    losses: Counter[str] = Counter()
    (document,) = read_brat(corpus(folder, {"x.txt": text, "x.ann": ann}), losses=losses)
    return document, losses


def refusal(path: Path, **options: str) -> DataError:
    with pytest.raises(DataError) as caught:
        list(read_brat(path, **options))
    assert caught.value.mend
    assert caught.value.path
    return caught.value


def test_mentions_nested_discontinuous_and_beyond_ascii(tmp_path):
    document, losses = read(tmp_path, ANN)
    assert (document.id, document.group, document.text) == ("x", "x", TEXT)
    assert document.spans == SPANS
    assert (document.words, document.sentences) == (None, None)
    assert not losses


def test_an_empty_annotation_file_is_a_document_without_mentions(tmp_path):
    document, losses = read(tmp_path, "")
    assert (document.text, document.spans) == (TEXT, ())
    assert not losses


@pytest.mark.parametrize(
    "ann",
    [
        ANN.replace("\n", "\r\n"),
        "\ufeff" + ANN,
        ANN.rstrip("\n"),
        ANN.replace("\n", "\n\n"),
        ANN.replace("0 5;17 23\tColon cancer", "17 23;0 5\tcancer Colon"),
        ANN.replace("0 5;17 23\tColon cancer", "17 23;0 5\tColon cancer"),
        ANN.replace("0 5;17 23\tColon cancer", "0 3;3 5;17 23\tCol on cancer"),
        ANN.replace("10 23\t", "17 23;10 17\t"),
    ],
    ids=["CRLF", "BOM", "no last newline", "blank lines", "order", "sorted words", "touching", "one after all"],
)
def test_dialects_read_as_the_same_document(tmp_path, ann):
    document, losses = read(tmp_path, ann)
    assert document.spans == SPANS
    assert not losses


def test_identifiers_wherever_they_stand_and_however_many(tmp_path):
    normalisations = (
        "N1\tReference T1 MESH:D001943\tbreast cancer\nN2\tReference T9 X:1\tnothing\nN3\tReference T1 OMIM:114480\n"
        "N4\tReference E1 GO:1\tevent\nN5\tReference T3 My base:12 b\tβ-blocker\n"
    )
    document, losses = read(tmp_path, normalisations + ANN)
    assert document.spans == SPANS
    assert [span.identifier for span in document.spans] == [None, "MESH:D001943|OMIM:114480", "My base:12 b"]
    assert losses == {IDENTIFIER_OF_NO_MENTION: 2}


def test_other_lines_are_counted_by_kind(tmp_path):
    others = (
        "R1\tCauses Arg1:T1 Arg2:T2\t\nE1\tBinding:T3 Theme:T1\n*\tEquiv T1 T2\nA1\tNegation E1\nM1\tSpeculation E1\n"
        "#1\tAnnotatorNotes T1\tsure?\n#\tAnnotatorNotes T1\tsure!\n"
    )
    document, losses = read(tmp_path, others + ANN)
    assert document.spans == SPANS
    assert losses == {RELATION: 3, ATTRIBUTE: 2, NOTE: 2}


def test_a_mention_that_differs_is_counted_and_its_offsets_are_believed(tmp_path):
    document, losses = read(tmp_path, ANN.replace("breast", "BREAST").replace("Colon cancer", "Colon  cancer"))
    assert document.spans == SPANS
    assert losses == {MENTION_DIFFERS: 2}


@pytest.mark.parametrize("end", ["\n", "\t", "\r", "\u2028", "\x85"])
def test_white_space_in_a_mention_is_written_as_a_space(tmp_path, end):
    document, losses = read(tmp_path, "T1\tX 0 3\ta b\n", f"a{end}b")
    assert document.text == f"a{end}b"
    assert not losses
    assert read(tmp_path, "T1\tX 0 3\tab\n", f"a{end}b")[1] == {MENTION_DIFFERS: 1}


# ---- line ends and byte order marks of the text


def test_offsets_count_windows_line_ends_as_two(tmp_path):
    document, losses = read(tmp_path, ANN.replace("28 37", "29 38"), TEXT.replace("\n", "\r\n"))
    assert document.text == TEXT.replace("\n", "\r\n")
    assert document.mention(document.spans[-1]) == "β-blocker"
    assert not losses


@pytest.mark.parametrize("typo", [False, True])
def test_where_more_mentions_fit_with_line_ends_as_one_the_text_is_read_so(tmp_path, typo):
    ann = ANN.replace("breast", "BREAST") if typo else ANN
    document, losses = read(tmp_path, ann, TEXT.replace("\n", "\r\n"))
    assert (document.text, document.spans) == (TEXT, SPANS)
    assert losses == Counter({CRLF_TEXT: 1, MENTION_DIFFERS: int(typo)}) + Counter()


def test_mentions_that_fit_neither_reading_leave_the_text_as_it_is(tmp_path):
    text = TEXT.replace("\n", "\r\n")
    document, losses = read(tmp_path, "T1\tDisease 10 23\tbowel cancer\n", text)
    assert document.text == text
    assert losses == {MENTION_DIFFERS: 1}


def test_a_byte_order_mark_is_left_out_unless_the_offsets_count_it(tmp_path):
    document, losses = read(tmp_path, ANN, "\ufeff" + TEXT)
    assert (document.text, document.spans) == (TEXT, SPANS)
    assert not losses
    shifted = "T1\tDisease 11 24\tbreast cancer\n"
    document, losses = read(tmp_path, shifted, "\ufeff" + TEXT)
    assert document.mention(document.spans[0]) == "breast cancer"
    assert losses == {BOM_COUNTED: 1}


# ---- which files


def test_documents_come_by_name_and_ids_are_told_apart_by_folder(tmp_path):
    corpus(
        tmp_path, {f"{name}.{suffix}": "" for name in ("b", "a/b", "a/c", "d.x", "a/k/c") for suffix in ("txt", "ann")}
    )
    corpus(
        tmp_path, {".hidden/e.txt": "", "._b.txt": "", ".b.ann": "", "__MACOSX/f.txt": "", "README": "", "b.a2": "?"}
    )
    losses: Counter[str] = Counter()
    assert [document.id for document in read_brat(tmp_path, losses=losses)] == ["a/b", "a/c", "a/k/c", "b", "d.x"]
    assert not losses


def test_a_text_without_annotations_among_others_is_left_out_and_counted(tmp_path):
    losses: Counter[str] = Counter()
    corpus(tmp_path, {"x.txt": TEXT, "x.ann": ANN, "LICENSE.txt": "Free.", "more/y.txt": ""})
    assert [document.id for document in read_brat(tmp_path, losses=losses)] == ["x"]
    assert losses == {MISSING_ANNOTATIONS: 2}


def test_annotations_says_which_of_two_files(tmp_path):
    corpus(tmp_path, {"x.txt": TEXT, "x.ann": ANN, "x.a1": "T1\tOther 0 5\tColon\n", "x.a2": "T2\tEvent 0 5\tColon\n"})
    error = refusal(tmp_path)
    assert error.path == str(tmp_path / "x.txt")
    assert "annotations=ann" in str(error)
    for suffix, num_mentions in (("ann", 3), ("a1", 1)):
        (document,) = read_brat(tmp_path, annotations=suffix)
        assert len(document.spans) == num_mentions
        (document,) = read_brat(tmp_path / f"x.{suffix}")
        assert len(document.spans) == num_mentions
    with pytest.raises(ConfigError, match="'ann' or 'a1'"):
        list(read_brat(tmp_path, annotations="a2"))


@pytest.mark.parametrize("suffix", ["txt", "ann"])
def test_one_file_of_a_pair_is_that_document(tmp_path, suffix):
    archive = packed(tmp_path / "z.tar.gz", {"top/x.txt": TEXT, "top/x.ann": ANN, "top/y.ann": "broken"})
    corpus(tmp_path, {"x.txt": TEXT, "x.ann": ANN, "y.ann": "broken"})
    for place in (tmp_path, archive / "top"):
        (document,) = read_brat(place / f"x.{suffix}")
        assert (document.id, document.spans) == ("x", SPANS)


def test_reading_streams(tmp_path):
    stream = read_brat(corpus(tmp_path, {"a.txt": TEXT, "a.ann": ANN, "b.txt": "", "b.ann": "broken"}))
    assert next(stream).id == "a"
    with pytest.raises(DataError):
        next(stream)


def packed(path: Path, files: dict[str, str]) -> Path:
    with tarfile.open(path, "w:gz") as archive:
        for name, content in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(content.encode())
            archive.addfile(info, io.BytesIO(content.encode()))
    return path


# ---- mistakes


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ("T4\tDisease 10 99\tbreast", "the mention ends at 99, outside the text of 39 characters"),
        ("T4\tDisease 0 5;30 40\tColon", "the mention ends at 40, outside"),
        ("T4\tDisease 5 5\t", "the range 5..5 holds no character"),
        ("T4\tDisease 8 5\tand", "the range 8..5 holds no character"),
        ("T4\tDisease 0 5;3 8\tColon on an", "the fragment 3..8 overlaps the one before, which ends at 5"),
        ("T3\tDisease 0 5\tColon", "the id T3 was given on line 3 already"),
        ("T4\tDisease 0 5", "not a mention"),
        ("T4\tDisease 0 x\tColon", "not a mention"),
        ("T4\tDisease 0 ²\tColon", "not a mention"),
        ("T4\tDisease -1 5\tColon", "not a mention"),
        ("T4\tDisease 0 5;\tColon", "not a mention"),
        ("T4\tTwo words 0 5\tColon", "not a mention"),
        ("T4\t0 5\tColon", "not a mention"),
        ("T4\tDisease 0 99999999999999999999\tColon", "not a mention"),
        ("T4 Disease 0 5 Colon", "not a line of BRAT"),
        ("T\tDisease 0 5\tColon", "not a line of BRAT"),
        ("X4\tDisease 0 5\tColon", "not a line of BRAT"),
        ("Relation: none", "not a line of BRAT"),
        ("N1\tReference T1\tColon", "not a normalisation"),
        ("N1\tReference T1 \tColon", "not a normalisation"),
        ("N1\tT1 MESH:D003110 x\tColon", "not a normalisation"),
        ("T4\tDisease 0 5\tCo\0lon", "a NUL character"),
    ],
)
@pytest.mark.parametrize("where", ["folder", "archive"])
def test_a_wrong_line_is_named_with_its_file_number_and_text(tmp_path, where, line, problem):
    ann = f"{ANN}{line}\n"
    if where == "folder":
        place = corpus(tmp_path / "top", {"x.txt": TEXT, "x.ann": ann})
    else:
        place = packed(tmp_path / "z.tar.gz", {"top/x.txt": TEXT, "top/x.ann": ann}) / "top"
    error = refusal(place)
    assert problem in error.problem
    assert (error.path, error.line) == (str(place / "x.ann"), 4)
    assert error.text is not None
    assert error.text.rstrip("\n") == line


@pytest.mark.parametrize("name", ["x.txt", "x.ann"])
def test_what_is_not_utf8_is_named_with_its_line(tmp_path, name):
    files: dict[str, str | bytes] = {"x.txt": TEXT, "x.ann": ANN}
    error = refusal(corpus(tmp_path, files | {name: b"#1\tNote T1\tok\n#2\tNote T1\tM\xfcller\n"}))
    assert (error.path, error.line) == (str(tmp_path / name), 2)
    assert "iconv" in str(error)


def test_a_nul_in_the_text_is_named_with_its_line(tmp_path):
    error = refusal(corpus(tmp_path, {"x.txt": "one\ntwo\0\n", "x.ann": ""}))
    assert (error.path, error.line, error.problem) == (str(tmp_path / "x.txt"), 2, "a NUL character")


@pytest.mark.parametrize(
    ("files", "place", "problem"),
    [
        ({}, "", "no .txt files"),
        ({"x.xml": "", "sub/.x.txt": ""}, "", "no .txt files"),
        ({"x.txt": "", "y.txt": ""}, "", "none of 2 .txt files has annotations"),
        ({"x.txt": "", "x.ann": "", "y.ann": ""}, "", "annotations without their text"),
        ({"x.ann": ""}, "x.ann", "annotations without their text"),
        ({"x.txt": ""}, "x.txt", "the text has no annotation file"),
        ({"x.txt": "", "x.a1": ""}, "x.ann", "the text has no annotation file"),
        ({"x.xml": ""}, "x.xml", "neither a folder"),
        ({}, "none", "there is no such file"),
        ({}, "none/x.txt", "there is no such file"),
    ],
)
def test_files_that_are_missing_are_told(tmp_path, files, place, problem):
    error = refusal(corpus(tmp_path, files) / place)
    assert problem in error.problem
    assert str(tmp_path) in str(error.path)


# ---- memory


@pytest.mark.slow
@pytest.mark.parametrize("where", ["folder", "archive"])
def test_one_document_is_in_memory_at_a_time(tmp_path, where):
    """Up to the first document what is kept is the names; from there on nothing more, however many documents follow."""
    sentence = "Aspirin relieves headache. "
    text = sentence * 56  # 1,512 characters
    ann = "".join(
        f"T{number}\tChemical {start} {start + 7}\tAspirin\nN{number}\tReference T{number} MESH:D001241\tAspirin\n"
        for number, start in enumerate(range(0, len(text), 4 * len(sentence)))
    )

    def memory(num_documents: int) -> tuple[int, int]:
        """Bytes held at most up to the first document, and at most after it, beyond what was held then."""
        files: dict[str, str] = {}
        for number in range(num_documents):
            files |= {f"PMC{number}.txt": text, f"PMC{number}.ann": ann}
        place = tmp_path / str(num_documents)
        place = corpus(place, {**files}) if where == "folder" else packed(place.with_suffix(".tar.gz"), files)
        gc.freeze()  # what was there before need not be looked through each time
        tracemalloc.start()
        documents = read_brat(place)
        next(documents)
        held, first_peak = tracemalloc.get_traced_memory()
        tracemalloc.reset_peak()
        later_peak = 0
        for document in documents:
            assert len(document.spans) == 14
            gc.collect()  # Python keeps thousands of freed tuples for reuse, which are no document's
            later_peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        gc.unfreeze()
        return first_peak, later_peak - held

    (few_names, few), (many_names, many) = memory(8), memory(400)
    assert many < 1.1 * few
    num_bytes_of_a_name = 300  # a text alone is 1,500
    assert many_names < 1.1 * few_names + 392 * num_bytes_of_a_name


# ---- the real corpora: documents, mentions, types and losses as counted when they were brought here

NATIVE = [
    ("AnatEM-standoff/standoff/train", 606, 6946, 12, 0, {}),
    ("AnatEM-standoff/standoff/devel", 202, 2139, 12, 0, {}),
    ("AnatEM-standoff/standoff/test", 404, 4616, 12, 0, {}),
    ("BioNLP13CG-standoff/train", 300, 10935, 16, 0, {}),
    ("BioNLP13CG-standoff/devel", 100, 3634, 16, 0, {}),
    ("BioNLP13CG-standoff/test", 200, 6955, 16, 0, {}),
    ("S800-standoff", 800, 3708, 1, 3708, {MISSING_ANNOTATIONS: 3}),  # the three are lists of the splits
    pytest.param("JNLPBA-standoff.tar.xz/standoff/train", 2000, 51301, 5, 0, {}, marks=pytest.mark.slow),
    ("JNLPBA-standoff.tar.xz/standoff/test", 404, 8662, 5, 0, {}),
    ("CLL/CLL_corpus.tar.gz/CLL-1.0.2/standoff", 201, 341, 1, 0, {}),
    ("Linnaeus/Linnaeus_standoff.tar.bz2/Linnaeus_standoff/train", 60, 2609, 1, 0, {}),
    ("Linnaeus/Linnaeus_standoff.tar.bz2/Linnaeus_standoff/valid", 11, 479, 1, 0, {}),
    ("Linnaeus/Linnaeus_standoff.tar.bz2/Linnaeus_standoff/test", 29, 1171, 1, 0, {}),
]


@pytest.mark.skipif(not os.environ.get("OPENMED_DATA"), reason="OPENMED_DATA does not name a folder of corpora")
@pytest.mark.parametrize(("name", "num_documents", "num_mentions", "num_types", "num_identifiers", "expected"), NATIVE)
def test_the_real_corpora_give_their_counts(name, num_documents, num_mentions, num_types, num_identifiers, expected):
    losses: Counter[str] = Counter()
    documents = list(read_brat(Path(os.environ["OPENMED_DATA"]) / "native" / name, losses=losses))
    spans = [span for document in documents for span in document.spans]
    assert len({document.id for document in documents}) == len(documents) == num_documents
    assert len(spans) == num_mentions
    assert len({span.label for span in spans}) == num_types
    assert sum(span.identifier is not None for span in spans) == num_identifiers
    assert losses == expected
