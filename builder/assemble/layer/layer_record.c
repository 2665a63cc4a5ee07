/* SPDX-License-Identifier: Apache-2.0 */
#include "layer_record.h"

/* Lines of words, as a list of thousands of ranges is read on every rebuild:
 *   layer <digest> <diff_id> <size> <tar size> <literals digest> <literal bytes>
 * (64 zeros stand for a diff_id that was not seen)
 *   chunked <digest of the table> <offset> <size> <plain size> <the same three of tar-split>
 * (where there is a table of contents)
 *   slim <rule> <files> <bytes> <packed bytes>
 *   input <digest>
 *   <source> <offset> <length>
 */
static void put_digest(struct buf *out, const struct digest *d)
{
    char hex[DIGEST_HEX + 1];

    digest_hex(d, hex);
    buf_fmt(out, " %s", hex);
}

static void print_chunked(struct buf *out, const struct chunked *c)
{
    const uint64_t numbers[] = {c->offset,       c->size,       c->unpacked,
                                c->split_offset, c->split_size, c->split_unpacked};

    buf_puts(out, "chunked");
    put_digest(out, &c->toc);
    for (size_t i = 0; i < ARRAY_LEN(numbers); i++)
        buf_fmt(out, " %llu", (unsigned long long)numbers[i]);
    buf_putc(out, '\n');
}

void layer_record_print(struct buf *out, const struct layer_result *made,
                        const struct seen *literals, const struct segments *segments,
                        const struct slim_counts *slim)
{
    buf_puts(out, "layer");
    put_digest(out, seen_digest(&made->digest));
    put_digest(out, seen_digest(&made->diff_id));
    buf_fmt(out, " %llu %llu", (unsigned long long)made->size, (unsigned long long)made->tar_size);
    put_digest(out, seen_digest(literals));
    buf_fmt(out, " %llu\n", (unsigned long long)segments->literal_size);
    if (digest_is_set(&made->chunked.toc))
        print_chunked(out, &made->chunked);
    for (size_t i = 0; i < slim->n; i++)
        buf_fmt(out, "slim %s %llu %llu %llu\n", slim->v[i].rule->name,
                (unsigned long long)slim->v[i].files, (unsigned long long)slim->v[i].bytes,
                (unsigned long long)slim->v[i].packed);
    for (size_t i = 0; i < segments->inputs.n; i++) {
        buf_puts(out, "input");
        put_digest(out, &segments->inputs.v[i]);
        buf_putc(out, '\n');
    }
    for (size_t i = 0; i < segments->list.n; i++) {
        const struct segment *s = &segments->list.v[i];

        buf_fmt(out, "%u %llu %llu\n", s->source, (unsigned long long)s->offset,
                (unsigned long long)s->len);
    }
}

static bool word_digest(struct str *line, struct digest *out)
{
    struct str word;

    return str_word(line, &word) && digest_from_hex(out, word);
}

static bool word_u64(struct str *line, uint64_t *out)
{
    struct str word;

    return str_word(line, &word) && str_u64(word, out);
}

static bool parse_head(struct layer_record *r, struct str line)
{
    return str_skip(&line, STR("layer")) && word_digest(&line, &r->digest) &&
           word_digest(&line, &r->diff_id) && word_u64(&line, &r->size) &&
           word_u64(&line, &r->tar_size) && word_digest(&line, &r->literals) &&
           word_u64(&line, &r->segments.literal_size);
}

static bool parse_chunked(struct chunked *c, struct str line)
{
    return word_digest(&line, &c->toc) && word_u64(&line, &c->offset) &&
           word_u64(&line, &c->size) && word_u64(&line, &c->unpacked) &&
           word_u64(&line, &c->split_offset) && word_u64(&line, &c->split_size) &&
           word_u64(&line, &c->split_unpacked);
}

static bool parse_slim(struct layer_record *r, struct str line)
{
    struct slim_count *c = vec_push(&r->slim);
    struct str name;

    return str_word(&line, &name) && (c->rule = slim_rule_named(name)) &&
           word_u64(&line, &c->files) && word_u64(&line, &c->bytes) && word_u64(&line, &c->packed);
}

static bool parse_segment(struct layer_record *r, struct str line)
{
    struct segment s = {0};
    uint64_t source = 0;

    if (!word_u64(&line, &source) || !word_u64(&line, &s.offset) || !word_u64(&line, &s.len) ||
        source > r->segments.inputs.n)
        return false;
    s.source = (uint32_t)source;
    vec_add(&r->segments.list, s);
    return true;
}

int layer_record_parse(struct layer_record *out, struct str text, struct err *e)
{
    CLEANUP(layer_record_clear) struct layer_record r = {0};
    struct str line = {0};
    bool good = str_line(&text, &line) && parse_head(&r, line);

    while (good && str_line(&text, &line)) {
        if (str_skip(&line, STR("input")))
            good = word_digest(&line, vec_push(&r.segments.inputs));
        else if (str_skip(&line, STR("chunked")))
            good = parse_chunked(&r.chunked, line);
        else if (str_skip(&line, STR("slim")))
            good = parse_slim(&r, line);
        else
            good = parse_segment(&r, line);
    }
    if (!good)
        return err_set(e, ERR_INPUT, "the store's record of a layer is damaged");
    MOVE(out, &r);
    return 0;
}

void layer_record_clear(struct layer_record *r)
{
    segments_clear(&r->segments);
    vec_clear(&r->slim);
    *r = (struct layer_record){0};
}
