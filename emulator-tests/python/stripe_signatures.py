"""Makes `contracts/stripe-signatures.json`: signatures of webhooks, good and bad.

Each row tells whether we accept it, and what Stripe's own libraries answer. Run it to write the
file anew; `stripe_test.py` sees that the file is what this makes.
"""

import hashlib
import hmac
import json
from base64 import b64encode
from datetime import UTC, datetime
from pathlib import Path

TABLE = Path(__file__).parent.parent / "contracts" / "stripe-signatures.json"
NOW = int(datetime(2026, 11, 23, 12, tzinfo=UTC).timestamp())
OLD, NEW, OTHER = "whsec_old", "whsec_new", "whsec_other"
BODY = b'{"id":"evt_1","object":"event","type":"plan.created","livemode":false}'
COMMENT = "Made by `emulator-tests/python/stripe_signatures.py`. Headers and bodies are in base64."

FUTURE = "A signature of the future would outlive the tolerance."
ONE_TIME = "There is one time, so that nobody can choose between two."
DIGITS = "A time is written in digits alone, and signed as it is written."
PAIRS = "What is no list of pairs is refused as a whole."
EMPTY = "An empty signature is one that does not fit, and no more."
VALUE = "A digest is compared by its value, not by how it is written."
LINES = "A proxy that joins or repeats header lines must not decide which one counts."


def sign(secret, time, body=BODY):
    message = f"{time}.".encode() + body
    return hmac.new(secret.encode(), message, hashlib.sha256).hexdigest()


def header(time, secret=NEW, body=BODY, scheme="v1"):
    return f"t={time},{scheme}={sign(secret, time, body)}"


GOOD = sign(NEW, NOW)
BAD = "0" * 64


def row(name, headers, accepted, *, secrets=(NEW,), body=BODY, node=None, python=None, why=None):
    """One row; the libraries agree with us where nothing else is said."""
    lines = [headers] if isinstance(headers, str | bytes) else headers
    lines = [line.encode() if isinstance(line, str) else line for line in lines]
    encode = lambda data: b64encode(data).decode()
    official = {
        "node": accepted if node is None else node,
        "python": accepted if python is None else python,
    }
    made = {
        "name": name,
        "secrets": list(secrets),
        "headers": [encode(line) for line in lines],
        "body": encode(body),
        "accepted": accepted,
        "official": official,
    }
    return made if why is None else made | {"why": why}


def good():
    yield row("plain", header(NOW), True)
    yield row("the signature first", f"v1={GOOD},t={NOW}", True)
    yield row("the good one of two first", f"t={NOW},v1={GOOD},v1={BAD}", True)
    yield row("the good one of two last", f"t={NOW},v1={BAD},v1={GOOD}", True)
    yield row("the same one twice", f"t={NOW},v1={GOOD},v1={GOOD}", True)
    yield row("ten, the last one good", f"t={NOW}" + f",v1={BAD}" * 9 + f",v1={GOOD}", True)
    yield row("a short one beside it", f"t={NOW},v1=ab,v1={GOOD}", True)
    yield row("one that is no number beside it", f"t={NOW},v1=zz,v1={GOOD}", True)
    empty = f"t={NOW},v1=,v1={GOOD}"
    yield row("an empty one beside it", empty, True, node=False, why=EMPTY)
    yield row("v0 beside it", f"t={NOW},v1={GOOD},v0={BAD}", True)
    yield row("v0 before it", f"v0={BAD},t={NOW},v1={GOOD}", True)
    yield row("a scheme of the future beside it", f"t={NOW},v2={BAD},v1={GOOD}", True)
    yield row("an unknown key with an empty value", f"t={NOW},x=,v1={GOOD}", True)
    yield row("something behind a second equals sign", f"t={NOW},v9=a=b,v1={GOOD}", True)
    capital = f"t={NOW},v1={GOOD.upper()}"
    yield row("capital digits", capital, True, node=False, python=False, why=VALUE)
    text = BODY.replace(b"plan.created", "plan.créé 👋".encode())
    yield row("a body beyond ASCII", header(NOW, body=text), True, body=text)
    spaced = b" \n" + BODY + b"\n"
    yield row("a body with blanks around it", header(NOW, body=spaced), True, body=spaced)


def rolls():
    both = (OLD, NEW)
    yield row("a roll, signed with the new secret", header(NOW), True, secrets=both)
    yield row("a roll, signed with the old secret", header(NOW, OLD), True, secrets=both)
    two = f"t={NOW},v1={sign(OLD, NOW)},v1={GOOD}"
    yield row("a roll, signed with both", two, True, secrets=both)
    yield row("a roll, signed with both, the old one is known", two, True, secrets=(OLD,))
    yield row("a roll, signed with neither", header(NOW, OTHER), False, secrets=both)
    yield row("after a roll, signed with the old secret", header(NOW, OLD), False)
    yield row("three secrets, the last one fits", header(NOW), True, secrets=(OLD, OTHER, NEW))


def times():
    for seconds in (1, 299, 300):
        yield row(f"{seconds} s old", header(NOW - seconds), True)
        yield row(f"{seconds} s ahead", header(NOW + seconds), True)
    for seconds in (301, 3_600):
        yield row(f"{seconds} s old", header(NOW - seconds), False)
        ahead = header(NOW + seconds)
        yield row(f"{seconds} s ahead", ahead, False, node=True, python=True, why=FUTURE)
    yield row("of 1970", header(0), False)
    far = 2**64 - 1
    yield row("as far ahead as 64 bits go", header(far), False, python=True, why=FUTURE)
    yield row("beyond 64 bits", header(2**64), False, python=True, why=FUTURE)
    yield row("the time moved on", f"t={NOW + 1},v1={GOOD}", False)
    yield row("old, with the time of today", f"t={NOW},v1={sign(NEW, NOW - 301)}", False)


def no_times():
    yield row("no time", f"v1={GOOD}", False)
    yield row("an empty time", f"t=,v1={GOOD}", False)
    yield row("a time in words", f"t=now,v1={GOOD}", False)
    yield row("a capital T", f"T={NOW},v1={GOOD}", False)
    yield row("a negative time", header(-NOW), False)
    twice = f"t={NOW},t={NOW},v1={GOOD}"
    yield row("the same time twice", twice, False, node=True, python=True, why=ONE_TIME)
    first = f"t={NOW},v1={GOOD},t={NOW - 301}"
    yield row("two times, the first is signed", first, False, python=True, why=ONE_TIME)
    last = f"t={NOW - 301},v1={GOOD},t={NOW}"
    yield row("two times, the last is signed", last, False, node=True, why=ONE_TIME)
    plus = f"t=+{NOW},v1={GOOD}"
    yield row("a time with a sign", plus, False, node=True, python=True, why=DIGITS)
    blank = f"t= {NOW},v1={GOOD}"
    yield row("a time with a blank", blank, False, node=True, python=True, why=DIGITS)
    zeros = f"t=00{NOW},v1={GOOD}"
    yield row("a time with zeros before it", zeros, False, node=True, python=True, why=DIGITS)
    fraction = f"t={NOW}.9,v1={GOOD}"
    yield row("a time with a fraction", fraction, False, node=True, why=DIGITS)
    letters = f"t={NOW}s,v1={GOOD}"
    yield row("a time with a unit", letters, False, node=True, why=DIGITS)
    digits = str(NOW)
    grouped = f"t={digits[:4]}_{digits[4:]},v1={GOOD}"
    yield row("a time in groups", grouped, False, python=True, why=DIGITS)
    arabic = str(NOW).translate(str.maketrans("0123456789", "٠١٢٣٤٥٦٧٨٩"))
    # Between the server and a library such bytes are Latin-1, which has no such digits.
    yield row("a time in digits of another script", f"t={arabic},v1={GOOD}", False)


def malformed():
    yield row("no header", [], False)
    yield row("an empty header", "", False)
    yield row("no pair", "abc", False)
    yield row("commas", ",,,", False)
    yield row("no signature", f"t={NOW}", False)
    yield row("an empty signature", f"t={NOW},v1=", False)
    yield row("a signature without a value", f"t={NOW},v1", False)
    tail = f"t={NOW},v1={GOOD},"
    yield row("a comma at the end", tail, False, node=True, python=True, why=PAIRS)
    alone = f"t={NOW},x,v1={GOOD}"
    yield row("a key without a value", alone, False, node=True, python=True, why=PAIRS)
    yield row("a blank after the comma", f"t={NOW}, v1={GOOD}", False)
    yield row("semicolons", f"t={NOW};v1={GOOD}", False)
    yield row("colons", f"t:{NOW},v1:{GOOD}", False)
    yield row("quotes", f't={NOW},v1="{GOOD}"', False)
    yield row("a capital scheme", f"t={NOW},V1={GOOD}", False)
    yield row("bytes beyond ASCII", f"t={NOW},v1={GOOD[:-1]}é".encode("latin-1"), False)
    beside = f"t={NOW},v1={GOOD},x=é".encode("latin-1")
    yield row("bytes beyond ASCII beside it", beside, False, node=True, python=True, why=PAIRS)
    yield row("no text at all", bytes([0xFF, 0xFE, 0x80]), False)
    yield row("the signature alone", GOOD, False)


def forged():
    yield row("half of it", f"t={NOW},v1={GOOD[:32]}", False)
    yield row("a digit less", f"t={NOW},v1={GOOD[:-1]}", False)
    yield row("a byte more", f"t={NOW},v1={GOOD}00", False)
    other = "1" if GOOD[0] != "1" else "2"
    yield row("another first digit", f"t={NOW},v1={other}{GOOD[1:]}", False)
    other = "1" if GOOD[-1] != "1" else "2"
    yield row("another last digit", f"t={NOW},v1={GOOD[:-1]}{other}", False)
    yield row("no hexadecimal digits", f"t={NOW},v1={'z' * 64}", False)
    yield row("a hexadecimal prefix", f"t={NOW},v1=0x{GOOD}", False)
    yield row("zeros", f"t={NOW},v1={BAD}", False)
    yield row("v0 alone", header(NOW, scheme="v0"), False)
    yield row("v0 is good, v1 is not", f"t={NOW},v0={GOOD},v1={BAD}", False)
    yield row("a scheme of the future alone", header(NOW, scheme="v2"), False)
    yield row("another secret", header(NOW, OTHER), False)
    yield row("a secret without its prefix", header(NOW, NEW.removeprefix("whsec_")), False)
    yield row("a secret in other letters", header(NOW, NEW.upper()), False)
    yield row("an empty secret", header(NOW, ""), False)
    yield row("a body without the time", f"t={NOW},v1={digest(BODY)}", False)
    yield row("a time without the body", f"t={NOW},v1={digest(str(NOW).encode())}", False)
    yield row("an empty body is signed", header(NOW, body=b""), False)


def digest(message):
    return hmac.new(NEW.encode(), message, hashlib.sha256).hexdigest()


def altered():
    for name, body in [
        ("another letter", BODY.replace(b"evt_1", b"evt_2")),
        ("a blank more", BODY.replace(b":", b": ")),
        ("a line more", BODY + b"\n"),
        ("a byte less", BODY[:-1]),
        ("nothing", b""),
        ("an event before it", BODY + BODY),
    ]:
        yield row(f"an altered body: {name}", header(NOW), False, body=body)
    spaced = json.dumps(json.loads(BODY)).encode()
    yield row("the same event written anew", header(NOW), False, body=spaced)


def lines():
    """Several lines of the header, which servers of Node and Python join with commas."""
    same = [header(NOW), header(NOW)]
    yield row("the same line twice", same, False, node=True, python=True, why=LINES)
    bad_first = [f"t={NOW},v1={BAD}", header(NOW)]
    last = "two lines, the last one good"
    yield row(last, bad_first, False, node=True, python=True, why=LINES)
    yield row("two lines, none good", [f"t={NOW},v1={BAD}", f"t={NOW},v1={BAD}"], False)
    parts = [f"t={NOW}", f"v1={GOOD}"]
    yield row("a header in two lines", parts, False)


def table():
    parts = (good, rolls, times, no_times, malformed, forged, altered, lines)
    rows = [made for part in parts for made in part()]
    now = datetime.fromtimestamp(NOW, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    return {"comment": COMMENT, "now": now, "rows": rows}


if __name__ == "__main__":
    TABLE.write_text(json.dumps(table(), indent=1, ensure_ascii=False) + "\n")
