"""What the provider's schema says of values and Terraform itself does not check."""

import re
from dataclasses import dataclass

import wire

ERROR, WARNING = 1, 2


@dataclass(frozen=True)
class Problem:
    summary: str
    detail: str
    # Names of attributes and blocks, and numbers of blocks in a list.
    path: tuple = ()
    severity: int = ERROR

    def encode(self):
        steps = b"".join(
            wire.message(1, wire.text(1, step) if isinstance(step, str) else wire.index(3, step))
            for step in self.path
        )
        return (
            wire.number(1, self.severity)
            + wire.text(2, self.summary)
            + wire.text(3, self.detail)
            + (wire.message(4, steps) if steps else b"")
        )


def check(block, config):
    """The problems of a resource's configuration, each once."""
    return list(dict.fromkeys(_check_block(block, config, (), False, config)))


def _check_block(block, values, path, is_in_set, root):
    if not isinstance(values, dict):
        return
    for name, attribute in block.get("attributes", {}).items():
        value = values.get(name)
        # The elements of a set have no place that a path could name.
        here = path if is_in_set else (*path, name)
        if not is_in_set:
            yield from _check_relations(attribute, here, value is not None, root)
        if value is not None and not wire.is_unknown(value):
            yield from _check_attribute(name, attribute, value, here)
    for name, nested in block.get("block_types", {}).items():
        value = values.get(name)
        if not is_in_set:
            yield from _check_relations(nested, (*path, name), bool(value), root)
        yield from _check_nested(name, nested, value, path, is_in_set, root)


def _check_nested(name, nested, value, path, is_in_set, root):
    if isinstance(value, dict):
        here = path if is_in_set else (*path, name)
        yield from _check_block(nested["block"], value, here, is_in_set, root)
    elif isinstance(value, list):
        is_in_set = is_in_set or nested["nesting_mode"] == "set"
        for number, one in enumerate(value):
            here = path if is_in_set else (*path, name, number)
            yield from _check_block(nested["block"], one, here, is_in_set, root)


def _check_attribute(name, attribute, value, path):
    if attribute.get("computed") and not attribute.get("optional") and not attribute.get("required"):
        detail = f"{name} is set by the provider and cannot be configured."
        yield Problem("Value for unconfigurable attribute", detail, path)
    if attribute.get("deprecated"):
        yield Problem("Deprecated argument", f"{name} is deprecated.", path, WARNING)
    for one in value if isinstance(value, list) else [value]:
        if isinstance(one, str):
            yield from _check_text(name, attribute, one, path)
        elif isinstance(one, (int, float)) and "x_range" in attribute:
            least, most = attribute["x_range"]
            if one < least or most is not None and one > most:
                detail = f"{name} is {one}; expected {least} to {most}."
                yield Problem("Value out of range", detail, path)


def _check_text(name, attribute, text, path):
    allowed = attribute.get("x_enum")
    if allowed and text and text not in allowed:
        detail = f'{name} is "{text}"; expected one of: {", ".join(allowed)}.'
        yield Problem("Unexpected value", detail, path)
    pattern = attribute.get("x_regex")
    if pattern and not _matches(pattern, text):
        yield Problem("Malformed value", f'{name} is "{text}"; it must match {pattern}.', path)


def _matches(pattern, text):
    try:
        return re.search(pattern, text)
    except re.error:
        # Go has forms that Python has not.
        return True


def _check_relations(item, path, is_set, root):
    """Which arguments need or exclude each other; their paths are as in `template.0.vpc_access.0.connector`."""
    me = ".".join(map(str, path))
    for kind, problem in (
        ("x_exactly_one_of", _exactly_one),
        ("x_at_least_one_of", _at_least_one),
        ("x_conflicts_with", _no_conflict),
        ("x_required_with", _all_required),
    ):
        names = item.get(kind)
        found = [_find(root, name) for name in names or []]
        if names and not any(map(wire.is_unknown, found)):
            given = [name for name, value in zip(names, found) if value not in (None, [], {})]
            yield from problem(me, is_set, sorted(names), sorted(given))


def _exactly_one(_me, _is_set, names, given):
    if len(given) != 1:
        detail = f"Exactly one of {', '.join(names)} must be given, not {', '.join(given) or 'none'}."
        yield Problem("Invalid combination of arguments", detail)


def _at_least_one(_me, _is_set, names, given):
    if not given:
        yield Problem("Missing argument", f"One of {', '.join(names)} must be given.")


def _no_conflict(me, is_set, _names, given):
    others = [name for name in given if name != me]
    if is_set and others:
        yield Problem("Conflicting arguments", f"{me} conflicts with {', '.join(others)}.")


def _all_required(me, is_set, names, given):
    if is_set and len(given) < len(names):
        yield Problem("Missing argument", f"{me} needs all of {', '.join(names)}.")


def _find(value, path):
    for step in path.split("."):
        if wire.is_unknown(value):
            return value
        if isinstance(value, list) and step.isdigit() and int(step) < len(value):
            value = value[int(step)]
        elif isinstance(value, dict):
            value = value.get(step)
        else:
            return None
    return value
