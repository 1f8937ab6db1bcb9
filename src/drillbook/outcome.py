"""How a check or a drill ended."""

from enum import StrEnum

__all__ = ["Outcome"]


class Outcome(StrEnum):
    """The ends of a drill, and two that only single checks have.

    Attributes:
        PASSED: What was claimed was seen.
        FAILED: The opposite was seen.
        UNKNOWN: The session could not reach its host, or a fault's effect was not seen: nothing is proved.
        NOT_COVERED: The document, as mended, does not heal this fault, and verification saw that it did not.
        ERROR: The engine or its inputs are wrong; nothing is proved.
        NOT_CHECKED: The check writes, and this real system does not list it under ``functional``.
    """

    PASSED = "PASSED"
    FAILED = "FAILED"
    UNKNOWN = "UNKNOWN"
    NOT_COVERED = "NOT COVERED"
    ERROR = "ERROR"
    NOT_CHECKED = "NOT CHECKED"
