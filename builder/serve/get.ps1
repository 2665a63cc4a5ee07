# SPDX-License-Identifier: Apache-2.0
# Fetch {{name}} from {{address}}/ and load it into Docker. Run again, it goes on where it was cut.
# A pipe of PowerShell breaks binary data, so everything goes through a file. -Start starts it, and opens what it serves.
param([switch]$Start, [string]$CaCert)
$ErrorActionPreference = 'Stop'
$url = '{{address}}/image.tar?image={{name}}'
$file = 'image-{{manifest}}.tar'
$size = {{tar}}
$ports = '{{ports}}'
$key = '{{key}}' # instead of the code, as long as this server runs

docker info --format '{{.ServerVersion}}'
if ($LASTEXITCODE -ne 0) { throw 'Docker does not answer; start Docker Desktop, then run this again' }
if ((Get-PSDrive -Name (Get-Location).Drive.Name).Free -lt 4 * $size) {
    throw 'the disk has too little room: Docker needs the archive, the packed and the unpacked image at once'
}
$options = @('--fail', '--noproxy', '*', '--connect-timeout', '10', '--speed-limit', '1', '--speed-time', '20', '-C', '-', '-o', $file)
if ($CaCert) { $options += '--cacert', $CaCert }
$login = [IO.Path]::GetTempFileName() # others see curl's arguments
if ($key) { [IO.File]::WriteAllText($login, "user = `"class:$key`"`n") }
$have = 0
if (Test-Path $file) { $have = (Get-Item $file).Length }
for ($tries = 0; $have -lt $size -and $tries -lt 20; $tries++) {
    curl.exe -K $login @options $url
    if ($LASTEXITCODE -eq 22 -or $LASTEXITCODE -eq 60) { break } # it refuses, or its certificate is not trusted
    if ($LASTEXITCODE -ne 0) { Start-Sleep -Seconds 2 }
    if (Test-Path $file) { $have = (Get-Item $file).Length }
}
$ended = $LASTEXITCODE
Remove-Item $login
if ($have -lt $size -and $ended -eq 22) { throw '{{address}}/ refuses; it was started anew, has something else, or its files were changed: ask who serves it, then fetch this script again' }
if ($have -lt $size -and $ended -eq 60) { throw 'the certificate of {{address}}/ is not trusted here; ask for the file of its authority, then: -CaCert FILE' }
if ($have -lt $size) { throw '{{address}}/ does not answer; is this machine in the same network? Run this again to go on' }
docker load -i $file
$id = docker image inspect --format '{{.Id}}' '{{name}}'
Remove-Item $file
if ($id -ne 'sha256:{{config}}' -and $id -ne 'sha256:{{manifest}}') {
    throw 'what Docker loaded does not have the digest that it should have; run this again'
}
$gpus = @()
if (Get-Command nvidia-smi -ErrorAction SilentlyContinue) { $gpus = '--gpus', 'all' }
Write-Host "loaded; start it with: docker run --rm -it $gpus{{publish}} {{name}}"
if (-not $Start) { exit }
if (-not $ports) {
    docker run --rm -it @gpus '{{name}}'
    exit
}
$publish = @()
foreach ($port in $ports.Split(' ')) { $publish += '-p', "127.0.0.1::$port" }
$container = docker run -d --rm @gpus @publish '{{name}}'
$log = Join-Path ([IO.Path]::GetTempPath()) "$container.log"
for ($tries = 0; $tries -lt 60; $tries++) {
    Start-Process docker -ArgumentList 'logs', $container -NoNewWindow -Wait -RedirectStandardOutput "$log.1" -RedirectStandardError "$log.2"
    $said = "$(Get-Content -Raw "$log.1") $(Get-Content -Raw "$log.2")"
    Remove-Item "$log.1", "$log.2"
    $link = [regex]::Match($said, 'http://[^ /]*:(\d+)(/\S*token=\S*)')
    if ($link.Success) {
        $address = @(docker port $container "$($link.Groups[1].Value)/tcp")[0]
        $url = "http://$address$($link.Groups[2].Value)"
        Write-Host "it serves $url"
        Start-Process $url
        break
    }
    Start-Sleep -Seconds 1
}
docker port $container
Write-Host "stop it with: docker stop $container"
