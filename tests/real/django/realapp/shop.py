"""An application with a name, included twice under two namespaces."""

from django.urls import include, path, re_path

from . import views

app_name = "shop"

orders = (
    [
        path("", views.echo, name="list"),
        path("<uuid:id>/", views.echo, name="detail"),
        path("<uuid:id>/lines/<int:line>/", views.echo, name="line"),
        re_path(r"^by-(?P<customer>[^/]+)/$", views.echo, name="by-customer"),
        re_path(r"^(\d+)-(\d+)/$", views.echo, name="range"),
    ],
    "orders",
)

urlpatterns = [
    path("", views.echo, name="index"),
    path("cart/", views.echo, name="cart"),
    path("cart/<int:item>/<slug:size>/", views.echo, {"gift": False}, name="item"),
    path("orders/", include(orders)),
    path("archive/", include(orders, namespace="archive")),
    re_path(r"^search/(?:(?P<page>[0-9]+)/)?$", views.echo, name="search"),
]
