"""Engines: where transforms run, on one machine or on many."""
