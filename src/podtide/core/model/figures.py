"""Numbers for people: at most four digits. The notes of a decision, status and `explain` show them this way."""

# At and above, divided by, followed by: four digits suffice below ten thousand, which is where `k` begins.
_DECIMAL = ((1e9, 1e9, "G"), (1e6, 1e6, "M"), (1e4, 1e3, "k"))


def plain(number: float) -> str:
    """At most four digits: `14`, `0.4625`, `117.5`, `23.4k`."""
    if -1e4 < number < 1e4:
        return f"{number:.4g}"
    for least, unit, suffix in _DECIMAL:
        if abs(number) >= least:
            return f"{number / unit:.4g}{suffix}"
    return f"{number:.4g}"
