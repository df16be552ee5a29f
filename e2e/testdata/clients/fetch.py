"""Fetches a URL with a Python HTTP library and prints the body: fetch.py LIBRARY URL [USER PASSWORD]."""

import asyncio
import base64
import http.client
import sys
import urllib.parse
import urllib.request

library, url, *login = sys.argv[1:]


def with_urllib():
    passwords = urllib.request.HTTPPasswordMgrWithDefaultRealm()
    if login:
        passwords.add_password(None, url, *login)
    opener = urllib.request.build_opener(urllib.request.HTTPBasicAuthHandler(passwords))
    return opener.open(url).read().decode()


def with_http_client():
    headers = {}
    if login:
        headers["Authorization"] = "Basic " + base64.b64encode(":".join(login).encode()).decode()
    connection = http.client.HTTPConnection(urllib.parse.urlsplit(url).netloc)
    connection.request("GET", "/", headers=headers)
    response = connection.getresponse()
    if response.status != 200:
        sys.exit(f"status {response.status}")
    return response.read().decode()


def with_requests():
    import requests

    response = requests.get(url, auth=tuple(login) or None)
    response.raise_for_status()
    return response.text


def with_httpx():
    import httpx

    response = httpx.get(url, auth=tuple(login) or None)
    response.raise_for_status()
    return response.text


def with_aiohttp():
    import aiohttp

    async def fetch():
        auth = aiohttp.BasicAuth(*login) if login else None
        async with aiohttp.ClientSession(auth=auth, raise_for_status=True) as session:
            async with session.get(url) as response:
                return await response.text()

    return asyncio.run(fetch())


print(globals()["with_" + library]())
