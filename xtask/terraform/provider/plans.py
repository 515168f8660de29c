"""What the provider would plan."""

import wire


def plan(block, proposed):
    """`proposed` with what the provider sets unknown, and without what it only writes."""
    planned = dict(proposed)
    for name, attribute in block.get("attributes", {}).items():
        if attribute.get("x_write_only"):
            planned[name] = None
        elif attribute.get("computed") and planned.get(name) is None:
            planned[name] = wire.UNKNOWN
    for name, nested in block.get("block_types", {}).items():
        planned[name] = _plan_nested(nested, planned.get(name))
    return planned


def _plan_nested(nested, value):
    if not value and nested.get("x_computed"):
        return wire.UNKNOWN
    if isinstance(value, list):
        return [one if wire.is_unknown(one) else plan(nested["block"], one) for one in value]
    if isinstance(value, dict):
        return plan(nested["block"], value)
    return value
