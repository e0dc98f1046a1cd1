"""Tasks with known structure, and tasks made of the user's own data."""

from .beside import side_by_side as side_by_side
from .boolean_tables import EXEMPLARS as EXEMPLARS
from .boolean_tables import boolean as boolean
from .boolean_tables import boolean_tasks as boolean_tasks
from .by_name import named as named
from .gates import GateGraph as GateGraph
from .known_sets import known_set as known_set
from .mnist import mnist_pair as mnist_pair
from .mnist import mnist_xor as mnist_xor
from .mnist_even import mnist_digits as mnist_digits
from .own_data import as_task as as_task
from .own_data import from_table as from_table
from .own_files import from_file as from_file
from .parities import by_code as by_code
from .parities import cmsp as cmsp
from .parities import codes_of as codes_of
from .random_hierarchies import random_gates as random_gates
from .task import Task as Task
from .task import from_gates as from_gates
from .truth import layers_needed as layers_needed
from .truth import named_truth as named_truth
from .truth import truth_graph as truth_graph
