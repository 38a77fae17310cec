"""What a person writes to pick entries of the audit log."""

from datetime import UTC, datetime


def moment(text: str) -> datetime:
    """Of an ISO 8601 date or time; without an offset it is in UTC. Raises ValueError, which says what is allowed."""
    try:
        read = datetime.fromisoformat(text)
    except ValueError:
        raise ValueError("use a date or a time such as 2026-03-04 or 2026-03-04T05:06:07Z") from None
    return read.replace(tzinfo=UTC) if read.tzinfo is None else read
