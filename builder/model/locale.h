/* model/locale.h - which locales an image's variables ask for: locale(7), setlocale(3).
 */
/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "../base/buf.h"
#include "../base/vec.h"

/* The locale that "LANG=en_US.UTF-8" asks for; empty when the variable asks for none, or for one
 * that every glibc has: C, POSIX and C.UTF-8. */
struct str locale_asked(struct str line);
/* Append each that "NAME=value" lines ask for once, in their order. */
void locale_list(struct strs *out, const struct strs *env);
/* The folder of /usr/lib/locale that glibc looks into first: "en_US.utf8" for "en_US.UTF-8". */
void locale_folder(struct buf *out, struct str locale);
