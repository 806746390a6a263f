"""Converters beside Django's five. `gatelog_type` is what the exporter writes as their `type`."""

import uuid

from django.urls import register_converter


class FourDigitYear:
    """A year, as a number."""

    regex = "[0-9]{4}"
    gatelog_type = "int"

    def to_python(self, value):
        return int(value)

    def to_url(self, value):
        return f"{value:04d}"


class Signed:
    """A number that may be negative, in any script's digits."""

    regex = r"[-+]?\d+"
    gatelog_type = "int"

    def to_python(self, value):
        return int(value)

    def to_url(self, value):
        return str(value)


class Lenient:
    """Takes any segment, and refuses what is no number: Django then tries the next pattern."""

    regex = "[^/]+"
    gatelog_type = "int"

    def to_python(self, value):
        return int(value)

    def to_url(self, value):
        return str(value)


class Language:
    """One of a few."""

    regex = "en|de|pt-br"
    gatelog_type = "str"

    def to_python(self, value):
        return value

    def to_url(self, value):
        return value


class AnyUuid:
    """A UUID in upper or lower case."""

    regex = "[0-9A-Fa-f]{8}(?:-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}"
    gatelog_type = "uuid"

    def to_python(self, value):
        return uuid.UUID(value)

    def to_url(self, value):
        return str(value)


def register():
    """Registers them all."""
    register_converter(FourDigitYear, "yyyy")
    register_converter(Signed, "signed")
    register_converter(Lenient, "lenient")
    register_converter(Language, "lang")
    register_converter(AnyUuid, "anyuuid")
