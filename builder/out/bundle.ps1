# SPDX-License-Identifier: Apache-2.0
# Load the images of this folder into Docker. A pipe of PowerShell breaks binary data, so there is none.
$ErrorActionPreference = 'Stop'
Set-Location -LiteralPath $PSScriptRoot
if (-not (Test-Path SHA256SUMS)) { throw 'this copy is incomplete: it was taken away while it was written; copy it again' }
docker info --format '{{.ServerVersion}}'
if ($LASTEXITCODE -ne 0) { throw 'Docker does not answer; start Docker Desktop, then run this again' }
Write-Host 'checking the files'
foreach ($line in Get-Content SHA256SUMS) {
    $want, $name = $line -split '  ', 2
    if ((Get-FileHash -Algorithm SHA256 -LiteralPath $name).Hash.ToLower() -ne $want) { throw "$name is damaged; copy this folder again" }
}
$file = 'image.tar'
if (-not (Test-Path $file)) {
    $file = Join-Path $env:TEMP 'envbuild-image.tar'
    $all = [IO.File]::Create($file)
    foreach ($part in [IO.Directory]::GetFiles($PSScriptRoot, 'image.tar.*')) {
        $one = [IO.File]::OpenRead($part)
        $one.CopyTo($all)
        $one.Close()
    }
    $all.Close()
}
docker load -i $file
if ($file -ne 'image.tar') { Remove-Item $file }
$gpus = if (Get-Command nvidia-smi -ErrorAction SilentlyContinue) { ' --gpus all' } else { '' }
foreach ($line in @'
{{images}}
'@ -split "`n") {
    $name, $config, $manifest = $line.Trim() -split ' '
    if (-not $name) { continue }
    $id = docker image inspect --format '{{.Id}}' $name
    if ($id -ne "sha256:$config" -and $id -ne "sha256:$manifest") { throw "$name has not the digest that it should have" }
    Write-Host "$name is loaded; start it with: docker run --rm -it$gpus $name"
}
