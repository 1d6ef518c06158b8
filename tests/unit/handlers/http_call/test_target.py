import pytest

from scheduler.adapters.handlers.http_call.target import InvalidUrlError, Target

BAD = (
    "",
    "example.com",
    "//example.com/",
    "http:/example.com",
    "http:example.com",
    "http://",
    "http:///path",
    "http://:80/",
    "http://?x",
    "http://#x",
    "ftp://example.com/",
    "file:///etc/passwd",
    "gopher://example.com/",
    "unix:///run/docker.sock",
    "http+unix://socket/",
    "data:text/plain,x",
    "javascript:alert(1)",
    "ws://example.com/",
    "http://user@example.com/",
    "http://user:pass@example.com/",
    "http://example.com@127.0.0.1/",
    "http://example.com\\@127.0.0.1/",
    "http:\\\\127.0.0.1\\",
    "http://127.0.0.1\r\nHost: x/",
    "http://exa mple.com/",
    "http://example.com/a b",
    "http://example.com/\t",
    " http://example.com/",
    "http://example.com/\0",
    "http://example.com:0/",
    "http://example.com:65536/",
    "http://example.com:999999/",
    "http://example.com:/",
    "http://example.com:+80/",
    "http://example.com:-1/",
    "http://example.com:80:80/",
    "http://example.com:http/",
    "http://example.com:\u0661/",
    "http://ex\u00e4mple.com/",
    "http://\u24db\u24de\u24d2\u24d0\u24db\u24d7\u24de\u24e2\u24e3/",
    "http://127\u30020\u30020\u30021/",
    "http://\uff11\uff12\uff17.0.0.1/",
    "http://example.com./",
    "http://example..com/",
    "http://.example.com/",
    "http://-example.com/",
    "http://example-.com/",
    "http://exa%6dple.com/",
    "http://exam'ple.com/",
    "http://" + "a" * 64 + ".com/",
    "http://" + "a." * 127 + "com/",
    "http://127.0.0.1./",
    "http://127.1/",
    "http://2130706433/",
    "http://0x7f000001/",
    "http://0x7f.0.0.1/",
    "http://127.0.0.0x1/",
    "http://017700000001/",
    "http://0177.0.0.1/",
    "http://127.000.000.001/",
    "http://127.0.0.1.1/",
    "http://256.0.0.1/",
    "http://0x/",
    "http://1.2.3.0x/",
    "http://[::1/",
    "http://::1/",
    "http://[]/",
    "http://[::1]x/",
    "http://[fe80::1%25eth0]/",
    "http://[fe80::1%eth0]/",
    "http://[127.0.0.1]/",
    "http://[v1.x]/",
    "http://[::1]:99999/",
    "http://example.com/" + "a" * 8192,
)


@pytest.mark.parametrize("text", BAD)
def test_what_could_be_read_in_two_ways_is_no_url(text: str) -> None:
    with pytest.raises(InvalidUrlError) as refusal:
        Target.parse(text)
    assert "must" in str(refusal.value)
    assert not text or text not in str(refusal.value)


@pytest.mark.parametrize(
    ("text", "target", "authority"),
    [
        ("http://example.com", Target("http", "example.com", 80, "/"), "example.com"),
        ("HTTPS://Example.COM:443/A?b=C#d", Target("https", "example.com", 443, "/A?b=C"), "example.com"),
        ("https://example.com?q", Target("https", "example.com", 443, "/?q"), "example.com"),
        ("http://a_b.internal:8080/", Target("http", "a_b.internal", 8080, "/"), "a_b.internal:8080"),
        ("http://xn--exmple-cua.com/", Target("http", "xn--exmple-cua.com", 80, "/"), "xn--exmple-cua.com"),
        ("http://localhost:80/@:[]{}|", Target("http", "localhost", 80, "/@:[]{}|"), "localhost"),
        ("http://10.0.0.1:81/", Target("http", "10.0.0.1", 81, "/"), "10.0.0.1:81"),
        ("http://[2001:DB8:0::1]:81/", Target("http", "2001:db8::1", 81, "/"), "[2001:db8::1]:81"),
        ("http://[::ffff:127.0.0.1]/", Target("http", "::ffff:7f00:1", 80, "/"), "[::ffff:7f00:1]"),
        ("http://1a.2b/", Target("http", "1a.2b", 80, "/"), "1a.2b"),
    ],
)
def test_a_url_is_read(text: str, target: Target, authority: str) -> None:
    assert Target.parse(text) == target
    assert target.authority == authority


def test_only_the_origin_is_shown() -> None:
    assert (
        str(Target.parse("https://example.com:444/services/T0/secret?key=secret#secret")) == "https://example.com:444"
    )


@pytest.mark.parametrize(
    ("reference", "expected"),
    [
        ("/c", "https://example.com/c"),
        ("c?d", "https://example.com/a/c?d"),
        ("//other.example/x", "https://other.example/x"),
        ("http://other.example:8080", "http://other.example:8080/"),
        ("?q=2", "https://example.com/a/b?q=2"),
    ],
)
def test_a_reference_is_resolved_against_its_page(reference: str, expected: str) -> None:
    assert Target.parse("https://example.com/a/b?q=1").join(reference) == Target.parse(expected)


@pytest.mark.parametrize("reference", ["file:///etc/passwd", "http://[::1", "//user@host/", "http://\u00e4/", "//\\x/"])
def test_a_reference_to_no_url_is_refused(reference: str) -> None:
    with pytest.raises(InvalidUrlError):
        Target.parse("https://example.com/").join(reference)
