"""The web page in a real browser, against a real server whose engine reads nothing."""

import json
import re
import shutil
import subprocess
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import pytest
from selenium import webdriver
from selenium.common.exceptions import JavascriptException
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.by import By
from selenium.webdriver.remote.webelement import WebElement
from selenium.webdriver.support.wait import WebDriverWait

from gpu_worker.engines.null import TEXT
from tests import samples
from tests.backends import missing_backend
from tests.serving import Served, served

T = TypeVar("T")

FLAGS = (
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--window-size=1280,900",
)
HOSTILE = "<img src=x onerror=window.pwned=1><script>window.pwned=1</script>"


class Page:
    """What a person sees and does. Whatever is looked for is waited for."""

    def __init__(self, driver: webdriver.Chrome, server: Served) -> None:
        self.driver = driver
        self._url = str(server.http.base_url).rstrip("/")

    def open(self, path: str = "/") -> None:
        self.driver.get("about:blank")
        self.driver.get(self._url + path)

    def until(self, condition: Callable[[], T]) -> T:
        return WebDriverWait(self.driver, 15, poll_frequency=0.02).until(lambda _: condition())

    def shows(self, css: str, text: str) -> None:
        self.until(lambda: text in self.run("return document.querySelector(arguments[0])?.innerText ?? ''", css))

    def find(self, css: str) -> WebElement:
        return self.until(lambda: self.driver.find_elements(By.CSS_SELECTOR, css))[0]

    def click(self, css: str) -> None:
        self.until(lambda: self.find(css).is_displayed() and self.find(css).is_enabled())
        self.find(css).click()

    def point(self, element: WebElement) -> None:
        ActionChains(self.driver, duration=0).move_to_element(element).perform()

    def keys(self, keys: str) -> None:
        ActionChains(self.driver, duration=0).send_keys(keys).perform()

    def run(self, script: str, *arguments: object) -> Any:
        return self.driver.execute_script(script, *arguments)

    def strip(self) -> dict[int, str]:
        """The state of each page by its number, as the strip shows them."""
        cells = self.run("return [...document.querySelectorAll('#strip button')].map((b) => [b.innerText, b.title])")
        return {int(re.findall(r"\d+", title)[0]): title.partition(": ")[2] for _, title in cells}

    def current(self) -> str:
        return str(self.run("return document.querySelector('#strip [aria-current=page]')?.title ?? ''"))

    def marked(self, name: str) -> dict[str, list[str]]:
        """The blocks with this class: on the image, in the list."""
        script = "return [...document.querySelectorAll(arguments[0])].map((node) => node.dataset.block)"
        return {side: self.run(script, f"#{side} .{name}") for side in ("sheet", "blocks")}

    def requests(self) -> list[str]:
        return [str(each) for each in self.run("return performance.getEntriesByType('resource').map((e) => e.name)")]

    def complaints(self) -> list[str]:
        """What the console says, but for answers that tell of errors; and requests to anybody else."""
        said = [each["message"] for each in self._log("browser") if each["source"] != "network"]
        events = [json.loads(each["message"])["message"] for each in self._log("performance")]
        asked = [each["params"]["request"]["url"] for each in events if each["method"] == "Network.requestWillBeSent"]
        own = (f"{self._url}/", "data:", "about:blank")
        return [*said, *(url for url in asked if not url.startswith(own))]

    @contextmanager
    def answering(self, answers: Mapping[str, object]) -> Iterator[None]:
        """Answer these paths with this JSON, within the browser: an engine that read what we like."""
        script = f"""
            const answers = {json.dumps(answers)}, whole = window.fetch;
            window.fetch = (path, init) => path in answers
                ? Promise.resolve(new Response(JSON.stringify(answers[path]))) : whole(path, init);
        """
        command = {"source": script}
        added = self.driver.execute_cdp_cmd("Page.addScriptToEvaluateOnNewDocument", command)
        try:
            yield
        finally:
            self.driver.execute_cdp_cmd("Page.removeScriptToEvaluateOnNewDocument", added)

    def _log(self, name: str) -> list[dict[str, Any]]:
        log: list[dict[str, Any]] = self.driver.get_log(name)  # type: ignore[no-untyped-call]
        return log


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with served(tmp_path_factory.mktemp("page") / "data") as started:
        yield started


@pytest.fixture(scope="module")
def driver(tmp_path_factory: pytest.TempPathFactory) -> Iterator[webdriver.Chrome]:
    browser, its_driver = shutil.which("chromium"), shutil.which("chromedriver")
    if browser is None or its_driver is None:
        missing_backend("chromium or chromedriver")
    options = webdriver.ChromeOptions()
    options.binary_location = browser
    for flag in (*FLAGS, f"--user-data-dir={tmp_path_factory.mktemp('browser')}"):
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    started = webdriver.Chrome(options=options, service=Service(its_driver))
    yield started
    started.quit()


@pytest.fixture
def page(driver: webdriver.Chrome, server: Served) -> Iterator[Page]:
    """Any test fails whose page asked somebody else for anything, or broke its policy, or made an error."""
    page = Page(driver, server)
    page.complaints()  # the browser's own start page is none of ours
    yield page
    pwned = page.run("return window.pwned")
    driver.get("about:blank")
    assert page.complaints() == []
    assert pwned is None


@pytest.fixture(scope="module")
def three(server: Served) -> str:
    return read(server, samples.pdf(["One", "Two", "Three"]), "three.pdf")


@pytest.fixture(scope="module")
def half_read(server: Served) -> str:
    return read(server, samples.crashing_pdf(), "half.pdf")


def read(server: Served, document: bytes, name: str = "sample.pdf", **fields: str) -> str:
    """Submit a document and wait until its job has ended; return the job's id."""
    job_id = server.submitted(document, name=name, **fields)
    server.ended(job_id)
    return job_id


def a_block(name: str, content: str, *, label: str = "text", top: int = 0) -> dict[str, Any]:
    bbox = {"x0": 10, "y0": top, "x1": 200, "y1": top + 20}
    return {"id": name, "label": label, "bbox": bbox, "content": content, "confidence": 0.5, "image": None}


def a_page(job_id: str, *blocks: dict[str, Any], flags: tuple[dict[str, Any], ...] = ()) -> dict[str, object]:
    content = {"markdown": "\n\n".join(block["content"] for block in blocks), "blocks": blocks, "flags": flags}
    shape = {"image": f"/jobs/{job_id}/pages/1/image", "width": 595, "height": 842}
    return {f"/jobs/{job_id}/pages/1": {"page": 1, "status": "done", "error": None} | content | shape}


def test_a_file_that_is_chosen_is_read_and_shown(page: Page, tmp_path: Path) -> None:
    (tmp_path / "letter.pdf").write_bytes(samples.pdf(["Dear Ada", "Yours"]))
    page.open()

    page.find("#file").send_keys(str(tmp_path / "letter.pdf"))
    page.click("#submit")

    page.shows("#job-name", "letter.pdf")
    page.shows("#job-status", "Finished")
    page.shows("#blocks", TEXT)
    page.until(lambda: page.strip() == {1: "done", 2: "done"})
    page.until(lambda: page.run("return document.querySelector('#sheet img').naturalWidth") == 595)
    page.click("#as-source")
    page.shows("#source", TEXT)


def test_recent_jobs_are_listed(page: Page, three: str) -> None:
    page.open()

    page.click(f"#jobs a[href='#/jobs/{three}']")

    page.shows("#job-name", "three.pdf")


def test_a_request_that_is_refused_says_why(page: Page) -> None:
    page.open()

    page.find("#url").send_keys("ftp://example.com/a.pdf")
    page.click("#submit")

    page.shows("#start-problem", "url_not_allowed Only http and https URLs are accepted.")


def test_a_file_may_be_dropped_anywhere(page: Page) -> None:
    page.open()

    page.run(
        """
        const data = new DataTransfer();
        data.items.add(new File(["Just text."], "dropped.txt"));
        document.body.dispatchEvent(new DragEvent("drop", { dataTransfer: data, bubbles: true, cancelable: true }));
        """
    )
    page.shows("#chosen", "dropped.txt")
    page.click("#submit")

    page.shows("#job-name", "dropped.txt")
    page.shows("#job-status", "Failed")


def test_an_idempotency_key_that_was_used_before_opens_its_job(page: Page, server: Served, tmp_path: Path) -> None:
    document = tmp_path / "once.pdf"
    document.write_bytes(samples.pdf(["Once"]))
    job_id = read(server, document.read_bytes(), idempotency_key="the page's")
    page.open()

    page.find("#file").send_keys(str(document))
    page.click("summary")
    page.find("#key").send_keys("the page's")
    page.click("#submit")

    page.shows("#notice", "That key was used before")
    page.shows("#facts", job_id)


def test_the_curl_line_does_what_the_form_would(page: Page, server: Served, tmp_path: Path) -> None:
    if shutil.which("curl") is None:
        missing_backend("curl")
    document = tmp_path / """it's; "$(touch pwned)",a\\b.pdf"""
    document.write_bytes(samples.pdf(["One", "Two", "Three"]))
    page.open()
    page.find("#file").send_keys(str(document))
    page.click("summary")
    page.find("#pages").send_keys("2-r1")
    page.find("#dpi").send_keys("100")
    page.click("#include [value=footnote]")

    line = page.run("return document.getElementById('curl').textContent")
    done = subprocess.run(["sh", "-c", line], cwd=tmp_path, capture_output=True, check=True, timeout=20)

    job = server.ended(json.loads(done.stdout)["job_id"])
    assert (job["source"], job["pages"]["done"]) == (document.name.replace('"', "%22"), 2)
    assert """--form-string 'options={"dpi":100,"include":["footnote"]}'""" in line
    assert list(tmp_path.iterdir()) == [document]


def test_the_strip_has_the_selected_pages_only(page: Page, server: Served) -> None:
    job_id = read(server, samples.pdf(["page"] * 9), pages="3,5,r2-r1")

    page.open(f"/#/jobs/{job_id}")

    page.until(lambda: page.strip() == dict.fromkeys((3, 5, 8, 9), "done"))
    page.until(lambda: page.current() == "Page 3: done")
    page.shows("#blocks", TEXT)


def test_a_page_that_failed_says_why_and_can_be_tried_again(page: Page, server: Served, half_read: str) -> None:
    page.open(f"/#/jobs/{half_read}/p1")

    page.until(lambda: page.strip() == {1: "failed", 2: "done"})
    page.shows("#job-status", "Finished, but 1 page failed")
    page.shows("#page-problem", "render_crashed The page could not be rendered.")
    page.click("#retry")

    page.until(lambda: server.http.get(f"/jobs/{half_read}").json()["round"] == 2)
    page.until(lambda: page.find("#retry").is_displayed())
    assert server.ended(half_read)["partial"]


def test_a_job_that_failed_shows_code_and_message(page: Page, server: Served) -> None:
    job_id = read(server, b"Just text.", "notes.txt")

    page.open(f"/#/jobs/{job_id}")

    page.shows("#job-status", "Failed")
    page.shows("#job-problem", "not_a_document The content is not a PDF")


def test_pointing_at_a_block_marks_it_on_both_sides(page: Page, three: str) -> None:
    blocks = (a_block("b1", "First"), a_block("b2", "Second", top=100))
    with page.answering(a_page(three, *blocks)):
        page.open(f"/#/jobs/{three}")

        page.point(page.find("#blocks [data-block=b2]"))
        from_list = page.until(lambda: page.marked("on")["sheet"] and page.marked("on"))
        page.point(page.find("#sheet [data-block=b1]"))
        page.until(lambda: page.marked("on") == {"sheet": ["b1"], "blocks": ["b1"]})
        page.run("document.querySelector('#blocks [data-block=b2] a').focus()")

        assert from_list == {"sheet": ["b2"], "blocks": ["b2"]}
        page.until(lambda: page.marked("on") == from_list)


def test_boxes_keep_their_place_at_any_size(page: Page, three: str) -> None:
    with page.answering(a_page(three, a_block("b1", "First", top=421))):
        page.open(f"/#/jobs/{three}")
        page.find("#sheet [data-block]")

    box, image = (page.run(f"return document.querySelector('#sheet {tag}').offsetTop") for tag in ("a", "img"))
    height = page.run("return document.querySelector('#sheet img').offsetHeight")

    assert height != 842
    assert box - image == pytest.approx(height / 2, abs=1)


def test_j_and_k_leaf_through_the_pages(page: Page, three: str) -> None:
    page.open(f"/#/jobs/{three}")
    page.until(lambda: page.current() == "Page 1: done")

    page.keys("jjj")
    page.until(lambda: page.current() == "Page 3: done")
    page.keys("k")

    page.until(lambda: page.current() == "Page 2: done")
    page.shows("#blocks", TEXT)
    assert page.run("return location.hash") == f"#/jobs/{three}/p2"


def test_a_deep_link_opens_page_and_block(page: Page, three: str) -> None:
    page.open(f"/#/jobs/{three}/p2/b1")

    page.until(lambda: page.current() == "Page 2: done")
    page.until(lambda: page.marked("pinned") == {"sheet": ["b1"], "blocks": ["b1"]})


def test_nothing_that_a_document_or_its_name_contains_is_executed(page: Page, tmp_path: Path) -> None:
    name = HOSTILE.replace("/", "") + ".pdf"
    (tmp_path / name).write_bytes(samples.pdf(["One"]))
    page.open()
    page.find("#file").send_keys(str(tmp_path / name))
    page.shows("#chosen", name)
    page.click("#submit")
    page.shows("#job-name", name)
    page.shows("#job-status", "Finished")
    job_id = page.run("return location.hash").split("/")[2]
    table = f"<table><tr><td onclick='window.pwned=1'>{HOSTILE}</td></tr></table>"
    blocks = (a_block("b1", HOSTILE), a_block("<b>", table, label="table"), a_block("b3", HOSTILE, label=HOSTILE))
    flag = {"code": HOSTILE, "value": HOSTILE, "block": "b1"}

    with page.answering(a_page(job_id, *blocks, flags=(flag,))):
        page.open(f"/#/jobs/{job_id}/p1/%3Cb%3E")
        page.shows("#blocks", HOSTILE)
        page.shows("#page-note", HOSTILE)
        page.until(lambda: page.marked("pinned")["blocks"] == ["<b>"])
        page.open()
        page.shows("#jobs", name)

    assert page.run("return document.querySelectorAll('main img, main script').length") == 0


def test_the_browser_itself_refuses_text_as_html(page: Page) -> None:
    page.open()

    with pytest.raises(JavascriptException, match="TrustedHTML"):
        page.run("document.getElementById('jobs').innerHTML = arguments[0]", HOSTILE)
    page.driver.get("about:blank")

    assert any("TrustedHTML" in complaint for complaint in page.complaints())


def test_delete_asks_first(page: Page, server: Served) -> None:
    job_id = read(server, samples.pdf(["One"]), "doomed.pdf")
    page.open(f"/#/jobs/{job_id}")

    page.click("#delete")
    page.click("#sure [value=no]")
    kept = server.http.get(f"/jobs/{job_id}")
    page.click("#delete")
    page.click("#sure-yes")

    page.shows("#start", "Recent jobs".upper())
    page.until(lambda: job_id not in page.run("return document.getElementById('jobs').innerHTML"))
    assert (kept.status_code, server.http.get(f"/jobs/{job_id}").status_code) == (200, 404)


def test_a_job_that_is_unknown_says_so(page: Page) -> None:
    page.open("/#/jobs/0123456789abcdef")

    page.shows("#job-problem", "unknown_job There is no such job.")


def test_a_job_of_500_pages_stays_light(page: Page, server: Served) -> None:
    job_id = read(server, samples.pdf(["page"] * 500, size=(120, 160)), "long.pdf")
    page.open(f"/#/jobs/{job_id}")

    page.until(lambda: page.strip() == dict.fromkeys(range(1, 501), "done"))
    page.keys("j" * 30)
    page.until(lambda: page.current() == "Page 31: done")
    page.shows("#blocks", TEXT)
    page.find("#sheet img[src$='/31/image']")

    assert page.run("return document.querySelectorAll('*').length") < 500 + 250
    assert sum("/pages/" in url for url in page.requests()) < 2 * 31 + 5


def test_the_docs_show_what_infer_takes(page: Page) -> None:
    page.open("/docs")

    page.shows("#list", "/jobs/{job_id}/result.zip")
    article = page.find("#infer_infer_post")

    assert article.text.startswith("POST /infer")
    for each in ("idempotency_key", "multipart/form-data", '"html" | "markdown"', "202"):
        assert each in article.text
