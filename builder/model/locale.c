/* SPDX-License-Identifier: Apache-2.0 */
#include "locale.h"

static bool is_name(struct str s)
{
    for (size_t i = 0; i < s.len; i++)
        if (!c_alnum(s.p[i]) && !str_has(STR("_.@-"), s.p[i]))
            return false;
    return s.len > 0 && s.p[0] != '.';
}

struct str locale_asked(struct str line)
{
    CLEANUP(buf_clear) struct buf folder = {0};
    struct str name = {0};

    if (!str_cut(&line, STR("="), &name) ||
        !(str_is(name, "LANG") || str_starts(name, STR("LC_"))) || !is_name(line))
        return (struct str){0};
    locale_folder(&folder, line);
    if (str_is(line, "C") || str_is(line, "POSIX") || str_is(buf_view(&folder), "C.utf8"))
        return (struct str){0};
    return line;
}

void locale_list(struct strs *out, const struct strs *env)
{
    for (size_t i = 0; i < env->n; i++) {
        struct str locale = locale_asked(env->v[i]);

        if (locale.len)
            strs_add_once(out, locale);
    }
}

/* As glibc's _nl_normalize_codeset(): letters in lower case and digits; "iso" before digits alone.
 */
void locale_folder(struct buf *out, struct str locale)
{
    struct str modifier = str_sub(locale, str_find(locale, '@'), locale.len);
    struct str codeset = str_sub(locale, 0, locale.len - modifier.len), territory = codeset;
    bool digits = true;

    str_cut(&codeset, STR("."), &territory);
    buf_str(out, territory);
    if (territory.len + modifier.len < locale.len) {
        buf_putc(out, '.');
        for (size_t i = 0; i < codeset.len; i++)
            digits &= !c_alnum(codeset.p[i]) || c_digit(codeset.p[i]);
        buf_puts(out, digits ? "iso" : "");
        for (size_t i = 0; i < codeset.len; i++)
            if (c_alnum(codeset.p[i]))
                buf_putc(out, c_lower(codeset.p[i]));
    }
    buf_str(out, modifier);
}
