"""The page on the API says what the OpenAPI document says."""

from __future__ import annotations

from dashboard.reference import Answer, Field, Kind, read

DOCUMENT = {
    "paths": {
        "/api/v1/things": {
            "post": {
                "summary": "Send a thing",
                "description": "Takes one.",
                "parameters": [{"name": "branch", "in": "query", "schema": {"type": "string"}}],
                "requestBody": {
                    "content": {
                        "multipart/form-data": {
                            "schema": {
                                "required": ["file"],
                                "properties": {
                                    "file": {
                                        "type": "array",
                                        "items": {"type": "string", "format": "binary"},
                                        "description": "Reports.",
                                    },
                                    "branch": {"type": "string"},
                                },
                            }
                        }
                    }
                },
                "responses": {
                    "422": {"description": "Refused"},
                    "202": {
                        "description": "Accepted",
                        "content": {
                            "application/json": {"schema": {"$ref": "#/components/schemas/ThingOut"}}
                        },
                    },
                },
            }
        },
        "/api/v1/things/{key}": {
            "get": {
                "parameters": [{"name": "key", "in": "path", "required": True, "schema": {"type": "string"}}],
                "responses": {"200": {}},
            }
        },
    },
    "components": {
        "schemas": {
            "ThingOut": {
                "description": "A thing.",
                "required": ["at"],
                "properties": {
                    "at": {"type": "string", "format": "date-time"},
                    "run": {"anyOf": [{"$ref": "#/components/schemas/RunOut"}, {"type": "null"}]},
                    "problems": {"type": "array", "items": {"$ref": "#/components/schemas/ProblemOut"}},
                },
            }
        }
    },
}


def test_a_call_names_each_field_once_and_its_answers_in_order() -> None:
    call = read(DOCUMENT, base_url="https://t.example").operations[0]

    assert (call.method, call.path, call.anchor) == ("POST", "/api/v1/things", "post-api-v1-things")
    assert call.fields == (
        Field("file", "list of file", "Reports.", is_required=True),
        Field("branch", "string", "", is_required=False),
    )
    assert call.answers == (Answer("202", "Accepted", "ThingOut"), Answer("422", "Refused", ""))
    assert call.example.endswith("-F file=@report.xml https://t.example/api/v1/things")


def test_a_call_without_a_body_names_its_parameters() -> None:
    call = read(DOCUMENT, base_url="https://t.example").operations[1]

    assert call.fields == (Field("key", "string", "", is_required=True),)
    assert "-F" not in call.example


def test_what_is_answered_leads_to_what_it_holds() -> None:
    (kind,) = read(DOCUMENT, base_url="").kinds

    assert kind == Kind(
        "ThingOut",
        "A thing.",
        (
            Field("at", "time", "", is_required=True),
            Field("run", "object or null", "", is_required=False, holds="RunOut"),
            Field("problems", "list of object", "", is_required=False, holds="ProblemOut"),
        ),
    )
