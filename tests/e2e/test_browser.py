"""The UI in a real browser: log in, the DAG, its graph, its run, a log, an XCom."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from selenium import webdriver
from selenium.webdriver.chrome.options import Options
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.by import By
from selenium.webdriver.support import expected_conditions as expected
from selenium.webdriver.support.ui import WebDriverWait

from tests.running_clone import DAG_ID, Clone

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(500)]
FLAGS = (
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--disable-dev-shm-usage",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--window-size=1400,900",
)
PATIENCE_SECONDS = 60


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[webdriver.Chrome]:
    chromium, driver = shutil.which("chromium"), shutil.which("chromedriver")
    if not (chromium and driver):
        pytest.skip("chromium and chromedriver are not installed")
    options = Options()
    options.binary_location = chromium
    for flag in (*FLAGS, f"--user-data-dir={tmp_path_factory.mktemp('chromium')}"):
        options.add_argument(flag)
    browser = webdriver.Chrome(options=options, service=Service(driver))
    yield browser
    keep_picture(browser, "last")
    browser.quit()


def await_text(browser: webdriver.Chrome, text: str) -> None:
    WebDriverWait(browser, PATIENCE_SECONDS).until(
        lambda each: text in each.find_element(By.TAG_NAME, "body").text,
        f"{text!r} does not appear at {browser.current_url}",
    )


def keep_picture(browser: webdriver.Chrome, name: str) -> None:
    """Keep a picture for people to look at, when a folder is named for it."""
    if folder := os.environ.get("ML_PIPELINE_SCREENSHOTS"):
        browser.save_screenshot(str(Path(folder) / f"{name}.png"))


def click(browser: webdriver.Chrome, css: str) -> None:
    wait = WebDriverWait(browser, PATIENCE_SECONDS)
    wait.until(expected.element_to_be_clickable((By.CSS_SELECTOR, css))).click()


def unfold(browser: webdriver.Chrome, text: str) -> None:
    """Unfold all values, once the editor has come to rest: folded, a `{` and a `}`."""
    lines = (By.CSS_SELECTOR, ".monaco-editor .view-line")
    WebDriverWait(browser, PATIENCE_SECONDS).until(
        lambda each: len(each.find_elements(*lines)) == 2
    )
    click(browser, "[data-testid=expand-all-button]")
    await_text(browser, text)


def log_in(browser: webdriver.Chrome, clone: Clone) -> None:
    browser.get(f"http://localhost:{clone.port}/")
    wait = WebDriverWait(browser, PATIENCE_SECONDS)
    wait.until(expected.presence_of_element_located((By.ID, "username"))).send_keys("admin")
    browser.find_element(By.ID, "password").send_keys(clone.password())
    browser.find_element(By.CSS_SELECTOR, "input[type=submit]").click()
    await_text(browser, "Dags")


def test_ui_shows_the_dag_its_graph_run_log_xcom_and_trigger_form(
    clone: Clone, browser: webdriver.Chrome
) -> None:
    dag = f"http://localhost:{clone.port}/dags/{DAG_ID}"
    task = f"{dag}/runs/{clone.api().first_run(DAG_ID)}/tasks/save_results"
    log_in(browser, clone)

    browser.get(f"http://localhost:{clone.port}/dags")
    await_text(browser, DAG_ID)
    keep_picture(browser, "dags")

    browser.get(dag)
    for name in ("load_data", "train_model", "save_results"):
        await_text(browser, name)
    keep_picture(browser, "grid")

    click(browser, "button[value=graph]")
    click(browser, ".react-flow__node")
    keep_picture(browser, "graph")

    browser.get(task)
    await_text(browser, "Done. Returned value was")
    keep_picture(browser, "log")

    browser.get(f"{task}/xcom")
    await_text(browser, "return_value")
    unfold(browser, '"run"')  # the first line: the editor draws only what is in view
    keep_picture(browser, "xcom")

    browser.get(dag)
    click(browser, "[data-testid=trigger-dag-button]")
    await_text(browser, "Random state")
    keep_picture(browser, "form")
