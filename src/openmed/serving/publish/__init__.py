"""A trained model for others: a folder with model, manifest and a card made from its run, and its way to the hub.

facts = read_facts(model)
written = write_folder(facts, out, Wanted(repo="me/OpenMed-NER-..."))
push(out, repo="me/OpenMed-NER-...", private=False, update=False)
"""

from openmed.serving.publish.facts import Facts, read_facts
from openmed.serving.publish.folder import Wanted, Written, write_folder
from openmed.serving.publish.hub import Pushed, push
from openmed.serving.publish.names import paper_name

__all__ = ["Facts", "Pushed", "Wanted", "Written", "paper_name", "push", "read_facts", "write_folder"]
