"""."""

from flask import Blueprint

blueprint = Blueprint("images", __name__)
