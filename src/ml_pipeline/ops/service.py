"""Units that bring the stack back after a reboot: systemd for a user or the system, launchd."""

from __future__ import annotations

from enum import StrEnum
from xml.sax.saxutils import escape

from ml_pipeline.ops.postgres.account import own_name
from ml_pipeline.ops.project import Project

LAUNCHD_LABEL = "org.ml-pipeline.airflow"


class Kind(StrEnum):
    """Which service manager, and whose."""

    SYSTEMD_USER = "systemd-user"
    SYSTEMD_SYSTEM = "systemd-system"
    LAUNCHD = "launchd"


def default_kind(platform: str, is_root: bool) -> Kind:
    """Return the kind that fits this machine and user."""
    if platform == "darwin":
        return Kind.LAUNCHD
    return Kind.SYSTEMD_SYSTEM if is_root else Kind.SYSTEMD_USER


def unit(project: Project, kind: Kind) -> str:
    """Return the unit's text, with the paths of this clone."""
    return _launchd(project) if kind is Kind.LAUNCHD else _systemd(project, kind)


def install_commands(kind: Kind) -> list[str]:
    """Return what to type to install the printed unit."""
    if kind is Kind.LAUNCHD:
        file = f"~/Library/LaunchAgents/{LAUNCHD_LABEL}.plist"
        return [f"ml-pipeline service install --print > {file}", f"launchctl load -w {file}"]
    if kind is Kind.SYSTEMD_USER:
        return [
            "mkdir -p ~/.config/systemd/user",
            "ml-pipeline service install --print > ~/.config/systemd/user/ml-pipeline.service",
            "systemctl --user enable --now ml-pipeline",
            "loginctl enable-linger   # so that it starts at boot, not at log-in",
        ]
    return [
        "ml-pipeline service install --print > /etc/systemd/system/ml-pipeline.service",
        "systemctl enable --now ml-pipeline",
    ]


def _systemd(project: Project, kind: Kind) -> str:
    is_system = kind is Kind.SYSTEMD_SYSTEM
    template = (project.root / "deploy" / "systemd" / "ml-pipeline.service").read_text()
    root = str(project.root).replace("%", "%%")
    start = _quoted_executable(str(project.root / "start_airflow.sh"))
    return (
        template.replace("@ROOT@", root)
        .replace("@START@", start)
        .replace("@USER_LINE@\n", f"User={own_name()}\n" if is_system else "")
        .replace("@WANTED_BY@", "multi-user.target" if is_system else "default.target")
    )


def _quoted_executable(text: str) -> str:
    """Quote an executable for ExecStart, where variables are not expanded: systemd.service(5)."""
    for special, escaped in (("\\", "\\\\"), ('"', '\\"'), ("%", "%%")):
        text = text.replace(special, escaped)
    return f'"{text}"'


def _launchd(project: Project) -> str:
    template = (project.root / "deploy" / "launchd" / "ml-pipeline.plist").read_text()
    return template.replace("@ROOT@", escape(str(project.root)))
