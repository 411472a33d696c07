# SPDX-License-Identifier: MIT
"""A shop of the size of an example, in one file. Its order table has two columns more: the click, and
whether it was reported."""
import os
import sys
from wsgiref.simple_server import WSGIRequestHandler, make_server

import django
from django.conf import settings

settings.configure(
    SECRET_KEY="example", ROOT_URLCONF=__name__, ALLOWED_HOSTS=["127.0.0.1"],
    MIDDLEWARE=["backchannel.capture_click"], DEFAULT_AUTO_FIELD="django.db.models.BigAutoField",
    DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "ATOMIC_REQUESTS": True,
                           "NAME": os.environ.get("SHOP_DATABASE", "shop.sqlite3")}})
django.setup()

from django.core.wsgi import get_wsgi_application  # noqa: E402
from django.db import connection, models  # noqa: E402
from django.http import HttpResponse, JsonResponse  # noqa: E402
from django.shortcuts import get_object_or_404  # noqa: E402
from django.urls import path, re_path  # noqa: E402

import backchannel  # noqa: E402


class Order(models.Model):
    click = models.CharField(max_length=130, blank=True)
    paid = models.BooleanField(default=False)
    reported = models.BooleanField(default=False)

    class Meta:
        app_label = "shop"

    def report(self):
        mine = Order.objects.filter(pk=self.pk)
        backchannel.report_on_commit(self.pk, self.click, lambda: mine.update(reported=True))


def checkout(request):
    """The order exists; nothing is paid yet."""
    order = Order.objects.create(click=backchannel.click_of(request))
    return JsonResponse({"order": str(order.pk)}, status=201)


def paid(request, number):
    """The payment provider's webhook: no cookie of the visitor's, and it may come twice."""
    order = get_object_or_404(Order, pk=number)
    order.paid = True
    order.save()
    order.report()
    if "fail" in request.GET:
        raise RuntimeError("the shop fails, and the order's transaction with it")
    return JsonResponse({"order": str(order.pk)})


def report_again(_request):
    """What the daemon was not there for; a cron job or a management command in a real shop."""
    for order in Order.objects.filter(paid=True, reported=False):
        order.report()
    return HttpResponse(status=204)


def page(_request):
    return HttpResponse("<!doctype html><title>Shop</title><p>Welcome.")


urlpatterns = [path("checkout", checkout), path("paid/<int:number>", paid),
               path("report-again", report_again), re_path("", page)]


class Quiet(WSGIRequestHandler):
    def log_message(self, *_arguments):
        pass


if __name__ == "__main__":
    if Order._meta.db_table not in connection.introspection.table_names():
        with connection.schema_editor() as editor:
            editor.create_model(Order)
    server = make_server("127.0.0.1", int(os.environ.get("PORT", "8000")), get_wsgi_application(),
                         handler_class=Quiet)
    print(server.server_port, flush=True)
    sys.exit(server.serve_forever())
