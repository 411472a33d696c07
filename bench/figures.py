# SPDX-License-Identifier: MIT
"""How figures are shown: medians with their spread, ratios round by round, tables."""
import statistics

OURS = "backchannel"


def number(value):
    if value >= 1000:
        return f"{value:,.0f}"
    return f"{value:.0f}" if value >= 100 else f"{value:.1f}" if value >= 10 else f"{value:.2f}"


def spread(values, show=number):
    middle = show(statistics.median(values))
    if len(values) == 1:
        return middle
    return f"{middle} ({show(min(values))}..{show(max(values))})"


def percent(value):
    return f"{value * 100:.0f} %"


def of(runs, name, scale=1.0):
    return [run[name] * scale for run in runs]


def ratios(ours, theirs, name="rate"):
    """Round by round: what made the machine slow for a while was there for both."""
    return [a / b for a, b in zip(of(ours, name), of(theirs, name))]


def times(values):
    return spread(values, lambda value: f"{value:.1f}" if value < 100 else f"{value:.0f}")


def table(head, rows):
    align = "|---|" + "---:|" * (len(head) - 1)
    return "\n".join(["| " + " | ".join(head) + " |", align,
                      *("| " + " | ".join(row) + " |" for row in rows)])
