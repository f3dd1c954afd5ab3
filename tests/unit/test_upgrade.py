"""Upgrading a database that was in use before the register came."""

from pathlib import Path

from alembic import command
from sqlalchemy import text

from cloudctl.models import FOREVER, InformationSystem, SystemVersion
from cloudctl.store import Store, _alembic

_BEFORE = (
    "INSERT INTO division (code, name, level, served_by) VALUES ('450000', '广西', 'province', '[]')",
    "INSERT INTO department (id, name, kind, division_code) VALUES ('gx', '财政厅', '政府', '450000')",
    """
    INSERT INTO information_system (id, name, department_id, mlps_level, category, is_classified,
        is_key_application, has_key_data, retired_at)
    VALUES ('a', '预算', 'gx', 3, '业务', false, true, false, NULL),
        ('b', '旧系统', 'gx', 2, NULL, false, false, false, '2026-01-02 03:04:05.000000'),
        ('c', '不应留存的名称', 'gx', 3, '保密', true, false, false, NULL)
    """,
)


def test_systems_of_before_begin_their_history_and_what_is_classified_loses_its_name(tmp_path: Path) -> None:
    store = Store(f"sqlite:///{tmp_path / 'old.db'}")
    with store.engine.execution_options(cloudctl_write=True).begin() as connection:
        command.upgrade(_alembic(connection), "0001")
        for statement in _BEFORE:
            connection.execute(text(statement))
    store.migrate()
    with store.read() as uow:
        rows = {row.id: row for row in uow.all(InformationSystem)}
        versions = {row.system_id: row for row in uow.all(SystemVersion)}
    assert {key: (row.name, row.life_state, row.stage) for key, row in rows.items()} == {
        "a": ("预算", "in_use", "registered"),
        "b": ("旧系统", "retired", "retired"),
        "c": ("涉密系统", "in_use", "registered"),
    }
    assert {key: (one.life_state, one.stage, one.level, one.mlps_level) for key, one in versions.items()} == {
        "a": ("in_use", "registered", "province", 3),
        "b": ("retired", "retired", "province", 2),
        "c": ("in_use", "registered", "province", 3),
    }
    assert {one.valid_to for one in versions.values()} == {FOREVER}
    assert (rows["a"].origin, rows["a"].details, rows["c"].category) == ("topology", {}, None)
    assert store.schema_differences() == []
    store.close()
