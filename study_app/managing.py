"""."""

from flask import Blueprint

blueprint = Blueprint("managing", __name__)
