"""What experimenters change below /lab: their session, studies, invitations, accounts; and the log of it all."""

from __future__ import annotations

from flask import Blueprint

from study_app.lab import accounts_page, audit_page, invitations_page, login, studies_page

blueprint = Blueprint("managing", __name__, url_prefix="/lab")
blueprint.register_error_handler(401, login.ask_to_sign_in)
for part in (login, studies_page, invitations_page, accounts_page, audit_page):
    blueprint.register_blueprint(part.blueprint)
