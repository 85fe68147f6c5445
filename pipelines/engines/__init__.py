"""Engines: where transforms run, on this machine (`local`) or on a cluster (`spark`), with equal answers."""
