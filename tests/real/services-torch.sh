#!/bin/bash
# The recipe's services with a real PyTorch and its toolkit: a cell that imports torch, run in JupyterLab by Chromium's hand; and by ssh
# nvcc, torch and a variable of `docker run -e`. Takes 4 GB of downloads and 15 GB of the disk. With OUT the screenshot is kept.
# PyTorch's CUDA is 13, whose toolkit is wheels of PyPI.
# SPDX-License-Identifier: Apache-2.0
. "$(dirname "$0")/lib/common.sh"
. "$(dirname "$0")/lib/services.sh"
need python3 gpgv ssh ssh-keygen chromium
scratch
cd "$work"
mkdir -p store/envbuild
# Torch and the toolkit may be in the user's store.
cp -rl "${XDG_CACHE_HOME:-$HOME/.cache}/envbuild/blobs" store/envbuild/ 2>/dev/null || true
export XDG_CACHE_HOME=$work/store

ssh-keygen -q -t ed25519 -N '' -f mine
mkdir notebooks
cat >notebooks/torch.ipynb <<'JSON'
{"cells": [{"cell_type": "code", "execution_count": null, "id": "first", "metadata": {}, "outputs": [],
            "source": "import torch\nprint(torch.__version__, (torch.ones(64, 64) @ torch.ones(64, 64)).sum().item())"}],
 "metadata": {"kernelspec": {"display_name": "Python 3 (ipykernel)", "language": "python", "name": "python3"}}, "nbformat": 4, "nbformat_minor": 5}
JSON
cat >x.yaml <<'YAML'
name: served-torch
tag: devel
pytorch: "2.11.0"
variant: devel
pip: [numpy]
user: {name: student, uid: 2000}
files: [{from: notebooks/, to: /opt/notebooks/}]
services: {jupyter: {notebooks: /opt/notebooks}, ssh: {authorized_keys: [mine.pub]}}
YAML
start_docker || skip "$0 needs root and a dockerd"
PATH=$(dirname "$docker"):$PATH "$envbuild" build -q x.yaml -o docker: >ref || fail "build"
rm -rf store
ok "built: $(cat ref)"
want=$(python3 -c 'import json; print(next(a["version"] for a in json.load(open("x.lock"))["artifacts"] if a["name"] == "torch"))')

start -e 'MINE=a "b" \c $d' served-torch:devel
find_lab
find_ssh
start_chromium
in_lab press "http://127.0.0.1:$port/lab/tree/torch.ipynb?token=$token" "$devtools" >cell.png 2>said || fail "Chromium: $(cat said)"
[[ $(cat said) = $want*" 262144.0" ]] || fail "the cell prints $(cat said)"
keep cell.png services-torch.png
ok "Chromium opens the notebook, and its cell prints $(cat said)"
# shellcheck disable=SC2016 # for the shell inside
by_ssh "$ssh_port" student mine 'nvcc --version; python -c "import torch; print(torch.__version__)"; echo "$MINE"; echo "$CUDA_HOME"' >said 2>&1 || fail "ssh: $(cat said)"
grep -q '^Cuda compilation tools, release 13' said && grep -qxF 'a "b" \c $d' said && grep -q "^$want" said && grep -qx /usr/local/cuda said || fail "ssh: $(cat said)"
ok "ssh host 'nvcc --version; python -c \"import torch\"', with a variable of docker run -e: $(grep release said)"
end_it
ok "docker stop took $took ms"
