<#
.SYNOPSIS
Makes `reconciler run` a Windows service with an account of its own, and closes its folders to everybody else.

.DESCRIPTION
A console program is no service: Windows would end it after 30 seconds for not answering (error 1053). WinSW answers for
it, and stops it with Ctrl+C, so that it finishes its transaction. Running this again repairs what was changed.

.PARAMETER WinSW
Path of WinSW-x64.exe, version 2.12 or newer, as you downloaded it.

.PARAMETER Sha256
Its checksum, from where you trust it. What has another one is not installed.

.PARAMETER Program
The folder with `venv`, into which reconciler was installed.

.EXAMPLE
.\install-service.ps1 -WinSW C:\Downloads\WinSW-x64.exe -Sha256 (Get-Content C:\Downloads\WinSW-x64.exe.sha256)
#>
#Requires -Version 5.1
#Requires -RunAsAdministrator
[CmdletBinding()]
param(
    [Parameter(Mandatory)] [ValidateScript({ Test-Path -LiteralPath $_ -PathType Leaf })] [string] $WinSW,
    [Parameter(Mandatory)] [ValidatePattern('^[0-9A-Fa-f]{64}$')] [string] $Sha256,
    [string] $Program = (Join-Path $env:ProgramFiles 'reconciler')
)
Set-StrictMode -Version Latest
$ErrorActionPreference = 'Stop'

$Name = 'reconciler'
$Account = "NT SERVICE\$Name"  # Windows makes it with the service: no password, no other rights
$Data = Join-Path $env:ProgramData 'reconciler'
$Service = Join-Path $Program 'reconciler-service.exe'
# By number, as their names are translated: SYSTEM, Administrators
$Owners = @('*S-1-5-18:(OI)(CI)F', '*S-1-5-32-544:(OI)(CI)F')

function Invoke-Native([string] $Command, [string[]] $Arguments) {
    & $Command @Arguments | Out-Host
    if ($LASTEXITCODE -ne 0) { throw "$Command $Arguments ended with $LASTEXITCODE" }
}

function Grant-Folder([string] $Folder, [string] $Rights) {
    New-Item -ItemType Directory -Force -Path $Folder | Out-Null
    Invoke-Native 'icacls.exe' (@($Folder, '/inheritance:r', '/grant:r') + $Owners + "${Account}:(OI)(CI)$Rights")
}

if ((Get-FileHash -LiteralPath $WinSW -Algorithm SHA256).Hash -ne $Sha256) {
    throw "$WinSW is not what it should be: its SHA-256 is another one"
}
if (-not (Test-Path -LiteralPath (Join-Path $Program 'venv\Scripts\reconciler.exe'))) {
    throw "there is no venv\Scripts\reconciler.exe in ${Program}: install reconciler there first"
}
if (-not (Get-Command 'git.exe' -ErrorAction SilentlyContinue)) {
    throw 'git.exe is not on PATH: install Git for Windows for all users'
}

$Installed = Get-Service -Name $Name -ErrorAction SilentlyContinue
if ($Installed) { Stop-Service -Name $Name }
Copy-Item -LiteralPath $WinSW -Destination $Service -Force
Copy-Item -LiteralPath (Join-Path $PSScriptRoot 'reconciler-service.xml') -Destination $Program -Force
if (-not $Installed) { Invoke-Native $Service @('install') }
Invoke-Native 'sc.exe' @('config', $Name, 'obj=', $Account)

# The service reads its settings and secrets, and writes its state and WinSW's log; nobody else does either
Grant-Folder $Data 'RX'
Grant-Folder (Join-Path $Data 'secrets') 'RX'
Grant-Folder (Join-Path $Data 'state') 'M'
Grant-Folder (Join-Path $Data 'service-log') 'M'

$Settings = Join-Path $Data 'reconciler.toml'
if (Test-Path -LiteralPath $Settings) {
    Start-Service -Name $Name
    Get-Service -Name $Name
} else {
    Copy-Item -LiteralPath (Join-Path $PSScriptRoot 'reconciler.toml') -Destination $Settings
    Write-Warning "edit $Settings, put the secrets beside it, then: Start-Service $Name"
}
