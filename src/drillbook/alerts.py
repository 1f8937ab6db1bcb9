"""Alerts: what fires, and how a table says which one is meant."""

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Self

from drillbook.errors import UsageError

__all__ = ["Alert", "AlertSelector"]

_PAIR = r'\s*[A-Za-z_]\w*\s*=\s*"(?:[^"\\]|\\.)*"\s*'
_SELECTOR = re.compile(rf'(?P<name>[^{{}}"]*[^{{}}"\s])\s*(?:\{{(?P<labels>{_PAIR}(?:,{_PAIR})*),?\s*\}})?')
_LABEL = re.compile(r'([A-Za-z_]\w*)\s*=\s*("(?:[^"\\]|\\.)*")')


@dataclass(frozen=True, slots=True)
class Alert:
    """An alert as the replica's own alerting system has it now."""

    name: str
    labels: Mapping[str, str] = field(default_factory=dict)
    since_utc: str = ""


@dataclass(frozen=True, slots=True)
class AlertSelector:
    """Which alert is meant: its name and, where several alerts share it, labels that it must have.

    The text is Prometheus' own: ``ServiceDown`` or ``ServiceDown{service="backend"}``, with equality only.
    """

    name: str
    labels: Mapping[str, str] = field(default_factory=dict)

    def __str__(self) -> str:
        pairs = ", ".join(f"{label}={json.dumps(value, ensure_ascii=False)}" for label, value in self.labels.items())
        return f"{self.name}{{{pairs}}}" if pairs else self.name

    @classmethod
    def parse(cls, text: str, where: str) -> Self:
        """Read what a table declares; ``where`` is said in the error.

        Raises:
            UsageError: it is neither a name nor a name with labels.
        """
        found = _SELECTOR.fullmatch(text.strip())
        if not found:
            problem = f'alert must be a name or Name{{label="value"}}, got {text!r}'
            raise UsageError(where, problem, hint="labels are compared by = alone")
        return cls(found["name"], {name: json.loads(value) for name, value in _LABEL.findall(found["labels"] or "")})

    def matches(self, alert: Alert) -> bool:
        """True where the alert has this name and each of these labels."""
        return alert.name == self.name and all(alert.labels.get(name) == value for name, value in self.labels.items())

    def is_among(self, alerts: Iterable[Alert]) -> bool:
        """True where it matches one of them."""
        return any(map(self.matches, alerts))

    def tell(self, alerts: Iterable[Alert]) -> list[str]:
        """Return each alert once, by its name and by the labels that this selector asks for."""
        return list(dict.fromkeys(str(self._as_asked(alert)) for alert in alerts))

    def _as_asked(self, alert: Alert) -> "AlertSelector":
        return AlertSelector(alert.name, {name: alert.labels[name] for name in self.labels if name in alert.labels})
