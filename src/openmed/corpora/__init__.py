"""The corpora: declarative YAMLs in `conf/dataset/`, one loader for all of them.

spec = load_spec("ncbi")
train = load_split(spec, "train")
"""

from openmed.corpora.files import cache_folder, corpus_file, data_folder, digest, spec_is_here
from openmed.corpora.grouping import group_by_native, group_in_runs
from openmed.corpora.load import Split, count, load_split
from openmed.corpora.spec import SPLITS, CorpusSpec, conf_folder, corpus_names, load_spec

__all__ = [
    "SPLITS",
    "CorpusSpec",
    "Split",
    "cache_folder",
    "conf_folder",
    "corpus_file",
    "corpus_names",
    "count",
    "data_folder",
    "digest",
    "group_by_native",
    "group_in_runs",
    "load_spec",
    "load_split",
    "spec_is_here",
]
