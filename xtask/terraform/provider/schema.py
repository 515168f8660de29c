"""Schemas as the protocol tells them.

Read are those of `terraform providers schema -json`, with `x_…` beside for what that leaves out.
"""

import json

import wire

NESTING = {"single": 1, "list": 2, "set": 3, "map": 4, "group": 5}


def encode(schema):
    return wire.number(1, schema.get("version", 0)) + wire.message(2, _block(schema["block"]))


def _block(block):
    attributes = [
        wire.message(2, _attribute(name, attribute))
        for name, attribute in block.get("attributes", {}).items()
    ]
    nested = [wire.message(3, _nested(name, nested)) for name, nested in block.get("block_types", {}).items()]
    return b"".join(attributes + nested)


def _attribute(name, attribute):
    flags = {
        4: "required",
        5: "optional",
        6: "computed",
        7: "sensitive",
        9: "deprecated",
        10: "x_write_only",
    }
    return (
        wire.text(1, name)
        + wire.message(2, json.dumps(attribute["type"]).encode())
        + b"".join(wire.number(field, attribute.get(flag, 0)) for field, flag in flags.items())
    )


def _nested(name, nested):
    return (
        wire.text(1, name)
        + wire.message(2, _block(nested["block"]))
        + wire.number(3, NESTING[nested["nesting_mode"]])
        + wire.number(4, nested.get("min_items", 0))
        + wire.number(5, nested.get("max_items", 0))
    )
