"""The description of the API as a page prints it: operations, their fields, what they answer.

Pure. Reads an OpenAPI document that the API made of itself, so the page cannot say anything else than the API does.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

SECRET = "$TROPHYCASE_TOKEN"  # noqa: S105 - the name of a variable
REF = "#/components/schemas/"

Json = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Field:
    """One field of a request or an answer; `holds` names the kind of thing in it, where that is described."""

    name: str
    type: str
    description: str
    is_required: bool
    holds: str = ""


@dataclass(frozen=True, slots=True)
class Answer:
    """One status that an operation answers with, and the kind of thing that comes along."""

    status: str
    words: str
    holds: str


@dataclass(frozen=True, slots=True)
class Operation:
    """One call of the API."""

    anchor: str
    method: str
    path: str
    summary: str
    description: str
    example: str
    fields: tuple[Field, ...]
    answers: tuple[Answer, ...]


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of thing that comes in answers."""

    name: str
    description: str
    fields: tuple[Field, ...]


@dataclass(frozen=True, slots=True)
class Reference:
    """All of the API."""

    operations: tuple[Operation, ...]
    kinds: tuple[Kind, ...]


def read(document: Json, *, base_url: str) -> Reference:
    """Return what an OpenAPI document describes, in its order."""
    operations = tuple(
        _operation(path, method, told, base_url=base_url)
        for path, methods in document["paths"].items()
        for method, told in methods.items()
    )
    kinds = tuple(
        Kind(name, told.get("description", ""), tuple(_properties(told)))
        for name, told in document["components"]["schemas"].items()
    )
    return Reference(operations, kinds)


def _operation(path: str, method: str, told: Json, *, base_url: str) -> Operation:
    contents = told.get("requestBody", {}).get("content", {})
    form = contents.get("multipart/form-data", {}).get("schema")
    return Operation(
        anchor=f"{method}-{path.strip('/').replace('/', '-').replace('{', '').replace('}', '')}",
        method=method.upper(),
        path=path,
        summary=told.get("summary", ""),
        description=told.get("description", ""),
        example=_example(path, sends_file=form is not None, base_url=base_url),
        # What a form may hold may stand in the query too: named once.
        fields=tuple(_properties(form)) if form else tuple(map(_parameter, told.get("parameters", ()))),
        answers=tuple(
            Answer(status, answer.get("description", ""), _held(_schema(answer)))
            for status, answer in sorted(told["responses"].items())
        ),
    )


def _example(path: str, *, sends_file: bool, base_url: str) -> str:
    file = " -F file=@report.xml" if sends_file else ""
    return f'curl -fsS -H "Authorization: Bearer {SECRET}"{file} {base_url}{path}'


def _parameter(told: Json) -> Field:
    return Field(
        told["name"],
        _type(told.get("schema", {})),
        told.get("description", ""),
        is_required=bool(told.get("required")),
    )


def _properties(schema: Json) -> Iterator[Field]:
    required = schema.get("required", ())
    for name, told in schema.get("properties", {}).items():
        yield Field(name, _type(told), told.get("description", ""), name in required, _held(told))


def _schema(answer: Json) -> Json:
    for content in answer.get("content", {}).values():
        schema: Json = content.get("schema", {})
        return schema
    return {}


def _held(schema: Json) -> str:
    """Return the kind that a schema refers to, alone, in a list or as one of several."""
    for one in (schema, schema.get("items", {}), *schema.get("anyOf", ())):
        if "$ref" in one:
            return str(one["$ref"]).removeprefix(REF)
    return ""


def _type(schema: Json) -> str:
    if "anyOf" in schema:
        return " or ".join(_type(one) for one in schema["anyOf"])
    if "$ref" in schema:
        return "object"
    if schema.get("type") == "array":
        return f"list of {_type(schema.get('items', {}))}"
    words = {"binary": "file", "date-time": "time", "date": "date", "uuid": "uuid"}
    return words.get(schema.get("format", ""), str(schema.get("type", "any")))
