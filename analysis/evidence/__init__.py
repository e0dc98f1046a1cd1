"""Evidence for a hierarchy: significance against null models, stability, lesions of modules, importance of inputs, and shares of bits."""

from .agreement import Agreement as Agreement
from .agreement import Stability as Stability
from .agreement import stability as stability
from .bits import bit_shares as bit_shares
from .chance import Significance as Significance
from .chance import significance as significance
from .damage import Lesions as Lesions
from .damage import lesions as lesions
from .drift import Changes as Changes
from .drift import ModuleChange as ModuleChange
from .drift import changes as changes
from .keeping import keep_modules as keep_modules
from .nulls import rewired as rewired
from .nulls import shuffled as shuffled
from .permutation import Importance as Importance
from .permutation import importance as importance
from .quality import modularity as modularity
from .quality import separation as separation
from .rates import Rate as Rate
from .rates import wilson as wilson
from .silencing import silenced as silenced
