"""Whether a JSON document is one to decode at all. Called before others' documents are.

A value takes two bytes of a document and up to a hundred of memory: ten megabytes of `[],[]` would become 250, and a
second in which nothing else is done.
"""

MOST = 500_000
"""Values in one document. A list of the usage of ten thousand pods has about 300,000."""
_SHORTEST = 2


def is_crowded(text: bytes) -> bool:
    """Whether it may hold more values than that, counted by what stands before each; in strings, too, it counts."""
    if len(text) <= MOST * _SHORTEST:
        return False
    return text.count(b",") + text.count(b"[") + text.count(b"{") > MOST
