"""The little of Protocol Buffers and of Terraform's values that the protocol needs.

<https://protobuf.dev/programming-guides/encoding/>. A request is read as a dictionary from the numbers of its fields to
the list of their values.
"""

import msgpack

VARINT, FIXED_64, BYTES, FIXED_32 = 0, 1, 2, 5

# <https://github.com/hashicorp/terraform/blob/main/docs/plugin-protocol/object-wire-format.md>
UNKNOWN = msgpack.ExtType(0, b"\x00")


def is_unknown(value):
    return isinstance(value, msgpack.ExtType)


def message(field, content):
    return _varint(field << 3 | BYTES) + _varint(len(content)) + content


def text(field, value):
    return message(field, value.encode()) if value else b""


def number(field, value):
    return _varint(field << 3 | VARINT) + _varint(int(value)) if value else b""


def index(field, value):
    """A number that is told also when it is zero."""
    return _varint(field << 3 | VARINT) + _varint(value)


def first(fields, field, default=b""):
    return fields.get(field, [default])[0]


def parse(content):
    fields, at = {}, 0
    while at < len(content):
        key, at = _read_varint(content, at)
        field, kind = key >> 3, key & 7
        if kind == VARINT:
            value, at = _read_varint(content, at)
        else:
            size = {FIXED_64: 8, FIXED_32: 4}.get(kind)
            if size is None:
                size, at = _read_varint(content, at)
            value, at = content[at : at + size], at + size
        fields.setdefault(field, []).append(value)
    return fields


def read_value(dynamic):
    packed = first(parse(dynamic), 1, msgpack.packb(None))
    return msgpack.unpackb(packed, raw=False, strict_map_key=False)


def write_value(value):
    return message(1, msgpack.packb(value))


def _varint(value):
    value &= (1 << 64) - 1
    out = bytearray()
    while value > 127:
        out.append(value & 127 | 128)
        value >>= 7
    out.append(value)
    return bytes(out)


def _read_varint(content, at):
    value = shift = 0
    while True:
        byte = content[at]
        at += 1
        value |= (byte & 127) << shift
        shift += 7
        if byte < 128:
            return value, at
