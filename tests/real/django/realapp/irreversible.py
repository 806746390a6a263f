"""The patterns of `urls`, and those that Django resolves but cannot reverse: with one of them there is no admin page."""

from django.urls import re_path

from . import urls, views

urlpatterns = [
    re_path(r"^(?i:folded)/(?P<word>[a-z]+)/$", views.echo, name="folded"),
    re_path(r"(?i)^insensitive/(?P<word>[a-z]+)/$", views.echo, name="insensitive"),
    re_path(r"^all/(?s:(.+))\Z", views.echo, name="dot-all-flag"),
    *urls.urlpatterns,
]
