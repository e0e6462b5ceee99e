"""Which shard an autoscaler belongs to. Called by `control.ownership`; every replica must get the same answer."""

import hashlib


def shard(uid: str, count: int) -> int:
    """The shard of an object among `count`: the same everywhere and always, evenly spread."""
    digest = hashlib.blake2b(uid.encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big") % count
