/* list: intrusive, circular, doubly linked. A node is a member of the object it links; an object
 * is in at most one list per node. Not thread-safe. */
#ifndef GW_LIST_H
#define GW_LIST_H

#include <stdbool.h>
#include <stddef.h>

struct gw_list {
    struct gw_list *next, *prev;
};

#define GW_CONTAINER_OF(ptr, type, member) ((type *)((char *)(ptr)-offsetof(type, member)))

static inline void gw_list_init(struct gw_list *l) { l->next = l->prev = l; }
static inline bool gw_list_is_empty(const struct gw_list *l) { return l->next == l; }
static inline void gw_list_push(struct gw_list *l, struct gw_list *node) /* at the tail */
{
    node->prev = l->prev;
    node->next = l;
    l->prev->next = node;
    l->prev = node;
}
static inline void gw_list_remove(struct gw_list *node) /* safe on an initialised, unlinked node */
{
    node->prev->next = node->next;
    node->next->prev = node->prev;
    gw_list_init(node);
}
static inline struct gw_list *gw_list_pop(struct gw_list *l) /* from the head; NULL when empty */
{
    struct gw_list *node = l->next;
    if (node == l)
        return NULL;
    gw_list_remove(node);
    return node;
}

#define GW_LIST_EACH(it, l) for (struct gw_list *it = (l)->next; it != (l); it = it->next)
/* The current node may be removed inside the loop. */
#define GW_LIST_EACH_SAFE(it, tmp, l)                                                              \
    for (struct gw_list *it = (l)->next, *tmp = it->next; it != (l); it = tmp, tmp = it->next)

#endif
