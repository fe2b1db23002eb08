"""/admin/weights: what engines answer from, and new weights for them while they run."""

from pathlib import Path as FilePath
from typing import Annotated, Any

from fastapi import APIRouter, Path
from starlette.requests import Request

from server.admin_protocol import Unloaded, WeightsList, WeightsReport, WeightsRequest
from server.auth import Authenticator, require_scope
from server.body import check, read_json
from server.catalog import Catalog, ServedModel
from server.errors import ApiError
from server.keys import ApiKey
from server.openai_routes import ERRORS, SECURITY, body_schema
from server.protocol import ErrorBody
from server.settings import ServerSettings
from server.weight_updates import WeightUpdates

CONFLICT: dict[int | str, dict[str, Any]] = {
    409: {"model": ErrorBody, "description": "Another update is under way, or the name is taken"},
    422: {"model": ErrorBody, "description": "The weights do not verify"},
}


def router(settings: ServerSettings, authenticator: Authenticator, catalog: Catalog) -> APIRouter:
    """Routes for keys with the scope `admin` or `train`."""
    routes = APIRouter()
    updates = WeightUpdates(catalog)
    secured: dict[str, Any] = {"security": SECURITY}

    async def entered(request: Request) -> ApiKey:
        key = await authenticator.key(request.headers)
        if "train" not in key.scopes:
            require_scope(key, "admin")
        return key

    @routes.get(
        "/admin/weights",
        summary="What every engine answers from",
        responses={status: ERRORS[status] for status in (401, 403)},
        openapi_extra=secured,
    )
    async def list_weights(request: Request) -> WeightsList:
        await entered(request)
        return WeightsList(models=updates.state())

    @routes.post(
        "/admin/weights",
        summary="Give a running engine new weights",
        responses={**ERRORS, **CONFLICT},
        openapi_extra={"requestBody": body_schema(WeightsRequest), "security": SECURITY},
    )
    async def update_weights(request: Request) -> WeightsReport:
        key = await entered(request)
        body = await read_json(
            request, most_bytes=settings.body_bytes, seconds=settings.header_seconds
        )
        wire = check(body, WeightsRequest)
        model = catalog.find(wire.model)
        if wire.mode == "adapter":
            return await updates.load_adapter(model, FilePath(wire.folder), wire.version)
        _need_gate(model, wire, key)
        return await updates.swap_in_place(model, FilePath(wire.folder), wire.version)

    @routes.delete(
        # Names may hold slashes, as hub ids do.
        "/admin/weights/{name:path}",
        summary="Unload an adapter",
        responses={**ERRORS, **CONFLICT},
        openapi_extra=secured,
    )
    async def unload(request: Request, name: Annotated[str, Path()]) -> Unloaded:
        await entered(request)
        await updates.unload_adapter(name)
        return Unloaded(model=name)

    return routes


def _need_gate(model: ServedModel, wire: WeightsRequest, key: ApiKey) -> None:
    """Users are answered only by what passed a gate, unless an admin takes it on."""
    if model.role == "sampler":
        return
    if not wire.allow_ungated:
        raise ApiError(
            403,
            f"The model {model.name!r} serves users: new weights reach it through the gate; send them"
            ' to a model with role = "sampler", or set allow_ungated with a key that has the scope'
            " admin.",
            kind="permission_error",
            code="gate_required",
            param="model",
        )
    require_scope(key, "admin")
