"""Patterns of every kind that Django has. The order matters, as it does in any Django application."""

from django.contrib import admin
from django.urls import include, path, re_path

from . import api, converters, views

converters.register()

# No name: Django names these by their view function.
unnamed = [
    path("unnamed/", views.echo),
    path("object/", views.Echo()),
    re_path(r"^unnamed/(\d+)/$", views.echo),
]

positional = [
    re_path(r"^$", views.echo, name="positional-root"),
    re_path(r"^(\w+)/$", views.echo, name="positional-word"),
    re_path(r"^(?P<named>\w+)\.html$", views.echo, name="positional-named"),
    path("by/<int:number>/", views.echo, name="positional-path"),
]

extra = [
    path("plain/", views.echo, name="extra-plain"),
    path("own/<a>/", views.echo, {"a": "own", "c": 3}, name="extra-own"),
    re_path(r"^pos/(\d+)/$", views.echo, {"flag": True}, name="extra-positional"),
    re_path(r"^(?P<b>[0-9]+)/(?P<a>[a-z]+)/$", views.echo, name="extra-captured"),
]

urlpatterns = [
    path("", views.echo, name="home"),
    path("admin/", admin.site.urls),
    path("shop/", include("realapp.shop", namespace="shop")),
    path("outlet/<slug:region>/", include("realapp.shop", namespace="outlet")),
    path("api/", include(api.router.urls)),
    path("api/v2/", include((api.paths.urls, "v2"))),
    # Each of Django's converters, alone and in company.
    path("int/<int:n>/", views.echo, name="int"),
    path("str/<str:s>/", views.echo, name="str"),
    path("default/<s>/", views.echo, name="default"),
    path("slug/<slug:s>/", views.echo, name="slug"),
    path("uuid/<uuid:u>/", views.echo, name="uuid"),
    path("path/<path:p>", views.echo, name="path"),
    path("blob/<path:p>/raw/", views.echo, name="path-raw"),
    path("two/<path:a>/-/<path:b>/", views.echo, name="path-path"),
    path("date/<int:y>-<int:m>-<int:d>/", views.echo, name="date"),
    path("file/<str:name>.<str:extension>", views.echo, name="file"),
    path("glued/<slug:a><int:b>/", views.echo, name="glued"),
    path("dash/<slug:a>-<slug:b>/", views.echo, name="dash"),
    path("no-slash/<int:n>", views.echo, name="no-slash"),
    path("caf\u00e9/<str:name>/", views.echo, name="cafe"),
    path("with space/<str:s>/", views.echo, name="space"),
    path("per%cent/<str:s>/", views.echo, name="percent"),
    path("meta.(x)+[y]*/", views.echo, name="metacharacters"),
    # Converters of our own.
    path("year/<yyyy:year>/", views.echo, name="year"),
    path("year/<yyyy:year>/<int:month>/", views.echo, name="month"),
    path("signed/<signed:n>/", views.echo, name="signed"),
    path("lenient/<lenient:n>/", views.echo, name="lenient-number"),
    path("lenient/<str:s>/", views.echo, name="lenient-text"),
    path("<lang:lang>/docs/<path:page>", views.echo, name="docs"),
    path("anyuuid/<anyuuid:u>/", views.echo, name="anyuuid"),
    # The same path by several routes: the first wins, by type.
    path("same/new/", views.echo, name="same-static"),
    path("same/<int:n>/", views.echo, name="same-int"),
    path("same/<uuid:u>/", views.echo, name="same-uuid"),
    path("same/<slug:s>/", views.echo, name="same-slug"),
    path("same/<str:s>/", views.echo, name="same-str"),
    path("same/<path:p>", views.echo, name="same-path"),
    # The same name several times.
    path("again/", views.echo, name="again"),
    path("again/<int:n>/", views.echo, name="again"),
    re_path(r"^again/(?P<s>[a-z]+)/$", views.echo, name="again"),
    # Regular expressions.
    re_path(r"^articles/(?P<year>[0-9]{4})/$", views.echo, name="article-year"),
    re_path(r"^articles/(?P<year>[0-9]{4})/(?P<slug>[\w-]+)/$", views.echo, name="article"),
    re_path(r"^pair/(\d+)/(\w+)/$", views.echo, name="pair"),
    re_path(r"^mixed/(\d+)/(?P<word>\w+)/$", views.echo, name="mixed"),
    re_path(r"^optional/(?:page-(?P<page>\d+)/)?$", views.echo, name="optional"),
    re_path(r"^either/(?:(?P<n>\d+)|(?P<s>[a-z]+))/$", views.echo, name="either"),
    re_path(r"^maybe/(\d+)?/?$", views.echo, name="maybe"),
    re_path(r"^format\.(?P<format>json|xml)$", views.echo, name="format"),
    re_path(r"^lazy/(?P<a>.+?)/(?P<b>.+)/$", views.echo, name="lazy"),
    re_path(r"^greedy/(?P<a>.+)/(?P<b>.*)/$", views.echo, name="greedy"),
    re_path(r"^end/\Z", views.echo, name="end-z"),
    re_path(r"^open/(?P<n>\d+)", views.echo, name="open"),
    re_path(r"^dollar/(a|b$)", views.echo, name="dollar-inside"),
    re_path(r"^space/(\s+)/(\S+)/$", views.echo, name="regex-space"),
    re_path(r"^nested/((?P<outer>[a-z]+)-(\d+))/$", views.echo, name="nested-groups"),
    re_path(r"^repeat/(?:([a-z]+)/)+$", views.echo, name="repeat"),
    re_path(r"^tag/(?P<tags>(?:[\w-]+/)*)$", views.echo, name="tags"),
    re_path(r"^caf\u00e9-(?P<word>\w+)$", views.echo, name="regex-cafe"),
    re_path(r"unanchored/(\d+)/$", views.echo, name="unanchored-dollar"),
    re_path(r"\.php", views.echo, name="unanchored"),
    # Includes of all kinds.
    re_path(r"^positional/(\d+)/", include(positional)),
    re_path(r"^maybe-named/(?:(?P<lang>en|de)/)?", include(positional)),
    re_path(r"^mixed-include/(?P<n>\d+)/", include((positional, "mixed-app"), namespace="mixed-ns")),
    path("extra/<int:a>/", include(extra), {"b": "include", "ratio": 0.5}),
    path("greedy<str:rest>", include([path("/tail/", views.echo, name="greedy-tail"), path("x", views.echo, name="never")])),
    path("", include(unnamed)),
    path("unnamed-ns/", include((unnamed, "nameless"))),
    re_path(r"inside/", include([path("x/<int:n>/", views.echo, name="inside-x")])),
    # What the tests of the proxy call.
    path("echo/", views.echo, name="echo"),
    path("echo/<path:rest>", views.echo, name="echo-rest"),
    path("status/<int:code>/", views.status, name="status"),
    path("stream/<int:count>/", views.stream, name="stream"),
    path("broken-stream/<int:count>/", views.broken_stream, name="broken-stream"),
    path("sleep/<int:milliseconds>/", views.sleep, name="sleep"),
    path("large/<int:size>/", views.large, name="large"),
    path("chunked/<int:size>/", views.chunked, name="chunked"),
    path("fail/", views.fail, name="fail"),
    path("fail/<str:kind>/", views.fail, name="fail-kind"),
    path("missing/", views.missing, name="missing"),
    path("redirect/<path:target>", views.redirect, name="redirect"),
    # The last resort, for one part of the tree only.
    re_path(r"^static-site/(?P<url>.*)$", views.echo, name="catch-all"),
]
