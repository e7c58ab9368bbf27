"""The BIO codec: tags to spans and back, every tag scheme in the wild, and a count of what tags cannot say.

BIO is a view of character spans, never the truth. Whatever the view cannot hold (a discontinuous or nested
mention, one whose edge lies inside a word) is counted under one of the names below, so that no loss is silent.

    tags, losses = encode_document(document.words, document.spans)   # ['B-Chemical', 'O', 'B-Disease', 'O'], Counter()
    decode_tags(document.words, tags) == document.spans              # whenever `losses` is empty
"""

from openmed.tagging.codec import (
    CUT_BY_WORD,
    DISCONTINUOUS,
    ILLEGAL_TAG,
    NESTED,
    NO_WORD,
    Cover,
    decode_tags,
    encode_document,
    flatten,
    words_of_span,
)
from openmed.tagging.schemes import (
    DETECT,
    SCHEMES,
    Tag,
    WordSpan,
    count_transitions,
    detect_scheme,
    looks_like_tag,
    parse_tag,
    parse_tags,
    scheme_named,
    spans_from_tags,
    tags_from_spans,
)
from openmed.tagging.transitions import Transitions, is_legal, legal_transitions, tag_names

__all__ = [
    "CUT_BY_WORD",
    "DETECT",
    "DISCONTINUOUS",
    "ILLEGAL_TAG",
    "NESTED",
    "NO_WORD",
    "SCHEMES",
    "Cover",
    "Tag",
    "Transitions",
    "WordSpan",
    "count_transitions",
    "decode_tags",
    "detect_scheme",
    "encode_document",
    "flatten",
    "is_legal",
    "legal_transitions",
    "looks_like_tag",
    "parse_tag",
    "parse_tags",
    "scheme_named",
    "spans_from_tags",
    "tag_names",
    "tags_from_spans",
    "words_of_span",
]
