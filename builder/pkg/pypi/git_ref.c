/* SPDX-License-Identifier: Apache-2.0 */
#include "git_ref.h"

#include "../../base/path.h"

enum { URL_MAX_LEN = 4096, REF_MAX_LEN = 255, COMMIT_HEX = 40 };

bool git_ref_is(struct str url)
{
    return str_starts(url, STR("git+"));
}

bool git_ref_is_commit(struct str s)
{
    for (size_t i = 0; i < s.len; i++)
        if (!c_digit(s.p[i]) && (s.p[i] < 'a' || s.p[i] > 'f'))
            return false;
    return s.len == COMMIT_HEX;
}

static bool is_plain(struct str s)
{
    for (size_t i = 0; i < s.len; i++)
        if ((unsigned char)s.p[i] <= ' ' || (unsigned char)s.p[i] >= 0x7f || s.p[i] == '\\')
            return false;
    return true;
}

/* git and ssh would take what begins with "-" for an option. */
static bool is_host(struct str host)
{
    struct str user = {0};

    if (str_cut(&host, STR("@"), &user) && (!user.len || user.p[0] == '-' || str_has(user, ':')))
        return false;
    return host.len && host.p[0] != '-' && host.p[0] != ':' && !str_has(host, '@');
}

bool git_ref_may_fetch(struct str url, bool file)
{
    static const char *const schemes[] = {"https://", "http://", "ssh://", "git://"};
    struct str rest = url, host;

    if (url.len > URL_MAX_LEN || !is_plain(url))
        return false;
    if (file && str_starts(url, STR("file:///")))
        return true;
    for (size_t i = 0; i < ARRAY_LEN(schemes); i++)
        if (str_skip(&rest, str_of(schemes[i])))
            return str_cut(&rest, STR("/"), &host) && is_host(host) && rest.len;
    return false;
}

/* What git takes for a name (git-check-ref-format), and no option. */
bool git_ref_is_name(struct str ref)
{
    if (!ref.len || ref.len > REF_MAX_LEN || ref.p[0] == '-' || !is_plain(ref) ||
        str_find_str(ref, STR("..")) < ref.len || str_find_str(ref, STR("//")) < ref.len ||
        str_starts(ref, STR("/")) || str_ends(ref, STR("/")) || str_ends(ref, STR(".")))
        return false;
    for (size_t i = 0; i < ref.len; i++)
        if (strchr("~^:?*[", ref.p[i]))
            return false;
    return true;
}

static int take_fragment(struct git_ref *out, struct str fragment, struct str whole, struct err *e)
{
    struct str one;

    while (str_item(&fragment, '&', &one)) {
        if (str_skip(&one, STR("egg=")))
            continue;
        if (!str_skip(&one, STR("subdirectory=")))
            return err_set(e, ERR_INPUT,
                           "\"" STR_FMT "\": of what may stand behind \"#\" only "
                           "subdirectory=FOLDER is known",
                           STR_ARG(whole));
        str_drop(&one, STR("/"));
        if (!path_is_safe(one) || !is_plain(one))
            return err_set(e, ERR_INPUT,
                           "\"" STR_FMT "\": subdirectory \"" STR_FMT
                           "\" is not a folder of the repository",
                           STR_ARG(whole), STR_ARG(one));
        out->folder = one;
    }
    return 0;
}

/* The last "@" behind the host begins the REF. */
static void take_ref(struct git_ref *out, bool *has)
{
    struct str path = out->url, ref;
    size_t host = str_find_str(path, STR("://")) + 3;

    path = str_sub(path, host, path.len);
    host += str_find(path, '/');
    path = str_sub(out->url, host, out->url.len);
    *has = str_cut_last(&path, STR("@"), &ref);
    if (!*has)
        return;
    out->url = str_sub(out->url, 0, out->url.len - ref.len - 1);
    out->ref = ref;
}

int git_ref_parse(struct git_ref *out, struct str url, struct err *e)
{
    struct git_ref made = {.url = url};
    struct str fragment = url, head, host;
    bool has_ref, is_git;

    if (str_cut(&fragment, STR("#"), &head)) {
        made.url = head;
        if (take_fragment(&made, fragment, url, e) < 0)
            return -1;
    }
    is_git = str_skip(&made.url, STR("git+"));
    take_ref(&made, &has_ref);
    head = str_sub(made.url, str_find_str(made.url, STR("://")) + 3, made.url.len);
    if (str_cut(&head, STR("/"), &host) && str_cut_last(&host, STR("@"), &head) &&
        str_has(host, ':'))
        return err_set(
            e, ERR_INPUT,
            "an address with a password in it, which the lock would keep; use git+ssh, or "
            "~/.netrc for git+https");
    if (!is_git || !git_ref_may_fetch(made.url, true))
        return err_set(e, ERR_INPUT,
                       "\"" STR_FMT "\" is not the address of a git repository, such as "
                       "git+https://host/x.git@v1.0, git+ssh://git@host/x.git or git+file:///x",
                       STR_ARG(url));
    if (has_ref && !git_ref_is_name(made.ref))
        return err_set(e, ERR_INPUT,
                       "\"" STR_FMT "\": \"" STR_FMT "\" is not a branch, a tag or a commit",
                       STR_ARG(url), STR_ARG(made.ref));
    *out = made;
    return 0;
}
