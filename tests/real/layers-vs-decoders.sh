#!/bin/bash
# The layers of a small image, as gzip of many members and of one, decoded by the programs and libraries that clients use: gzip,
# pigz, igzip, Python's zlib, zlib-ng, Go's compress/gzip, Rust's flate2. Each must give the bytes of the diff_id. What reads one member
# alone must read `compression: gzip,single`.
# SPDX-License-Identifier: Apache-2.0
. "$(dirname "$0")/lib/common.sh"
need python3
scratch
cd "$work"
start_world

# A wheel with files at the edges of what is copied as it is: 64 KiB; empty; stored; of 3 MiB that deflate well or not.
mkdir wheels
python3 - <<'END'
import base64, hashlib, os, random, zipfile
random.seed(1)
noise, text = random.randbytes(3 << 20), b"".join(b"%d\n" % (i * i) for i in range(400000))
files = {"edges/__init__.py": b"", "edges/under": text[:65535], "edges/at": text[:65536], "edges/over": noise[:65537], "edges/text": text[:3 << 20],
         "edges/noise": noise, "edges/stored": text[:100000], "edges/one": b"x", "edges/none": b"",
         "edges-1.0.dist-info/METADATA": b"Metadata-Version: 2.1\nName: edges\nVersion: 1.0\n",
         "edges-1.0.dist-info/WHEEL": b"Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n"}
record = "".join("%s,sha256=%s,%d\n" % (n, base64.urlsafe_b64encode(hashlib.sha256(b).digest()).decode().rstrip("="), len(b)) for n, b in files.items())
files["edges-1.0.dist-info/RECORD"] = (record + "edges-1.0.dist-info/RECORD,,\n").encode()
with zipfile.ZipFile("wheels/edges-1.0-py3-none-any.whl", "w", zipfile.ZIP_DEFLATED) as z:
    for name, body in files.items():
        info = zipfile.ZipInfo(name, (2024, 1, 2, 3, 4, 6))
        info.external_attr, info.compress_type = 0o100644 << 16, zipfile.ZIP_STORED if name.endswith("stored") else zipfile.ZIP_DEFLATED
        z.writestr(info, body)
END
cp world/base.yaml world/base.gpg .
for how in gzip gzip,single; do
    cat >x.yaml <<END
pytorch: "2.6.0"
cuda: "12.4"
cudnn: "9"
base: ./base.yaml
indexes: [$index]
find_links: [wheels]
pip: [edges]
compression: $how
END
    rm -f x.lock
    "$envbuild" build -q --store store x.yaml -o "oci:$how:1" >/dev/null 2>err || fail "$how: $(cat err)"
    python3 - x.lock "$how" <<'END' >"$how.list"
import json, sys
for layer in json.load(open(sys.argv[1]))["built"]["layers"]:
    print(f"{sys.argv[2]}/blobs/sha256/{layer['digest'][7:]}", layer["diff_id"][7:])
END
done

# WHAT COMMAND...: reads a blob from standard input, writes the tar.
decodes() {
    local what=$1 how n=0
    shift
    for how in $forms; do
        while read -r blob want; do
            [ "$("$@" <"$blob" 2>err | sha256sum | cut -d' ' -f1)" = "$want" ] || fail "$what decodes $blob ($how) otherwise: $(tail -1 err)"
            n=$((n + 1))
        done <"$how.list"
    done
    ok "$what: $n layers"
}

forms='gzip gzip,single'
decodes gzip gzip -dc
for tool in unpigz pigz igzip; do
    if command -v "$tool" >/dev/null; then decodes "$tool" "$tool" -dc; else echo "skipped: $tool is not installed"; fi
done
decodes "Python's gzip" python3 -c 'import gzip, sys; sys.stdout.buffer.write(gzip.GzipFile(fileobj=sys.stdin.buffer).read())'
if python3 -m venv env >/dev/null 2>&1 && env/bin/pip install -q zlib_ng >/dev/null 2>err; then
    decodes "zlib-ng" env/bin/python -c 'from zlib_ng import gzip_ng; import sys; sys.stdout.buffer.write(gzip_ng.GzipNGFile(fileobj=sys.stdin.buffer).read())'
    decodes "zlib-ng, threaded" env/bin/python -c 'from zlib_ng import gzip_ng_threaded as t; import shutil, sys; shutil.copyfileobj(t.open(sys.stdin.buffer, "rb"), sys.stdout.buffer)'
else
    echo "skipped: no zlib_ng from the index: $(tail -1 err)"
fi
if command -v go >/dev/null; then
    cat >decode.go <<'END'
package main

import (
	"compress/gzip"
	"io"
	"os"
)

func main() {
	r, err := gzip.NewReader(os.Stdin)
	if err == nil {
		_, err = io.Copy(os.Stdout, r)
	}
	if err != nil {
		os.Stderr.WriteString(err.Error())
		os.Exit(1)
	}
}
END
    go build -o decode decode.go 2>err || fail "go build: $(cat err)"
    decodes "Go's compress/gzip" ./decode
else
    echo "skipped: go is not installed"
fi
if command -v skopeo >/dev/null; then
    for how in $forms; do
        # To plain layers and back: it decodes all, and holds each against its diff_id.
        skopeo copy -q --insecure-policy --dest-decompress "oci:$how:1" dir:plain 2>err || fail "skopeo decompresses $how: $(cat err)"
        while read -r _ want; do
            [ "$(sha256sum <"plain/$want" | cut -d' ' -f1)" = "$want" ] || fail "skopeo decodes $how otherwise"
        done <"$how.list"
        rm -rf plain
    done
    ok "skopeo decompresses both"
fi
if command -v cargo >/dev/null; then
    mkdir -p rust/src
    printf '[package]\nname = "decode"\nversion = "0.0.0"\nedition = "2021"\n[dependencies]\nflate2 = "1"\n' >rust/Cargo.toml
    cat >rust/src/main.rs <<'END'
use std::io;
fn main() -> io::Result<()> {
    let one = std::env::args().nth(1).as_deref() == Some("one");
    let mut to = io::stdout().lock();
    if one {
        io::copy(&mut flate2::read::GzDecoder::new(io::stdin().lock()), &mut to)?;
    } else {
        io::copy(&mut flate2::read::MultiGzDecoder::new(io::stdin().lock()), &mut to)?;
    }
    Ok(())
}
END
    if (cd rust && cargo build -q --release) >err 2>&1; then
        decodes "Rust's flate2, many members" rust/target/release/decode many
        forms='gzip,single' decodes "Rust's flate2, the first member alone" rust/target/release/decode one
        read -r blob want <<<"$(while read -r blob want; do echo "$(stat -c %s "$blob") $blob $want"; done <gzip.list | sort -n | tail -1 | cut -d' ' -f2-)"
        [ "$(rust/target/release/decode one <"$blob" | sha256sum | cut -d' ' -f1)" != "$want" ] || fail "the largest layer has one member"
    else
        echo "skipped: flate2 is not to be had: $(tail -1 err)"
    fi
else
    echo "skipped: cargo is not installed"
fi
