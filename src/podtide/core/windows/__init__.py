"""Numbers over time: averages and extremes over a sliding window, in buckets of a fixed length.

`Memory` records readings here; the algorithms see the averages only. Time is an argument everywhere.
"""
