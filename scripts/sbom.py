#!/usr/bin/env python3
"""Prints the bill of materials of what scripts/dist.sh builds for a target, as CycloneDX 1.6 in JSON: every crate that is linked
in, with its licence, its checksum according to Cargo.lock, and the crates it needs.
    scripts/sbom.py x86_64-unknown-linux-gnu
"""
import datetime
import json
import os
import re
import subprocess
import sys
import urllib.parse
import uuid

# What is built: scripts/dist.sh.
PACKAGES = ["firedrill", "firedrill-storage"]


def said(*command):
    return subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout


def linked(target):
    """Name and version of each crate that is linked in. Cargo's tree knows which features the packages get; its metadata has
    those of the whole workspace."""
    packages = [word for package in PACKAGES for word in ("--package", package)]
    tree = said("cargo", "tree", "--locked", "--target", target, *packages, "--edges", "normal,no-proc-macro",
                "--prefix", "none", "--format", "{p}")
    return {tuple(line.split()[:2]) for line in tree.splitlines() if line}


def url(package):
    return f"pkg:cargo/{package['name']}@{urllib.parse.quote(package['version'], safe='')}"


def component(package, checksums):
    about = {
        "type": "library",
        "bom-ref": url(package),
        "name": package["name"],
        "version": package["version"],
        "purl": url(package),
    }
    if package["description"]:
        about["description"] = package["description"].strip()
    if package["license"]:
        # The slash is how crates wrote OR before SPDX.
        about["licenses"] = [{"expression": re.sub(r"\s*/\s*", " OR ", package["license"])}]
    checksum = checksums.get((package["name"], package["version"]))
    if checksum:
        about["hashes"] = [{"alg": "SHA-256", "content": checksum}]
    return about


def made_at():
    """When the commit was made, so that the same commit has the same bill."""
    epoch = os.environ.get("SOURCE_DATE_EPOCH")
    if not epoch:
        try:
            epoch = said("git", "log", "-1", "--format=%ct")
        except (OSError, subprocess.CalledProcessError):
            epoch = "0"
    return datetime.datetime.fromtimestamp(int(epoch), datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")


def bill(target):
    names = linked(target)
    metadata = json.loads(said("cargo", "metadata", "--locked", "--format-version", "1", "--filter-platform", target))
    packages = {package["id"]: package for package in metadata["packages"]
                if (package["name"], "v" + package["version"]) in names}
    with open("Cargo.lock", encoding="utf-8") as lock:
        entry = r'name = "(.+)"\nversion = "(.+)"\nsource = ".+"\nchecksum = "(.+)"'
        checksums = {(name, version): checksum for name, version, checksum in re.findall(entry, lock.read())}
    needs = {}
    for node in metadata["resolve"]["nodes"]:
        if node["id"] in packages:
            normal = [one["pkg"] for one in node["deps"] if any(kind["kind"] is None for kind in one["dep_kinds"])]
            needs[url(packages[node["id"]])] = sorted(url(packages[one]) for one in normal if one in packages)
    components = sorted((component(package, checksums) for package in packages.values()), key=lambda one: one["bom-ref"])
    whole = next(one for one in components if one["name"] == PACKAGES[0])
    dependencies = [{"ref": ref, "dependsOn": needs[ref]} for ref in sorted(needs)]
    return {
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "serialNumber": f"urn:uuid:{uuid.uuid5(uuid.NAMESPACE_URL, json.dumps([target, components, dependencies]))}",
        "version": 1,
        "metadata": {"timestamp": made_at(), "component": {**whole, "type": "application"},
                     "properties": [{"name": "firedrill:target", "value": target}]},
        "components": [one for one in components if one is not whole],
        "dependencies": dependencies,
    }


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("firedrill: give the target, such as x86_64-unknown-linux-gnu")
    os.chdir(os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
    json.dump(bill(sys.argv[1]), sys.stdout, indent=1, ensure_ascii=False)
    print()
