/* lower: one policy from its bound tree to a condition of gw/expr.h; reasons and notes on the way.
 * See lower_internal.h for the whole. */
#include "lower_internal.h"

#include <stdarg.h>
#include <stdio.h>

#define WHY_MAX 400 /* bytes */
#define NOTES_MAX 600
#define SKETCH_MAX 160

void gw_lower_init(struct gw_lower *l, struct gw_lower_rules *r, unsigned role_id, bool has_topic)
{
    *l = (struct gw_lower){.r = r, .role_id = role_id, .has_topic = has_topic, .n_slots = 1};
    gw_idmap_init(&l->cleaned);
    gw_idmap_init(&l->infos);
    gw_buf_init(&l->notes, NOTES_MAX);
    gw_lower_next(l, (struct gw_span){0});
}

void gw_lower_fini(struct gw_lower *l)
{
    gw_idmap_fini(&l->cleaned);
    gw_idmap_fini(&l->infos);
    gw_buf_fini(&l->notes);
}

void gw_lower_next(struct gw_lower *l, struct gw_span label)
{
    gw_idmap_fini(&l->cleaned);
    gw_idmap_fini(&l->infos);
    gw_idmap_init(&l->cleaned);
    gw_idmap_init(&l->infos);
    gw_buf_reset(&l->notes);
    l->label = label;
    l->why = (struct gw_span){0};
    l->depth = l->native_only = 0;
    l->outer_joined = (struct gw_lower_vars){0};
    for (uint32_t i = 0; i < GW_LOWER_VARS_MAX; i++) {
        l->slot_of[i] = 0;
        l->table_of[i] = -1;
    }
}

/* ---- reasons ---- */

static void set_why(struct gw_lower *l, const char *text)
{
    struct gw_buf why;
    gw_buf_init(&why, 0);
    gw_buf_printf(&why, "policy %.*s %s", (int)l->label.n, l->label.n ? l->label.p : "", text);
    l->why = gw_arena_copy(&l->r->rules->arena, gw_buf_span(&why));
    gw_buf_fini(&why);
}

void *gw_lower_refuse(struct gw_lower *l, const char *fmt, ...)
{
    char text[WHY_MAX];
    va_list ap;
    if (l->native_only || gw_lower_failed(l))
        return NULL;
    va_start(ap, fmt);
    vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    set_why(l, text);
    return NULL;
}

void *gw_lower_refuse_node(struct gw_lower *l, const char *text, const struct gw_bound *node)
{
    struct gw_buf sketch;
    if (l->native_only || gw_lower_failed(l))
        return NULL;
    gw_buf_init(&sketch, SKETCH_MAX);
    struct gw_lower_sql w = {.l = l, .out = &sketch, .is_sketch = true};
    gw_lower_sql(&w, node);
    gw_lower_refuse(l, "%s%s%.*s%s", text, text[strlen(text) - 1] == ' ' ? "" : " ", (int)sketch.n,
                    sketch.n ? sketch.p : "", sketch.overflow ? "…" : "");
    gw_buf_fini(&sketch);
    return NULL;
}

void gw_lower_note(struct gw_lower *l, const char *text, struct gw_span detail)
{
    struct gw_buf note;
    gw_buf_init(&note, 0);
    gw_buf_add_str(&note, text);
    gw_buf_add_span(&note, detail);
    struct gw_span all = gw_buf_span(&l->notes), own = gw_buf_span(&note);
    bool is_known = all.n && memmem(all.p, all.n, own.p, own.n);
    if (!is_known) {
        gw_buf_add_str(&l->notes, all.n ? "; " : "");
        gw_buf_add_span(&l->notes, own);
    }
    gw_buf_fini(&note);
}

/* ---- one policy ---- */

struct gw_expr *gw_lower_policy(struct gw_lower *l, const struct gw_bound *expr)
{
    const struct gw_bound *clean = gw_lower_clean(l, expr);
    if (!clean)
        return NULL;
    const struct gw_lower_info *info = gw_lower_info(l, clean);
    if (gw_lower_failed(l))
        return NULL;
    if (info->n_nodes > GW_LOWER_NODES_MAX)
        return gw_lower_refuse(l, "comes to more than %u nodes", GW_LOWER_NODES_MAX);
    struct gw_expr *e = gw_lower_bool(l, clean, GW_LOWER_TRUE);
    if (gw_lower_failed(l))
        return NULL;
    if (!e)
        return gw_lower_refuse_node(l, "cannot be compiled: ", clean);
    if (gw_lower_height(e) > GW_LOWER_HEIGHT_MAX)
        return gw_lower_refuse(l, "is nested more than %u deep", GW_LOWER_HEIGHT_MAX);
    return e;
}
