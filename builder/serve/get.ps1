# SPDX-License-Identifier: Apache-2.0
# Fetch {{name}} from {{address}}/ and load it into Docker or Podman. Run again, it goes on where it was cut.
# A pipe of PowerShell breaks binary data, so everything goes through a file.
#
#   -Start             then start it, and open what it serves in the browser
#   -Have              leave out what Docker has of an earlier image of that name (its classic store alone can do that)
#   -From HOST[:PORT]  take the layers from that registry, a cache of this room, port 5000
#   -CaCert FILE       the authority of the server's certificate, where this machine does not trust it
param([switch]$Start, [switch]$Have, [string]$From, [string]$CaCert)
$ErrorActionPreference = 'Stop'
$name = '{{name}}'
$repository = $name.Substring(0, $name.LastIndexOf(':'))
$url = '{{address}}/image.tar?image={{name}}'
$size = {{tar}} # bytes
$ports = '{{ports}}'
$ids = 'sha256:{{config}}', 'sha256:{{manifest}}' # the engine tells one of them
$pieces = '{{pieces}}' # of the archive: bytes, and of a layer its digest
$key = '{{key}}' # instead of the code, as long as this server runs

if ($From -and $Have) { throw '-Have and -From do not go together' }
if ($From -and -not $From.Contains(':')) { $From += ':5000' }

function Test-Loaded {
    $found = @(& $engine image ls --no-trunc --format '{{.ID}}' $name)
    return ($found -contains $ids[0]) -or ($found -contains $ids[1])
}

function Get-Length([string]$Path) {
    if (Test-Path -LiteralPath $Path) { return (Get-Item -LiteralPath $Path).Length }
    return 0
}

# Until the file has that many bytes; others see curl's arguments, so the key, which is for this server alone, is not among them. A
# machine that slept, or has a new address, waits for bytes that never come: 20 seconds, then curl ends. Of what began it does not let
# go at once.
function Receive-File([string]$Address, [string]$To, [long]$Length, [string[]]$How) {
    $own = $Address.StartsWith('{{address}}/')
    $options = @('--fail', '--noproxy', '*', '--connect-timeout', '10', '--speed-limit', '1', '--speed-time', '20')
    if ($own) { $options += '-K', $login }
    if ($CaCert) { $options += '--cacert', $CaCert }
    $tries = 0
    $before = Get-Length $To
    while ($before -lt $Length) {
        curl.exe @options @How -o $To $Address
        $ended = $LASTEXITCODE
        $now = Get-Length $To
        if ($now -ge $Length) { return }
        if ($own -and $ended -eq 22) {
            throw '{{address}}/ refuses; it was started anew, has something else, or its files were changed: ask who serves it, then fetch this script again'
        }
        if ($ended -eq 23) { throw 'the disk is full; run this again in a folder on another disk' }
        if ($ended -eq 60) { throw 'the certificate of {{address}}/ is not trusted here; ask for the file of its authority, then: -CaCert FILE' }
        if ($now -gt $before) { $tries = 0 }
        $tries++
        if (($tries -ge 5 -and $now -eq 0) -or $tries -ge 20) {
            throw "$(([uri]$Address).Authority) does not answer; is this machine in the same network? Run this again to go on"
        }
        Write-Host 'the connection was cut; trying again'
        Start-Sleep -Seconds 2
        $before = $now
    }
}

# The file has what stands before that place, and then what the other one has.
function Add-Part([string]$Part, [long]$At) {
    $all = [IO.File]::Open($file, [IO.FileMode]::OpenOrCreate)
    $all.SetLength($At)
    $all.Position = $At
    $one = [IO.File]::OpenRead($Part)
    $one.CopyTo($all)
    $one.Close()
    $all.Close()
    Remove-Item -LiteralPath $Part
}

# Put together of a registry's layers and of what this server has between them.
function Receive-Pieces {
    [long]$at = 0
    foreach ($piece in $pieces.Split(' ')) {
        $words = $piece.Split('@')
        $end = $at + [long]$words[0]
        $part = "$file.$at"
        if ((Get-Length $file) -lt $end) {
            if ($words.Length -eq 2) {
                Receive-File "http://$From/v2/$repository/blobs/sha256:$($words[1])" $part ($end - $at) @('-C', '-')
            } else {
                Receive-File $url $part ($end - $at) @('-r', "$at-$($end - 1)")
            }
            Add-Part $part $at
        }
        $at = $end
    }
}

# The address and size of what Docker's classic store lacks.
function Find-Rest {
    $old = $name
    if (-not (& $engine image ls -q $old)) {
        $old = @(& $engine image ls --format '{{.Repository}}:{{.Tag}}' $repository)[0]
    }
    $address = $url
    if ($old) {
        $layers = & $engine image inspect --format '{{range .RootFS.Layers}}{{.}} {{end}}' $old
        foreach ($layer in "$layers".Trim().Split(' ')) {
            if ($layer) { $address += "&have=$layer" }
        }
    }
    $options = @('--fail', '--silent', '--show-error', '--noproxy', '*', '--head', '-K', $login)
    if ($CaCert) { $options += '--cacert', $CaCert }
    foreach ($line in curl.exe @options $address) {
        if ($line -match '^content-length: *(\d+)') { return @($address, [long]$Matches[1]) }
    }
    throw '{{address}}/ does not answer; is this machine in the same network?'
}

function Find-Gpus {
    if (-not (Get-Command nvidia-smi -ErrorAction SilentlyContinue)) { return @() }
    $null = nvidia-smi
    if ($LASTEXITCODE -ne 0) { return @() }
    if ($engine -eq 'podman') { return @('--device', 'nvidia.com/gpu=all') }
    return @('--gpus', 'all')
}

# Its link, as this machine reaches it: the engine chose a port that is free.
function Open-Link([string]$Container) {
    $log = Join-Path ([IO.Path]::GetTempPath()) "$Container.log"
    for ($tries = 0; $tries -lt 60; $tries++) {
        Start-Process $engine -ArgumentList 'logs', $Container -NoNewWindow -Wait -RedirectStandardOutput "$log.1" -RedirectStandardError "$log.2"
        $said = "$(Get-Content -Raw "$log.1") $(Get-Content -Raw "$log.2")"
        Remove-Item "$log.1", "$log.2"
        $link = [regex]::Match($said, 'http://[^ /]*:(\d+)(/\S*token=\S*)')
        if ($link.Success) {
            $address = "http://$(@(& $engine port $Container "$($link.Groups[1].Value)/tcp")[0])$($link.Groups[2].Value)"
            Write-Host "it serves $address"
            Start-Process $address
            return
        }
        if (-not (& $engine ps -q --no-trunc --filter "id=$Container")) { throw "it ended at once; see: $engine run --rm $gpus $name" }
        Start-Sleep -Seconds 1
    }
    & $engine port $Container
}

# Without ports it is for the terminal.
function Start-Image {
    if (-not $ports) {
        & $engine run --rm -it @gpus $name
        return
    }
    $publish = @()
    foreach ($port in $ports.Split(' ')) { $publish += '-p', "127.0.0.1::$port" }
    $container = & $engine run -d --rm @gpus @publish $name
    if ($LASTEXITCODE -ne 0) { throw "it does not start; see: $engine run --rm $gpus $name" }
    Open-Link $container
    Write-Host "stop it with: $engine stop $container"
}

$engine = ''
foreach ($one in 'docker', 'podman') {
    if ($engine -or -not (Get-Command $one -ErrorAction SilentlyContinue)) { continue }
    $null = & $one info
    if ($LASTEXITCODE -eq 0) { $engine = $one }
}
if (-not $engine) { throw 'neither docker nor podman answers here; install one, or start Docker Desktop' }
$gpus = @(Find-Gpus)
if (Test-Loaded) {
    Write-Host "$name is in $engine already"
    if ($Start) { Start-Image }
    exit
}
if ($env:PROCESSOR_ARCHITECTURE -eq 'ARM64') {
    Write-Host 'this is for amd64 and is emulated on this machine: that is slow, and kernels of Jupyter may die'
}
$login = [IO.Path]::GetTempFileName()
try {
    if ($key) { [IO.File]::WriteAllText($login, "user = `"class:$key`"`n") }
    if ($Have) {
        if ($engine -eq 'docker' -and "$(docker info --format '{{.DriverStatus}}')" -notmatch 'io.containerd.snapshotter') {
            $url, $size = Find-Rest
        } else {
            Write-Host '-Have changes nothing: only the classic store of Docker finds layers again'
        }
    }
    $file = Join-Path (Get-Location).ProviderPath "image-{{manifest}}-$size.tar"
    $drive = (Get-Location).Drive # none: a folder of the network
    $free = if ($drive) { (Get-PSDrive -Name $drive.Name).Free }
    if ($null -ne $free -and $free -lt 4 * $size - (Get-Length $file)) {
        throw "the disk has too little room: $engine needs the archive, the packed and the unpacked image at once"
    }
    if ($From) { Receive-Pieces } else { Receive-File $url $file $size @('-C', '-') }
} finally {
    Remove-Item -LiteralPath $login
}
& $engine load -i $file
$loaded = Test-Loaded
Remove-Item -LiteralPath $file
if (-not $loaded) { throw "what $engine loaded is not $name with the digest that it should have; run this again$(if ($Have) { ' without -Have' })" }
Write-Host "$name is loaded; start it with: $engine run --rm -it $gpus{{publish}} $name"
if ($Start) { Start-Image }
