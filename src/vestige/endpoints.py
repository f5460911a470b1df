"""A model behind an OpenAI-compatible interface: as a `Target` at `/chat/completions` or `/completions`, and for vectors at `/embeddings`.

Requests go through the standard library, `concurrency` at a time at most. A refused key, a wrong address or an unknown model (401,
403, 404, no connection) stops everything; what else goes wrong for one prompt is tried again where that can help (429, 5xx, a broken
or silent connection), and is then Missing for this prompt alone.

The key is read from the environment variable named `key_env` at each request. It is in no field, message or log, and goes to no other
address: redirects are not followed. What a server says about itself is an assertion, so the identity begins with "asserted".
"""

from __future__ import annotations

import http.client
import json
import math
import os
import socket
import ssl
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from typing import Any, Literal, TypeVar
from urllib.parse import urlsplit

from vestige.endpoint_replies import answer_sum, dig, parsed, shown, vectors
from vestige.errors import ModelError, UsageError
from vestige.records import Missing

Q = TypeVar("Q")
A = TypeVar("A")

_AGAIN = frozenset({408, 409, 425, 429, 500, 502, 503, 504, 529})
_LONGEST_PAUSE = 60.0
_CHUNK = 1 << 16
_TEXTS_AT_ONCE = 64


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    """A redirect would take the key to an address nobody named."""

    def redirect_request(self, *_: Any, **__: Any) -> None:
        return None


@dataclass(frozen=True)
class _Failure:
    """Why a request gave no reply: whether another try may help, how long the server asks to wait, whether no request can succeed."""

    reason: str
    again: bool = True
    pause: float = 0.0
    fatal: bool = False


@dataclass(frozen=True)
class Endpoint:
    """A model served at `url` (up to and including "/v1").

    `timeout` bounds one try in seconds, `backoff` is the first pause between tries, doubled each time; `limit_key` is what a chat server
    calls its limit on new tokens.
    """

    url: str
    model: str
    api: Literal["chat", "completions"] = "chat"
    key_env: str = ""
    timeout: float = 60.0
    retries: int = 4
    backoff: float = 1.0
    concurrency: int = 4
    most_bytes: int = 8 * 1024 * 1024
    limit_key: Literal["max_tokens", "max_completion_tokens"] = "max_tokens"

    def __post_init__(self) -> None:
        """Refuse an address that cannot be asked, or that carries a secret.

        Raises:
            UsageError: which field, and what was expected; an address is not repeated, since it may hold a password.
        """
        try:
            parts = urlsplit(self.url)
        except ValueError as error:
            raise UsageError(f"endpoint: `url` is no address ({error})") from None
        if parts.username or parts.password or parts.query or parts.fragment:
            raise UsageError("endpoint: `url` carries a name, password or query; name an environment variable with the key in `key_env`")
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise UsageError(f"endpoint: `url` must be an http or https address such as http://127.0.0.1:8000/v1, seen {self.url!r}")
        if not self.model:
            raise UsageError("endpoint: `model` is empty; give the name under which the server knows the model")
        if self.timeout <= 0 or self.concurrency < 1 or self.retries < 0 or self.backoff < 0:
            raise UsageError("endpoint: expected timeout above 0, concurrency from 1, retries and backoff from 0")

    @property
    def identity(self) -> str:
        """The model's asserted name and where it is served."""
        return f"asserted:{self.model}@{self.url.rstrip('/')}"

    def generate(self, prompts: Sequence[str], *, max_new: int, temperature: float = 0.0, seed: int = 0) -> list[str | Missing]:
        """Return one completion of up to `max_new` tokens per prompt; the seed is sent where a temperature is.

        Raises:
            ModelError: the server cannot be reached, or refuses the key, the address or the model.
        """
        body: dict[str, Any] = {"model": self.model, "temperature": temperature, **({"seed": seed} if temperature else {})}
        if self.api == "completions":
            return self._all(lambda p: self._text("completions", body | {"max_tokens": max_new, "prompt": p}, "text"), prompts)
        body[self.limit_key] = max_new
        messages = ({"messages": [{"role": "user", "content": p}]} for p in prompts)
        return self._all(lambda m: self._text("chat/completions", body | m, "message", "content"), list(messages))

    def answer_logp(self, pairs: Sequence[tuple[str, str]]) -> list[float | Missing]:
        """Return the summed log-probability, in nats, of each answer given its prompt, where the server echoes its tokens.

        Raises:
            ModelError: the server cannot be reached, or refuses the key, the address or the model.
        """
        if self.api == "chat":
            return [Missing("a chat interface gives no log-probability of a given text; api 'completions' may")] * len(pairs)
        return self._all(self._logp, pairs)

    def embed(self, texts: Sequence[str]) -> list[list[float]]:
        """Return the vector of each text, as the server gives it.

        Raises:
            ModelError: the server cannot be reached or refuses, or some text gets no vector.
        """
        parts = [list(texts[i : i + _TEXTS_AT_ONCE]) for i in range(0, len(texts), _TEXTS_AT_ONCE)]
        found = self._all(self._vectors, parts)
        for part in found:
            if isinstance(part, Missing):
                raise ModelError(f"endpoint {self.url}: {part.reason}")
        return [vector for part in found if not isinstance(part, Missing) for vector in part]

    def _vectors(self, texts: list[str]) -> list[list[float]] | Missing:
        reply = self._post("embeddings", {"model": self.model, "input": texts})
        return reply if isinstance(reply, Missing) else vectors(reply, len(texts))

    def _all(self, ask: Callable[[Q], A | Missing], questions: Sequence[Q]) -> list[A | Missing]:
        """Return the answers in the order of the questions; the first error drops what has not been asked yet."""
        with ThreadPoolExecutor(self.concurrency) as pool:
            futures = [pool.submit(ask, question) for question in questions]
            try:
                return [future.result() for future in futures]
            except BaseException:
                pool.shutdown(wait=False, cancel_futures=True)
                raise

    def _text(self, path: str, body: dict[str, Any], *where: str) -> str | Missing:
        reply = self._post(path, body)
        if isinstance(reply, Missing):
            return reply
        text = dig(reply, "choices", 0, *where)
        if isinstance(text, str):
            return text.encode("utf-8", "replace").decode()  # JSON can hold half a surrogate pair, which no file can
        return Missing(f"the reply holds no text (finish_reason {shown(str(dig(reply, 'choices', 0, 'finish_reason')))})")

    def _logp(self, pair: tuple[str, str]) -> float | Missing:
        prompt, answer = pair
        if not answer:
            return Missing("the answer is empty")
        # One new token, since some servers refuse none; it stands behind the text and is not counted.
        body = {"model": self.model, "prompt": prompt + answer, "max_tokens": 1, "temperature": 0, "echo": True, "logprobs": 1}
        reply = self._post("completions", body)
        return reply if isinstance(reply, Missing) else answer_sum(dig(reply, "choices", 0, "logprobs"), prompt, answer)

    def _post(self, path: str, body: dict[str, Any]) -> Any | Missing:
        """Return the JSON reply to a request, or why there is none after every try."""
        key = self._key()
        reply, number = self._try(path, body, key), 0
        while isinstance(reply, _Failure) and reply.again and number < self.retries:
            time.sleep(min(max(self.backoff * 2**number, reply.pause), _LONGEST_PAUSE))
            reply, number = self._try(path, body, key), number + 1
        if not isinstance(reply, _Failure):
            return reply
        reason = reply.reason.replace(key, "[key]") if key else reply.reason  # a server may repeat the key
        reason = f"{reason} ({number + 1} tries)" if number else reason
        if reply.fatal:
            raise ModelError(f"endpoint {self.url}: {reason}")
        return Missing(reason)

    def _try(self, path: str, body: dict[str, Any], key: str) -> Any | _Failure:
        headers = {"Content-Type": "application/json", "Accept": "application/json", "User-Agent": "vestige"}
        request = urllib.request.Request(f"{self.url.rstrip('/')}/{path}", json.dumps(body).encode(), headers, method="POST")
        if key:
            request.add_unredirected_header("Authorization", f"Bearer {key}")
        until = time.monotonic() + self.timeout
        try:
            with urllib.request.build_opener(_NoRedirect).open(request, timeout=self.timeout) as response:
                raw = self._read(response, until)
        except urllib.error.HTTPError as error:
            with error:
                return self._status(error, optional="echo" in body)
        except (OSError, http.client.HTTPException) as error:
            return _broken(error, self.timeout)
        if isinstance(raw, _Failure):
            return raw
        reply = parsed(raw)
        return _Failure(reply.reason, again=False) if isinstance(reply, Missing) else reply

    def _read(self, response: Any, until: float) -> bytes | _Failure:
        """Return the body, within the bounds on bytes and time."""
        parts: list[bytes] = []
        size, promised = 0, response.length or 0
        while chunk := response.read1(_CHUNK):
            parts.append(chunk)
            size += len(chunk)
            if size > self.most_bytes:
                return _Failure(f"a reply of more than {self.most_bytes} bytes", again=False)
            if time.monotonic() > until:
                return _Failure(f"no whole reply within {self.timeout:g} s")
        return b"".join(parts) if size >= promised else _Failure("the connection closed within the reply")

    def _status(self, error: urllib.error.HTTPError, *, optional: bool) -> _Failure:
        """Return what a status other than success means; a server need not have what is `optional`."""
        if error.code in (401, 403):  # what is said here may repeat a part of the key
            says = f"the key in {self.key_env}" if self.key_env else "a request without a key; name its environment variable in `key_env`"
            return _Failure(f"refuses {says} (HTTP {error.code})", again=False, fatal=True)
        if 300 <= error.code < 400:
            return _Failure(f"redirected (HTTP {error.code}), which is not followed", again=False)
        reason = f"HTTP {error.code} for model {self.model!r}: {shown(_said(error))}"
        pause = _pause(error.headers.get("Retry-After", ""))
        return _Failure(reason, error.code in _AGAIN, pause, fatal=error.code == 404 and not optional)

    def _key(self) -> str:
        if not self.key_env:
            return ""
        key = os.environ.get(self.key_env, "").strip()
        if not key:
            raise UsageError(f"endpoint: the environment variable {self.key_env!r} (key_env) is not set")
        if not (key.isascii() and key.isprintable()) or " " in key:
            raise UsageError(f"endpoint: the environment variable {self.key_env!r} (key_env) holds characters that no key has")
        return key


def _said(error: urllib.error.HTTPError) -> str:
    """Return the message of an error reply, or the beginning of whatever it is."""
    try:
        raw = error.read1(_CHUNK) if hasattr(error, "read1") else error.read(_CHUNK)
    except (OSError, http.client.HTTPException):
        return "no message"
    message = dig(parsed(raw), "error", "message")
    return message if isinstance(message, str) else raw.decode("utf-8", "replace")


def _broken(error: OSError | http.client.HTTPException, timeout: float) -> _Failure:
    cause = error.reason if isinstance(error, urllib.error.URLError) and isinstance(error.reason, OSError) else error
    if isinstance(cause, TimeoutError):
        return _Failure(f"no reply within {timeout:g} s")
    fatal = isinstance(cause, (ConnectionRefusedError, socket.gaierror, ssl.SSLError))
    return _Failure(shown(f"{type(cause).__name__}: {cause}"), fatal=fatal)


def _pause(retry_after: str) -> float:
    """Return the seconds that a Retry-After header asks for, 0 without a usable one."""
    try:
        seconds = float(retry_after)
    except ValueError:
        try:
            seconds = parsedate_to_datetime(retry_after).timestamp() - time.time()
        except (ValueError, OverflowError):
            return 0.0
    return seconds if math.isfinite(seconds) and seconds > 0 else 0.0
