"""The decision core: pure functions and small state objects. No I/O, no clock; time is an argument."""
