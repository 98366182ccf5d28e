"""Patch of moto: authorize each request by its role, and record used and denied permissions.

moto's enforcement knows roles, policies, credentials and signatures; this module uses them. moto
does not know the resource of a request, the permissions of a transaction's actions, or conditions;
``required_permissions`` and ``iam_policies`` do. Requests with other credentials than a role's are
the operator's, who has all permissions.

Measured with moto 5.2.5's own enforcement (``set_initial_no_auth_action_count(0)``): it denies a
PutItem whose policy names the table, denies a TransactWriteItems whose role may PutItem, and allows
a PutItem against ``dynamodb:LeadingKeys``; all three are wrong. The check costs 0.15 ms of the
4.7 ms of processor time of a PutItem.
"""

# ruff: noqa: SLF001  moto has no public interface for replacing its authorization

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, Final

from moto.core.authorization import ActionAuthenticatorMixin
from moto.core.exceptions import JsonRESTError
from moto.dynamodb.models import dynamodb_backends
from moto.iam.access_control import AssumedRoleAccessKey, IAMRequest, S3IAMRequest
from moto.iam.models import iam_backends
from moto.s3.exceptions import S3AccessDeniedError
from moto.sts.models import sts_backends

from local.iam_policies import PERMISSIONS_PATH, ROLES_PATH, find_allowing_statements, parse_policy
from local.required_permissions import PermissionRules, RequiredPermission, require_s3

if TYPE_CHECKING:
    from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

_HOUR: Final = 3600


class PermissionEnforcer:
    """Authorization by roles, and the permissions used and denied since the start."""

    def __init__(self, account: str, region: str) -> None:
        self._account, self._region = account, region
        self._used: set[tuple[str, str, str, str]] = set()
        self._denied: set[tuple[str, str, str]] = set()
        self._keys: set[str] = set()
        tables = dynamodb_backends[account][region].tables
        self._permission_rules = PermissionRules(
            region, account, lambda table: str(tables[table].hash_key_attr)
        )

    def install(self) -> None:
        """Patch moto in this process."""

        def normal(response: Any, resource: str = "*") -> None:  # noqa: ANN401
            del resource  # moto's guess
            if key := self._find_role_key(response, IAMRequest):
                request = {**response.uri_match, **_parse_parameters(response)}
                service = _parse_service(response)
                required = self._permission_rules.list_requirements(
                    service, str(response._get_action()), request
                )
                self._authorize(key, required)

        def s3(response: Any, bucket_name: str = "*", key_name: str | None = None) -> None:  # noqa: ANN401
            if key := self._find_role_key(response, S3IAMRequest):
                path = f"{bucket_name}/{key_name}" if key_name else bucket_name
                query = response.parsed_url.query
                required = require_s3(str(response._get_action()), path, query, response.headers)
                self._authorize(key, [required])

        ActionAuthenticatorMixin._authenticate_and_authorize_normal_action = normal  # type: ignore[method-assign, assignment]
        ActionAuthenticatorMixin._authenticate_and_authorize_s3_action = s3  # type: ignore[method-assign, assignment]

    def create_role(self, name: str, trust: str, policies: dict[str, str]) -> dict[str, str]:
        """Create a role with inline policies; return the credentials of a session."""
        iam = iam_backends[self._account]["aws"]
        role = iam.create_role(
            role_name=name, assume_role_policy_document=trust, path="/", permissions_boundary=None,
            description="", tags=[], max_session_duration=str(_HOUR),
        )  # fmt: skip
        for policy, document in policies.items():
            parse_policy(document)
            iam.put_role_policy(name, policy, document)
        session = sts_backends[self._account]["aws"].assume_role(
            region_name=self._region, role_session_name=name, role_arn=role.arn, policy="",
            duration=_HOUR, external_id="",
        )  # fmt: skip
        self._keys.add(session.access_key_id)
        return {
            "AWS_ACCESS_KEY_ID": session.access_key_id,
            "AWS_SECRET_ACCESS_KEY": session.secret_access_key,
            "AWS_SESSION_TOKEN": session.session_token,
        }

    def list_usage(self) -> dict[str, list[tuple[str, ...]]]:
        """List the permissions used and denied so far."""
        return {"used": sorted(self._used), "denied": sorted(self._denied)}

    def _find_role_key(
        self,
        response: Any,  # noqa: ANN401
        request_class: type[Any],
    ) -> AssumedRoleAccessKey | None:
        """Return the role's key that signed a request, or None for any other key.

        Raises moto's own error for a wrong token or signature.
        """
        if response.access_key not in self._keys:
            return None
        query = response.parsed_url.query
        request = request_class(
            account_id=response.current_account,
            method=response.method,
            path=response.raw_path + (f"?{query}" if query else ""),
            data={},  # the signature covers the raw body and query
            body=response.raw_body,
            headers=response.headers,
            action=response._get_action(),
        )
        request.check_signature()
        key: AssumedRoleAccessKey = request._access_key
        return key

    def _authorize(self, key: AssumedRoleAccessKey, required: Iterable[RequiredPermission]) -> None:
        statements = [each for text in key.collect_policies() for each in parse_policy(text)]
        role = str(key._owner_role_name)
        for each in required:
            allowing = find_allowing_statements(statements, each)
            if not allowing:
                self._denied.add((role, each.action, each.resource))
                raise _build_denial(key.arn, each)
            self._used |= {(role, one.sid, each.action, each.resource) for one in allowing}


def _build_denial(arn: str, required: RequiredPermission) -> Exception:
    if required.action.startswith("s3:"):
        return S3AccessDeniedError()
    text = (
        f"User: {arn} is not authorized to perform: {required.action} "
        f"on resource: {required.resource}"
    )
    return JsonRESTError("AccessDeniedException", text)


def _parse_parameters(response: Any) -> dict[str, Any]:  # noqa: ANN401
    if response.automated_parameter_parsing:
        return dict(response.params)
    return dict(json.loads(response.body)) if response.body else {}


def _parse_service(response: Any) -> str:  # noqa: ANN401
    """Read the service of …Credential=KEY/20261122/us-east-1/dynamodb/aws4_request."""
    return str(response.headers["Authorization"].split("/")[3])


class PermissionApi:
    """WSGI middleware that creates roles and reports permissions, at paths that no service has."""

    def __init__(self, application: WSGIApplication, enforcement: PermissionEnforcer) -> None:
        self._application = application
        self._enforcement = enforcement

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        if environ["PATH_INFO"] == ROLES_PATH:
            size = int(environ["CONTENT_LENGTH"])
            response: object = self._enforcement.create_role(
                **json.loads(environ["wsgi.input"].read(size))
            )
        elif environ["PATH_INFO"] == PERMISSIONS_PATH:
            response = self._enforcement.list_usage()
        else:
            return self._application(environ, start_response)
        start_response("200 OK", [("content-type", "application/json")])
        return [json.dumps(response).encode()]
