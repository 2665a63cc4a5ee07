@rem SPDX-License-Identifier: Apache-2.0
@powershell -NoProfile -ExecutionPolicy Bypass -File "%~dp0load.ps1"
@pause
