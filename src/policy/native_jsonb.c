/* native_jsonb: JSON text as jsonb prints it: one blank behind ':' and ',', keys by length and then
 * by bytes, the last of repeated ones, escapes where they are needed only.
 *
 * A tree in the arena with links to parents: built from the walk's events and printed without
 * recursion. Numbers keep their digits, as numeric does; exponents would have to be written out,
 * and are left to Postgres. */
#include "native_own.h"

#include "gw/json.h"

#include <stdlib.h>

#define NUMBER_TEXT_MAX 1000 /* numeric itself takes more; nobody's claim does */

struct node {
    struct node *parent, *next, *first, *last;
    struct gw_span raw; /* scalar: the token; else the opening bracket */
    struct gw_span key; /* of a member, its text */
    uint32_t n;         /* children */
    uint32_t position;  /* among its parent's children */
};

struct tree {
    struct gw_arena *arena;
    struct node *root, *open; /* open: the innermost container not closed yet */
    struct gw_span key;       /* of the value to come */
};

/* ---- building ---- */

static struct node *add_node(struct tree *t, struct gw_span raw)
{
    struct node *node = gw_arena_alloc(t->arena, sizeof *node);
    if (!node)
        return NULL;
    node->raw = raw;
    node->key = t->key;
    node->parent = t->open;
    if (!t->open) {
        t->root = node;
        return node;
    }
    node->position = t->open->n++;
    if (t->open->last)
        t->open->last->next = node;
    else
        t->open->first = node;
    t->open->last = node;
    return node;
}

static bool is_object(const struct node *node)
{
    return *node->raw.p == '{';
}

static int compare_keys(const struct node *a, const struct node *b)
{
    if (a->key.n != b->key.n)
        return a->key.n < b->key.n ? -1 : 1;
    return a->key.n ? memcmp(a->key.p, b->key.p, a->key.n) : 0;
}

/* By key; of equal ones the last first. */
static int compare_members(const void *a, const void *b)
{
    const struct node *x = *(struct node *const *)a, *y = *(struct node *const *)b;
    int c = compare_keys(x, y);
    return c ? c : x->position > y->position ? -1 : 1;
}

static bool sort_members(struct tree *t, struct node *object)
{
    struct node **members = gw_arena_alloc(t->arena, (object->n + 1) * sizeof(struct node *));
    struct node **end = members;
    if (!members)
        return false;
    for (struct node *m = object->first; m; m = m->next)
        *end++ = m;
    qsort(members, object->n, sizeof(struct node *), compare_members);
    object->first = object->last = NULL;
    for (struct node **m = members; m < end; m++) {
        if (object->last && compare_keys(object->last, *m) == 0)
            continue;
        (*m)->next = NULL;
        if (object->last)
            object->last->next = *m;
        else
            object->first = *m;
        object->last = *m;
    }
    return true;
}

/* Digits as they are? Exponents are not. */
static bool is_plain_scalar(struct gw_span raw)
{
    if (*raw.p != '-' && (*raw.p < '0' || *raw.p > '9'))
        return true;
    return raw.n <= NUMBER_TEXT_MAX && !memchr(raw.p, 'e', raw.n) && !memchr(raw.p, 'E', raw.n);
}

/* One event into the tree; false: give up. */
static bool take(struct tree *t, const struct gw_walk *w, enum gw_walk_event e)
{
    if (e == GW_WALK_KEY) {
        t->key = w->has_bad_escape ? (struct gw_span){NULL, 0} : gw_walk_string(w->raw, t->arena);
        return t->key.p || w->has_bad_escape;
    }
    if (e == GW_WALK_CLOSE) {
        struct node *closed = t->open;
        t->open = closed->parent;
        return !is_object(closed) || sort_members(t, closed);
    }
    struct node *node = add_node(t, w->raw);
    if (node && e == GW_WALK_OPEN)
        t->open = node;
    return node && (e == GW_WALK_OPEN || is_plain_scalar(w->raw));
}

/* ---- printing ---- */

/* numeric has no -0. */
static struct gw_span without_sign_of_zero(struct gw_span raw)
{
    if (*raw.p != '-')
        return raw;
    for (size_t i = 1; i < raw.n; i++)
        if (raw.p[i] != '0' && raw.p[i] != '.')
            return raw;
    return (struct gw_span){raw.p + 1, raw.n - 1};
}

static bool print_string(struct gw_buf *out, struct gw_span raw, struct gw_arena *arena)
{
    struct gw_span text = gw_walk_string(raw, arena);
    if (text.p)
        gw_json_add_string(out, text);
    return text.p;
}

static bool print_node(struct gw_buf *out, const struct node *node, struct gw_arena *arena)
{
    if (node->parent && node != node->parent->first)
        gw_buf_add_str(out, ", ");
    if (node->parent && is_object(node->parent)) {
        gw_json_add_string(out, node->key);
        gw_buf_add_str(out, ": ");
    }
    if (*node->raw.p == '"')
        return print_string(out, node->raw, arena);
    gw_buf_add_span(out, without_sign_of_zero(node->raw));
    return true;
}

static bool print_tree(struct gw_buf *out, const struct node *root, struct gw_arena *arena)
{
    const struct node *at = root;
    for (;;) {
        if (!print_node(out, at, arena))
            return false;
        bool is_container = *at->raw.p == '{' || *at->raw.p == '[';
        if (is_container && at->first) {
            at = at->first;
            continue;
        }
        if (is_container)
            gw_buf_add_byte(out, is_object(at) ? '}' : ']');
        while (at != root && !at->next) {
            at = at->parent;
            gw_buf_add_byte(out, is_object(at) ? '}' : ']');
        }
        if (at == root)
            return true;
        at = at->next;
    }
}

struct gw_datum gw_native_to_jsonb(struct gw_span text, struct gw_arena *arena)
{
    if (text.n > GW_JSONB_TEXT_MAX || !gw_utf8_is_valid(text))
        return gw_datum_unknown();
    struct tree t = {.arena = arena};
    struct gw_walk w = gw_walk_of(text);
    enum gw_walk_event e;
    bool ok = true;
    while ((e = gw_walk_next(&w)) != GW_WALK_END && e != GW_WALK_BAD && e != GW_WALK_DEEP)
        ok = ok && take(&t, &w, e);
    if (e == GW_WALK_BAD || (e == GW_WALK_END && w.has_bad_escape))
        return gw_datum_error();
    if (e != GW_WALK_END || !ok)
        return gw_datum_unknown();
    struct gw_buf out;
    gw_buf_init(&out, 0);
    struct gw_datum d = print_tree(&out, t.root, arena)
                            ? gw_native_copy(GW_KIND_OPAQUE, gw_buf_span(&out), arena)
                            : gw_datum_unknown();
    gw_buf_fini(&out);
    return d;
}
