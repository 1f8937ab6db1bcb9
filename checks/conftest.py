"""What the checks of several runbooks of one system share."""

import uuid

import httpx
import pytest

from drillbook.clock import SystemClock, poll
from drillbook.evidence import expect

PROCESSED_WITHIN_S = 3.0
REPORT = """<feedback>
<report_metadata><org_name>drillbook</org_name><report_id>{key}</report_id>
<date_range><begin>1764000000</begin><end>1764086399</end></date_range></report_metadata>
<policy_published><domain>verification.example</domain></policy_published>
<record><row><source_ip>192.0.2.9</source_ip><count>1</count>
<policy_evaluated><dkim>pass</dkim><spf>pass</spf></policy_evaluated></row></record>
</feedback>"""


@pytest.fixture
def dmarc_report_comes_out(urls):
    """Hand a report in to the DMARC dashboard, and expect its domain to count one more in /api/domains."""

    def count():
        answer = httpx.get(urls["backend"] + "/api/domains", timeout=5)
        expect(answer.status_code == 200, "HTTP 200 from /api/domains", f"HTTP {answer.status_code}")
        return sum(one["report_count"] for one in answer.json()["domains"] if one["domain"] == "verification.example")

    def hand_in():
        before = count()
        report = REPORT.format(key=f"verification-{uuid.uuid4()}")
        answer = httpx.post(urls["backend"] + "/api/reports", content=report, timeout=5)
        expect(answer.status_code == 202, "HTTP 202 for a report", f"HTTP {answer.status_code}: {answer.text[:200]}")
        is_counted = poll(lambda: count() > before, within_s=PROCESSED_WITHIN_S, clock=SystemClock())
        within = f"it counted in /api/domains within {PROCESSED_WITHIN_S:.0f} s"
        expect(is_counted, within, f"{before} reports, as before")

    return hand_in
