"""What gunicorn serves: `gunicorn realapp.wsgi`."""

import os

from django.core.wsgi import get_wsgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "realapp.settings")
application = get_wsgi_application()

from django.conf import settings  # noqa: E402 (once Django is set up)

from .witness import Witness  # noqa: E402

application = Witness(application, settings.DATA / "witness.jsonl")
