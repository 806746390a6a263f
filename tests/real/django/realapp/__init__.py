"""A Django application with patterns and views of every kind, for gatelog to stand in front of."""
