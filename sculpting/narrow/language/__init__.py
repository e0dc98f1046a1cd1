"""Language models narrowed to one domain of text."""

from .groups.finding import GroupLayer as GroupLayer
from .groups.finding import LanguageGroups as LanguageGroups
from .groups.finding import language_groups as language_groups
from .groups.removal import SmallerModel as SmallerModel
from .groups.removal import masked_model as masked_model
from .groups.removal import removed_groups as removed_groups
from .groups.uneven import load as load
from .loading import load_language as load_language
from .narrowing import narrow_language as narrow_language
from .options import LanguageSettings as LanguageSettings
from .phases import Phase as Phase
from .phases import SparsityPoint as SparsityPoint
from .results import LanguageResult as LanguageResult
from .scores.scoring import group_scores as group_scores
from .scores.selection import lowest_groups as lowest_groups
from .text.documents import Document as Document
from .text.documents import read_documents as read_documents
from .text.splitting import split_documents as split_documents
from .text.text_domains import TextDomain as TextDomain
from .text.text_domains import text_domain as text_domain
from .training.lasso import LassoPenalty as LassoPenalty
from .training.loop import train_language as train_language
from .training.loss import mean_loss as mean_loss
from .training.settings import CurvePoint as CurvePoint
from .training.settings import LanguageTraining as LanguageTraining
from .training.settings import TrainedLanguage as TrainedLanguage
