"""What scripts rely on: formats, keys, exit codes, errors on stderr, tokens that nobody sees."""

import inspect
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from cloudctl import errors
from cloudctl.cli import exits
from cloudctl.cli.formatters import cell
from cloudctl.cli.main import Cloudctl
from cloudctl.core import Core
from cloudctl.errors import CloudctlError
from tests.builders import a_province
from tests.command_line import CommandLine, a_server, run


class NoClouds:
    def at(self, site_id: str) -> Any:
        raise AssertionError(f"asked for the cloud of {site_id}")


@pytest.fixture
def cloudctl(core: Core, monkeypatch: pytest.MonkeyPatch) -> Iterator[CommandLine]:
    a_province(core)
    with a_server(core, NoClouds()) as url:
        yield CommandLine(core, url, monkeypatch)


def leaves() -> list[type[CloudctlError]]:
    found = [value for _, value in inspect.getmembers(errors, inspect.isclass)]
    return [one for one in found if issubclass(one, CloudctlError)]


# -- formats


def test_json_and_yaml_show_chinese_as_it_is_written(cloudctl: CommandLine) -> None:
    as_json = cloudctl("department", "list", "-f", "json", user="alice")
    assert "财政厅" in as_json.out
    as_yaml = cloudctl("department", "list", "-f", "yaml", user="alice")
    assert "财政厅" in as_yaml.out
    assert yaml.safe_load(as_yaml.out) == as_json.json


def test_every_row_has_id_name_and_state(cloudctl: CommandLine) -> None:
    for noun in ("department", "system", "site", "user", "token"):
        for row in cloudctl.rows(noun, "list", user="sam" if noun in ("user", "token") else "dave"):
            assert {"id", "name", "state"} <= row.keys(), noun


def test_columns_are_chosen_sorted_and_plain_for_scripts(cloudctl: CommandLine) -> None:
    listed = ("user", "list", "-f", "value", "-c", "id", "--sort-column", "id", "--sort-descending")
    ended = cloudctl(*listed, user="sam")
    ids = ended.out.split()
    assert ids == sorted(ids, reverse=True)
    assert "alice" in ids


def test_any_key_of_the_api_may_be_a_column(cloudctl: CommandLine) -> None:
    ended = cloudctl("user", "list", "-f", "csv", "-c", "created_at", user="sam")
    assert ended.out.splitlines()[0] == '"created_at"'


def test_an_unknown_column_is_bad_usage_and_the_known_ones_are_named(cloudctl: CommandLine) -> None:
    ended = cloudctl("user", "list", "-c", "nmae", user="sam")
    assert ended.code == exits.USAGE
    assert ended.err.startswith("bad_usage: no column nmae\n")
    assert "name" in ended.err
    assert ended.out == ""


def test_nothing_but_the_result_is_on_stdout_when_piped(cloudctl: CommandLine) -> None:
    ended = cloudctl("department", "list", "-f", "json", user="alice")
    json.loads(ended.out)
    assert ended.err == ""


def test_times_in_json_are_iso_with_zone_and_amounts_are_integers(cloudctl: CommandLine) -> None:
    [row] = [one for one in cloudctl.rows("user", "list", user="sam") if one["id"] == "alice"]
    assert row["created_at"].endswith(("Z", "+00:00"))


def test_fractions_are_cut_short_for_people_and_whole_for_scripts() -> None:
    assert [cell(one, "table") for one in (123.498972, 0.9996, 0.737, 7, True)] == [
        123.4,
        0.999,
        0.737,
        7,
        "yes",
    ]
    assert [cell(123.498972, kind) for kind in ("json", "yaml", "csv", "value")] == [123.498972] * 4


def test_seconds_are_rounded_up_for_people_and_whole_for_scripts() -> None:
    spans = (99.984, 12.0, 6.4931, 0.0)
    assert [cell(one, "table", "rto_s") for one in spans] == [100.0, 12.0, 6.494, 0.0]
    assert cell({"boot_s": 99.984, "share": 0.9996}, "table", "measured") == "boot_s=100.0, share=0.999"
    assert cell(99.984, "json", "rto_s") == 99.984


def test_ids_and_names_are_accepted_alike(cloudctl: CommandLine) -> None:
    by_id = cloudctl.rows("department", "show", "gx-finance", user="alice")
    by_name = cloudctl.rows("department", "show", "财政厅", user="alice")
    assert by_id == by_name
    assert cloudctl.rows("system", "list", "--department", "财政厅", user="alice")


# -- errors and exit codes


def test_every_error_has_an_exit_code_that_the_table_means() -> None:
    for leaf in leaves():
        assert exits.BY_CODE.get(leaf.code, exits.FAILED) in exits.MEANING
    known = {leaf.code for leaf in leaves()} | {"server_unavailable", "bad_usage"}
    assert set(exits.BY_CODE) <= known


@pytest.mark.parametrize(
    ("argv", "user", "code", "word"),
    [
        (("department", "show", "gx-finace"), "alice", exits.NOT_FOUND, "not_found"),
        (("user", "list"), "alice", exits.REFUSED, "not_allowed"),
        (("user", "disable", "sam"), "sam", exits.SECOND_PERSON, "second_person_needed"),
        (("user", "create", "alice", "--name", "李爱丽"), "sam", exits.CONFLICT, "conflict"),
        (("user", "create", "A!", "--name", "x"), "sam", exits.USAGE, "bad_input"),
        (("user", "list"), None, exits.FAILED, "not_signed_in"),
        (("user", "lits"), "sam", exits.USAGE, "bad_usage"),
        (("nonsense",), "sam", exits.USAGE, "bad_usage"),
    ],
)
def test_what_goes_wrong_is_one_line_with_its_code(
    cloudctl: CommandLine, argv: tuple[str, ...], user: str | None, code: int, word: str
) -> None:
    ended = cloudctl(*argv, user=user)
    assert ended.code == code
    assert ended.err.startswith(f"{word}: ")
    assert ended.out == ""


def test_all_faults_stand_below_one_line_each(cloudctl: CommandLine) -> None:
    ended = cloudctl("user", "create", "A!", "--name", "x", "--phone", "none", user="sam")
    first, *faults = ended.err.splitlines()
    assert first.startswith("bad_input: ")
    assert [fault.split(":")[0].strip() for fault in faults] == ["id", "phone"]


@pytest.mark.parametrize("argv", [("user", "create"), ("user", "list", "--no-such"), ("quota", "set", "x")])
def test_a_wrong_command_line_ends_with_64(cloudctl: CommandLine, argv: tuple[str, ...]) -> None:
    assert cloudctl(*argv, user="sam").code == exits.USAGE


def test_a_server_that_is_not_there_is_unavailable_and_says_what_to_start(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("CLOUDCTL_HOME", str(tmp_path))
    monkeypatch.setenv("CLOUDCTL_TOKEN", "cct_none")
    monkeypatch.delenv("CLOUDCTL_SERVER", raising=False)
    ended = run(monkeypatch, "request", "list")
    assert ended.code == exits.UNAVAILABLE
    assert ended.err.startswith("server_unavailable: ")
    assert "cloudctl serve" in ended.err
    assert "Traceback" not in ended.err


def test_messages_follow_the_locale(cloudctl: CommandLine, monkeypatch: pytest.MonkeyPatch) -> None:
    english = cloudctl("department", "show", "gx-finace", user="alice").err
    monkeypatch.setattr("cloudctl.cli.main.language", lambda: "zh")
    chinese = cloudctl("department", "show", "gx-finace", user="alice").err
    assert english != chinese
    assert any("\u4e00" <= letter <= "\u9fff" for letter in chinese)


# -- tokens


def test_no_command_takes_a_token_as_an_argument() -> None:
    app = Cloudctl()
    for name, entry in app.command_manager:
        parser = entry.load()(app, None, cmd_name=name).get_parser(name)
        options = {option for action in parser._actions for option in action.option_strings}
        assert not options & {"--token", "--password"}, name


def test_a_token_file_that_others_may_read_is_refused(cloudctl: CommandLine, tmp_path: Path) -> None:
    path = tmp_path / "token"
    path.write_text(cloudctl.token_of("alice"))
    path.chmod(0o644)
    refused = cloudctl("--token-file", str(path), "department", "list")
    assert refused.code == exits.USAGE
    assert f"chmod 600 {path}" in refused.err
    path.chmod(0o600)
    assert cloudctl("--token-file", str(path), "department", "list").code == 0


def test_debugging_shows_the_calls_and_no_token(
    cloudctl: CommandLine, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level("DEBUG"):
        ended = cloudctl("--debug", "department", "list", user="alice")
    assert ended.code == 0
    assert "/api/v1/departments" in caplog.text + ended.err
    assert cloudctl.token_of("alice") not in caplog.text + ended.err


# -- signing in


def test_login_changes_a_first_password_and_keeps_a_private_token(cloudctl: CommandLine, home: Path) -> None:
    made = cloudctl.rows("user", "create", "judy", "--name", "朱迪", user="sam")
    first = made["first_password"]
    ended = cloudctl("login", "judy", "-f", "json", stdin=f"{first}\nCorrect-Horse-1\n")
    assert ended.code == 0, ended.err
    token_file = home / "token"
    assert token_file.stat().st_mode & 0o777 == 0o600
    assert token_file.read_text().strip() not in ended.out + ended.err
    assert cloudctl("token", "list").code == 0, "the kept token is used"
    assert cloudctl("login", "judy", stdin=f"{first}\n").code == exits.FAILED
    assert cloudctl("login", "judy", stdin="Correct-Horse-1\n").code == 0


def test_a_weak_new_password_is_refused_with_every_reason(cloudctl: CommandLine, home: Path) -> None:
    first = cloudctl.rows("user", "create", "judy", "--name", "朱迪", user="sam")["first_password"]
    ended = cloudctl("login", "judy", stdin=f"{first}\njudy\n")
    assert ended.code == exits.USAGE
    assert len(ended.err.splitlines()) >= 3
    assert not (home / "token").exists()
