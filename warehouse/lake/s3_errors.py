"""What an error of S3, or of the way to it, asks for: wait, make room, or change a setting."""

from __future__ import annotations

from typing import TYPE_CHECKING

from trading.errors import FixConfiguration, RetryLater, TradingError
from warehouse.lake.store import LakeFull

if TYPE_CHECKING:
    from botocore.exceptions import ClientError

_CREDENTIALS = "check the credentials (environment, profile or role)"
_PERMISSION = (
    "grant s3:ListBucket on the bucket and s3:GetObject and s3:PutObject on the prefix to these credentials"
)
_ADDRESS = "check lake.uri, lake.region and lake.endpoint_url"

#: What a person must change, by S3's error code.
REMEDIES = {
    "AccessDenied": _PERMISSION,
    "AllAccessDisabled": _PERMISSION,
    "403": _PERMISSION,
    "InvalidAccessKeyId": _CREDENTIALS,
    "SignatureDoesNotMatch": _CREDENTIALS,
    "InvalidToken": _CREDENTIALS,
    "ExpiredToken": _CREDENTIALS,
    "TokenRefreshRequired": _CREDENTIALS,
    "NoSuchBucket": f"create the bucket; {_ADDRESS}",
    "InvalidBucketName": _ADDRESS,
    "PermanentRedirect": _ADDRESS,
    "AuthorizationHeaderMalformed": _ADDRESS,
    "IllegalLocationConstraintException": _ADDRESS,
    "MethodNotAllowed": _ADDRESS,
    "NotImplemented": f"the server lacks this part of S3; {_ADDRESS}",
    "RequestTimeTooSkewed": "this machine's clock is wrong: set it (NTP)",
}
_FULL = {"XMinioStorageFull", "InsufficientStorage", "QuotaExceeded", "XMinioAdminBucketQuotaExceeded", "507"}


def explained_client_error(uri: str, error: ClientError) -> TradingError:
    """The error for a refusal that S3 answered."""
    code = str(error.response["Error"]["Code"])
    message = f"{uri}: S3 answered {code}: {error.response['Error'].get('Message', '')}"
    if code in REMEDIES:
        return FixConfiguration(f"{message}; {REMEDIES[code]}")
    if code in _FULL:
        return LakeFull(f"{message}; nothing was changed. Free space or move the lake (lake.uri), run again")
    # botocore names an answer without S3's error document, such as a proxy's HTML, by its number.
    hint = "; does lake.endpoint_url lead to S3?" if code.isdigit() else ""
    return RetryLater(f"{message}; the object is whole, old or new{hint}; run again later")


def explained_transport_error(uri: str, error: Exception) -> TradingError:
    """The error for a request that could not be sent, or whose answer did not arrive or is not S3's."""
    from botocore.exceptions import (
        ConfigNotFound,
        CredentialRetrievalError,
        NoRegionError,
        ParamValidationError,
        PartialCredentialsError,
        ProfileNotFound,
    )
    from botocore.parsers import ResponseParserError

    if isinstance(
        error, ProfileNotFound | PartialCredentialsError | CredentialRetrievalError | ConfigNotFound
    ):
        return FixConfiguration(f"{uri}: {error}; {_CREDENTIALS}")
    if isinstance(error, ResponseParserError | KeyError):
        return FixConfiguration(f"{uri}: what answers there does not speak S3 ({error}); {_ADDRESS}")
    if isinstance(error, ParamValidationError | NoRegionError | ValueError):
        return FixConfiguration(f"{uri}: {error}; {_ADDRESS}")
    return RetryLater(
        f"{uri}: {error}; the object is whole, old or new; check the network and lake.endpoint_url, "
        "then run again"
    )
