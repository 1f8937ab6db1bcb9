"""Prove that incident runbooks work: run them verbatim against real faults on a throwaway replica."""

__all__ = ["__version__"]

__version__ = "0.1.0"
