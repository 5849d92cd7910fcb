"""A shopping cart. aiohttp-session keeps its sessions in Redis, as its documentation shows.

REDIS_URL says which Redis; the first argument is the port.
"""

import os
import sys

import aiohttp_session
from aiohttp import web
from aiohttp_session.redis_storage import RedisStorage
from redis import asyncio as aioredis


async def login(request):
    form = await request.post()
    session = await aiohttp_session.new_session(request)
    session["user"] = form["user"]
    session["items"] = []
    return web.json_response({"user": session["user"]}, status=201)


async def customer(request):
    """The session of a customer who is logged in."""
    session = await aiohttp_session.get_session(request)
    if "user" not in session:
        raise web.HTTPFound("/login")
    return session


async def add(request):
    order = await request.json()
    session = await customer(request)
    session["items"] = session["items"] + [order["item"]]
    return web.json_response({"items": len(session["items"])}, status=201)


async def show(request):
    session = await customer(request)
    return web.json_response({"user": session["user"], "items": session["items"]})


async def logout(request):
    session = await customer(request)
    session.invalidate()
    raise web.HTTPFound("/")


def main():
    app = web.Application()
    redis = aioredis.from_url(os.environ["REDIS_URL"])
    aiohttp_session.setup(app, RedisStorage(redis, cookie_name="cart", max_age=3600))
    app.add_routes(
        [
            web.post("/login", login),
            web.post("/cart", add),
            web.get("/cart", show),
            web.post("/logout", logout),
        ]
    )
    web.run_app(app, host="127.0.0.1", port=int(sys.argv[1]))


main()
