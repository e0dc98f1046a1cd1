"""Language models narrowed to one domain of text."""

from .documents import Document as Document
from .documents import read_documents as read_documents
from .groups import GroupLayer as GroupLayer
from .groups import LanguageGroups as LanguageGroups
from .groups import language_groups as language_groups
from .lasso import LassoPenalty as LassoPenalty
from .loading import load_language as load_language
from .loss import mean_loss as mean_loss
from .narrowing import narrow_language as narrow_language
from .options import LanguageSettings as LanguageSettings
from .phases import Phase as Phase
from .phases import SparsityPoint as SparsityPoint
from .removal import SmallerModel as SmallerModel
from .removal import masked_model as masked_model
from .removal import removed_groups as removed_groups
from .results import LanguageResult as LanguageResult
from .scoring import group_scores as group_scores
from .selection import lowest_groups as lowest_groups
from .splitting import split_documents as split_documents
from .text_domains import TextDomain as TextDomain
from .text_domains import text_domain as text_domain
from .training import train_language as train_language
from .training_settings import CurvePoint as CurvePoint
from .training_settings import LanguageTraining as LanguageTraining
from .training_settings import TrainedLanguage as TrainedLanguage
from .uneven import load as load
