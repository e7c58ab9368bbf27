"""The corpora: declarative YAMLs in `conf/dataset/`, one loader for all of them.

spec = load_spec("ncbi")
train = load_split(spec, "train")
"""

from openmed.corpora.digests import digest
from openmed.corpora.files import corpus_file, fetch_all
from openmed.corpora.grouping import group_by_native, group_in_runs
from openmed.corpora.holdout import held_out
from openmed.corpora.identity import identity
from openmed.corpora.load import Split, count, load_split
from openmed.corpora.places import cache_folder, data_folder, is_here, spec_is_here
from openmed.corpora.spec import SPLITS, CorpusSpec, corpus_names, load_spec

__all__ = [
    "SPLITS",
    "CorpusSpec",
    "Split",
    "cache_folder",
    "corpus_file",
    "corpus_names",
    "count",
    "data_folder",
    "digest",
    "fetch_all",
    "group_by_native",
    "group_in_runs",
    "held_out",
    "identity",
    "is_here",
    "load_spec",
    "load_split",
    "spec_is_here",
]
