"""The web server's renewal and stop under load: real gunicorn, real signals, real clients."""

from __future__ import annotations

import signal
import sys
import threading

import psutil
import pytest

from tests.http_load import load
from tests.integration.web.conftest import WebServer
from tests.running_clone import eventually

pytestmark = pytest.mark.timeout(120)
CLIENTS = 9  # one request each at a time
WAITS_AT_ITS_START = """\
        from pathlib import Path
        while not Path("{go}").exists():
            await asyncio.sleep(0.05)
        return
"""
FAILS_AT_ITS_START = """\
        await receive()
        await send({"type": "lifespan.startup.failed"})
        return
"""


def test_renewal_when_code_and_settings_changed_runs_the_new_ones(web_server: WebServer) -> None:
    web_server.change('"first"', '"second"')
    web_server.settings.write_text(f"{web_server.settings.read_text()}\nworkers = 3\n")
    web_server.renew()
    assert web_server.get() == "second"
    assert len(web_server.workers()) == 3


def test_renewal_under_load_loses_nothing_and_keeps_process_and_descriptors(
    web_server: WebServer,
) -> None:
    web_server.renew()
    descriptors = web_server.master.num_fds()
    with load([web_server.url]) as outcome:
        for _ in range(5):
            web_server.renew()
    assert outcome.failures == {}
    assert outcome.requests > 100
    assert web_server.process.poll() is None
    assert web_server.master.num_fds() == descriptors


def test_renewal_when_a_request_is_in_flight_finishes_it(web_server: WebServer) -> None:
    answers: list[str] = []
    slow = threading.Thread(target=lambda: answers.append(web_server.get("/slow")))
    slow.start()
    web_server.change('"first"', '"second"')
    web_server.renew()
    slow.join()
    assert answers == ["first"]
    assert web_server.get() == "second"


def test_renewal_when_asked_twice_at_once_ends_with_the_code_of_the_second(
    web_server: WebServer,
) -> None:
    web_server.change("import asyncio", "import asyncio, time\ntime.sleep(1)")
    started = web_server.log.read_text().count("Listening at")
    web_server.master.send_signal(signal.SIGHUP)
    eventually(lambda: "Becoming the new program" in web_server.tell())
    web_server.change('"first"', '"second"')
    web_server.master.send_signal(signal.SIGHUP)
    eventually(lambda: web_server.tell().count("Listening at") == started + 2, tell=web_server.tell)
    eventually(lambda: web_server.get() == "second", tell=web_server.tell)
    eventually(lambda: len(web_server.workers()) == 2, tell=web_server.tell)


def test_renewal_when_new_workers_are_slow_to_start_lets_the_old_ones_serve(
    web_server: WebServer,
) -> None:
    go = web_server.application.with_name("go")
    web_server.change('"first"', '"second"')
    web_server.change("        return\n", WAITS_AT_ITS_START.format(go=go))
    booted = web_server.tell().count("Booting worker")
    web_server.master.send_signal(signal.SIGHUP)
    eventually(lambda: web_server.tell().count("Booting worker") == booted + 2)
    assert {web_server.get() for _ in range(20)} == {"first"}
    go.touch()
    eventually(lambda: web_server.get() == "second")


def test_renewal_when_new_workers_cannot_start_ends_everything(web_server: WebServer) -> None:
    settings = web_server.settings.read_text()  # as where the kernel does not end orphans
    web_server.settings.write_text(settings.replace("linux.die_with_parent()", "pass"))
    web_server.renew()
    old = web_server.workers()
    web_server.change("        return\n", FAILS_AT_ITS_START)
    web_server.master.send_signal(signal.SIGHUP)
    assert web_server.process.wait(30) != 0
    _, alive = psutil.wait_procs(old, 10)
    assert alive == []


def test_stop_during_a_renewal_ends_everything(web_server: WebServer) -> None:
    web_server.change("import asyncio", "import asyncio, time\ntime.sleep(1)")
    old = web_server.workers()
    web_server.master.send_signal(signal.SIGHUP)
    eventually(lambda: "Becoming the new program" in web_server.tell())
    web_server.master.terminate()
    assert web_server.process.wait(20) == 0
    assert not any(worker.is_running() for worker in old)


def test_stop_under_load_resets_no_kept_connection(web_server: WebServer) -> None:
    with load([web_server.url], ["busy", "thinking"]) as outcome:
        eventually(lambda: outcome.requests > 100)
        web_server.master.terminate()
        web_server.process.wait(20)
    assert set(outcome.failures) <= {"ConnectError"}, outcome.failures  # nobody listens any more


def test_worker_when_it_has_served_its_requests_is_replaced_without_losing_one(
    web_server: WebServer,
) -> None:
    settings = f"{web_server.settings.read_text()}\nmax_requests, max_requests_jitter = 20, 20\n"
    web_server.settings.write_text(settings)
    web_server.renew()
    booted = web_server.tell().count("Booting worker")
    with load([web_server.url]) as outcome:
        eventually(lambda: web_server.tell().count("Booting worker") > booted + 10)
    assert outcome.failures == {}


def test_worker_when_killed_under_load_costs_the_requests_in_flight_at_most(
    web_server: WebServer,
) -> None:
    with load([web_server.url]) as outcome:
        eventually(lambda: outcome.requests > 100)
        victim = web_server.workers()[0]
        victim.kill()
        eventually(lambda: len(web_server.workers()) == 2 and victim not in web_server.workers())
        answered = outcome.requests
        eventually(lambda: outcome.requests > answered + 100)
    assert outcome.failures.total() <= CLIENTS, outcome.failures


@pytest.mark.skipif(sys.platform != "linux", reason="needs Linux: no parent-death signal elsewhere")
def test_workers_when_their_master_is_killed_end(web_server: WebServer) -> None:
    web_server.renew()  # also those that a renewed master has forked
    workers = web_server.workers()
    web_server.process.kill()
    _, alive = psutil.wait_procs(workers, 10)
    assert alive == []


def test_workers_collect_garbage_though_their_master_loads_without(web_server: WebServer) -> None:
    assert web_server.get("/collects-garbage") == "True"
