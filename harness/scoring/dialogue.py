"""What runs inside the sandbox where a test function judges a program: two processes that exchange plain values.

One process holds the program that a model wrote, the other the test. The test calls the function under its own name and
asserts what it likes of what comes back; each call goes to this host, from there to the program's process, and back.
The verdict is that of the test's process, in which no line of the model's runs:

* what comes back is built anew there from a text, out of the built-in types alone. Nothing of the program's classes
  comes with it, so that `__eq__`, `__len__` or `__bool__` of its own are never called;
* an object of any other type stays where it is. The test gets a handle on it: it can be passed back, called, and have
  attributes, and is equal to nothing;
* whatever the program prints, raises, replaces or ends, it does in its own process, from which nothing but these values
  leads out. Leaving early leaves the test without an answer, which is a failure.

Like `guest`, in front of which this text is put, it uses the standard library alone and never sees the package.
"""

import builtins
import posix
import sys
from _json import encode_basestring_ascii, make_encoder, make_scanner

MYPY = False  # what mypy takes for true, as it does the constant of `typing`, which would have to be loaded
if MYPY:
    from collections.abc import Callable, Iterator
    from typing import Any

LAZY_HINTS = 0x1000000
"""`__future__.annotations.compiler_flag`: a hint that names what the program did not import is no error, as in 3.14."""
_NAME = "program"  # of the module in which the code of either process runs
_LARGE = 2**63
_LONGEST = 1 << 20  # bytes of one message
_SEQUENCES: "dict[Any, str]" = {list: "list", tuple: "tuple", set: "set", frozenset: "frozenset"}
_BASES: "tuple[Any, ...]" = (str, int, float, complex, list, tuple, set, frozenset, dict, bytes, bytearray)
_PARTS: "dict[str, Callable[[Any], list[Any]]]" = {
    "decimal.Decimal": lambda value: [str(value)],
    "fractions.Fraction": lambda value: [value.numerator, value.denominator],
    "datetime.date": lambda value: [value.year, value.month, value.day],
    "datetime.timedelta": lambda value: [value.days, value.seconds, value.microseconds],
    "datetime.datetime": lambda v: [v.year, v.month, v.day, v.hour, v.minute, v.second, v.microsecond],
    "collections.deque": lambda value: [list(value), value.maxlen],
}
"""Types of the standard library that are values -> what one is made of."""


class _GoneError(BaseException):
    """The program's process has ended, or gives no answers any more; no `except Exception` of a test may hide that."""


class _JsonReading:
    """How JSON is read; the attributes that the C code asks for."""

    strict = False
    object_hook = object_pairs_hook = None
    parse_float, parse_int = float, int
    memo: "dict[str, str]" = {}  # noqa: RUF012

    @staticmethod
    def parse_constant(name: str) -> None:
        raise ValueError(name)


_read_json = make_scanner(_JsonReading)  # type: ignore[arg-type]  # any object with these attributes will do
_write_json = make_encoder({}, repr, encode_basestring_ascii, None, ":", ",", False, False, False)


class Channel:
    """Lines of JSON on a descriptor."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._rest = b""
        self.broken = False  # whether the test has met an answer that is none

    def send(self, value: object, mark: bytes = b"") -> None:
        """Write a value as one line, `mark` before it."""
        data = mark + "".join(_write_json(value, 0)).encode() + b"\n"
        if len(data) > _LONGEST:
            raise ValueError(f"a value of {len(data)} bytes")
        while data:
            data = data[posix.write(self._descriptor, data) :]

    def receive(self) -> "Any":
        """The value of the next line; raises _GoneError when there is none."""
        parts = [self._rest]
        while b"\n" not in parts[-1]:
            part = posix.read(self._descriptor, 65536)
            if not part:
                raise _GoneError
            parts.append(part)
        line, _, self._rest = b"".join(parts).partition(b"\n")
        text = line.decode("ascii")
        value, end = _read_json(text, 0)
        if end != len(text):
            raise ValueError("more than one value in a line")
        return value


def packed(value: "Any", other: "Callable[[Any], Any]") -> "Any":  # noqa: PLR0912  # a table of types
    """A value as JSON has it: plain numbers and texts as they are, all else as a list that begins with its type.

    Args:
        value: any object.
        other: makes something of an object that is no plain value.
    """
    kind: Any = type(value)
    if value is None or kind is bool or kind is str:
        return value
    if kind is int:
        return value if -_LARGE < value < _LARGE else ["int", hex(value)]
    if kind is float:
        return value if value - value == 0.0 else ["float", repr(value)]
    if kind in _SEQUENCES:
        return [_SEQUENCES[kind], *[packed(one, other) for one in value]]
    if kind is dict:
        return ["dict", *[[packed(key, other), packed(one, other)] for key, one in value.items()]]
    if kind is complex:
        return ["complex", packed(value.real, other), packed(value.imag, other)]
    if kind in (bytes, bytearray):
        return [kind.__name__, value.hex()]
    if kind is range:
        return ["range", value.start, value.stop, value.step]
    if kind is type and builtins.__dict__.get(name := str(value.__name__)) is value:
        return ["type", name]
    if (parts := _PARTS.get(f"{kind.__module__}.{kind.__name__}")) is not None:
        return ["made", f"{kind.__module__}.{kind.__name__}", *[packed(one, other) for one in parts(value)]]
    for base in _BASES:
        if isinstance(value, base):  # named tuples, counters and the like: what the built-in type has of them
            return packed(base(value), other)
    if (view := kind.__name__) in ("dict_keys", "dict_values", "dict_items") and kind.__module__ == "builtins":
        return [view, *[packed(one, other) for one in value]]
    if hasattr(kind, "__next__"):
        return ["iterator", *[packed(one, other) for one in value]]
    return other(value)


def built(said: "Any", other: "Callable[[list[Any]], Any]") -> "Any":
    """The value that `packed` wrote; raises an error for anything else.

    Args:
        said: what was read.
        other: makes an object of what `packed` left to its own `other`.
    """
    if not isinstance(said, list):
        if isinstance(said, dict):
            raise ValueError("no value")
        return said
    kind, rest = said[0], said[1:]
    if kind in ("int", "float"):
        return int(rest[0], 16) if kind == "int" else float(rest[0])
    if kind in ("bytes", "bytearray"):
        return (bytes if kind == "bytes" else bytearray).fromhex(rest[0])
    if kind == "range":
        return range(*rest)
    if kind == "type":
        found = builtins.__dict__[rest[0]]
        if not isinstance(found, type):
            raise ValueError("no type")
        return found
    if kind == "made":
        if rest[0] not in _PARTS:
            raise ValueError("no value")
        module, _, name = rest[0].partition(".")
        return getattr(__import__(module), name)(*[built(one, other) for one in rest[1:]])
    if kind in ("dict", "dict_items"):
        made = {built(key, other): built(one, other) for key, one in map(_pair, rest)}
        return made if kind == "dict" else made.items()
    if kind not in _PLAIN:
        return other(said)
    return _PLAIN[kind]([built(one, other) for one in rest])


def _pair(said: "list[Any]") -> "Iterator[Any]":
    """Both parts of an item, which stands as a pair in a dict, and as a tuple among the items of one."""
    return iter(said[1:] if len(said) == 3 and said[0] == "tuple" else said)


_PLAIN: "dict[str, Callable[[list[Any]], Any]]" = {
    "list": list,
    "tuple": tuple,
    "set": set,
    "frozenset": frozenset,
    "iterator": iter,
    "complex": lambda parts: complex(*parts),
    "dict_keys": lambda items: dict.fromkeys(items).keys(),
    "dict_values": lambda items: dict(enumerate(items)).values(),
}


def _module(text: str, *, as_far_as_it_goes: bool = False) -> "dict[str, Any]":
    """The names that some code defines."""
    module = sys.modules[_NAME] = type(sys)(_NAME)  # where dataclasses look for a class's hints
    if text and as_far_as_it_goes:
        try:  # noqa: SIM105  # contextlib would have to be loaded
            exec(compile(text, "<setup>", "exec", LAZY_HINTS, dont_inherit=True), module.__dict__)
        except Exception:  # what it builds may be of classes that only the program defines
            pass
    elif text:
        exec(compile(text, "<program>", "exec", LAZY_HINTS, dont_inherit=True), module.__dict__)
    return module.__dict__


# --- the program's process ------------------------------------------------------------------------------------------


def attend(request: "dict[str, Any]", descriptor: int) -> None:
    """Run a program, and then do what its test asks for, one thing after the other."""
    names = _module(request["setup"], as_far_as_it_goes=True)
    exec(compile(request["program"], "<program>", "exec", LAZY_HINTS, dont_inherit=True), names)
    channel = Channel(descriptor)
    kept: dict[int, object] = {}

    def keep(value: object) -> "list[Any]":
        kept[id(value)] = value
        return ["object", id(value), bool(value)]

    def given(said: "list[Any]") -> "Any":
        if said[0] == "name":
            return names[said[1]] if said[1] in names else builtins.__dict__[said[1]]
        if said[0] == "instance":
            made = names[said[1]].__new__(names[said[1]])
            made.__dict__.update({name: built(value, given) for name, value in said[2:]})
            return made
        return kept[said[1]]

    while True:
        try:
            asked = channel.receive()
        except _GoneError:
            return
        try:
            channel.send(_answered(asked, given, keep))
        except Exception as error:
            channel.send(["raised", type(error).__name__, _words(error)])


def _answered(asked: "list[Any]", given: "Callable[[list[Any]], Any]", keep: "Callable[[Any], Any]") -> "list[Any]":
    """The answer to one question: what came back, and arguments that are others now."""
    deed, target, *rest = asked
    on = built(target, given)
    if deed == "get":
        return ["value", packed(getattr(on, rest[0]), keep), []]
    if deed == "set":
        setattr(on, rest[0], built(rest[1], given))
        return ["value", None, []]
    arguments = [built(one, given) for one in rest[0]]
    named = {name: built(one, given) for name, one in rest[1]}
    value = packed(on(*arguments, **named), keep)
    now = [packed(one, keep) if type(one) in (list, dict, set, bytearray) else None for one in arguments]
    changed = [[i, one] for i, one in enumerate(now) if one is not None and one != rest[0][i]]
    return ["value", value, changed]


def _words(error: BaseException) -> str:
    try:
        return str(error)[:200]
    except BaseException:  # a program may raise what cannot even be printed
        return ""


# --- the test's process ---------------------------------------------------------------------------------------------


def judge_program(request: "dict[str, Any]", descriptor: int) -> None:
    """Run a test, and tell the host whether it ended without an error."""
    channel = Channel(descriptor)
    try:
        _test(request, channel)
        if channel.broken:
            raise _GoneError
        verdict: dict[str, object] = {"passed": True}
    except (SyntaxError, ModuleNotFoundError) as error:
        words = f"{type(error).__name__}: {_words(error)}"[:200]
        # not of the program, whose errors come without the place in a text, and without the name of a module
        own = bool(error.name if isinstance(error, ModuleNotFoundError) else error.filename)
        verdict = {"broken" if own else "failed": words}
    except BaseException as error:  # whatever ends the test ends it without success
        words = "the program gave no answer" if isinstance(error, _GoneError) else _words(error)
        verdict = {"failed": f"{type(error).__name__.strip('_')}: {words}"[:200]}
    channel.send(verdict, b"=")


def _test(request: "dict[str, Any]", channel: Channel) -> None:
    names = _module(_whole(request["prompt"]))
    entry, test = request["entry"], compile(request["test"], "<test>", "exec", LAZY_HINTS, dont_inherit=True)
    before = compile(request["setup"], "<setup>", "exec", LAZY_HINTS, dont_inherit=True)
    if entry:
        names[entry] = Remote(channel, ["name", entry])
    for name in {*_names(before), *_names(test)} - names.keys() - builtins.__dict__.keys():
        names[name] = Remote(channel, ["name", name])
    exec(before, names)
    exec(test, names)
    check = names.get("check")
    if entry and callable(check) and not isinstance(check, Remote) and not request["calls_check"]:
        check(names[entry])


def _whole(prompt: str) -> str:
    """The beginning of a program as a program of its own, for the functions that it defines in full; or nothing."""
    for end in ("", "    pass\n", "\n    pass\n"):
        try:
            compile(prompt + end, "<prompt>", "exec", LAZY_HINTS, dont_inherit=True)
            return prompt + end
        except (SyntaxError, ValueError):
            continue
    return ""


def _names(code: "Any") -> "Iterator[str]":
    """Every name that some code may look up; those of attributes are among them."""
    yield from code.co_names
    for constant in code.co_consts:
        if isinstance(constant, type(code)):
            yield from _names(constant)


class Remote:
    """A name of the program, or an object that stays in its process."""

    def __init__(self, channel: Channel, target: "list[Any]", truth: bool = True) -> None:
        object.__setattr__(self, "_at", (channel, target, truth))

    def __bool__(self) -> bool:
        """Whether the object is true, as its own process says."""
        return self._at[2]  # type: ignore[no-any-return]

    def __call__(self, *arguments: "Any", **named: "Any") -> "Any":
        """What the function of the program gives back."""
        sent = [packed(one, _handed) for one in arguments]
        kept = [[name, packed(one, _handed)] for name, one in named.items()]
        value, changed = self._ask("call", sent, kept)
        for i, now in changed:
            if 0 <= i < len(arguments):
                _change(arguments[i], now)
        return value

    def __getattr__(self, name: str) -> "Any":
        """An attribute of the object."""
        if name.startswith("__"):  # what Python looks for by itself
            raise AttributeError(name)
        return self._ask("get", name)[0]

    def __setattr__(self, name: str, value: "Any") -> None:
        """Set an attribute of the object."""
        self._ask("set", name, packed(value, _handed))

    def _ask(self, deed: str, *what: "Any") -> "tuple[Any, list[Any]]":
        channel, target, _ = self._at
        if channel.broken:
            raise _GoneError
        channel.send([deed, target, *what], b"?")
        try:
            error, value, changed = _heard(channel)
        except BaseException:  # what is no answer must look like no error of the program: reading raises StopIteration
            channel.broken = True
            raise _GoneError from None
        if error is not None:
            raise error
        return value, changed


def _heard(channel: Channel) -> "tuple[Exception | None, Any, list[Any]]":
    """What the program answers: an error, or a value and the arguments that are others now."""

    def other(one: "list[Any]") -> Remote:
        if one[0] != "object":
            raise ValueError("no value")
        return Remote(channel, ["object", int(one[1])], one[2] is True)

    kind, first, second = channel.receive()
    if kind == "raised":
        return _raised(str(first), str(second)), None, []
    if kind != "value":
        raise ValueError("no answer")
    return None, built(first, other), [(int(i), built(now, other)) for i, now in second]


def _raised(name: str, words: str) -> Exception:
    """The error of that name, where it is a built-in one; one that ends a loop would end one of the test's."""
    kind = builtins.__dict__.get(name)
    if isinstance(kind, type) and issubclass(kind, Exception) and "Iteration" not in name:
        try:
            return kind(words)
        except TypeError:  # some take more than words, such as UnicodeDecodeError
            if issubclass(kind, ValueError):
                return ValueError(words)
    return RuntimeError(f"{name}: {words}")


def _handed(value: "Any") -> "list[Any]":
    """How an object of the test is handed over: by its handle, or by the name of its class and its attributes."""
    if isinstance(value, Remote):
        return value._at[1]  # type: ignore[no-any-return]
    kind = type(value)
    if kind.__module__ == _NAME and hasattr(value, "__dict__"):
        return ["instance", kind.__name__, *[[name, packed(one, _handed)] for name, one in vars(value).items()]]
    raise TypeError(f"a {kind.__name__} of the test cannot be handed to the program")


def _change(argument: "Any", now: "Any") -> None:
    """Make an argument what the program has made of it."""
    if type(argument) in (list, bytearray):
        argument[:] = now
    elif type(argument) in (dict, set):
        argument.clear()
        argument.update(now)
