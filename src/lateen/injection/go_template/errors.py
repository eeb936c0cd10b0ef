"""What is wrong with a template, and where."""

from __future__ import annotations


class TemplateError(Exception):
    """In a template's text, or met while it was carried out."""

    def __init__(self, message: str, template: str = "", line: int = 0) -> None:
        super().__init__(message)
        self.message = message
        self.template = template
        self.line = line

    def __str__(self) -> str:
        if not self.line:
            return self.message
        return f"template {self.template}, line {self.line}: {self.message}"

    def at(self, template: str, line: int) -> TemplateError:
        """The same, located, unless it is already."""
        return self if self.line else TemplateError(self.message, template, line)
