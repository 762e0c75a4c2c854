"""From run to champion: a newcomer compared with the model in use, and registered."""

from ml_pipeline.lifecycle.contest import Incumbent, compare_with_champion
from ml_pipeline.lifecycle.registration import commit, location_uri, register

__all__ = ["Incumbent", "commit", "compare_with_champion", "location_uri", "register"]
