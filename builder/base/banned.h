/* base/banned.h - functions that are wrong in this program: unbounded, locale-bound or clock-bound.
 */
/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* Declared by their own headers first: a poisoned name may not appear in a later declaration. */
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>

/* glibc makes macros of these for clang under _FORTIFY_SOURCE; a macro cannot be poisoned. */
#undef sprintf
#undef vsprintf
#pragma GCC poison strcpy strcat sprintf vsprintf strtok strtok_r atoi atol atof localtime \
    localtime_r
#pragma GCC poison strcoll setlocale mktime
