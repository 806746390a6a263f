"""What gunicorn serves: `gunicorn realapp.wsgi`."""

import os

from django.core.wsgi import get_wsgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "realapp.settings")
application = get_wsgi_application()
