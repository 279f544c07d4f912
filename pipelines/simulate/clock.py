"""Business days of the simulated window, and moments in the notations of the platforms."""

from calendar import monthrange
from datetime import UTC, date, datetime, timedelta, timezone

from pipelines.simulate.chance import Weighted

DAY = 86_400
HOUR = 3_600
SHANGHAI = timezone(timedelta(hours=8))

# How likely people are awake and on their phones, by hour of the Shanghai day.
BUSY_HOURS: Weighted[int] = Weighted(
    list(enumerate([2, 1, 1, 1, 1, 1, 3, 5, 7, 8, 9, 9, 11, 10, 8, 8, 8, 8, 9, 12, 15, 16, 12, 6]))
)


def months_before(second: int, months: int) -> int:
    """The same hour so many calendar months ago in Shanghai, on the month's last day where it has no such day.

    >>> (months_before(1746072000, 3) - 1746072000) // DAY
    -89
    """
    moment = datetime.fromtimestamp(second, SHANGHAI)
    year, month = divmod(moment.year * 12 + moment.month - 1 - months, 12)
    day = min(moment.day, monthrange(year, month + 1)[1])
    return int(moment.replace(year=year, month=month + 1, day=day).timestamp())


class Clock:
    """The window of business days of Asia/Shanghai; moments are epoch seconds, days are counted from 0."""

    def __init__(self, start: str, days: int) -> None:
        first = date.fromisoformat(start)
        self.days = days
        self.start = int(datetime(first.year, first.month, first.day, tzinfo=SHANGHAI).timestamp())
        self.end = self.start + days * DAY
        self.dates = tuple((first + timedelta(days=day)).isoformat() for day in range(days))

    def midnight(self, day: int) -> int:
        """The first second of the day."""
        return self.start + day * DAY

    def day_of(self, moment: int) -> int:
        """The day the moment falls on; negative before the window."""
        return (moment - self.start) // DAY

    def landing_day(self, moment: int) -> int:
        """The day on which a record of the moment is first pulled: history comes with the first day's load."""
        return min(max((moment - self.start) // DAY, 0), self.days - 1)

    def date_of(self, moment: int) -> str:
        """The business date of the moment.

        >>> Clock("2025-01-01", 3).date_of(1735700500)
        '2025-01-01'
        """
        day = (moment - self.start) // DAY
        if 0 <= day < self.days:
            return self.dates[day]
        return datetime.fromtimestamp(moment, SHANGHAI).date().isoformat()

    def text(self, moment: int) -> str:
        """Local time without an offset, as the Taobao platform writes it.

        >>> Clock("2025-01-01", 3).text(1735700520)
        '2025-01-01 11:02:00'
        """
        minutes, second = divmod((moment - self.start) % DAY, 60)
        return f"{self.date_of(moment)} {minutes // 60:02d}:{minutes % 60:02d}:{second:02d}"

    def rfc3339(self, moment: int) -> str:
        """Local time with its offset.

        >>> Clock("2025-01-01", 3).rfc3339(1735700520)
        '2025-01-01T11:02:00+08:00'
        """
        return self.text(moment).replace(" ", "T") + "+08:00"


def compact_utc(moment: int) -> str:
    """The moment as fourteen digits, used inside log ids."""
    return datetime.fromtimestamp(moment, UTC).strftime("%Y%m%d%H%M%S")
