"""The OpenAPI document: what FastAPI cannot see for itself, bodies in two forms and errors as problem JSON."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from pydantic import BaseModel
from starlette.routing import compile_path

from assistant.service.check_schemas import CheckBody, RecalibrateBody
from assistant.service.problems import MEDIA_TYPE
from assistant.service.schemas import (
    EXAMPLES,
    AskBody,
    InspectBody,
    LearnBody,
    ProblemRow,
    TargetBody,
    TeachBody,
)
from assistant.service.sign_off_schemas import SignOffBody

_REF = "#/components/schemas/{model}"
_BODIES = (InspectBody, LearnBody, TeachBody, CheckBody, RecalibrateBody)
_OTHERS = (AskBody, TargetBody, SignOffBody, ProblemRow)
_REASONS = {
    400: "The request cannot be read, or the service is not known under the name it was sent to.",
    401: "No valid key was sent.",
    403: "The key's role does not allow it, or a page of another site asks.",
    404: "There is no such thing.",
    408: "The request took too long to arrive.",
    409: "The name is taken, the product cannot be used, or what is there cannot support the target.",
    413: "Too many bytes.",
    415: "A body is multipart/form-data or application/json.",
    422: "The request makes no sense.",
    429: "The key sends too many requests.",
    500: "Something went wrong in the service.",
    503: "Too much at once, or the service is stopping: try again.",
}

Responses = dict[int | str, dict[str, Any]]


def problem_responses() -> Responses:
    """What any address may answer instead of a result."""
    content = {MEDIA_TYPE: {"schema": {"$ref": _REF.format(model=ProblemRow.__name__)}}}
    retry = {"Retry-After": {"description": "Seconds to wait.", "schema": {"type": "string"}}}
    return {
        status: {"description": reason, "content": content} | ({"headers": retry} if status in (429, 503) else {})
        for status, reason in _REASONS.items()
    }


def takes_pictures(options: type[BaseModel], body: type[BaseModel]) -> dict[str, Any]:
    """The request body of an address that takes pictures, as files or in base64, for `openapi_extra`."""
    form = options.model_json_schema(ref_template=_REF)
    form.pop("$defs", None)
    form.pop("examples", None)
    form["properties"] = {name: _plain(row) for name, row in form["properties"].items()}
    for name, field in body.model_fields.items():
        if name in options.model_fields:
            continue
        many = "list" in str(field.annotation)
        file: dict[str, Any] = {"type": "string", "format": "binary", "description": "A picture file."}
        form["properties"][name] = {"type": "array", "items": file, "minItems": 1} if many else file
        if field.is_required():
            form.setdefault("required", []).append(name)
    content = {
        "multipart/form-data": {"schema": form},
        "application/json": {"schema": {"$ref": _REF.format(model=body.__name__)}},
    }
    return {"requestBody": {"required": True, "content": content}}


def takes_json(body: type[BaseModel]) -> dict[str, Any]:
    """The request body of an address that takes JSON and nothing else, for `openapi_extra`."""
    content = {"application/json": {"schema": {"$ref": _REF.format(model=body.__name__)}}}
    return {"requestBody": {"required": True, "content": content}}


def document(app: FastAPI) -> dict[str, Any]:
    """The OpenAPI document of an app, made once, and again when keys have come."""
    keys = app.state.service.keys
    asks_keys = keys is not None and keys.required
    if app.openapi_schema is None or app.state.documents_keys != asks_keys:
        made = get_openapi(title=app.title, version=app.version, description=app.description, routes=app.routes)
        schemas = made.setdefault("components", {}).setdefault("schemas", {})
        for model in (*_BODIES, *_OTHERS):
            schema = model.model_json_schema(ref_template=_REF)
            schemas.update(schema.pop("$defs", {}))
            schemas[model.__name__] = schema
        for name in ("HTTPValidationError", "ValidationError"):
            schemas.pop(name, None)
        for name, example in EXAMPLES.items():
            schemas[name]["examples"] = [example]
        most = app.state.service.settings.most_pictures
        for body in _bodies(made):
            for field in body["properties"].values():
                if field.get("type") == "array":
                    field["maxItems"] = most
        if not asks_keys:
            _open(made)
        app.openapi_schema, app.state.documents_keys = made, asks_keys
    return app.openapi_schema


def _bodies(made: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """The schemas of bodies that carry pictures, in both forms."""
    yield from (made["components"]["schemas"][model.__name__] for model in _BODIES)
    for operations in made["paths"].values():
        for operation in operations.values():
            content = operation.get("requestBody", {}).get("content", {})
            if "multipart/form-data" in content:
                yield content["multipart/form-data"]["schema"]


def _open(made: dict[str, Any]) -> None:
    """Say that no key is asked for."""
    made["components"].pop("securitySchemes", None)
    for operations in made["paths"].values():
        for operation in operations.values():
            operation.pop("security", None)


def methods_of(app: FastAPI, path: str) -> list[str]:
    """The methods that an address takes, by the document."""
    for template, operations in document(app)["paths"].items():
        if compile_path(template)[0].match(path):
            return sorted(method.upper() for method in operations)
    return []


def _plain(row: dict[str, Any]) -> dict[str, Any]:
    """A field as a form can carry it: left out where it is null."""
    kinds = [kind for kind in row.get("anyOf", []) if kind != {"type": "null"}]
    rest = {key: value for key, value in row.items() if key not in ("anyOf", "default")}
    return rest | kinds[0] if len(kinds) == 1 else row
