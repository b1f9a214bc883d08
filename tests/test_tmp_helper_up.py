import os, signal, time
from tests import samples
from tests.serving import until
from tests.starting import up
from tests.test_up import _are_others, _is_served

def test_it(tmp_path):
    with up(tmp_path / "up") as system:
        jobs = [system.submitted(samples.pdf([f"page {number} of {n}" for number in range(20)])) for n in range(3)]
        parts = system.started.parts()
        for pid in parts:
            os.kill(pid, signal.SIGKILL)
        until(lambda: _are_others(system.started.parts(), parts), seconds=90)
        until(lambda: _is_served(system.http), seconds=90)
        jobs.append(system.submitted(samples.pdf(["after the killing"])))
        began = time.monotonic()
        left = dict.fromkeys(jobs)
        while time.monotonic() - began < 330 and not all(left.values()):
            for job in jobs:
                status = system.http.get(f"/jobs/{job}").json()["status"]
                if status in {"finished", "failed"} and left[job] is None:
                    left[job] = (status, round(time.monotonic() - began))
            time.sleep(1)
        print(left)
        assert {each and each[0] for each in left.values()} == {"finished"}, left
