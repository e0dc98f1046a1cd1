"""The pruning schedule: chains of attempts, the acceptance criterion, the history, and the checkpoint of an interrupted run."""

from .acceptance import AcceptanceCriterion as AcceptanceCriterion
from .chains import ChainName as ChainName
from .chains import ChainState as ChainState
from .chains import Proposal as Proposal
from .checkpoint import Checkpoint as Checkpoint
from .history import Attempt as Attempt
from .history import RoundRecord as RoundRecord
from .pruning import Pruning as Pruning
from .pruning_schedule import PruningSchedule as PruningSchedule
from .rounds import Rounds as Rounds
