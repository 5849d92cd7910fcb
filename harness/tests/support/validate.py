"""Reads a document (JSON, or one document of YAML 1.2) and prints it as JSON; or prints what its schema finds wrong, and fails.
    validate.py SCHEMA DOCUMENT
A schema that refers to others finds them in its own folder. The judge is Python's jsonschema."""
import json
import pathlib
import re
import sys
import urllib.parse

import yaml
from jsonschema import RefResolver
from jsonschema.validators import validator_for


class Yaml(yaml.SafeLoader):
    """YAML 1.1 reads `on`, a key of GitHub's, as true."""


Yaml.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if tag != "tag:yaml.org,2002:bool"]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}
Yaml.add_implicit_resolver("tag:yaml.org,2002:bool", re.compile("^(?:true|false)$"), list("tf"))

schema_file, document_file = (pathlib.Path(name).resolve() for name in sys.argv[1:])
schema = json.loads(schema_file.read_text())
document = yaml.load(document_file.read_text(), Yaml)
base = schema.get("$id", schema_file.as_uri())
store = {urllib.parse.urljoin(base, file.name): json.loads(file.read_text()) for file in schema_file.parent.glob("*.schema.json")}
judge = validator_for(schema)
judge.check_schema(schema)
wrong = [f"{error.json_path}: {error.message}"
         for error in judge(schema, resolver=RefResolver.from_schema(schema, store=store)).iter_errors(document)]
if wrong:
    sys.exit("\n".join(wrong))
print(json.dumps(document))
