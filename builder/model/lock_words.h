/* model/lock_words.h - the words that a lock has for kinds of things; for lock*.c alone. */
/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "lock.h"

static const char *const ecosystems[] = {
    [ECO_DEB] = "deb", [ECO_WHEEL] = "wheel", [ECO_REDIST] = "redist", [ECO_DOWNLOAD] = "download"};
static const char *const groups[] = {
    [LOCK_NO_GROUP] = "",       [LOCK_BASE] = "base",       [LOCK_PYTHON] = "python",
    [LOCK_APT] = "apt",         [LOCK_LOCALES] = "locales", [LOCK_COMPILE] = "compile",
    [LOCK_TOOLKIT] = "toolkit", [LOCK_STATE] = "state"};
static const char *const kinds[] = {
    [LOCK_SYSTEM] = "system", [LOCK_WHEELS] = "wheels",     [LOCK_BYTECODE] = "bytecode",
    [LOCK_FILES] = "files",   [LOCK_DOWNLOAD] = "download", [LOCK_IMAGE] = "image"};
