"""A Terraform provider that knows its schema and nothing else, for checks without a network.

It speaks plugin protocol 5 (<https://developer.hashicorp.com/terraform/plugin/terraform-plugin-protocol>), serves the
schema of TF_STUB_SCHEMA for the provider that TF_STUB_PROVIDER names, checks values against it, plans with computed
values unknown, and applies nothing. Terraform starts it, with TF_DISABLE_PLUGIN_TLS=1 in its environment.
"""

import json
import os
import sys
from concurrent import futures

import grpc

import checks
import plans
import schema
import wire

COOKIE = "d602bf8f470bc67ca7faa0386276bbdd4330efaf76d1a219cb4d6991ca9872b2"
MAX_MESSAGE_BYTES = 256 * 1024 * 1024

# Numbers of fields in the protocol's messages.
TYPE_NAME = 1
VALIDATED_CONFIG = 2
PROPOSED_STATE = 3
STORED_STATE = 3
CURRENT_STATE = 2
LEGACY_TYPES = 5


class Provider:
    """The calls of the protocol, each with the fields of its request."""

    def __init__(self, name, schemas):
        self._name = name
        self._provider = schemas["provider"]
        self._resources = schemas["resource_schemas"]
        self._sources = schemas.get("data_source_schemas", {})

    def get_schema(self, _request):
        parts = [wire.message(1, schema.encode(self._provider))]
        for number, table in ((2, self._resources), (3, self._sources)):
            for name, one in table.items():
                parts.append(wire.message(number, wire.text(1, name) + wire.message(2, schema.encode(one))))
        return b"".join(parts)

    def accept_config(self, request):
        return wire.message(1, wire.first(request, 1))

    def validate_resource(self, request):
        return self._validate(self._resources, request)

    def validate_source(self, request):
        return self._validate(self._sources, request)

    def plan(self, request):
        block = self._resources[wire.first(request, TYPE_NAME).decode()]["block"]
        proposed = wire.read_value(wire.first(request, PROPOSED_STATE))
        planned = None if proposed is None else plans.plan(block, proposed)
        return wire.message(1, wire.write_value(planned)) + wire.number(LEGACY_TYPES, 1)

    def upgrade(self, request):
        stored = wire.first(wire.parse(wire.first(request, STORED_STATE)), 1, b"null")
        return wire.message(1, wire.message(2, stored))

    def read(self, request):
        return wire.message(1, wire.first(request, CURRENT_STATE))

    def refuse(self, number):
        problem = checks.Problem("Schema-only provider", f"{self._name} cannot do this here.")
        return lambda _request: wire.message(number, problem.encode())

    def _validate(self, table, request):
        block = table[wire.first(request, TYPE_NAME).decode()]["block"]
        config = wire.read_value(wire.first(request, VALIDATED_CONFIG))
        return b"".join(wire.message(1, problem.encode()) for problem in checks.check(block, config))

    def methods(self):
        nothing = lambda _request: b""
        return {
            "ApplyResourceChange": self.refuse(4),
            "Configure": nothing,
            "GetFunctions": nothing,
            "GetProviderSchema": self.get_schema,
            "GetResourceIdentitySchemas": nothing,
            "GetSchema": self.get_schema,
            "ImportResourceState": self.refuse(2),
            "PlanResourceChange": self.plan,
            "PrepareProviderConfig": self.accept_config,
            "ReadDataSource": self.refuse(2),
            "ReadResource": self.read,
            "Stop": nothing,
            "UpgradeResourceState": self.upgrade,
            "ValidateDataSourceConfig": self.validate_source,
            "ValidateResourceTypeConfig": self.validate_resource,
        }


class Calls(grpc.GenericRpcHandler):
    def __init__(self, provider, server):
        self._methods = provider.methods()
        self._server = server

    def service(self, call):
        service, method = call.method.strip("/").split("/")
        if service == "plugin.GRPCController":
            return grpc.unary_unary_rpc_method_handler(self._shut_down)
        if service == "tfplugin5.Provider" and method in self._methods:
            answer = self._methods[method]
            return grpc.unary_unary_rpc_method_handler(lambda request, _context: answer(wire.parse(request)))
        return None

    def _shut_down(self, _request, _context):
        self._server.stop(0)
        return b""


def load(name):
    with open(os.environ["TF_STUB_SCHEMA"]) as file:
        providers = json.load(file)["provider_schemas"]
    for address, schemas in providers.items():
        if address.rsplit("/", 1)[-1] == name:
            return Provider(name, schemas)
    sys.exit(f"there is no schema of {name}")


def main():
    if os.environ.get("TF_PLUGIN_MAGIC_COOKIE") != COOKIE:
        sys.exit("This is a plugin; Terraform starts it.")
    provider = load(os.environ["TF_STUB_PROVIDER"])
    server = grpc.server(
        futures.ThreadPoolExecutor(8),
        options=[("grpc.max_send_message_length", MAX_MESSAGE_BYTES)],
    )
    server.add_generic_rpc_handlers((Calls(provider, server),))
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    print(f"1|5|tcp|127.0.0.1:{port}|grpc", flush=True)
    server.wait_for_termination()


main()
