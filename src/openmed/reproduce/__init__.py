"""A whole plan of runs as one command: encoders pre-trained, taggers trained on each, a table at the end; resumable.

plan = Plan.read("dapt-effect")
results = carry_out(plan, Path("outputs/reproduce/dapt-effect"))
print_tables(plan, results)
"""

from openmed.reproduce.cells import Cell, list_cells
from openmed.reproduce.keys import cell_keys
from openmed.reproduce.plan import Plan, plan_names
from openmed.reproduce.results import read_results
from openmed.reproduce.run import carry_out
from openmed.reproduce.table import tables

__all__ = ["Cell", "Plan", "carry_out", "cell_keys", "list_cells", "plan_names", "read_results", "tables"]
