#!/usr/bin/env python3
"""A Terraform provider that knows its schema and nothing else, for checks without a network.

It speaks plugin protocol 5, serves `schema.json` for the provider named by TF_STUB_PROVIDER, checks values
that are enumerated, bounded or exclusive, plans with computed values unknown, and applies nothing.
Needs grpcio and msgpack, and TF_DISABLE_PLUGIN_TLS=1 in Terraform's environment.
"""

import json, os, re, sys
from concurrent import futures
import grpc, msgpack

COOKIE = (
    "TF_PLUGIN_MAGIC_COOKIE",
    "d602bf8f470bc67ca7faa0386276bbdd4330efaf76d1a219cb4d6991ca9872b2",
)
if os.environ.get(COOKIE[0]) != COOKIE[1]:
    sys.exit("This is a Terraform plugin; Terraform runs it.")

UNKNOWN = msgpack.ExtType(0, b"\x00")


# ---- the little of the protobuf wire format that is needed
def vint(n):
    n &= (1 << 64) - 1
    out = b""
    while True:
        b = n & 127
        n >>= 7
        out += bytes([b | 128]) if n else bytes([b])
        if not n:
            return out


def L(f, b):
    return vint(f << 3 | 2) + vint(len(b)) + b  # length-delimited


def S(f, s):
    return L(f, s.encode()) if s else b""


def V(f, n):
    return vint(f << 3) + vint(int(n)) if n else b""


def parse(b):
    out, i = {}, 0

    def rv():
        nonlocal i
        n = sh = 0
        while True:
            c = b[i]
            i += 1
            n |= (c & 127) << sh
            sh += 7
            if c < 128:
                return n

    while i < len(b):
        k = rv()
        f, w = k >> 3, k & 7
        if w == 0:
            v = rv()
        elif w == 2:
            n = rv()
            v = b[i : i + n]
            i += n
        elif w == 1:
            v = b[i : i + 8]
            i += 8
        else:
            v = b[i : i + 4]
            i += 4
        out.setdefault(f, []).append(v)
    return out


def first(m, f, d=b""):
    return m.get(f, [d])[0]


# ---- schema
NEST = {"single": 1, "list": 2, "set": 3, "map": 4, "group": 5}


def attr(n, a):
    return (
        S(1, n)
        + L(2, json.dumps(a["type"]).encode())
        + V(4, a.get("required", 0))
        + V(5, a.get("optional", 0))
        + V(6, a.get("computed", 0))
        + V(7, a.get("sensitive", 0))
        + V(9, a.get("deprecated", 0))
        + V(10, a.get("x_write_only", 0))
    )


def block(b):
    out = b""
    for n, a in b.get("attributes", {}).items():
        out += L(2, attr(n, a))
    for n, x in b.get("block_types", {}).items():
        out += L(
            3,
            S(1, n)
            + L(2, block(x["block"]))
            + V(3, NEST[x["nesting_mode"]])
            + V(4, x.get("min_items", 0))
            + V(5, x.get("max_items", 0)),
        )
    return out


def schema(s):
    return V(1, s.get("version", 0)) + L(2, block(s["block"]))


name = os.environ.get("TF_STUB_PROVIDER", "google")
doc = json.load(open(os.environ["TF_STUB_SCHEMA"]))
key = [k for k in doc["provider_schemas"] if k.rsplit("/", 1)[-1] == name]
if not key:
    sys.exit(f"no schema for provider {name}")
P = doc["provider_schemas"][key[0]]
RES, DATA = P["resource_schemas"], P.get("data_source_schemas", {})


def diag(sev, summary, detail, path=()):
    steps = b""
    for p in path:
        steps += L(1, S(1, p) if isinstance(p, str) else (vint(3 << 3) + vint(p)))
    return V(1, sev) + S(2, summary) + S(3, detail) + (L(4, steps) if steps else b"")


def dyn(b):
    return msgpack.unpackb(first(parse(b), 1, b"\xc0"), raw=False, strict_map_key=False)


def undyn(v):
    return L(1, msgpack.packb(v, use_bin_type=False))


def at(root, dotted):
    """value at a rule's path ("template.0.vpc_access.0.connector"): (set?, unknown?)"""
    v = root
    for p in dotted.split("."):
        if isinstance(v, msgpack.ExtType):
            return True, True
        if isinstance(v, list):
            v = v[int(p)] if p.isdigit() and int(p) < len(v) else None
        elif isinstance(v, dict):
            v = v.get(p)
        else:
            return False, False
    if isinstance(v, msgpack.ExtType):
        return True, True
    return not (v is None or v == [] or v == {}), False


def relations(a, me, isset, root, p, out, seen):
    for key, text in (
        ("x_exactly_one_of", "exactly one"),
        ("x_at_least_one_of", "at least one"),
        ("x_conflicts_with", ""),
        ("x_required_with", ""),
    ):
        names = a.get(key)
        if not names:
            continue
        st = {n: at(root, n) for n in names}
        if any(u for _, u in st.values()):
            continue
        on = sorted(n for n, (y, _) in st.items() if y)
        sig = (key, tuple(sorted(names)))
        if key == "x_exactly_one_of" and len(on) != 1 or key == "x_at_least_one_of" and not on:
            if sig not in seen:
                seen.add(sig)
                out.append(
                    diag(
                        1,
                        "Invalid combination of arguments",
                        f"{text} of {', '.join(sorted(names))} must be specified; given: {', '.join(on) or 'none'}.",
                        p,
                    )
                )
        elif (
            key == "x_conflicts_with"
            and isset
            and [n for n in on if n.rsplit(".", 1)[-1] != me or n.count(".") != len(p)]
        ):
            out.append(diag(1, "Conflicting arguments", f"{me} conflicts with {', '.join(on)}.", p))
        elif key == "x_required_with" and isset and len(on) < len(names):
            out.append(
                diag(
                    1,
                    "Missing related argument",
                    f"{me} needs all of {', '.join(sorted(names))}.",
                    p,
                )
            )


def check(b, v, path, out, is_set=False, root=None, seen=None):
    if not isinstance(v, dict):
        return
    if root is None:
        root, seen = v, set()
    for n, a in b.get("attributes", {}).items():
        x = v.get(n)
        p = path if is_set else path + (n,)
        if not is_set:
            relations(
                a,
                n,
                x is not None and not isinstance(x, msgpack.ExtType),
                root,
                p if x is not None else path,
                out,
                seen,
            )
        if x is None or isinstance(x, msgpack.ExtType):
            continue
        if a.get("computed") and not a.get("optional") and not a.get("required"):
            out.append(
                diag(
                    1,
                    "Value for unconfigurable attribute",
                    f"{n} is set by the provider and cannot be configured.",
                    p,
                )
            )
        vals = x if isinstance(x, list) else [x]
        for y in vals:
            if "x_enum" in a and isinstance(y, str) and y not in a["x_enum"] and y != "":
                out.append(
                    diag(
                        1,
                        "Unexpected value",
                        f'{n} is "{y}"; expected one of: {", ".join(a["x_enum"])}.',
                        p,
                    )
                )
            if "x_range" in a and isinstance(y, (int, float)):
                lo, hi = a["x_range"]
                if y < lo or (hi is not None and y > hi):
                    out.append(
                        diag(1, "Value out of range", f"{n} is {y}; expected {lo} to {hi}.", p)
                    )
            if "x_regex" in a and isinstance(y, str):
                try:
                    ok = re.search(a["x_regex"], y)
                except re.error:
                    ok = True
                if not ok:
                    out.append(
                        diag(
                            1, "Malformed value", f'{n} is "{y}"; it must match {a["x_regex"]}.', p
                        )
                    )
        if a.get("deprecated"):
            out.append(diag(2, "Deprecated argument", f"{n} is deprecated.", p))
    for n, bt in b.get("block_types", {}).items():
        x = v.get(n)
        p = path if is_set else path + (n,)
        if not is_set:
            relations(bt, n, bool(x) and not isinstance(x, msgpack.ExtType), root, path, out, seen)
        if isinstance(x, dict):
            check(bt["block"], x, p, out, is_set, root, seen)
        elif isinstance(x, list):
            for i, y in enumerate(x):
                s = is_set or bt["nesting_mode"] == "set"
                check(bt["block"], y, path if s else path + (n, i), out, s, root, seen)


def unknowns(b, v):
    """what the provider would plan: computed values that are not set become unknown"""
    if not isinstance(v, dict):
        return v
    v = dict(v)
    for n, a in b.get("attributes", {}).items():
        if a.get("x_write_only"):
            v[n] = None
        elif a.get("computed") and v.get(n) is None:
            v[n] = UNKNOWN
    for n, bt in b.get("block_types", {}).items():
        x = v.get(n)
        if not x and bt.get("x_computed"):
            v[n] = UNKNOWN
        elif isinstance(x, list):
            v[n] = [unknowns(bt["block"], y) for y in x]
        elif isinstance(x, dict):
            v[n] = unknowns(bt["block"], x)
    return v


def apply(m):
    return L(4, diag(1, "Schema-only provider", f"{name} cannot apply a change here."))


def read_data(m):
    return L(2, diag(1, "Schema-only provider", f"{name} cannot read a data source here."))


def get_schema(m):
    out = L(1, schema(P["provider"]))
    for n, s in RES.items():
        out += L(2, S(1, n) + L(2, schema(s)))
    for n, s in DATA.items():
        out += L(3, S(1, n) + L(2, schema(s)))
    return out


def validate(table):
    def f(m):
        out = []
        check(table[first(m, 1).decode()]["block"], dyn(first(m, 2)), (), out)
        return b"".join(L(1, d) for d in out)

    return f


def upgrade(m):
    raw = first(parse(first(m, 3)), 1, b"null")
    return L(1, L(2, raw))


def read(m):
    return L(1, first(m, 2))


def plan(m):
    b = RES[first(m, 1).decode()]["block"]
    new = dyn(first(m, 3))
    return L(1, undyn(None if new is None else unknowns(b, new))) + V(5, 1)


def refuse(what):
    return lambda m: L(2, diag(1, "Schema-only provider", f"{name} cannot {what} here."))


METHODS = {
    "GetSchema": get_schema,
    "GetProviderSchema": get_schema,
    "PrepareProviderConfig": lambda m: L(1, first(m, 1)),
    "ValidateResourceTypeConfig": validate(RES),
    "ValidateDataSourceConfig": validate(DATA),
    "UpgradeResourceState": upgrade,
    "Configure": lambda m: b"",
    "ReadResource": read,
    "PlanResourceChange": plan,
    "ApplyResourceChange": apply,
    "ReadDataSource": read_data,
    "ImportResourceState": refuse("import"),
    "GetFunctions": lambda m: b"",
    "GetResourceIdentitySchemas": lambda m: b"",
    "Stop": lambda m: b"",
}


class Handler(grpc.GenericRpcHandler):
    def service(self, d):
        svc, meth = d.method.strip("/").split("/")
        if svc == "tfplugin5.Provider" and meth in METHODS:
            fn = METHODS[meth]
            return grpc.unary_unary_rpc_method_handler(lambda req, ctx: fn(parse(req)))
        if svc == "plugin.GRPCController":

            def stop(req, ctx):
                server.stop(0)
                return b""

            return grpc.unary_unary_rpc_method_handler(stop)
        return None


server = grpc.server(
    futures.ThreadPoolExecutor(8), options=[("grpc.max_send_message_length", 256 << 20)]
)
server.add_generic_rpc_handlers((Handler(),))
port = server.add_insecure_port("127.0.0.1:0")
server.start()
print(f"1|5|tcp|127.0.0.1:{port}|grpc", flush=True)
server.wait_for_termination()
