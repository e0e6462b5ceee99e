"""JSON that is nested too deep for msgspec, with what is so deep left out. `kube.client` asks for lists.

The API server stores ten thousand levels where a kind's schema lets anything in, msgspec takes a thousand. One object
of one tenant must not keep everybody's from being listed.
"""

import re

DEEPEST = 100
"""Levels that are kept; nothing of what is read of any kind stands deeper."""
_TOKEN = re.compile(rb'\\.|["\[{\]}]', re.DOTALL)


def shallow(body: bytes) -> bytes:
    """The same document with `null` for each object and list that is deeper."""
    kept: list[bytes] = []
    depth = begun = 0
    is_text = False
    for token in _TOKEN.finditer(body):
        first = body[token.start()]
        if first in b'"':
            is_text = not is_text
        elif is_text:
            continue
        elif first in b"[{":
            depth += 1
            if depth == DEEPEST + 1:
                kept += (body[begun : token.start()], b"null")
        elif first in b"]}":
            depth -= 1
            if depth == DEEPEST:
                begun = token.end()
    if depth > DEEPEST:
        return b"".join(kept)  # cut off within; it is no document either way
    return b"".join((*kept, body[begun:]))
