"""Vision Cortex through OpenAI's own client, unchanged."""

import asyncio
import json
import unittest

import openai
from openai import AsyncOpenAI, OpenAI
from pydantic import BaseModel

from dev_server import DevServer

MODEL = "gpt-4.1-mini"
EMBEDDING_MODEL = "text-embedding-3-small"
HELLO = [{"role": "user", "content": "Say nothing but hello."}]
WEATHER = [{"role": "user", "content": "What is the weather in Paris?"}]


class Summary(BaseModel):
    """What the local model answers to whoever wants JSON."""

    summary: str
    words: int


class GetWeather(BaseModel):
    """Arguments of the tool that the local model calls."""

    city: str


TOOL = openai.pydantic_function_tool(GetWeather, name="get_weather")


class Client(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.server = DevServer()
        cls.addClassCleanup(cls.server.stop)
        cls.options = {
            "base_url": f"{cls.server.api_url}/api/v1/llm",
            "api_key": cls.server.sign_up(),
            "max_retries": 0,
        }
        cls.openai = OpenAI(**cls.options)
        cls.addClassCleanup(cls.openai.close)

    def ask(self, messages=HELLO, **more):
        return self.openai.chat.completions.create(model=MODEL, messages=messages, **more)

    def stream(self, messages=HELLO, **more):
        options = {"stream_options": {"include_usage": True}, **more}
        return self.openai.chat.completions.stream(model=MODEL, messages=messages, **options)

    def test_is_answered(self):
        answer = self.ask()
        self.assertEqual(answer.choices[0].finish_reason, "stop")
        self.assertIn("hello", answer.choices[0].message.content)
        self.assertGreater(answer.usage.total_tokens, 0)

    def test_hears_the_same_as_a_stream_and_what_was_used(self):
        whole = self.ask()
        with self.stream() as stream:
            pieces = [event.delta for event in stream if event.type == "content.delta"]
            answer = stream.get_final_completion()
        content = whole.choices[0].message.content
        self.assertGreater(len(pieces), 1)
        self.assertEqual("".join(pieces), content)
        self.assertEqual(answer.choices[0].message.content, content)
        self.assertEqual(answer.usage, whole.usage)

    def test_may_stop_a_stream(self):
        with self.ask(stream=True) as stream:
            self.assertEqual(next(iter(stream)).object, "chat.completion.chunk")
        self.assertEqual(len(self.ask().choices), 1)

    def test_streams_without_blocking(self):
        async def listen():
            async with AsyncOpenAI(**self.options) as client:
                completions = client.chat.completions
                async with completions.stream(model=MODEL, messages=HELLO) as stream:
                    return await stream.get_final_completion()

        answer = asyncio.run(listen())
        self.assertIn("hello", answer.choices[0].message.content)

    def test_has_a_tool_called_and_tells_what_it_came_to(self):
        asked = self.ask(WEATHER, tools=[TOOL])
        choice = asked.choices[0]
        self.assertEqual(choice.finish_reason, "tool_calls")
        [call] = choice.message.tool_calls
        self.assertEqual(call.function.name, "get_weather")
        self.assertEqual(json.loads(call.function.arguments), {"city": "Paris"})
        result = {"role": "tool", "tool_call_id": call.id, "content": "Sunny"}
        answer = self.ask([*WEATHER, choice.message, result], tools=[TOOL])
        self.assertEqual(answer.choices[0].finish_reason, "stop")

    def test_hears_a_call_of_a_tool_piece_by_piece(self):
        with self.stream(WEATHER, tools=[TOOL]) as stream:
            events = list(stream)
        kind = "tool_calls.function.arguments"
        pieces = [event.arguments_delta for event in events if event.type == f"{kind}.delta"]
        [done] = [event for event in events if event.type == f"{kind}.done"]
        self.assertGreater(len([piece for piece in pieces if piece]), 1)
        self.assertEqual("".join(pieces), done.arguments)
        self.assertEqual(done.parsed_arguments, GetWeather(city="Paris"))

    def test_is_answered_in_the_schema_that_it_asks_for(self):
        completions = self.openai.chat.completions
        answer = completions.parse(model=MODEL, messages=HELLO, response_format=Summary)
        parsed = answer.choices[0].message.parsed
        self.assertEqual(parsed, Summary(summary="Say nothing but hello.", words=4))
        with self.stream(response_format=Summary) as stream:
            streamed = stream.get_final_completion()
        self.assertEqual(streamed.choices[0].message.parsed, parsed)

    def test_has_texts_placed_in_the_base64_that_it_asks_for_and_in_numbers(self):
        create = self.openai.embeddings.create
        packed = create(model=EMBEDDING_MODEL, input=["one", "two"])
        self.assertEqual([len(one.embedding) for one in packed.data], [1536, 1536])
        self.assertNotEqual(packed.data[0].embedding, packed.data[1].embedding)
        plain = create(model=EMBEDDING_MODEL, input=["one", "two"], encoding_format="float")
        for one, other in zip(packed.data, plain.data, strict=True):
            for packed_number, number in zip(one.embedding, other.embedding, strict=True):
                self.assertAlmostEqual(packed_number, number, places=6)

    def test_lists_models(self):
        self.assertIn(MODEL, [model.id for model in self.openai.models.list()])

    def test_raises_what_is_refused_as_its_own_errors(self):
        foreign = self.openai.with_options(api_key="sk-none")
        with self.assertRaises(openai.AuthenticationError):
            foreign.models.list()
        with self.assertRaises(openai.BadRequestError) as refused:
            self.openai.chat.completions.create(model="unheard-of", messages=HELLO)
        self.assertEqual(refused.exception.code, "invalid_argument")

    def test_raises_a_spent_budget_as_a_rate_limit(self):
        long = [{"role": "user", "content": "x" * 900_000}]
        for stream in [False, True]:
            with self.assertRaises(openai.RateLimitError) as refused:
                self.ask(long, max_tokens=128_000, stream=stream)
            self.assertEqual(refused.exception.code, "resource_exhausted")
