/* base/version.h - the one place where the program's version stands. */
/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#define ENVBUILD_VERSION "0.4.0"
