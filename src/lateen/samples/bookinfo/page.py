"""The shop's HTML: one page without scripts, fonts or pictures from anywhere else."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from html import escape
from typing import Any

from lateen.samples.bookinfo.page_style import STYLE

CONTENT_SECURITY_POLICY = "default-src 'none'; style-src 'unsafe-inline'; form-action 'self'; base-uri 'none'"
TITLE = "Simple Bookstore App"
_DETAILS = (
    ("author", "Author"),
    ("year", "Year"),
    ("type", "Type"),
    ("pages", "Pages"),
    ("publisher", "Publisher"),
    ("language", "Language"),
    ("ISBN-10", "ISBN-10"),
    ("ISBN-13", "ISBN-13"),
)
_MOST_STARS = 5
_STAR_COLORS = frozenset({"black", "red"})
_COVER = """<svg class="cover" viewBox="0 0 240 340" role="img" aria-label="Cover of the book">
<rect class="cloth" width="240" height="340" rx="6"/><rect class="spine" width="18" height="340" rx="6"/>
<rect class="frame" x="34" y="18" width="188" height="304" rx="3"/>
<g class="masks"><path d="M70 92c22-12 46-12 62 2 2 44-10 70-32 82-20-14-32-40-30-84z"/>
<path d="M128 132c18-12 40-14 60-4 4 42-8 70-30 84-20-12-32-38-30-80z"/></g>
<g class="lines"><path d="M84 116q8-8 16 0M108 116q8-8 16 0M86 142q14 16 28 0"/>
<path d="M142 156q8-8 16 0M164 154q8-8 14 0M146 190q14-16 28 0"/></g>
<text x="128" y="50">THE COMEDY</text><text x="128" y="70">OF ERRORS</text>
<text class="small" x="128" y="262">William Shakespeare</text><path class="rule" d="M88 276h80"/>
<text class="small" x="128" y="300">A play in five acts</text></svg>"""


@dataclass(frozen=True, slots=True)
class Book:
    id: int
    title: str
    description: str
    more: str
    """A page about it."""


def _document(content: str) -> str:
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{TITLE}</title>\n<style>{STYLE}</style>\n</head>\n<body>\n{content}\n</body>\n</html>\n"
    )


def front_page() -> str:
    """What `/` shows: the way to the book, and what is behind it."""
    services = (
        ("productpage", "what you look at; asks details and reviews"),
        ("details", "what is printed on the book"),
        ("reviews", "what readers say: v1 without stars, v2 with black ones, v3 with red ones"),
        ("ratings", "the stars; reviews v2 and v3 ask for them"),
    )
    rows = "".join(f"<tr><th>{name}</th><td>{meaning}</td></tr>" for name, meaning in services)
    return _document(
        '<header><a class="brand" href="/">BookInfo</a></header>\n<main class="front">'
        "<h1>A bookshop of four services</h1>"
        "<p>Small enough to understand at a glance, and made of enough parts to have something to manage.</p>"
        f'<table>{rows}</table><p><a class="button" href="/productpage">Enter the shop</a></p></main>'
    )


def _account(user: str) -> str:
    if user:
        return f'<div class="account"><span>{escape(user)}</span> (<a href="/logout">sign out</a>)</div>'
    return (
        '<details class="account"><summary>Sign in</summary><form method="post" action="/login">'
        '<label>User name <input name="username" autocomplete="username" maxlength="64" required></label>'
        '<label>Password <input name="passwd" type="password" autocomplete="off" placeholder="any will do"></label>'
        '<button type="submit">Sign in</button></form></details>'
    )


def _failure(what: str, answer: Mapping[str, Any]) -> str:
    message = escape(str(answer.get("error", "")))
    return f'<div class="failure"><h4>Error fetching product {what}!</h4><p>{message}</p></div>'


def _details(answer: Any) -> str:
    if not isinstance(answer, dict) or "error" in answer:
        return _failure("details", answer if isinstance(answer, dict) else {})
    rows = "".join(f"<dt>{label}</dt><dd>{escape(str(answer.get(key, '')))}</dd>" for key, label in _DETAILS)
    return f"<h4>Book Details</h4><dl>{rows}</dl>"


def stars(rating: Any) -> str:
    """A rating as stars, or as what kept it from being shown; empty for a review without one."""
    if not isinstance(rating, dict):
        return ""
    count = rating.get("stars")
    if not isinstance(count, int):
        return f'<p class="unrated">{escape(str(rating.get("error", "")))}</p>'
    full = min(max(count, 0), _MOST_STARS)
    color = rating.get("color")
    shown = color if color in _STAR_COLORS else "black"
    marks = '<span class="glyphicon glyphicon-star">★</span>' * full
    marks += '<span class="glyphicon glyphicon-star-empty">☆</span>' * (_MOST_STARS - full)
    return f'<p class="stars {shown}" title="{full} of {_MOST_STARS}">{marks}</p>'


def _reviews(answer: Any) -> str:
    if not isinstance(answer, dict) or "error" in answer:
        return _failure("reviews", answer if isinstance(answer, dict) else {})
    found = answer.get("reviews")
    cards = "".join(
        f"<figure>{stars(each.get('rating'))}<blockquote>{escape(str(each.get('text', '')))}</blockquote>"
        f"<figcaption>{escape(str(each.get('reviewer', '')))}</figcaption></figure>"
        for each in (found if isinstance(found, list) else [])
        if isinstance(each, dict)
    )
    pod = escape(str(answer.get("podname") or "unknown"))
    cluster = answer.get("clustername")
    where = f" <span>in cluster <code>{escape(str(cluster))}</code></span>" if cluster else ""
    return (
        f'<h4>Book Reviews</h4><div class="reviews">{cards}</div>'
        f'<p class="served">Reviews served by: <code>{pod}</code>{where}</p>'
    )


def book_page(book: Book, details: Any, reviews: Any, user: str) -> str:
    """The shop's page; `details` and `reviews` are what the services answered, with `error` when they failed."""
    return _document(
        f'<header><a class="brand" href="/">BookInfo</a>{_account(user)}</header>\n'
        f'<main><section class="product">{_COVER}<div><h1>{escape(book.title)}</h1>'
        f'<p class="summary">{escape(book.description)} <a href="{escape(book.more)}">More about it</a></p>'
        f'<div class="details">{_details(details)}</div></div></section>\n'
        f"<section>{_reviews(reviews)}</section></main>\n"
        "<footer>Reload to see who answers. Sign in as <b>jason</b> when you have routed him somewhere.</footer>"
    )
