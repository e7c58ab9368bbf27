"""From documents to tensors and back: words, pieces, windows, batches, decoding.

encoded = encode_documents(documents, encoder=PieceEncoder(tokenizer), splitter="punctuation", tags=tag_ids)
units = Units(documents, encoded, "documents")
"""

from openmed.encoding.batching import epoch_rng, ordered_batches, training_batches, training_windows, window_lengths
from openmed.encoding.collate import NUM_SPECIAL, Batch, SpecialTokens, collate
from openmed.encoding.corpus import ARRAYS, IGNORE, EncodedCorpus, encode_documents
from openmed.encoding.decode import decode_unit, legal_matrix, log_softmax, unit_spans
from openmed.encoding.info import TaggingInfo
from openmed.encoding.pieces import PieceEncoder
from openmed.encoding.units import DOCUMENTS, SENTENCES, VIEWS, Units
from openmed.encoding.windows import Window, check_window, cut_windows
from openmed.encoding.words import SPLITTERS, choose_splitter, split_sentences, split_words

__all__ = [
    "ARRAYS",
    "DOCUMENTS",
    "IGNORE",
    "NUM_SPECIAL",
    "SENTENCES",
    "SPLITTERS",
    "VIEWS",
    "Batch",
    "EncodedCorpus",
    "PieceEncoder",
    "SpecialTokens",
    "TaggingInfo",
    "Units",
    "Window",
    "check_window",
    "choose_splitter",
    "collate",
    "cut_windows",
    "decode_unit",
    "encode_documents",
    "epoch_rng",
    "legal_matrix",
    "log_softmax",
    "ordered_batches",
    "split_sentences",
    "split_words",
    "training_batches",
    "training_windows",
    "unit_spans",
    "window_lengths",
]
