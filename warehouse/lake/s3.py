"""The lake on S3 and what speaks its protocol; credentials from boto3's usual chain."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import cached_property
from typing import Any
from urllib.parse import urlsplit

from trading.errors import FixConfiguration
from warehouse.lake.s3_errors import explained_client_error, explained_transport_error
from warehouse.lake.store import Stamp

_ABSENT = {"NoSuchKey", "404"}

#: Objects that one listing asks for at most; S3 gives no more.
PAGE_OBJECTS = 1000
#: How often a request is sent before its failure is reported; the pauses between grow.
ATTEMPTS = 5


class S3Store:
    """Objects of one bucket under a prefix; a single PUT is atomic, so readers never see half a file.

    Parameters
    ----------
    bucket, prefix
        Where the lake is; the prefix may be empty.
    session_factory
        Makes the boto3 session; the default chain when left out.
    endpoint_url, region
        S3 endpoint of another vendor, and the region; None takes the chain's.
    """

    def __init__(
        self,
        bucket: str,
        prefix: str,
        session_factory: Callable[[], Any] | None = None,
        *,
        endpoint_url: str | None = None,
        region: str | None = None,
    ) -> None:
        self.bucket = bucket
        self.prefix = f"{prefix.strip('/')}/" if prefix.strip("/") else ""
        self.endpoint_url = endpoint_url
        self.region = region
        self._session_factory = session_factory or _default_session

    @cached_property
    def _session(self) -> Any:
        return self._session_factory()

    @cached_property
    def _client(self) -> Any:
        from botocore.config import Config

        settings = Config(
            retries={"total_max_attempts": ATTEMPTS, "mode": "standard"}, connect_timeout=5, read_timeout=60
        )
        if self.endpoint_url:
            # Other vendors: buckets in the path need no DNS name each, and the checksums that AWS added
            # to every request in 2025 are unknown to many of them.
            settings = settings.merge(
                Config(
                    s3={"addressing_style": "path"},
                    request_checksum_calculation="when_required",
                    response_checksum_validation="when_required",
                )
            )
        return self._session.client(
            "s3", endpoint_url=self.endpoint_url, region_name=self.region, config=settings
        )

    def uri(self, key: str) -> str:
        """The s3:// address."""
        return f"s3://{self.bucket}/{self.prefix}{key}"

    def read(self, key: str) -> tuple[bytes, Stamp] | None:
        """One GET; one whose answer breaks off is sent again, which the client alone does not do."""
        from botocore.exceptions import ClientError, HTTPClientError, IncompleteReadError

        with self._explained(key):
            for attempt in range(1, ATTEMPTS + 1):
                try:
                    answer = self._client.get_object(Bucket=self.bucket, Key=self.prefix + key)
                except ClientError as error:
                    if error.response["Error"]["Code"] in _ABSENT:
                        return None
                    raise
                try:
                    data: bytes = answer["Body"].read()
                except (HTTPClientError, IncompleteReadError):
                    if attempt == ATTEMPTS:
                        raise
                else:
                    return data, (len(data), answer["ETag"])
        raise AssertionError("unreachable: the last attempt returns or raises")

    def replace(self, key: str, data: bytes) -> Stamp:
        """One PUT."""
        with self._explained(key):
            answer = self._client.put_object(Bucket=self.bucket, Key=self.prefix + key, Body=data)
        return len(data), answer["ETag"]

    def stamps(self, keys: Sequence[str]) -> list[Stamp | None]:
        """Sizes and ETags from listings of up to a thousand objects, not a request per object."""
        if not keys:
            return []
        folder = keys[0].split("date=")[0]
        found = dict(self._listed(folder, after=keys[0][:-1], last=keys[-1], most=len(keys)))
        return [found.get(key) for key in keys]

    def keys(self, folder: str) -> list[str]:
        """Objects two levels below a folder."""
        listed = [key for key, _ in self._listed(f"{folder}date=")]
        return [key for key in listed if key.count("/") == folder.count("/") + 1]

    def scan_options(self) -> dict[str, str] | None:
        """Options with the chain's credentials of this moment (they may be short-lived)."""
        credentials = self.credentials()
        options = {
            "aws_access_key_id": credentials.access_key,
            "aws_secret_access_key": credentials.secret_key,
            "aws_region": self._client.meta.region_name or "us-east-1",
        }
        if credentials.token:
            options["aws_session_token"] = credentials.token
        if self.endpoint_url:
            options["aws_endpoint_url"] = self.endpoint_url
            options["aws_allow_http"] = str(self.endpoint_url.startswith("http://")).lower()
        return options

    def arrow_filesystem(self) -> Any:
        """The store as a pyarrow file system, for scans by DuckDB; paths start with the bucket."""
        from pyarrow.fs import S3FileSystem

        credentials = self.credentials()
        endpoint = urlsplit(self.endpoint_url or "")
        return S3FileSystem(
            access_key=credentials.access_key,
            secret_key=credentials.secret_key,
            session_token=credentials.token,
            region=self._client.meta.region_name or "us-east-1",
            endpoint_override=endpoint.netloc or None,
            scheme=endpoint.scheme or "https",
        )

    def credentials(self) -> Any:
        """The chain's credentials: access_key, secret_key and token, refreshed when they are due."""
        with self._explained(""):
            found = self._session.get_credentials()
            if found is None:
                raise FixConfiguration(
                    f"s3://{self.bucket}: no AWS credentials; set AWS_ACCESS_KEY_ID and "
                    "AWS_SECRET_ACCESS_KEY, a profile, or an instance role"
                )
            return found.get_frozen_credentials()

    def _listed(
        self, folder: str, *, after: str = "", last: str | None = None, most: int = PAGE_OBJECTS
    ) -> Iterator[tuple[str, Stamp]]:
        """Objects in order, beyond ``after`` and up to ``last``, in pages of at most ``most``."""
        start = {"StartAfter": self.prefix + after} if after else {}
        paging = {"PageSize": min(most, PAGE_OBJECTS)}
        with self._explained(folder):
            pages = self._client.get_paginator("list_objects_v2")
            for page in pages.paginate(
                Bucket=self.bucket, Prefix=self.prefix + folder, PaginationConfig=paging, **start
            ):
                for item in page.get("Contents", ()):
                    key = item["Key"][len(self.prefix) :]
                    if last is None or key <= last:
                        yield key, (item["Size"], item["ETag"])
                    if last is not None and key >= last:
                        return

    @contextmanager
    def _explained(self, key: str) -> Iterator[None]:
        """Turn botocore's errors into ours, which say whether to wait or to change a setting."""
        from botocore.exceptions import BotoCoreError, ClientError, NoCredentialsError
        from botocore.parsers import ResponseParserError

        try:
            yield
        except ClientError as error:
            raise explained_client_error(self.uri(key), error) from error
        except NoCredentialsError:
            self.credentials()
            raise
        except (BotoCoreError, ResponseParserError, ValueError, KeyError) as error:
            # ValueError: an endpoint that is no URL; KeyError: an answer without an ETag
            raise explained_transport_error(self.uri(key), error) from error


def _default_session() -> Any:
    import boto3

    return boto3.Session()
