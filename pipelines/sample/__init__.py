"""The sample: a made-up shop over several months, written as its systems would export it, with the truth beside it."""

from pipelines.sample.generate import SampleSummary, generate
from pipelines.sample.settings import SAMPLE_JOURNEY, configuration_text

__all__ = ["SAMPLE_JOURNEY", "SampleSummary", "configuration_text", "generate"]
