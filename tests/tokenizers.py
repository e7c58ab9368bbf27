"""Tiny fast tokenizers of each family, made here and now from a few sentences: the real pipelines, no network.

    tokenizer = build_wordpiece()       # BERT, ELECTRA: lower case, accents stripped, punctuation apart
    tokenizer = build_byte_bpe()        # ModernBERT: bytes, a space belongs to the word after it
    tokenizer = build_unigram()         # DeBERTa-v3: sentencepiece marks, pieces such as `),` that cross words

Special tokens are those of the real ones: [PAD] [UNK] [CLS] [SEP] [MASK], with id 0 the padding. Each call gives the
same vocabulary, in each process; the library's WordPiece and Unigram trainers do not, so only BPE is trained by it.
"""

from __future__ import annotations

import math
from collections import Counter
from pathlib import Path

from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers
from transformers import PreTrainedTokenizerFast

SPECIAL_TOKENS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]

SENTENCES = [
    "Aspirin (100 mg), ibuprofen (200 mg), and naproxen relieved headache in 12 patients.",
    "Mutations of BRCA1 and BRCA2 predispose to breast cancer (OMIM: 114480), ovarian cancer (OMIM: 167000).",
    "IL-2-induced proliferation of T-cells was blocked by cyclosporin A, p53-dependent apoptosis was not.",
    "Patients with ataxia-telangiectasia (A-T), a recessive disorder, lack the ATM protein kinase.",
    "Escherichia coli K-12 and Staphylococcus aureus were resistant to methicillin; MIC > 256 ug/ml (n=14).",
    "The patient's hypertension didn't respond to 5 mg/day of enalapril, nor to beta-blockers (e.g., atenolol).",
    "TNF-α and interferon-γ activate NF-κB; β-catenin accumulates in the nucleus of tumour cells.",
    "Cisplatin-related nephrotoxicity, seen in 3.5% of cases (p < 0.05), was reversible.",
]

# Unigram pieces that end beyond a word: DeBERTa-v3's vocabulary has hundreds of them.
CROSSING_PIECES = ["),", ").", ");", "-induced", "'s"]


def build_wordpiece(vocab_size: int = 400) -> PreTrainedTokenizerFast:
    """As BERT's uncased ones (PubMedBERT, BioELECTRA, MiniLM)."""
    backend = Tokenizer(models.WordPiece(unk_token="[UNK]"))
    backend.normalizer = normalizers.BertNormalizer(lowercase=True)
    backend.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    backend.decoder = decoders.WordPiece()
    pieces = [piece for piece, _ in _frequent_pieces(backend, vocab_size - len(SPECIAL_TOKENS), continuing="##")]
    ids = {piece: index for index, piece in enumerate([*SPECIAL_TOKENS, *pieces])}
    backend.model = models.WordPiece(ids, unk_token="[UNK]", max_input_chars_per_word=100)
    return _wrap(backend)


def build_byte_bpe(vocab_size: int = 500) -> PreTrainedTokenizerFast:
    """As ModernBERT's: byte-level BPE without a space in front; special tokens swallow the space before them."""
    backend = Tokenizer(models.BPE())
    backend.normalizer = normalizers.NFC()
    backend.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    backend.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=vocab_size,
        special_tokens=[*SPECIAL_TOKENS[:-1], AddedToken("[MASK]", lstrip=True, special=True)],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    backend.train_from_iterator(SENTENCES, trainer)
    return _wrap(backend)


def build_unigram(vocab_size: int = 400) -> PreTrainedTokenizerFast:
    """As DeBERTa-v3's: sentencepiece Unigram; a word's first piece carries the mark, and the offsets the space."""
    backend = Tokenizer(models.Unigram())
    backend.normalizer = normalizers.Sequence(
        [
            normalizers.Replace(Regex(r"\s{2,}|[\n\r\t]"), " "),
            normalizers.NFC(),
            normalizers.Strip(left=False, right=True),
        ]
    )
    backend.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme="always")
    backend.decoder = decoders.Metaspace(prepend_scheme="always")
    pieces = dict(_frequent_pieces(backend, vocab_size - len(SPECIAL_TOKENS) - len(CROSSING_PIECES)))
    scores = {piece: math.log(count / sum(pieces.values())) for piece, count in pieces.items()}
    vocabulary = dict.fromkeys(SPECIAL_TOKENS, 0.0) | scores | dict.fromkeys(CROSSING_PIECES, -1.0)
    backend.model = models.Unigram(list(vocabulary.items()), unk_id=SPECIAL_TOKENS.index("[UNK]"))
    return _wrap(backend)


BUILDERS = {"wordpiece": build_wordpiece, "byte_bpe": build_byte_bpe, "unigram": build_unigram}


def save_tokenizer(tokenizer: PreTrainedTokenizerFast, folder: Path | str) -> Path:
    """Written as the hub has it; `AutoTokenizer.from_pretrained(folder)` reads it back."""
    tokenizer.save_pretrained(folder)
    return Path(folder)


def _frequent_pieces(backend: Tokenizer, number: int, continuing: str = "") -> list[tuple[str, int]]:
    """All single letters, then what covers most of the sentences: (piece, how often). Ties go by the alphabet.

    Pieces inside a word are written with `continuing` in front.
    """
    counts: Counter[str] = Counter()
    for sentence in [*SENTENCES, "a b"]:
        for word, _ in backend.pre_tokenizer.pre_tokenize_str(backend.normalizer.normalize_str(sentence)):
            for start in range(len(word)):
                mark = continuing if start else ""
                counts.update(mark + word[start:end] for end in range(start + 1, len(word) + 1))
    letters = {mark + piece for piece in counts if len(piece) == 1 for mark in ("", continuing)}
    ranked = sorted(counts, key=lambda piece: (piece not in letters, -counts[piece] * len(piece), piece))
    return [(piece, max(counts[piece], 1)) for piece in sorted(letters - counts.keys()) + ranked][:number]


def _wrap(backend: Tokenizer) -> PreTrainedTokenizerFast:
    ids = {token: backend.token_to_id(token) for token in SPECIAL_TOKENS}
    backend.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]",
        pair="[CLS] $A [SEP] $B:1 [SEP]:1",
        special_tokens=[("[CLS]", ids["[CLS]"]), ("[SEP]", ids["[SEP]"])],
    )
    return PreTrainedTokenizerFast(
        tokenizer_object=backend,
        pad_token="[PAD]",
        unk_token="[UNK]",
        cls_token="[CLS]",
        sep_token="[SEP]",
        mask_token="[MASK]",
        model_max_length=512,
    )
