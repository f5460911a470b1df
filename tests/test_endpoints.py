"""A model behind an interface, against a real server on this machine that behaves as badly as servers do."""

from __future__ import annotations

import json
import logging
import math
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from serving import Handler, Server, chat
from vestige.endpoint_replies import answer_sum, dig, parsed, vectors
from vestige.endpoints import Endpoint
from vestige.errors import ModelError, UsageError
from vestige.records import Missing

KEY = "sk-canary-0123456789abcdef"


def endpoint(server: Server, **fields: Any) -> Endpoint:
    return Endpoint(server.url, "m", **({"timeout": 5.0, "retries": 2, "backoff": 0.0} | fields))


def reason(answers: list[Any]) -> str:
    (missing,) = answers
    assert isinstance(missing, Missing)
    return missing.reason


# --- asking -----------------------------------------------------------------------------------------------------------------------


def test_a_chat_request_says_what_is_asked_and_returns_what_is_said(server: Server) -> None:
    assert endpoint(server).generate(["Who?"], max_new=7) == ["hello"]
    path, body, headers = server.seen[0]
    assert path == "/v1/chat/completions"
    assert body == {"model": "m", "temperature": 0.0, "max_tokens": 7, "messages": [{"role": "user", "content": "Who?"}]}
    assert "Authorization" not in headers


def test_a_sample_carries_its_seed_and_the_limit_the_name_the_server_knows(server: Server) -> None:
    endpoint(server, limit_key="max_completion_tokens").generate(["Who?"], max_new=7, temperature=0.5, seed=3)
    body = server.seen[0][1]
    assert (body["seed"], body["temperature"], body["max_completion_tokens"]) == (3, 0.5, 7)
    assert "max_tokens" not in body


def test_a_completion_takes_the_prompt_as_it_stands(server: Server) -> None:
    server.reply = lambda h, body, n: h.send(200, json.dumps({"choices": [{"text": body["prompt"][::-1]}]}).encode())
    assert endpoint(server, api="completions").generate(["Who?", "日本"], max_new=7) == ["?ohW", "本日"]
    assert server.seen[0][0] == "/v1/completions"


def test_answers_keep_the_order_of_the_prompts_and_no_more_than_allowed_run_at_once(server: Server) -> None:
    running, most = 0, 0

    def reply(handler: Handler, body: dict[str, Any], number: int) -> None:
        nonlocal running, most
        with server.lock:
            running += 1
            most = max(most, running)
        time.sleep(0.02 if number % 2 else 0.05)
        with server.lock:
            running -= 1
        handler.send(200, chat(body["messages"][0]["content"]))

    server.reply = reply
    prompts = [str(i) for i in range(12)]
    assert endpoint(server, concurrency=3).generate(prompts, max_new=1) == prompts
    assert 2 <= most <= 3


def test_no_prompts_make_no_request(server: Server) -> None:
    assert endpoint(server).generate([], max_new=1) == []
    assert endpoint(server, api="completions").answer_logp([]) == []
    assert server.seen == []


def test_the_identity_is_asserted_and_tells_models_and_addresses_apart() -> None:
    assert Endpoint("https://example.org/v1/", "m").identity == "asserted:m@https://example.org/v1"


# --- a server that fails ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("status", [429, 500, 502, 503, 504])
def test_a_busy_server_is_asked_again(server: Server, status: int) -> None:
    server.reply = lambda h, body, n: h.send(status, b"{}", Retry_After="0") if n < 2 else h.send(200, chat("at last"))
    assert endpoint(server).generate(["Who?"], max_new=1) == ["at last"]
    assert len(server.seen) == 3


def test_a_server_that_stays_busy_leaves_only_its_prompt_missing(server: Server) -> None:
    def reply(handler: Handler, body: dict[str, Any], number: int) -> None:
        busy = body["messages"][0]["content"] == "bad"
        handler.send(429, b'{"error": {"message": "slow down"}}') if busy else handler.send(200, chat("good"))

    server.reply = reply
    good, bad = endpoint(server, concurrency=1).generate(["good", "bad"], max_new=1)
    assert good == "good"
    assert bad == Missing("HTTP 429 for model 'm': slow down (3 tries)")


def test_the_pause_a_server_asks_for_is_kept_and_pauses_double(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    pauses: list[float] = []
    monkeypatch.setattr("vestige.endpoints.time.sleep", pauses.append)
    asks = ["7", "", "Wed, 21 Oct 2015 07:28:00 GMT", "9999", "nan"]
    server.reply = lambda h, body, n: h.send(503, b"{}", Retry_After=asks[n])
    endpoint(server, retries=4, backoff=1.0).generate(["Who?"], max_new=1)
    # Doubling from 1: 1, 2, 4, 8; the first server answer asks for 7, the fourth for more than is waited for.
    assert pauses == [7.0, 2.0, 4.0, 60.0]


def test_a_bad_request_is_not_repeated(server: Server) -> None:
    server.reply = lambda h, body, n: h.send(400, b'{"error": {"message": "context\\u001b[31m too long\\u202e"}}')
    assert reason(endpoint(server).generate(["Who?"], max_new=1)) == "HTTP 400 for model 'm': context too long⟨U+202E⟩"
    assert len(server.seen) == 1


@pytest.mark.parametrize("status", [401, 403, 404])
def test_a_refusal_that_every_prompt_would_meet_stops_at_once(server: Server, status: int) -> None:
    server.reply = lambda h, body, n: h.send(status, b'{"error": {"message": "no such model"}}')
    with pytest.raises(ModelError, match=f"HTTP {status}"):
        endpoint(server, concurrency=1).generate(["Who?"] * 50, max_new=1)
    assert len(server.seen) < 5


def test_a_server_that_is_not_there_is_an_error_and_not_a_missing_answer(server: Server) -> None:
    gone = endpoint(server)
    server.server_close()
    with pytest.raises(ModelError, match="ConnectionRefusedError"):
        gone.generate(["Who?"], max_new=1)


def test_a_silent_server_is_given_up_after_the_timeout(server: Server) -> None:
    server.reply = lambda h, body, n: time.sleep(1.0)
    assert reason(endpoint(server, timeout=0.1, retries=1).generate(["Who?"], max_new=1)) == "no reply within 0.1 s (2 tries)"


def test_a_server_that_drips_its_reply_is_given_up_too(server: Server) -> None:
    def reply(handler: Handler, body: dict[str, Any], number: int) -> None:
        handler.send_response(200)
        handler.send_header("Content-Length", "1000")
        handler.end_headers()
        for _ in range(40):
            handler.wfile.write(b" ")
            handler.wfile.flush()
            time.sleep(0.05)

    server.reply = reply
    assert "no whole reply within 0.3 s" in reason(endpoint(server, timeout=0.3, retries=0).generate(["Who?"], max_new=1))


def test_a_reply_that_breaks_off_is_asked_for_again(server: Server) -> None:
    def reply(handler: Handler, body: dict[str, Any], number: int) -> None:
        if number == 0:
            handler.send(200, chat("x")[:10], Content_Length="5000")
        else:
            handler.send(200, chat("whole"))

    server.reply = reply
    assert endpoint(server).generate(["Who?"], max_new=1) == ["whole"]


def test_a_huge_reply_is_not_read_to_its_end(server: Server) -> None:
    server.reply = lambda h, body, n: h.send(200, chat("x" * 300_000))
    assert reason(endpoint(server, most_bytes=100_000).generate(["Who?"], max_new=1)) == "a reply of more than 100000 bytes"
    assert len(server.seen) == 1


@pytest.mark.parametrize(
    ("raw", "says"),
    [
        (b"<html>Gateway</html>", "the reply is not JSON: <html>Gateway</html>"),
        (b'{"choices": [', "the reply is not JSON"),
        (b"\xff\xfe\x00", "the reply is not JSON"),
        (b"", "the reply is not JSON"),
        (b"[" * 100_000, "the reply is not JSON"),
        (b"[]", "the reply holds no text"),
        (b"null", "the reply holds no text"),
        (b'"choices"', "the reply holds no text"),
        (b'{"choices": []}', "the reply holds no text"),
        (b'{"choices": {"0": 1}}', "the reply holds no text"),
        (b'{"choices": [{"message": "text"}]}', "the reply holds no text"),
        (chat(None, finish_reason="content_filter"), "the reply holds no text (finish_reason content_filter)"),
        (chat(["part"]), "the reply holds no text"),
        (chat(7), "the reply holds no text"),
    ],
)
def test_a_reply_that_is_not_what_it_should_be_is_missing_with_its_reason(server: Server, raw: bytes, says: str) -> None:
    server.reply = lambda h, body, n: h.send(200, raw)
    assert reason(endpoint(server).generate(["Who?"], max_new=1)).startswith(says)


def test_half_a_character_does_not_come_through(server: Server) -> None:
    server.reply = lambda h, body, n: h.send(200, b'{"choices": [{"message": {"content": "a\\ud800b"}}]}')
    assert endpoint(server).generate(["Who?"], max_new=1) == ["a?b"]


def test_nothing_said_is_an_empty_text_and_not_missing(server: Server) -> None:
    server.reply = lambda h, body, n: h.send(200, chat(""))
    assert endpoint(server).generate(["Who?"], max_new=1) == [""]


# --- the key ----------------------------------------------------------------------------------------------------------------------


def test_the_key_goes_to_the_server_and_nowhere_else(
    server: Server, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    caplog.set_level(logging.DEBUG)
    monkeypatch.setenv("VESTIGE_TEST_KEY", KEY)
    asked = endpoint(server, key_env="VESTIGE_TEST_KEY", retries=0)
    said = []
    for status, raw in [(200, chat("x")), (400, f"bad key {KEY}".encode()), (200, f"<{KEY}>".encode()), (401, KEY.encode())]:
        server.reply = lambda h, body, n, status=status, raw=raw: h.send(status, raw)  # type: ignore[misc]
        try:
            said.append(repr(asked.generate(["Who?"], max_new=1)))
        except ModelError as error:
            said.append(f"{error!r} {error.__context__!r} {error.__cause__!r}")
    assert [headers["Authorization"] for _, _, headers in server.seen] == [f"Bearer {KEY}"] * 4
    assert "[key]" in said[1]
    captured = capfd.readouterr()
    for text in (*said, repr(asked), asked.identity, caplog.text, captured.out, captured.err):
        assert KEY not in text


def test_a_redirect_is_not_followed_and_does_not_carry_the_key(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VESTIGE_TEST_KEY", KEY)
    thief = Server()
    threading.Thread(target=thief.serve_forever, daemon=True).start()
    server.reply = lambda h, body, n: h.send(302, b"", Location=f"{thief.url}/chat/completions")
    assert (
        reason(endpoint(server, key_env="VESTIGE_TEST_KEY").generate(["Who?"], max_new=1)) == "redirected (HTTP 302), which is not followed"
    )
    thief.shutdown()
    thief.server_close()
    assert thief.seen == []


@pytest.mark.parametrize(
    ("value", "says"), [("", "is not set"), ("two words", "no key has"), ("sk\nX-Evil: 1", "no key has"), ("ключ", "no key has")]
)
def test_a_key_that_cannot_be_one_is_refused_without_being_shown(
    server: Server, monkeypatch: pytest.MonkeyPatch, value: str, says: str
) -> None:
    monkeypatch.setenv("VESTIGE_TEST_KEY", value)
    with pytest.raises(UsageError, match=says) as caught:
        endpoint(server, key_env="VESTIGE_TEST_KEY").generate(["Who?"], max_new=1)
    assert not value or value not in str(caught.value)
    assert server.seen == []


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        ({"url": "https://user:secret@example.org/v1"}, "carries a name, password or query"),
        ({"url": "https://example.org/v1?key=secret"}, "carries a name, password or query"),
        ({"url": "file:///etc/passwd"}, "must be an http or https address"),
        ({"url": "example.org/v1"}, "must be an http or https address"),
        ({"url": "http://["}, "is no address"),
        ({"model": ""}, "`model` is empty"),
        ({"timeout": 0.0}, "timeout above 0"),
        ({"concurrency": 0}, "concurrency from 1"),
    ],
)
def test_an_endpoint_that_cannot_be_asked_is_refused_before_it_is(fields: dict[str, Any], says: str) -> None:
    with pytest.raises(UsageError, match=says) as caught:
        Endpoint(**({"url": "https://example.org/v1", "model": "m"} | fields))
    assert "secret" not in str(caught.value)


# --- log-probabilities ------------------------------------------------------------------------------------------------------------


def echo(*pairs: tuple[str, float | None]) -> dict[str, Any]:
    return {"tokens": [t for t, _ in pairs], "token_logprobs": [v for _, v in pairs]}


def test_the_answers_tokens_are_summed_without_prompt_mark_or_new_token() -> None:
    logprobs = echo(("<s>", None), ("The", -9.0), (" sky", -9.0), (" is", -1.5), (" blue", -0.25), ("!", -9.0))
    assert answer_sum(logprobs, "The sky", " is blue") == -1.75


def test_tokens_that_are_parts_of_a_character_are_put_together() -> None:
    # 空 is e7 a9 ba in UTF-8.
    logprobs = echo(("色は", -9.0), ("bytes:\\xe7", -1.0), ("bytes:\\xa9\\xba", -2.0), ("。", -9.0))
    assert answer_sum(logprobs, "色は", "空") == -3.0


@pytest.mark.parametrize(
    ("logprobs", "says"),
    [
        (None, "echoes no log-probabilities"),
        ({"tokens": ["a"], "token_logprobs": []}, "echoes no log-probabilities"),
        ({"tokens": [1], "token_logprobs": [-1.0]}, "echoes no log-probabilities"),
        ({"content": []}, "echoes no log-probabilities"),
        (echo(("b", -1.0)), "do not spell the text"),
        (echo(("sky is", -1.0), (" blue", -1.0)), "reaches over the boundary"),
        (echo(("sky", -1.0), (" is", None), (" blue", -1.0)), "not a finite number"),
        (echo(("sky", -1.0), (" is", float("-inf")), (" blue", -1.0)), "not a finite number"),
        (echo(("sky", -1.0), (" is", True), (" blue", -1.0)), "not a finite number"),
    ],
)
def test_what_cannot_be_summed_is_missing(logprobs: Any, says: str) -> None:
    got = answer_sum(logprobs, "sky", " is blue")
    assert isinstance(got, Missing)
    assert says in got.reason


JSON = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["tokens", "token_logprobs", "x"]), inner, max_size=3),
    max_leaves=12,
)


@given(JSON, st.text(max_size=4), st.text(min_size=1, max_size=4))
def test_no_reply_whatever_it_holds_gives_a_number_that_is_none(logprobs: Any, prompt: str, answer: str) -> None:
    got = answer_sum(logprobs, prompt, answer)
    assert isinstance(got, Missing) or math.isfinite(got)


@given(st.binary(max_size=60))
def test_no_body_breaks_the_reader(raw: bytes) -> None:
    dig(parsed(raw), "choices", 0, "message", "content")


def test_answer_logp_asks_for_an_echo(server: Server) -> None:
    logprobs = echo(("sky", None), (" is", -1.0), (" blue", -2.0), (".", -5.0))
    server.reply = lambda h, body, n: h.send(200, json.dumps({"choices": [{"text": "", "logprobs": logprobs}]}).encode())
    got = endpoint(server, api="completions").answer_logp([("sky", " is blue"), ("sky", "")])
    assert got == [-3.0, Missing("the answer is empty")]
    assert server.seen[0][1] == {"model": "m", "prompt": "sky is blue", "max_tokens": 1, "temperature": 0, "echo": True, "logprobs": 1}


def test_a_server_without_completions_or_echo_leaves_log_probabilities_missing(server: Server) -> None:
    assert "chat interface" in reason(endpoint(server).answer_logp([("a", "b")]))
    server.reply = lambda h, body, n: h.send(404, b"no such path")
    assert "HTTP 404" in reason(endpoint(server, api="completions").answer_logp([("a", "b")]))
    server.reply = lambda h, body, n: h.send(200, json.dumps({"choices": [{"text": "c"}]}).encode())
    assert reason(endpoint(server, api="completions").answer_logp([("a", "b")])) == "the server echoes no log-probabilities"


def test_an_endpoint_can_be_asked_from_several_threads(server: Server) -> None:
    server.reply = lambda h, body, n: h.send(200, chat(body["messages"][0]["content"]))
    asked = endpoint(server)
    with ThreadPoolExecutor(4) as pool:
        said = list(pool.map(lambda i: asked.generate([str(i)], max_new=1), range(8)))
    assert said == [[str(i)] for i in range(8)]


# --- vectors ------------------------------------------------------------------------------------------------------------------------


def embeddings(*found: Any) -> bytes:
    return json.dumps({"data": [{"index": n, "embedding": v} for n, v in enumerate(found)]}).encode()


def test_texts_are_sent_by_sixty_four_and_their_vectors_come_back_in_order(server: Server) -> None:
    def reply(handler: Handler, body: dict[str, Any], number: int) -> None:
        data = [{"index": n, "embedding": [float(text), 1]} for n, text in enumerate(body["input"])]
        handler.send(200, json.dumps({"data": data[::-1]}).encode())

    server.reply = reply
    assert endpoint(server).embed([str(n) for n in range(70)]) == [[float(n), 1.0] for n in range(70)]
    assert [path for path, _, _ in server.seen] == ["/v1/embeddings"] * 2
    assert sorted(len(body["input"]) for _, body, _ in server.seen) == [6, 64]
    assert endpoint(server).embed([]) == []


@pytest.mark.parametrize(
    ("raw", "says"),
    [
        (embeddings([1.0]), "does not hold 2 embeddings"),
        (b"[]", "does not hold 2 embeddings"),
        (embeddings([1.0], [1.0, 2.0]), "of one length"),
        (embeddings([1.0], ["1"]), "lists of numbers"),
        (embeddings([], []), "lists of numbers"),
        (json.dumps({"data": [{"index": 0, "embedding": [1.0]}] * 2}).encode(), "each with its index"),
        (b"{", "not JSON"),
    ],
)
def test_a_text_without_a_vector_is_an_error_and_nothing_stands_in_for_it(server: Server, raw: bytes, says: str) -> None:
    server.reply = lambda h, body, n: h.send(200, raw)
    with pytest.raises(ModelError, match=says):
        endpoint(server).embed(["a", "b"])


@given(
    st.recursive(st.none() | st.booleans() | st.integers() | st.floats() | st.text(), lambda c: st.lists(c) | st.dictionaries(st.text(), c))
)
def test_whatever_a_server_replies_is_vectors_or_missing(reply: Any) -> None:
    assert isinstance(vectors({"data": [{"index": 0, "embedding": reply}]}, 1), (list, Missing))
    assert isinstance(vectors(reply, 1), Missing)
