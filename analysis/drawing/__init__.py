"""Pictures of a hierarchy: modules as coloured regions, units as circles, edges by weight and sign, pixels as heat maps."""

from .colours import FAINT as FAINT
from .colours import INK as INK
from .colours import NEGATIVE as NEGATIVE
from .colours import POSITIVE as POSITIVE
from .encoding import picture_bytes as picture_bytes
from .letters import FONT as FONT
from .page_layout import SMALL as SMALL
from .pictures import draw as draw
