"""Makes the recall set anew: `python make.py DOCS WEIGHTS TOKENIZER`, as README.md tells."""

import json
import random
import re
import sys
from pathlib import Path

import numpy
from bs4 import BeautifulSoup

from encoder import Encoder

SET = Path(__file__).parent / "../../shared/tests/fixtures/recall"
PYTHON = "python3.11/html"
SQLITE = "sqlite3"
FAQS = ["design", "extending", "general", "gui", "installed", "library", "programming", "windows"]
TUTORIALS = ["classes", "controlflow", "datastructures", "errors", "inputoutput", "interpreter", "modules"]
# Prose, not reference: what could be taken for an answer and is none.
PAGES = [
    "about", "autoinc", "backup", "datatype3", "different", "expridx", "floatingpoint", "foreignkeys",
    "howtocorrupt", "inmemorydb", "isolation", "loadext", "nulls", "partialindex", "queryplanner",
    "quirks", "rescode", "security", "sharedcache", "threadsafe", "wal", "whentouse", "whyc",
    "withoutrowid",
]  # fmt: skip
MAX_CHARS = 1_000
SAMPLED = 40


def parse(path):
    page = BeautifulSoup(path.read_text(errors="replace"), "html.parser")
    for element in page.select("a.headerlink, script, style, .fancy_toc, .nosearch"):
        element.decompose()
    return page


def text_of(element):
    return re.sub(r"\s+", " ", element.get_text(" ")).strip()


def cut(paragraphs):
    """Pieces of at most `MAX_CHARS`, at paragraphs where that is possible."""
    pieces = [""]
    for paragraph in paragraphs:
        while paragraph:
            part = paragraph[:MAX_CHARS]
            if len(paragraph) > MAX_CHARS and " " in part:
                part = part[: part.rindex(" ")]
            paragraph = paragraph[len(part) :].strip()
            if pieces[-1] and len(pieces[-1]) + len(part) >= MAX_CHARS:
                pieces.append("")
            pieces[-1] = f"{pieces[-1]} {part}".strip()
    return [piece for piece in pieces if piece]


def python_sections(page):
    """Headings with the text beneath them, down to the next heading."""
    for section in page.select("section"):
        heading = section.find(["h1", "h2", "h3", "h4"], recursive=False)
        body = section.find_all(lambda tag: tag.name not in ["section", heading.name], recursive=False)
        yield section, text_of(heading), [text_of(element) for element in body]


def python_faq(docs):
    for name in FAQS:
        for section, heading, body in python_sections(parse(docs / PYTHON / f"faq/{name}.html")):
            if not section.find("section") and any(body):
                question = re.sub(r"^[\d.]+ ", "", heading)
                yield f"python/faq/{name}/{section['id']}", question, body


def sqlite_faq(docs):
    page = parse(docs / SQLITE / "faq.html")
    for question in page.find_all("b"):
        match = re.fullmatch(r"\((\d+)\) (.+)", text_of(question))
        answer = question.find_next("blockquote")
        if match and answer:
            yield f"sqlite/faq/{match[1]}", match[2], [text_of(answer)]


def others(docs):
    for name in TUTORIALS:
        for section, _, body in python_sections(parse(docs / PYTHON / f"tutorial/{name}.html")):
            yield f"python/tutorial/{name}/{section['id']}", body
    for name in PAGES:
        page = parse(docs / SQLITE / f"{name}.html")
        number, body = 0, []
        for element in page.find_all(["h1", "h2", "p", "ul", "ol", "pre"]):
            if element.name in ["h1", "h2"]:
                yield f"sqlite/{name}/{number}", body
                number, body = number + 1, []
            elif not element.find_parent(["p", "ul", "ol", "pre"]):
                body.append(text_of(element))
        yield f"sqlite/{name}/{number}", body


def sampled(chunks):
    """Codes and runs of three words that exactly one chunk has, drawn by chance."""
    chance = random.Random(42)
    codes, phrases = {}, {}
    for chunk in chunks:
        words = re.findall(r"[\w']+", chunk["text"])
        lower = [word.lower() for word in words]
        for code in {word for word in words if re.fullmatch(r"[A-Z]{3,}(_[A-Z0-9]+)+", word)}:
            codes.setdefault(code, set()).add(chunk["document"])
        for phrase in {" ".join(run) for run in zip(lower, lower[1:], lower[2:])}:
            phrases.setdefault(phrase, set()).add(chunk["document"])
    for kind, found in [("id", codes), ("phrase", phrases)]:
        single = sorted(text for text, documents in found.items() if len(documents) == 1)
        single = [text for text in single if kind == "id" or re.fullmatch(r"[a-z ]{12,}", text)]
        for text in chance.sample(single, min(SAMPLED, len(single))):
            query = text if kind == "id" else f'"{text}"'
            yield {"kind": kind, "query": query, "document": found[text].copy().pop()}


def main():
    docs, weights, tokenizer = (Path(argument) for argument in sys.argv[1:])
    encoder = Encoder(weights, tokenizer)
    queries, chunks = [], []
    answered = [*python_faq(docs), *sqlite_faq(docs)]
    mails = json.loads((SET / "mails.json").read_text())
    for document, question, _ in answered:
        queries.append({"kind": "question", "query": question, "document": document})
    texts = [(document, body) for document, _, body in answered]
    texts += [*others(docs), *((document, [text]) for document, text in mails["mails"].items())]
    for document, body in texts:
        chunks += [{"document": document, "text": text} for text in cut(body)]
    public = [chunk for chunk in chunks if not chunk["document"].startswith("mail/")]
    queries += [*sampled(public), *mails["queries"]]
    for name, rows, field in [("chunks", chunks, "text"), ("queries", queries, "query")]:
        lines = [json.dumps(row, ensure_ascii=False) + "\n" for row in rows]
        (SET / f"{name}.jsonl").write_text("".join(lines))
        vectors = encoder.encode([row[field] for row in rows])
        scaled = numpy.rint(127 * vectors / abs(vectors).max(axis=1, keepdims=True))
        (SET / f"{name}.i8").write_bytes(scaled.astype(numpy.int8).tobytes())
        print(f"{len(rows)} {name}")


main()
