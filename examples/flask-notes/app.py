"""Notes, in HTML. Flask-Session keeps its sessions in Redis, as its documentation shows. REDIS_URL says which Redis."""

import os
import secrets

from flask import Flask, abort, redirect, render_template_string, request, session
from flask_session import Session
from redis import Redis

app = Flask(__name__)
app.config.update(
    SESSION_TYPE="redis",
    SESSION_REDIS=Redis.from_url(os.environ["REDIS_URL"]),
    SESSION_KEY_PREFIX=os.environ.get("KEY_PREFIX", "session:"),
)
Session(app)

FORM = """<form method="post"><input type="hidden" name="csrf" value="{{ session.csrf }}">{{ fields|safe }}<button>Go</button></form>"""
NOTES = """<h1>Notes of {{ session.user }}</h1><ul>{% for note in session.notes %}<li>note {{ note }}</li>{% endfor %}</ul>"""


def check_csrf():
    if not secrets.compare_digest(session.get("csrf", ""), request.form.get("csrf", "")):
        abort(400, "the form is too old")


@app.get("/login")
def login_form():
    session.setdefault("csrf", secrets.token_hex(8))
    return render_template_string(FORM, fields='<input name="user"><input name="password" type="password">')


@app.post("/login")
def login():
    check_csrf()
    session["user"] = request.form["user"]
    session["notes"] = []
    return redirect("/notes")


@app.get("/notes")
def notes():
    if "user" not in session:
        return redirect("/login")
    return render_template_string(NOTES)


@app.post("/notes")
def add():
    if "user" not in session:
        return redirect("/login")
    check_csrf()
    session["notes"] = session["notes"] + [request.form["note"]]
    return redirect("/notes")


@app.post("/logout")
def logout():
    session.clear()
    return redirect("/login")
