"""Money. The API counts whole nano-US-dollars (1e-9 USD), so that sums are exact."""

from __future__ import annotations

from decimal import ROUND_FLOOR, Context, Decimal, InvalidOperation

NANOS_PER_USD = 1_000_000_000
_MAX_NANOS = 2**63 - 1
# Enough digits for any int64, whatever the caller has set as the thread's decimal context.
_EXACT = Context(prec=40)


def to_usd(nanos: int) -> Decimal:
    """Dollars for an amount of nano-dollars, exactly."""
    return Decimal(nanos).scaleb(-9, _EXACT)


def to_nanos(usd: Decimal | float | str) -> int:
    """Nano-dollars for an amount of dollars, a fraction of one rounded down.

    A float stands for the shortest decimal that prints like it: ``0.1`` is ten cents.

    Raises:
        ValueError: the amount is no number, or does not fit the API's 64 bits.

    """
    try:
        amount = Decimal(repr(usd)) if isinstance(usd, float) else Decimal(usd)
        nanos = int(amount.scaleb(9, _EXACT).to_integral_value(ROUND_FLOOR, _EXACT))
    except (InvalidOperation, ValueError, OverflowError):
        raise ValueError(f"{usd!r} is no amount of dollars") from None
    if abs(nanos) > _MAX_NANOS:
        raise ValueError(f"{usd!r} dollars are more than the API can carry")
    return nanos


def format_usd(nanos: int, places: int | None = None) -> str:
    """Write an amount for people, such as ``$0.00215`` or ``-$1.50``.

    Without ``places`` the amount is exact, with two decimals at the least; with it, rounded half
    to even to so many.
    """
    amount = to_usd(abs(nanos))
    if places is None:
        whole, _, fraction = f"{amount:f}".partition(".")
        text = f"{whole}.{fraction.rstrip('0'):0<2}"
    else:
        text = f"{amount:.{places}f}"
    sign = "-" if nanos < 0 else ""
    return f"{sign}${text}"
