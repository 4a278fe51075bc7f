#!/usr/bin/env python3
"""Writes an OCI image as one archive for `ctr images import`, without a registry, a daemon or a build file.

mkimage.py ARCHIVE NAME ITEM...

ITEM is one of
  root:DIRECTORY  all that is in the directory
  SOURCE=PATH     a file of this machine, as a program at that path
  +PROGRAM        a program of this machine with the shared libraries that it needs, where they are here
  busybox         a shell with all its programs
  entry:A,B       what is run
"""

import hashlib
import io
import json
import os
import shutil
import subprocess
import sys
import tarfile

DIRECTORIES = ["bin", "dev", "etc", "proc", "root", "run", "sys", "tmp", "var"]
FILES = {
    "etc/passwd": "root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534:nobody:/:/bin/false\n",
    "etc/group": "root:x:0:\nnogroup:x:65534:\n",
}


class Layer:
    """A layer in the making. Times are left out, so that the same files give the same layer."""

    def __init__(self):
        self.bytes = io.BytesIO()
        self.tar = tarfile.open(fileobj=self.bytes, mode="w")
        self.held = set()

    def add(self, path, mode, kind, content=b"", link=""):
        path = path.lstrip("/")
        if not path or path in self.held:
            return
        self.held.add(path)
        self.add(os.path.dirname(path), 0o755, tarfile.DIRTYPE)
        entry = tarfile.TarInfo(path)
        entry.mode, entry.type, entry.linkname, entry.size = mode, kind, link, len(content)
        self.tar.addfile(entry, io.BytesIO(content))

    def file(self, source, path):
        with open(source, "rb") as file:
            self.add(path, 0o755, tarfile.REGTYPE, file.read())

    def program(self, name, path=None):
        found = shutil.which(name) or sys.exit(f"there is no program {name}")
        self.file(os.path.realpath(found), path or found)
        libraries = subprocess.run(["ldd", found], capture_output=True, text=True).stdout.split()
        for library in libraries:
            if library.startswith("/"):
                self.file(os.path.realpath(library), library)

    def root(self, directory):
        for at, directories, files in os.walk(directory):
            for name in sorted(directories) + sorted(files):
                source = os.path.join(at, name)
                path = os.path.relpath(source, directory)
                if os.path.isdir(source):
                    self.add(path, 0o755, tarfile.DIRTYPE)
                else:
                    self.file(source, path)

    def busybox(self):
        self.program("busybox", "/bin/busybox")
        applets = subprocess.run(["/bin/busybox", "--list"], capture_output=True, text=True, check=True)
        for applet in applets.stdout.split():
            self.add(f"bin/{applet}", 0o777, tarfile.SYMTYPE, link="busybox")

    def skeleton(self):
        for directory in DIRECTORIES:
            self.add(directory, 0o1777 if directory == "tmp" else 0o755, tarfile.DIRTYPE)
        for path, text in FILES.items():
            self.add(path, 0o644, tarfile.REGTYPE, text.encode())

    def done(self):
        self.tar.close()
        return self.bytes.getvalue()


def main():
    archive, name, *items = sys.argv[1:]
    layer, entry = Layer(), ["/bin/sh"]
    layer.skeleton()
    for item in items:
        if item == "busybox":
            layer.busybox()
        elif item.startswith("root:"):
            layer.root(item.removeprefix("root:"))
        elif item.startswith("entry:"):
            entry = item.removeprefix("entry:").split(",")
        elif item.startswith("+"):
            layer.program(item[1:])
        else:
            layer.file(*item.split("=", 1))
    write(archive, name, layer.done(), entry)


def write(archive, name, layer, entry):
    blobs = {}

    def blob(kind, data):
        digest = hashlib.sha256(data).hexdigest()
        blobs[digest] = data
        return {"mediaType": f"application/vnd.oci.image.{kind}", "digest": f"sha256:{digest}", "size": len(data)}

    described = blob("layer.v1.tar", layer)
    config = {
        "architecture": "amd64",
        "os": "linux",
        "config": {"Entrypoint": entry, "Env": ["PATH=/usr/sbin:/usr/bin:/sbin:/bin"]},
        "rootfs": {"type": "layers", "diff_ids": [described["digest"]]},
    }
    manifest = {
        "schemaVersion": 2,
        "mediaType": "application/vnd.oci.image.manifest.v1+json",
        "config": blob("config.v1+json", json.dumps(config).encode()),
        "layers": [described],
    }
    named = blob("manifest.v1+json", json.dumps(manifest).encode())
    named["annotations"] = {"io.containerd.image.name": name}
    index = {"schemaVersion": 2, "manifests": [named]}
    files = {"oci-layout": b'{"imageLayoutVersion": "1.0.0"}', "index.json": json.dumps(index).encode()}
    files |= {f"blobs/sha256/{digest}": data for digest, data in blobs.items()}
    with tarfile.open(archive + ".new", "w") as tar:
        for path, data in files.items():
            entry = tarfile.TarInfo(path)
            entry.size = len(data)
            tar.addfile(entry, io.BytesIO(data))
    os.replace(archive + ".new", archive)


main()
