# SPDX-License-Identifier: MIT
"""What a Django shop needs to hand orders to backchannel: the click in a cookie of its own, and one
report an order, that neither breaks it nor holds it up for more than 300 ms. For Django 3.2 or later.
"""
import http.client
import json
import os
import re

from django.db import transaction

HOST = os.environ.get("BACKCHANNEL_HOST", "127.0.0.1:8787")
HEADERS = {"Content-Type": "application/json"}
if os.environ.get("BACKCHANNEL_API_TOKEN"):
    HEADERS["Authorization"] = "Bearer " + os.environ["BACKCHANNEL_API_TOKEN"]
PARAM = "sovReqToken"
MAX_AGE = 24 * 60 * 60  # as click.ttl


def capture_click(get_response):
    """Middleware; first in MIDDLEWARE, above the cache's: a page from the cache has a click too. Not
    the session: it has no key until it is saved, so that all new visitors would share the key None,
    and a login gives it another one. Not the cache: by default each process has its own."""
    def middleware(request):
        response = get_response(request)
        tokens = [t for t in request.GET.getlist(PARAM) if re.fullmatch(r"[A-Za-z0-9_-]{4,128}", t)]
        if tokens and request.method == "GET":
            response.set_cookie("bc_click", "t." + tokens[-1], max_age=MAX_AGE, httponly=True,
                                secure=True, samesite="Lax")
        return response
    return middleware


def click_of(request):
    """Copy it into the order when the checkout starts: the payment provider's webhook has no cookie."""
    click = request.COOKIES.get("bc_click", "")
    return click if re.fullmatch(r"[tc]\.[A-Za-z0-9_-]{4,128}", click) else ""


def report_order(order, click):
    """False: report it again later; the order's id makes that safe. A 400 or 409 would be no other
    the next time. Raises nothing: what raises in on_commit takes the finished order's answer with it."""
    if not click:
        return True
    connection = http.client.HTTPConnection(HOST, timeout=0.3)
    try:
        connection.request("POST", "/v1/orders", json.dumps({"order": str(order), "click": click}), HEADERS)
        status = connection.getresponse().status
        return 200 <= status < 300 or status in (400, 409)
    except Exception:  # pylint: disable=broad-except
        return False
    finally:
        connection.close()


def report_on_commit(order, click, done=lambda: None):
    """In the transaction of the order: an order that is rolled back is not reported. done() is called
    once it need not be reported again; its own failure is the order's as little."""
    def report():
        try:
            if report_order(order, click):
                done()
        except Exception:  # pylint: disable=broad-except
            pass
    transaction.on_commit(report)
