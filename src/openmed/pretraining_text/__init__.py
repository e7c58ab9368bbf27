"""Text for pre-training: from raw sources to what a language model is trained on.

for text in read_source("pubmed24n0001.xml.gz", format="medline"): ...   # openmed.pretraining_text.sources
"""
