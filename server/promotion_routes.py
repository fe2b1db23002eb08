"""/admin/promotions, /admin/rollback and /admin/versions: versions made live, tried and taken back."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated, Any

from fastapi import APIRouter, Path
from starlette.requests import Request

from server.admin_protocol import (
    GateAnswer,
    Promoted,
    PromotionList,
    PromotionRequest,
    RollbackRequest,
)
from server.auth import Authenticator, require_scope
from server.body import check, read_json
from server.canary import Split
from server.catalog import Catalog
from server.engine_errors import broken, unavailable
from server.errors import (
    ApiError,
    EngineBroken,
    EngineUnavailable,
    GateNeeded,
    IllegalMove,
    ModelError,
    NoPreviousVersion,
    PlanImpossible,
    ProbeFailed,
    ServerError,
    UpdateFailed,
    VersionConflict,
    VersionError,
    VersionInUse,
    VersionNotFound,
    VersionRefused,
)
from server.gate_evidence import GateVerdict
from server.keys import ApiKey
from server.openai_routes import ERRORS, SECURITY, body_schema
from server.promotion import Promotions
from server.promotion_wish import Wish
from server.protocol import ErrorBody
from server.settings import ServerSettings

FAULTS: tuple[tuple[type[ServerError], int, str], ...] = (
    (VersionNotFound, 404, "version_not_found"),
    (GateNeeded, 403, "gate_required"),
    (PlanImpossible, 409, "no_way"),
    (NoPreviousVersion, 409, "no_previous_version"),
    (IllegalMove, 409, "illegal_move"),
    (VersionConflict, 409, "version_conflict"),
    (VersionInUse, 409, "version_in_use"),
    (VersionRefused, 422, "weights_refused"),
    (ModelError, 422, "weights_refused"),
    (ProbeFailed, 422, "probe_failed"),
    (UpdateFailed, 502, "update_failed"),
    (VersionError, 400, "invalid_value"),
)
"""What goes wrong, and how clients are told; the first that fits."""

STATUSES: dict[int | str, dict[str, Any]] = {
    **ERRORS,
    409: {"model": ErrorBody, "description": "Not from the state that it is in, or not now"},
    422: {"model": ErrorBody, "description": "The version does not verify, or fails its probe"},
}


def router(
    settings: ServerSettings,
    authenticator: Authenticator,
    catalog: Catalog,
    promotions: Promotions,
) -> APIRouter:
    """Routes for keys with the scope `admin`; the gate's for `evaluate` too."""
    routes = APIRouter()
    _add_promotions(routes, settings, authenticator, catalog, promotions)
    _add_gate(routes, settings, authenticator, promotions)
    return routes


def _add_promotions(
    routes: APIRouter,
    settings: ServerSettings,
    authenticator: Authenticator,
    catalog: Catalog,
    promotions: Promotions,
) -> None:
    async def admin(request: Request) -> ApiKey:
        key = await authenticator.key(request.headers)
        require_scope(key, "admin")
        return key

    async def body_of(request: Request) -> dict[str, Any]:
        return await read_json(
            request, most_bytes=settings.body_bytes, seconds=settings.header_seconds
        )

    @routes.get(
        "/admin/promotions",
        summary="What is live, what is tried, what is under way",
        responses={status: ERRORS[status] for status in (401, 403)},
        openapi_extra={"security": SECURITY},
    )
    async def list_promotions(request: Request) -> PromotionList:
        await admin(request)
        served = [model.name for model in catalog.models if model.role == "serving"]
        return PromotionList(models=[promotions.state(name) for name in served])

    @routes.post(
        "/admin/promotions",
        summary="Make a version live, or try it as a canary",
        responses=STATUSES,
        openapi_extra={"requestBody": body_schema(PromotionRequest), "security": SECURITY},
    )
    async def promote(request: Request) -> Promoted:
        key = await admin(request)
        wish = _wish(check(await body_of(request), PromotionRequest), catalog, _actor(key))
        with answered():
            if wish[1]:
                plan = await promotions.plan(wish[0])
                return Promoted(model=wish[0].model, plan=plan.as_data())
            report = await promotions.promote(wish[0])
        return Promoted(model=wish[0].model, plan=report.plan.as_data(), report=report.as_data())

    @routes.post(
        "/admin/rollback",
        summary="Let the previous version answer again, or withdraw the canary",
        responses=STATUSES,
        openapi_extra={"requestBody": body_schema(RollbackRequest), "security": SECURITY},
    )
    async def roll_back(request: Request) -> Promoted:
        key = await admin(request)
        wire = check(await body_of(request), RollbackRequest)
        model = catalog.find(wire.model).name
        with answered():
            if wire.canary:
                await promotions.withdraw(model, actor=_actor(key), reason=wire.reason)
                return Promoted(model=model)
            report = await promotions.roll_back(model, actor=_actor(key), reason=wire.reason)
        return Promoted(model=model, plan=report.plan.as_data(), report=report.as_data())


def _add_gate(
    routes: APIRouter,
    settings: ServerSettings,
    authenticator: Authenticator,
    promotions: Promotions,
) -> None:
    @routes.post(
        # Names may hold slashes, as hub ids do.
        "/admin/versions/{name:path}/gate",
        summary="Give the gate's verdict on a version",
        responses=STATUSES,
        openapi_extra={"requestBody": body_schema(GateVerdict), "security": SECURITY},
    )
    async def gate(request: Request, name: Annotated[str, Path()]) -> GateAnswer:
        key = await authenticator.key(request.headers)
        if "evaluate" not in key.scopes:
            require_scope(key, "admin")
        body = await read_json(
            request, most_bytes=settings.body_bytes, seconds=settings.header_seconds
        )
        verdict = check(body, GateVerdict)
        model, _, version = name.rpartition("@")
        with answered():
            found = await promotions.gate(model, version, verdict, actor=_actor(key))
        return GateAnswer(name=found.name, answer=verdict.answer, state=found.state.value)


def _wish(wire: PromotionRequest, catalog: Catalog, actor: str) -> tuple[Wish, bool]:
    """What is asked for, and whether only its plan."""
    named, at, version = wire.version.rpartition("@")
    if at and wire.model and named != wire.model:
        raise ApiError(
            400,
            f"version is {wire.version!r}, but model is {wire.model!r}: name one model.",
            code="invalid_value",
            param="version",
        )
    if wire.override and not (wire.reason or "").strip():
        raise ApiError(
            400,
            "reason is missing: whoever goes past the gate says why.",
            code="missing_parameter",
            param="reason",
        )
    split = None
    if wire.canary is not None or wire.canary_keys:
        split = Split(share=wire.canary or 0.0, key_prefixes=frozenset(wire.canary_keys))
    wish = Wish(
        model=catalog.find(named or wire.model).name,
        version=version,
        actor=actor,
        reason=wire.reason or "promoted by an administrator",
        way=wire.way,
        override=wire.override,
        split=split,
        least_requests=wire.canary_requests,
    )
    return wish, wire.dry_run


def _actor(key: ApiKey) -> str:
    return f"{key.name} (key {key.prefix})"


@contextmanager
def answered() -> Iterator[None]:
    """What promotions raise, as answers for clients."""
    try:
        yield
    except EngineUnavailable as error:
        raise unavailable(error) from error
    except EngineBroken as error:
        raise broken(error) from error
    except ApiError:
        raise
    except ServerError as error:
        for kind, status, code in FAULTS:
            if isinstance(error, kind):
                what = "server_error" if status >= 500 else "invalid_request_error"
                raise ApiError(status, f"{error}.", code=code, kind=what) from error
        raise
