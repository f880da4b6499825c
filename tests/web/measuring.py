"""What counts requests in tests: it notes what it counts."""

from __future__ import annotations

from dataclasses import dataclass, field

TEXT = "# EOF\n"


@dataclass
class Noted:
    """Stands for `HttpMetrics`, and for what makes the text of `/metrics`."""

    answers: list[tuple[str, str, int]] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list)
    under_way: int = 0
    deliveries: list[str] = field(default_factory=list)
    accepted: list[str] = field(default_factory=list)

    def begun(self) -> None:
        self.under_way += 1

    def answered(self, route: str, method: str, status: int, seconds: float) -> None:
        self.answers.append((route, method, status))
        self.seconds.append(seconds)

    def ended(self) -> None:
        self.under_way -= 1

    def delivered(self, answer: str) -> None:
        self.deliveries.append(answer)

    def expose(self, accept: str) -> tuple[str, bytes]:
        self.accepted.append(accept)
        return "text/plain; version=0.0.4; charset=utf-8", TEXT.encode()
