/* SPDX-License-Identifier: Apache-2.0 */
#include "driver.h"

#include "../base/dotted.h"

struct str driver_arch(struct str word)
{
    static const char *const names[][2] = {{"amd64", "amd64"},   {"x86_64", "amd64"},
                                           {"x86-64", "amd64"},  {"arm64", "arm64"},
                                           {"aarch64", "arm64"}, {"sbsa", "arm64"}};

    for (size_t i = 0; i < ARRAY_LEN(names); i++)
        if (str_eq_nocase(word, str_of(names[i][0])))
            return str_of(names[i][1]);
    return STR("");
}

/* A package's epoch stands before a version, its revision behind. */
static struct str version_in(struct str word, unsigned least)
{
    struct str rest = word, epoch, version;
    uint32_t number;

    if (str_cut(&rest, STR(":"), &epoch) && str_u32(epoch, &number))
        word = rest;
    version = dotted_prefix(word);
    if (!dotted_is(version, least, 3) ||
        (version.len < word.len && !str_has(STR("-+~"), word.p[version.len])))
        return STR("");
    return version;
}

bool driver_read(struct driver *out, struct str text)
{
    struct driver d = {.version = version_in(str_trim(text), 1)};
    struct str word, rest = text;

    while (!d.version.len && str_word(&rest, &word)) {
        if (!d.arch.len)
            d.arch = driver_arch(word);
        d.version = version_in(word, 2);
    }
    if (d.version.len)
        *out = d;
    return d.version.len > 0;
}

bool driver_branch(struct str *branch, struct str text)
{
    struct str number = str_trim(text);
    uint32_t value;

    if ((!str_skip(&number, STR("R")) && !str_skip(&number, STR("r"))) || !str_u32(number, &value))
        return false;
    *branch = number;
    return true;
}

void driver_words(struct buf *out, struct str text)
{
    struct str branch;

    buf_fmt(out, "\"" STR_FMT "\" is %s", STR_ARG(text),
            driver_branch(&branch, text)
                ? "a branch, and its releases differ in what they run; name the whole version, as "
                  "nvidia-smi prints it"
                : "not a version such as 550.54.15");
}
