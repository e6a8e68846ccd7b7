"""A CRM as a list of answers, and Nango as one address."""

from typing import Any

from crm import client
from crm.client import NangoError, ProxyAnswer
from crm.providers import Answer, Call, Refused

HOST = "https://nango.example"
KEY = "0c2f9a7e-1111-4222-8333-944445555666"
PAGE = f"{HOST}/proxy/crm/v3/owners"


class Script:
    """Answers calls in order, and keeps them. An answer is a body, an Answer, or what is raised."""

    def __init__(self, *answers: Any) -> None:
        self.answers = list(answers)
        self.calls: list[Call] = []

    def __call__(self, call: Call) -> Answer:
        self.calls.append(call)
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer if isinstance(answer, Answer) else Answer(200, answer)


class CrmSaysNo(Refused):
    """A refusal by the CRM itself."""

    def __init__(self, status: int, body: Any) -> None:
        super().__init__(status)
        self.status = status
        self.body = body


def read_owners() -> ProxyAnswer:
    """Some call through the proxy: it goes to PAGE."""
    return client.proxy("GET", "/crm/v3/owners", connection_id="7d2c", provider_config_key="hubspot")


def nango_error(code: str, message: str = "Reworded.") -> dict[str, Any]:
    """An error as Nango writes it."""
    return {"error": {"code": code, "message": message}}


def verdict(error: NangoError) -> set[str]:
    """Everything that is true of it."""
    names = ("permanent", "is_unauthorized", "needs_reconnect", "is_gone", "is_throttled")
    return {name for name in names if getattr(error, name)} | {error.api_code}
