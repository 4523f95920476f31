"""The language of the pages: gettext in templates and code. Without a translation the text stands as written."""

from __future__ import annotations

from gettext import GNUTranslations, NullTranslations, translation
from pathlib import Path

from flask import Flask, current_app, has_app_context

DOMAIN = "study"
LOCALE_FOLDER = (
    Path(__file__).parents[1] / "locale"
)  # locale/<language>/LC_MESSAGES/study.mo, where there are any


def set_up(app: Flask, language: str | None = None) -> None:
    """Give templates `_()` and code `gettext()` in this language; English where it has no catalogue."""
    found = translation(
        DOMAIN, str(LOCALE_FOLDER), languages=[language] if language else ["en"], fallback=True
    )
    use(app, found, language or "en")


def use(app: Flask, translations: NullTranslations | GNUTranslations, language: str) -> None:
    """Speak through these translations; tests put a pseudo-language here."""
    app.extensions["study_translations"] = translations
    app.jinja_env.add_extension("jinja2.ext.i18n")
    app.jinja_env.install_gettext_callables(  # type: ignore[attr-defined]
        translations.gettext, translations.ngettext, newstyle=True
    )
    app.jinja_env.globals["language"] = language


def gettext(message: str) -> str:
    """The message in the application's language; as it is where no application runs."""
    if not has_app_context():
        return message
    translations: NullTranslations = current_app.extensions["study_translations"]
    return translations.gettext(message)
