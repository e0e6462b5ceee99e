"""The words in which the API's fields are declared. `schema` declares with them, `structure` checks a manifest against
them, `crd` and the reference in docs/ are made from them: so these four never disagree."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Text:
    """A string."""

    choices: tuple[str, ...] = ()
    pattern: str = ""
    """A regular expression that Go and Python read alike, anchored at both ends."""
    hint: str = ""
    """What to write instead of a text that does not match, to be read after the value."""
    shortest: int | None = None
    longest: int | None = None
    is_long: bool = False
    """Whether any length makes sense, as of certificates; elsewhere thousands of characters are refused."""
    format: str = ""


@dataclass(frozen=True, slots=True)
class Whole:
    """An integer."""

    minimum: int | None = None
    maximum: int | None = None
    wide: bool = False
    """64 bits instead of 32."""


@dataclass(frozen=True, slots=True)
class Number:
    """A number in quotes, or a whole one without: a Kubernetes quantity, or a port."""

    hint: str = 'is not a number; write for example "50"'
    example: str = "50"


@dataclass(frozen=True, slots=True)
class Flag:
    """True or false."""


@dataclass(frozen=True, slots=True)
class Items:
    """A list."""

    of: "Shape"
    shortest: int | None = None
    longest: int | None = None
    is_stored_longer: bool = False
    """Whether the API server takes a longer one all the same, as AIBrix's CRD does; then `ValidSpec` refuses it."""


@dataclass(frozen=True, slots=True)
class Labels:
    """A mapping of strings to strings."""

    longest: int | None = None


@dataclass(frozen=True, slots=True)
class Anything:
    """An object whose fields the API server keeps without knowing them."""


@dataclass(frozen=True, slots=True)
class Rule:
    """What must hold between fields: the API server refuses an object of which it does not."""

    cel: str
    """An expression in CEL."""
    message: str


@dataclass(frozen=True, slots=True)
class Record:
    """An object with known fields."""

    fields: tuple["Field", ...]
    rules: tuple[Rule, ...] = ()
    atomic: bool = False
    """Replaced as a whole by server-side apply."""

    def __getitem__(self, name: str) -> "Field":
        return next(field for field in self.fields if field.name == name)


Shape = Text | Whole | Number | Flag | Items | Labels | Anything | Record


@dataclass(frozen=True, slots=True)
class Field:
    """One field of an object."""

    name: str
    shape: Shape
    doc: str
    """Meaning, unit and default, for `kubectl explain` and the reference."""
    required: bool = False
    example: str = ""
    """What to write when the field is missing."""
