"""The parts of the OpenAPI document that are the same for every call: errors and ways to sign in."""

from typing import Any

from apiflask import APIFlask

from web.access import ACCESS, PUBLIC

_TEXT: dict[str, Any] = {"type": "string"}
_TEXT_OR_NULL: dict[str, Any] = {"type": ["string", "null"]}
PROBLEM: dict[str, Any] = {
    "type": "object",
    "title": "Problem",
    "description": "RFC 9457. `code` is stable; `retry` says whether the same call may succeed later.",
    "required": ["type", "title", "status", "code", "detail", "retry", "faults", "request_id"],
    "properties": {
        "type": _TEXT,
        "title": _TEXT,
        "status": {"type": "integer"},
        "code": _TEXT,
        "detail": _TEXT,
        "retry": {"type": "boolean"},
        "faults": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["place", "code", "message", "hint"],
                "properties": {"place": _TEXT, "code": _TEXT, "message": _TEXT, "hint": _TEXT_OR_NULL},
            },
        },
        "cloud_request_id": _TEXT_OR_NULL,
        "request_id": _TEXT,
    },
}
_ERROR = {
    "description": "Any error",
    "content": {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}},
}
_SHEET_BODY = {
    "required": True,
    "content": {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}},
    "description": "The sheet: .xlsx, .xls, or .csv in UTF-8 or GBK.",
}
_SECURITY_SCHEMES = {
    "token": {"type": "http", "scheme": "bearer", "description": "A personal token: cct_..."},
    "session": {"type": "apiKey", "in": "cookie", "name": "cloudctl_session"},
}


def _yaml_body(description: str) -> dict[str, Any]:
    content = {"application/yaml": {"schema": {"type": "string"}}}
    return {"required": True, "content": content, "description": description}


def register(app: APIFlask) -> None:
    @app.spec_processor
    def complete(spec: dict[str, Any] | str) -> dict[str, Any] | str:
        assert isinstance(spec, dict)
        components = spec.setdefault("components", {})
        components.setdefault("schemas", {})["Problem"] = PROBLEM
        components["securitySchemes"] = _SECURITY_SCHEMES
        spec["paths"]["/api/v1/topology/plan"]["post"]["requestBody"] = _yaml_body("The topology file.")
        spec["paths"]["/api/v1/migration/rules"]["post"]["requestBody"] = _yaml_body("The rule of counting.")
        spec["paths"]["/api/v1/systems/import"]["post"]["requestBody"] = _SHEET_BODY
        public = {rule.rule for rule in app.url_map.iter_rules() if ACCESS.get(rule.endpoint) == PUBLIC}
        for path, calls in spec.get("paths", {}).items():
            for call in calls.values():
                if isinstance(call, dict) and "responses" in call:
                    call["responses"]["default"] = _ERROR
                    call["security"] = [] if path in public else [{"token": []}, {"session": []}]
        return spec
