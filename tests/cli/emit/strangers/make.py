"""Images of others: one with nothing in it, as a layout and as older `docker save` writes it; and one whose labels lie."""
import gzip, hashlib, io, json, os, tarfile


def layer():
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as tar:
        t = tarfile.TarInfo("etc/motd")
        t.size = 3
        tar.addfile(t, io.BytesIO(b"hi\n"))
    return out.getvalue()


def sha(body):
    return "sha256:" + hashlib.sha256(body).hexdigest()


def config(labels, by):
    return json.dumps({"os": "linux", "architecture": "amd64", "config": {"Labels": labels},
                       "rootfs": {"type": "layers", "diff_ids": [sha(layer())]},
                       "history": [{"created_by": by}]}).encode()


def layout(name, conf):
    os.makedirs(name + "/blobs/sha256")

    def put(body, kind):
        with open(f"{name}/blobs/sha256/{sha(body)[7:]}", "wb") as f:
            f.write(body)
        return {"mediaType": "application/vnd.oci.image." + kind, "digest": sha(body), "size": len(body)}

    manifest = {"schemaVersion": 2, "mediaType": "application/vnd.oci.image.manifest.v1+json",
                "config": put(conf, "config.v1+json"), "layers": [put(gzip.compress(layer(), mtime=0), "layer.v1.tar+gzip")]}
    index = {"schemaVersion": 2, "manifests": [put(json.dumps(manifest).encode(), "manifest.v1+json")]}
    for file, text in (("index.json", json.dumps(index)), ("oci-layout", '{"imageLayoutVersion": "1.0.0"}')):
        with open(f"{name}/{file}", "w") as f:
            f.write(text)


plain = config({}, "hand")
layout("plain", plain)
ours = "io.envbuild."
layout("liar", config({ours + "version": "1", ours + "format": "1", ours + "pytorch.version": "2.6.0", ours + "cuda.version": "12.4",
                       ours + "cuda.driver.min": "525.60.13\nspec: {}", ours + "cuda.archs": "8.0 $(id)"}, "envbuild files"))
with tarfile.open("old.tar", "w") as tar:
    for name, body in (("c.json", plain), ("l/layer.tar", layer()),
                       ("manifest.json", json.dumps([{"Config": "c.json", "RepoTags": ["plain:1"], "Layers": ["l/layer.tar"]}]).encode())):
        t = tarfile.TarInfo(name)
        t.size = len(body)
        tar.addfile(t, io.BytesIO(body))
