"""What stands beside the bytes of an object, between boto3's words and those of HTTP."""

from provisioning.drivers.s3_headers import as_arguments, headers_of

ANSWER = {
    "ContentType": "application/pdf", "CacheControl": "no-store", "ContentEncoding": "", "ContentLength": 7,
    "Metadata": {"Author": "finance", "title": "y"},
}  # fmt: skip


def test_what_is_told_is_what_is_put_again() -> None:
    told = headers_of(ANSWER)
    assert told == {
        "content-type": "application/pdf", "cache-control": "no-store", "x-amz-meta-author": "finance",
        "x-amz-meta-title": "y",
    }  # fmt: skip
    assert as_arguments(told) == {
        "ContentType": "application/pdf", "CacheControl": "no-store",
        "Metadata": {"author": "finance", "title": "y"},
    }  # fmt: skip
    assert as_arguments({}) == {}


def test_what_is_no_ascii_is_written_as_s3_itself_shows_it() -> None:
    told = as_arguments({"x-amz-meta-title": "报表", "x-unknown": "1"})
    assert told == {"Metadata": {"title": "=?utf-8?b?5oql6KGo?="}}
